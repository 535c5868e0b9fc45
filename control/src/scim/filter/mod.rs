//! Filters (RFC 7644, section 3.4.2.2): `userName eq "a@x" and not (emails[type eq "work"] pr)`.
//!
//! In: the text, and among which attributes its names are looked for. Out: a [`Filter`] that a resource fits or does
//! not. What cannot be read, names that no schema knows and comparisons that make no sense are refused.

mod compare;
mod lexer;
mod parser;

use serde_json::Value;

use super::{
    attribute::Attribute,
    error::ScimError,
    path::{Scope, Target},
    schema::Fields,
};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// What a resource, or one value of an attribute, must be like.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// Either.
    Or(Box<Filter>, Box<Filter>),
    /// Not so.
    Not(Box<Filter>),
    /// There is a value.
    Present(Target),
    /// A value compares so.
    Compare(Target, Operator, Value),
    /// One of the attribute's values is so.
    Inside(Target, Box<Filter>),
}

impl Filter {
    /// Reads one about resources, or about the parts of a value.
    pub(super) fn parse(text: &str, scope: Scope) -> Result<Self, ScimError> {
        parser::whole(text, scope)
    }

    /// Whether these are so.
    pub(super) fn fits(&self, fields: &Fields) -> bool {
        match self {
            Self::And(left, right) => left.fits(fields) && right.fits(fields),
            Self::Or(left, right) => left.fits(fields) || right.fits(fields),
            Self::Not(inner) => !inner.fits(fields),
            Self::Present(target) => target.values(fields).into_iter().any(is_something),
            Self::Compare(target, operator, wanted) => {
                compare::any(target.last(), &target.values(fields), *operator, wanted)
            }
            Self::Inside(target, inner) => {
                target.values(fields).into_iter().any(|value| inner.fits_value(value))
            }
        }
    }

    /// Whether one value of an attribute is so.
    pub(super) fn fits_value(&self, value: &Value) -> bool {
        value.as_object().is_some_and(|fields| self.fits(fields))
    }

    /// The text that this attribute must equal, if nothing else can fit.
    pub(super) fn must_equal(&self, name: &str) -> Option<&str> {
        match self {
            Self::And(left, right) => left.must_equal(name).or_else(|| right.must_equal(name)),
            Self::Compare(target, Operator::Equal, Value::String(text)) => {
                let is_it =
                    target.extension.is_none() && target.part.is_none() && target.attribute.name == name;
                is_it.then_some(text)
            }
            Self::Or(..) | Self::Not(_) | Self::Present(_) | Self::Compare(..) | Self::Inside(..) => None,
        }
    }

    /// Whether it asks about this attribute.
    pub(super) fn mentions(&self, name: &str) -> bool {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.mentions(name) || right.mentions(name),
            Self::Not(inner) => inner.mentions(name),
            Self::Present(target) | Self::Compare(target, ..) | Self::Inside(target, _) => {
                target.attribute.name == name
            }
        }
    }

    /// The parts that a value must have to be so, where the filter says it by `eq` and `and` alone.
    pub(super) fn demanded(&self) -> Option<Vec<(&'static Attribute, &Value)>> {
        match self {
            Self::And(left, right) => Some([left.demanded()?, right.demanded()?].concat()),
            Self::Compare(target, Operator::Equal, value) => Some(vec![(target.attribute, value)]),
            Self::Or(..) | Self::Not(_) | Self::Present(_) | Self::Compare(..) | Self::Inside(..) => None,
        }
    }
}

/// An empty text or list is no value (RFC 7644, table 3).
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => fields.values().any(is_something),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

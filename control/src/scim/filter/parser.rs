//! The grammar of filters: `or` binds least, then `and`, then `not`.

use std::{iter::Peekable, vec};

use serde_json::Value;

use super::{
    Filter, Operator, compare,
    lexer::{Token, words},
};
use crate::scim::{
    error::ScimError,
    path::{Place, Scope, Target},
};

/// How deep parentheses and brackets may be nested.
const DEEPEST: usize = 32;

struct Parser {
    words: Peekable<vec::IntoIter<Token>>,
    depth: usize,
}

/// A filter that is all of the text.
pub(super) fn whole(text: &str, scope: Scope) -> Result<Filter, ScimError> {
    let mut parser = Parser { words: words(text)?.into_iter().peekable(), depth: 0 };
    let filter = parser.either(scope)?;
    match parser.words.next() {
        None => Ok(filter),
        Some(_) => Err(ScimError::filter("there is something behind the filter's end")),
    }
}

impl Parser {
    fn either(&mut self, scope: Scope) -> Result<Filter, ScimError> {
        let mut left = self.both(scope)?;
        while self.take_word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(scope)?));
        }
        Ok(left)
    }

    fn both(&mut self, scope: Scope) -> Result<Filter, ScimError> {
        let mut left = self.one(scope)?;
        while self.take_word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one(scope)?));
        }
        Ok(left)
    }

    fn one(&mut self, scope: Scope) -> Result<Filter, ScimError> {
        match self.words.next() {
            Some(Token::Open) => self.enclosed(scope, &Token::Close),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("not") => match self.words.next() {
                Some(Token::Open) => Ok(Filter::Not(Box::new(self.enclosed(scope, &Token::Close)?))),
                _ => Err(ScimError::filter("`not` stands before parentheses")),
            },
            Some(Token::Word(name)) => self.about(&name, scope),
            _ => Err(ScimError::filter("the name of an attribute is missing")),
        }
    }

    /// What stands up to the closing mark.
    fn enclosed(&mut self, scope: Scope, end: &Token) -> Result<Filter, ScimError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ScimError::filter(format!("nested more than {DEEPEST} deep")));
        }
        let filter = self.either(scope)?;
        self.depth -= 1;
        if self.words.next().as_ref() == Some(end) {
            Ok(filter)
        } else {
            Err(ScimError::filter("a parenthesis or bracket is not closed"))
        }
    }

    /// What is said of an attribute.
    fn about(&mut self, name: &str, scope: Scope) -> Result<Filter, ScimError> {
        let Some(Place::Attribute(target)) = scope.resolve(name) else {
            return Err(ScimError::filter(format!("there is no attribute `{}`", name.escape_debug())));
        };
        if self.words.next_if_eq(&Token::OpenBracket).is_some() {
            return self.inside(target);
        }
        let Some(Token::Word(word)) = self.words.next() else {
            return Err(ScimError::filter(format!("{name}: an operator is missing")));
        };
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(target));
        }
        let operator = operator(&word)
            .ok_or_else(|| ScimError::filter(format!("there is no operator `{}`", word.escape_debug())))?;
        let Some(Token::Literal(value)) = self.words.next() else {
            return Err(ScimError::filter(format!(
                "{name} {word}: a value is missing; texts stand in quotes"
            )));
        };
        comparison(target, operator, value)
    }

    fn inside(&mut self, target: Target) -> Result<Filter, ScimError> {
        let parts = target.attribute.parts();
        if target.part.is_some() || parts.is_empty() {
            return Err(ScimError::filter(format!("{}: has no parts to filter by", target.last().name)));
        }
        let inner = self.enclosed(Scope::Parts(parts), &Token::CloseBracket)?;
        Ok(Filter::Inside(target, Box::new(inner)))
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        self.words
            .next_if(|token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted)))
            .is_some()
    }
}

fn operator(word: &str) -> Option<Operator> {
    Some(match word.to_ascii_lowercase().as_str() {
        "eq" => Operator::Equal,
        "ne" => Operator::NotEqual,
        "co" => Operator::Contains,
        "sw" => Operator::StartsWith,
        "ew" => Operator::EndsWith,
        "gt" => Operator::Greater,
        "ge" => Operator::GreaterOrEqual,
        "lt" => Operator::Less,
        "le" => Operator::LessOrEqual,
        _ => return None,
    })
}

/// A comparison. Where an attribute has parts and none is named, its `value` is meant; null is no value.
fn comparison(target: Target, operator: Operator, value: Value) -> Result<Filter, ScimError> {
    let target = match target.attribute.value_part() {
        Some(part) if target.part.is_none() => Target { part: Some(part), ..target },
        Some(_) | None => target,
    };
    match (operator, &value) {
        (Operator::Equal, Value::Null) => Ok(Filter::Not(Box::new(Filter::Present(target)))),
        (Operator::NotEqual, Value::Null) => Ok(Filter::Present(target)),
        _ => {
            compare::check(target.last(), operator, &value)?;
            Ok(Filter::Compare(target, operator, value))
        }
    }
}

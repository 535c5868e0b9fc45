//! Which attribute is meant: `userName`, `name.givenName`, `urn:…:User:department` (RFC 7644, section 3.10).

use serde_json::Value;

use super::{
    attribute::{Attribute, named},
    schema::{Fields, ResourceType, Schema},
};

/// Among which attributes a name is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    /// Those of a resource.
    Resource(&'static ResourceType),
    /// The parts of a value.
    Parts(&'static [Attribute]),
}

/// An attribute of a resource, or a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The extension that it belongs to; absent: the resource itself.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The part of it that is meant.
    pub part: Option<&'static Attribute>,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// An attribute.
    Attribute(Target),
    /// Everything of an extension.
    Extension(&'static Schema),
}

impl Scope {
    /// What a name leads to here; nothing when no schema knows it.
    pub(super) fn resolve(self, name: &str) -> Option<Place> {
        let of = match self {
            Self::Parts(parts) => {
                return named(parts, name)
                    .map(|attribute| Place::Attribute(Target { extension: None, attribute, part: None }));
            }
            Self::Resource(of) => of,
        };
        if let Some(extension) = of.extension {
            match after(name, extension.id) {
                Some("") => return Some(Place::Extension(extension)),
                Some(rest) => {
                    return dotted(rest, Some(extension), |first| named(extension.attributes, first));
                }
                None => {}
            }
        }
        let rest = after(name, of.core.id).filter(|rest| !rest.is_empty()).unwrap_or(name);
        dotted(rest, None, |first| of.attribute(first))
    }
}

/// What follows a URN in a name: nothing more, or what stands behind a colon.
fn after<'a>(name: &'a str, urn: &str) -> Option<&'a str> {
    let (head, rest) = name.split_at_checked(urn.len())?;
    if !head.eq_ignore_ascii_case(urn) {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':').filter(|rest| !rest.is_empty()) }
}

fn dotted(
    name: &str,
    extension: Option<&'static Schema>,
    find: impl Fn(&str) -> Option<&'static Attribute>,
) -> Option<Place> {
    let (first, second) = name.split_once('.').map_or((name, None), |(first, second)| (first, Some(second)));
    let attribute = find(first)?;
    let part = match second {
        Some(second) => Some(named(attribute.parts(), second)?),
        None => None,
    };
    Some(Place::Attribute(Target { extension, attribute, part }))
}

impl Target {
    /// The attribute whose values are meant in the end.
    pub(super) fn last(&self) -> &'static Attribute {
        self.part.unwrap_or(self.attribute)
    }

    /// The values that it has in a resource, one by one.
    pub(super) fn values<'a>(&self, fields: &'a Fields) -> Vec<&'a Value> {
        let fields = match self.extension {
            Some(extension) => fields.get(extension.id).and_then(Value::as_object),
            None => Some(fields),
        };
        let values = each(fields.and_then(|fields| fields.get(self.attribute.name)));
        match self.part {
            Some(part) => values.iter().flat_map(|value| each(value.get(part.name))).collect(),
            None => values,
        }
    }
}

fn each(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
    }
}

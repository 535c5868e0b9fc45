//! Where a change happens, and the change itself.

use std::collections::HashSet;

use serde_json::Value;

use super::place as resolve;
use crate::scim::{
    attribute::{Attribute, Mutability},
    error::ScimError,
    filter::Filter,
    normal,
    path::{Place, Scope, Target},
    schema::{Fields, ResourceType, Schema},
};

/// A path: an attribute, a part of one, values that fit a filter, everything of an extension.
#[derive(Debug)]
pub(super) enum Path {
    /// `urn:…:User`
    Extension(&'static Schema),
    /// `userName`, `name.givenName`
    Plain(Target),
    /// `members[value eq "u_1"]`, `emails[type eq "work"].value`
    Chosen(Target, Filter),
}

impl Path {
    /// Reads one.
    pub(super) fn parse(of: &'static ResourceType, text: &str) -> Result<Self, ScimError> {
        let Some((name, rest)) = text.split_once('[') else {
            return Ok(match resolve(of, text)? {
                Place::Extension(extension) => Self::Extension(extension),
                Place::Attribute(target) => Self::Plain(target),
            });
        };
        let (filter, tail) =
            rest.rsplit_once(']').ok_or_else(|| ScimError::path("a bracket is not closed"))?;
        let Place::Attribute(target) = resolve(of, name)? else {
            return Err(ScimError::path("an extension has no values to choose from"));
        };
        if !target.attribute.is_multi || target.part.is_some() {
            return Err(ScimError::path(format!("{name}: has no values to choose from")));
        }
        let parts = target.attribute.parts();
        let filter = Filter::parse(filter, Scope::Parts(parts))?;
        let part = match tail.strip_prefix('.') {
            None if tail.is_empty() => None,
            None => return Err(ScimError::path("behind the bracket: a dot and a part, or nothing")),
            Some(part) => match Scope::Parts(parts).resolve(part) {
                Some(Place::Attribute(found)) => Some(found.attribute),
                Some(Place::Extension(_)) | None => {
                    return Err(ScimError::path(format!("there is no part `{}`", part.escape_debug())));
                }
            },
        };
        Ok(Self::Chosen(Target { part, ..target }, filter))
    }

    /// Refuses what is ours to say.
    pub(super) fn check_writable(&self) -> Result<(), ScimError> {
        let target = match self {
            Self::Extension(_) => return Ok(()),
            Self::Plain(target) | Self::Chosen(target, _) => target,
        };
        for attribute in [Some(target.attribute), target.part].into_iter().flatten() {
            if attribute.mutability == Mutability::ReadOnly {
                return Err(ScimError::mutability(format!("{}: is read only", attribute.name)));
            }
        }
        Ok(())
    }

    /// Adds a value, or puts it in the place of what is there.
    pub(super) fn put(&self, fields: &mut Fields, value: &Value, add: bool) -> Result<(), ScimError> {
        match self {
            Self::Extension(extension) => put_extension(extension, fields, value, add),
            Self::Plain(target) => put_plain(target, fields, value, add),
            Self::Chosen(target, filter) => put_chosen(target, filter, fields, value, add),
        }
    }

    /// Removes what is there, or of it the values that are listed.
    pub(super) fn remove(&self, fields: &mut Fields, listed: Option<&Value>) -> Result<(), ScimError> {
        match self {
            Self::Extension(extension) => {
                fields.remove(extension.id);
            }
            Self::Plain(target) => remove_plain(target, fields, listed)?,
            Self::Chosen(target, filter) => remove_chosen(target, filter, fields),
        }
        Ok(())
    }
}

/// The fields among which the target's attribute is; made if they are not there.
fn container<'a>(target: &Target, fields: &'a mut Fields) -> Option<&'a mut Fields> {
    match target.extension {
        None => Some(fields),
        Some(extension) => made(fields, extension.id),
    }
}

fn made<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.entry(name).or_insert_with(|| Value::Object(Fields::new())).as_object_mut()
}

fn put_extension(
    extension: &'static Schema,
    fields: &mut Fields,
    value: &Value,
    add: bool,
) -> Result<(), ScimError> {
    let Value::Object(given) = value else {
        return Err(ScimError::value(format!("{}: an object", extension.name)));
    };
    for (name, value) in given {
        let Some(Place::Attribute(found)) = Scope::Parts(extension.attributes).resolve(name) else {
            continue;
        };
        let target = Target { extension: Some(extension), ..found };
        put_plain(&target, fields, value, add)?;
    }
    Ok(())
}

fn put_plain(target: &Target, fields: &mut Fields, value: &Value, add: bool) -> Result<(), ScimError> {
    let attribute = target.attribute;
    if attribute.mutability == Mutability::WriteOnly {
        return Ok(());
    }
    let Some(fields) = container(target, fields) else { return Ok(()) };
    if let Some(part) = target.part {
        return put_part(attribute, part, fields, value);
    }
    let Some(value) = normal::value(attribute, value)? else {
        // An empty list takes the place of what is there, and adds nothing to it.
        if !add {
            fields.remove(attribute.name);
        }
        return Ok(());
    };
    match (fields.get_mut(attribute.name), value) {
        (Some(Value::Array(there)), Value::Array(more)) if add => append(there, more),
        (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
        (_, value) => {
            fields.insert(attribute.name.to_owned(), value);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut(attribute.name) {
        one_primary(values);
    }
    Ok(())
}

fn put_part(
    attribute: &'static Attribute,
    part: &'static Attribute,
    fields: &mut Fields,
    value: &Value,
) -> Result<(), ScimError> {
    let value = normal::single(part, value)?.unwrap_or(Value::Null);
    if attribute.is_multi {
        // `emails.value` means that part of each.
        let values = fields.get_mut(attribute.name).and_then(Value::as_array_mut);
        for there in values.into_iter().flatten().filter_map(Value::as_object_mut) {
            there.insert(part.name.to_owned(), value.clone());
        }
    } else if let Some(there) = made(fields, attribute.name) {
        there.insert(part.name.to_owned(), value);
    }
    Ok(())
}

/// Adds values; those that are there already (by their `value`, or altogether) are not doubled.
fn append(there: &mut Vec<Value>, more: Vec<Value>) {
    let key = |value: &Value| match value.get("value").and_then(Value::as_str) {
        Some(own) => (own.to_owned(), value.get("type").map(Value::to_string)),
        None => (value.to_string(), None),
    };
    let mut known: HashSet<_> = there.iter().map(key).collect();
    for value in more {
        if known.insert(key(&value)) {
            if value.get("primary") == Some(&Value::Bool(true)) {
                no_primary(there);
            }
            there.push(value);
        }
    }
}

fn no_primary(values: &mut [Value]) {
    for value in values.iter_mut().filter_map(Value::as_object_mut) {
        if value.get("primary") == Some(&Value::Bool(true)) {
            value.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

/// Of several first choices the last one stays (RFC 7644, section 3.5.2).
fn one_primary(values: &mut [Value]) {
    let is_primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    if let Some(last) = values.iter().rposition(is_primary) {
        let (before, _) = values.split_at_mut(last);
        no_primary(before);
    }
}

fn put_chosen(
    target: &Target,
    filter: &Filter,
    fields: &mut Fields,
    value: &Value,
    add: bool,
) -> Result<(), ScimError> {
    let attribute = target.attribute;
    let changed = chosen_parts(target, value)?;
    let Some(fields) = container(target, fields) else { return Ok(()) };
    let mut values = match fields.remove(attribute.name) {
        Some(Value::Array(values)) => values,
        Some(_) | None => Vec::new(),
    };
    let mut found = false;
    for there in values.iter_mut().filter(|there| filter.fits_value(there)) {
        found = true;
        if let Some(there) = there.as_object_mut() {
            there.extend(changed.clone());
        }
    }
    if !found {
        let demanded = filter.demanded().filter(|_| add);
        let demanded = demanded
            .ok_or_else(|| ScimError::no_target(format!("{}: no value fits the filter", attribute.name)))?;
        let mut fresh = Fields::new();
        for (part, value) in demanded {
            fresh.extend(normal::single(part, value)?.map(|value| (part.name.to_owned(), value)));
        }
        fresh.extend(changed);
        values.push(Value::Object(fresh));
    }
    one_primary(&mut values);
    fields.insert(attribute.name.to_owned(), Value::Array(values));
    Ok(())
}

/// What the chosen values are to have: the part that the path names, or all that the value does.
fn chosen_parts(target: &Target, value: &Value) -> Result<Fields, ScimError> {
    let given = match target.part {
        Some(part) => {
            let value = normal::single(part, value)?;
            return Ok(value.into_iter().map(|value| (part.name.to_owned(), value)).collect());
        }
        None => normal::single(target.attribute, value)?,
    };
    match given {
        Some(Value::Object(parts)) => Ok(parts),
        Some(_) | None => Ok(Fields::new()),
    }
}

fn remove_plain(target: &Target, fields: &mut Fields, listed: Option<&Value>) -> Result<(), ScimError> {
    let attribute = target.attribute;
    let Some(fields) = container(target, fields) else { return Ok(()) };
    if let Some(part) = target.part {
        let values = match fields.get_mut(attribute.name) {
            Some(Value::Array(values)) => values.as_mut_slice(),
            Some(one) => std::slice::from_mut(one),
            None => &mut [],
        };
        for there in values.iter_mut().filter_map(Value::as_object_mut) {
            there.remove(part.name);
        }
        return Ok(());
    }
    let Some(listed) = listed.filter(|_| attribute.is_multi) else {
        fields.remove(attribute.name);
        return Ok(());
    };
    // An empty list lists nothing, and nothing is removed then.
    let Some(Value::Array(listed)) = normal::value(attribute, listed)? else { return Ok(()) };
    let key = |value: &Value| value.get("value").unwrap_or(value).to_string();
    let listed: HashSet<String> = listed.iter().map(key).collect();
    retain(attribute, fields, |value| !listed.contains(&key(value)));
    Ok(())
}

fn remove_chosen(target: &Target, filter: &Filter, fields: &mut Fields) {
    let Some(fields) = container(target, fields) else { return };
    let Some(part) = target.part else {
        return retain(target.attribute, fields, |value| !filter.fits_value(value));
    };
    let values = fields.get_mut(target.attribute.name).and_then(Value::as_array_mut);
    for there in values.into_iter().flatten().filter(|there| filter.fits_value(there)) {
        if let Some(there) = there.as_object_mut() {
            there.remove(part.name);
        }
    }
}

fn retain(attribute: &Attribute, fields: &mut Fields, keep: impl Fn(&Value) -> bool) {
    let values = fields.get_mut(attribute.name).and_then(Value::as_array_mut);
    let is_empty = values.is_some_and(|values| {
        values.retain(keep);
        values.is_empty()
    });
    if is_empty {
        fields.remove(attribute.name);
    }
}

//! Changes by PATCH (RFC 7644, section 3.5.2), as Okta and Entra really send them.
//!
//! In: a resource as it is and the body of the call. Out: the resource as it is to be. Names of operations come in any
//! case. Without a path the value's keys are paths themselves; those that no schema knows, or that are ours to say, are
//! passed over, since directories send whole resources back. With a path both are refused. A `remove` that lists values
//! removes those and no others.

mod place;

use serde_json::Value;

use super::{
    error::ScimError,
    normal,
    path::{Place, Scope},
    schema::{Fields, ResourceType},
};
use place::Path;

const MOST_OPERATIONS: usize = 1_000;

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// The resource after the changes.
pub(super) fn patch(of: &'static ResourceType, before: &Fields, body: &Value) -> Result<Fields, ScimError> {
    let operations = field(body, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| ScimError::syntax("Operations: a list of operations"))?;
    if operations.is_empty() || operations.len() > MOST_OPERATIONS {
        return Err(ScimError::syntax(format!("Operations: 1 to {MOST_OPERATIONS}")));
    }
    let mut fields = before.clone();
    for operation in operations {
        apply(of, &mut fields, operation)?;
    }
    normal::require(of, &fields)?;
    Ok(fields)
}

/// A field, whatever the case of its name.
fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn apply(of: &'static ResourceType, fields: &mut Fields, operation: &Value) -> Result<(), ScimError> {
    let op = match field(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Op::Add,
        Some("replace") => Op::Replace,
        Some("remove") => Op::Remove,
        Some(_) | None => return Err(ScimError::syntax("op: add, replace or remove")),
    };
    let value = field(operation, "value").filter(|value| !value.is_null());
    let path = match field(operation, "path").filter(|path| !path.is_null()) {
        None => None,
        Some(Value::String(path)) if path.is_empty() => None,
        Some(Value::String(path)) => Some(path),
        Some(_) => return Err(ScimError::path("path: a text")),
    };
    let Some(path) = path else { return whole(of, fields, op, value) };
    let path = Path::parse(of, path)?;
    path.check_writable()?;
    match (op, value) {
        (Op::Remove, _) => path.remove(fields, value),
        (Op::Add | Op::Replace, None) => Err(ScimError::value("value: missing")),
        (Op::Add, Some(value)) => path.put(fields, value, true),
        (Op::Replace, Some(value)) => path.put(fields, value, false),
    }
}

/// An operation without a path: each key of the value is one.
fn whole(
    of: &'static ResourceType,
    fields: &mut Fields,
    op: Op,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    if op == Op::Remove {
        return Err(ScimError::no_target("remove: a path is missing"));
    }
    let Some(Value::Object(given)) = value else {
        return Err(ScimError::syntax("value: an object, where there is no path"));
    };
    for (key, value) in given {
        let Ok(path) = Path::parse(of, key) else { continue };
        if path.check_writable().is_err() {
            continue;
        }
        if value.is_null() {
            path.remove(fields, None)?;
        } else {
            path.put(fields, value, op == Op::Add)?;
        }
    }
    Ok(())
}

/// Whether a name leads anywhere.
fn place(of: &'static ResourceType, name: &str) -> Result<Place, ScimError> {
    Scope::Resource(of)
        .resolve(name)
        .ok_or_else(|| ScimError::path(format!("there is no attribute `{}`", name.escape_debug())))
}

#[cfg(test)]
mod tests;

//! Bringing what a directory sends into one form: attributes under their right names, values of their right types.
//!
//! Names come in any case. Entra writes booleans as texts and a manager as a bare id. What no schema knows, what is ours
//! to say and what is null is dropped, as RFC 7644 (sections 3.3 and 3.5.1) lets us; a value of the wrong type is not.

use serde_json::Value;

use super::{
    attribute::{Attribute, Kind, Mutability, named},
    error::ScimError,
    schema::{Fields, ResourceType},
};

const LONGEST: usize = 4_096;
const MOST_VALUES: usize = 50_000;

/// A whole resource of this type.
pub(super) fn resource(of: &ResourceType, body: &Value) -> Result<Fields, ScimError> {
    let body = body.as_object().ok_or_else(|| ScimError::syntax("a resource is a JSON object"))?;
    let mut fields = Fields::new();
    for (name, given) in body {
        if let Some(extension) = of.extension.filter(|extension| extension.id.eq_ignore_ascii_case(name)) {
            let parts = object(extension.attributes, given, extension.name)?;
            if !parts.is_empty() {
                fields.insert(extension.id.to_owned(), Value::Object(parts));
            }
        } else if let Some(attribute) = of.attribute(name) {
            insert(&mut fields, attribute, given)?;
        }
    }
    require(of, &fields)?;
    Ok(fields)
}

/// Refuses a resource that lacks what it must have.
pub(super) fn require(of: &ResourceType, fields: &Fields) -> Result<(), ScimError> {
    let lacking = of.core.attributes.iter().find(|attribute| {
        let value = fields.get(attribute.name);
        attribute.is_key && value.is_none_or(|value| value.as_str().is_some_and(str::is_empty))
    });
    lacking.map_or(Ok(()), |attribute| Err(ScimError::value(format!("{}: required", attribute.name))))
}

fn insert(fields: &mut Fields, attribute: &'static Attribute, given: &Value) -> Result<(), ScimError> {
    if attribute.mutability != Mutability::ReadWrite {
        return Ok(());
    }
    if let Some(value) = value(attribute, given)? {
        fields.insert(attribute.name.to_owned(), value);
    }
    Ok(())
}

fn object(among: &'static [Attribute], given: &Value, whose: &str) -> Result<Fields, ScimError> {
    let given = given.as_object().ok_or_else(|| ScimError::value(format!("{whose}: an object")))?;
    let mut fields = Fields::new();
    for (name, given) in given {
        if let Some(attribute) = named(among, name) {
            insert(&mut fields, attribute, given)?;
        }
    }
    Ok(fields)
}

/// A value of an attribute; nothing for null and for what is empty.
pub(super) fn value(attribute: &'static Attribute, given: &Value) -> Result<Option<Value>, ScimError> {
    if !attribute.is_multi {
        return single(attribute, given);
    }
    let several = given.as_array().map_or_else(|| std::slice::from_ref(given), Vec::as_slice);
    if several.len() > MOST_VALUES {
        return Err(ScimError::value(format!("{}: more than {MOST_VALUES} values", attribute.name)));
    }
    let mut values = Vec::with_capacity(several.len());
    for given in several {
        values.extend(single(attribute, given)?);
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// One value, also of an attribute that may have several.
pub(super) fn single(attribute: &'static Attribute, given: &Value) -> Result<Option<Value>, ScimError> {
    let wrong = |wanted: &str| Err(ScimError::value(format!("{}: {wanted}", attribute.name)));
    if given.is_null() {
        return Ok(None);
    }
    match (attribute.kind, given) {
        (Kind::Text | Kind::Reference(_), Value::String(text)) => plain(attribute, text).map(Some),
        (Kind::Text, Value::Number(number)) => Ok(Some(Value::String(number.to_string()))),
        (Kind::DateTime, Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => {
            Ok(Some(given.clone()))
        }
        (Kind::Boolean, Value::Bool(_)) => Ok(Some(given.clone())),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true.into())),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false.into())),
        (Kind::Complex(parts), Value::Object(_)) => {
            let fields = object(parts, given, attribute.name)?;
            Ok((!fields.is_empty()).then_some(Value::Object(fields)))
        }
        (Kind::Complex(_), Value::String(_)) if attribute.value_part().is_some() => {
            let mut fields = Fields::new();
            fields.insert("value".to_owned(), given.clone());
            Ok(Some(Value::Object(fields)))
        }
        (Kind::Text | Kind::Reference(_), _) => wrong("a text"),
        (Kind::DateTime, _) => wrong("a time as RFC 3339 writes it"),
        (Kind::Boolean, _) => wrong("true or false"),
        (Kind::Complex(_), _) => wrong("an object"),
    }
}

fn plain(attribute: &Attribute, text: &str) -> Result<Value, ScimError> {
    if text.len() > LONGEST {
        return Err(ScimError::value(format!("{}: longer than {LONGEST} bytes", attribute.name)));
    }
    if text.chars().any(|letter| letter.is_control() && !['\n', '\r', '\t'].contains(&letter)) {
        return Err(ScimError::value(format!("{}: control characters", attribute.name)));
    }
    Ok(Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::schema::USERS, *};

    #[test]
    fn names_come_in_any_case_and_entras_texts_become_what_they_mean() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let given = json!({
            "SCHEMAS": ["x"], "USERNAME": "Alice@Example.com", "Active": "False", "password": "secret", "id": "mine",
            "nickName": null, "unknown": 1, "emails": [{"Value": "a@x", "primary": "True"}, null],
            "groups": [{"value": "g"}], enterprise.to_uppercase(): {"manager": "u_1", "floor": 3},
        });
        let wanted = json!({
            "userName": "Alice@Example.com", "active": false, "emails": [{"value": "a@x", "primary": true}],
            enterprise: {"manager": {"value": "u_1"}},
        });
        assert_eq!(Value::Object(resource(&USERS, &given).unwrap()), wanted);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        for (field, value) in [
            ("active", json!("maybe")),
            ("userName", json!(["a"])),
            ("userName", json!("")),
            ("userName", json!(null)),
            ("displayName", json!("a\u{0}b")),
            ("displayName", json!("x".repeat(5_000))),
            ("name", json!("Alice")),
            ("emails", json!([3])),
        ] {
            let mut given = json!({"userName": "a"});
            given[field] = value.clone();
            let error = resource(&USERS, &given).unwrap_err();
            assert_eq!(error.word(), Some("invalidValue"), "{field} {value}");
        }
        assert_eq!(resource(&USERS, &json!([])).unwrap_err().word(), Some("invalidSyntax"));
    }
}

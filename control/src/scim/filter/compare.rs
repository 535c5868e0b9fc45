//! Comparing the values of an attribute with what a filter wants.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use super::Operator;
use crate::{
    domain::folded,
    scim::{
        attribute::{Attribute, Kind},
        error::ScimError,
    },
};

/// Refuses a comparison that makes no sense for the attribute.
pub(super) fn check(attribute: &Attribute, operator: Operator, wanted: &Value) -> Result<(), ScimError> {
    let makes_sense = match attribute.kind {
        Kind::Text | Kind::Reference(_) => wanted.is_string(),
        Kind::Boolean => matches!(operator, Operator::Equal | Operator::NotEqual) && truth(wanted).is_some(),
        Kind::DateTime => wanted.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
        Kind::Complex(_) => false,
    };
    if makes_sense {
        return Ok(());
    }
    Err(ScimError::filter(format!("{}: cannot be compared so", attribute.name)))
}

/// Whether one of the values compares so; for `ne`, whether none is equal.
pub(super) fn any(attribute: &Attribute, values: &[&Value], operator: Operator, wanted: &Value) -> bool {
    if operator == Operator::NotEqual {
        return !any(attribute, values, Operator::Equal, wanted);
    }
    values.iter().any(|value| one(attribute, value, operator, wanted))
}

fn one(attribute: &Attribute, value: &Value, operator: Operator, wanted: &Value) -> bool {
    match attribute.kind {
        Kind::Boolean => truth(value).is_some() && truth(value) == truth(wanted),
        Kind::DateTime => match (moment(value), moment(wanted)) {
            (Some(at), Some(wanted)) => ordered(at.cmp(&wanted), operator),
            (_, None) | (None, _) => false,
        },
        Kind::Text | Kind::Reference(_) => match (value.as_str(), wanted.as_str()) {
            (Some(text), Some(wanted)) if attribute.is_exact => texts(text, wanted, operator),
            (Some(text), Some(wanted)) => texts(&folded(text), &folded(wanted), operator),
            (_, None) | (None, _) => false,
        },
        Kind::Complex(_) => false,
    }
}

/// Entra writes booleans as texts in filters too.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn texts(text: &str, wanted: &str, operator: Operator) -> bool {
    match operator {
        Operator::Contains => text.contains(wanted),
        Operator::StartsWith => text.starts_with(wanted),
        Operator::EndsWith => text.ends_with(wanted),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::Less
        | Operator::LessOrEqual => ordered(text.cmp(wanted), operator),
    }
}

fn ordered(order: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        // Parts of a moment's text mean nothing.
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scim::{filter::Filter, path::Scope, schema::USERS};

    fn fits(filter: &str) -> bool {
        let alice = json!({
            "id": "u_1", "userName": "Alice@Example.com", "externalId": "00u1", "active": true, "title": "DBA",
            "name": {"familyName": "O'Malley", "givenName": "Alice"},
            "emails": [{"value": "alice@example.com", "type": "work", "primary": true}, {"value": "a@home.org", "type": "home"}],
            "meta": {"lastModified": "2026-05-13T04:42:34Z"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales", "manager": {"value": "u_9"}},
        });
        Filter::parse(filter, Scope::Resource(&USERS)).unwrap().fits(alice.as_object().unwrap())
    }

    #[test]
    fn filters_mean_what_the_standard_says() {
        for (filter, wanted) in [
            (r#"userName eq "alice@example.com""#, true),
            (r#"USERNAME Eq "ALICE@example.com""#, true),
            (r#"externalId eq "00U1""#, false),
            (r#"name.familyName co "O'Malley""#, true),
            (r#"userName sw "ali" and userName ew ".com""#, true),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "A""#, true),
            ("title pr", true),
            ("nickName pr", false),
            ("nickName eq null", true),
            (r#"nickName ne "x""#, true),
            (r#"title ne "dba""#, false),
            (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, true),
            (r#"meta.lastModified ge "2026-05-13T06:42:34+02:00""#, true),
            (r#"meta.lastModified lt "2026-05-13T04:42:34Z""#, false),
            ("title pr and active eq true", true),
            (r#"active eq "False""#, false),
            ("nickName pr or title pr and active eq false", false),
            ("(title pr or nickName pr) and active eq true", true),
            ("not (active eq true)", false),
            (r#"emails eq "a@home.org""#, true),
            (r#"emails.type eq "work""#, true),
            (r#"emails[type eq "work" and value co "@example.com"]"#, true),
            (r#"emails[type eq "home" and value co "@example.com"]"#, false),
            (r#"emails[not (type eq "work")] and title pr"#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "u_9""#, true),
            (r#"userName gt "alice" and userName le "b""#, true),
            (r#"displayName eq "a\"b""#, false),
        ] {
            assert_eq!(fits(filter), wanted, "{filter}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_guessed() {
        for filter in [
            "",
            "userName",
            "userName eq",
            "userName eq alice",
            r#"userName is "a""#,
            r#"nonsense eq "a""#,
            r#"userName eq "a" garbage"#,
            r#"userName eq "a"#,
            r#"(userName eq "a""#,
            r#"userName eq "a")"#,
            r#"not userName eq "a""#,
            r#"emails[type eq "work""#,
            r#"userName[type eq "work"]"#,
            r#"emails[colour eq "red"]"#,
            "active gt true",
            "active eq 1",
            "userName eq 3",
            r#"meta.lastModified gt "yesterday""#,
            r#"name eq "Alice""#,
            "userName eq 'a'",
            r#"userName eq "a" and"#,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr",
            &"(".repeat(100),
            &format!(r#"userName eq "{}""#, "a".repeat(5_000)),
        ] {
            let refused = Filter::parse(filter, Scope::Resource(&USERS)).unwrap_err();
            assert_eq!(refused.word(), Some("invalidFilter"), "{filter}");
        }
    }

    #[test]
    fn a_torn_filter_is_read_or_refused_and_never_worse() {
        let whole = r#"not (emails[type eq "wörk\u00e9" and not (value pr)] or name.givenName ne null) and active eq "True""#;
        let cuts: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
        for from in &cuts {
            for to in cuts.iter().filter(|to| *to >= from) {
                let torn = whole.get(*from..*to).unwrap();
                if let Ok(filter) = Filter::parse(torn, Scope::Resource(&USERS)) {
                    filter.fits(json!({"active": true}).as_object().unwrap());
                }
            }
        }
    }

    #[test]
    fn only_what_nothing_else_can_fit_is_looked_up_by_its_key() {
        let key = |filter: &str| {
            let filter = Filter::parse(filter, Scope::Resource(&USERS)).unwrap();
            filter.must_equal("userName").map(str::to_owned)
        };
        assert_eq!(key(r#"userName eq "a""#).as_deref(), Some("a"));
        assert_eq!(key(r#"active eq true and username eq "a""#).as_deref(), Some("a"));
        assert_eq!(key(r#"active eq true or userName eq "a""#), None);
        assert_eq!(key(r#"not (userName eq "a")"#), None);
        assert_eq!(key(r#"userName sw "a""#), None);
    }
}

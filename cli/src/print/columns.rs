//! A column of a listing: its title, and how its cell is read from an item.

use jiff::Timestamp;
use serde_json::Value;

/// A column of a listing.
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) title: &'static str,
    /// Its text for one item.
    pub(crate) cell: fn(&Value) -> String,
}

impl Column {
    /// A column.
    pub(crate) const fn new(title: &'static str, cell: fn(&Value) -> String) -> Self {
        Self { title, cell }
    }
}

/// A value as people read it: a text without quotes, a list with commas, nothing for null.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(fields) => match (fields.get("resource"), fields.get("privileges")) {
            (Some(resource), Some(privileges)) => format!("{}:{}", text(resource), text(privileges)),
            (_, None) | (None, _) => value.to_string(),
        },
    }
}

/// An RFC 3339 time as `2026-01-31 08:15:00`, UTC.
pub(crate) fn time(value: &Value) -> String {
    let given = text(value);
    given.parse::<Timestamp>().map_or(given, |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_are_written_as_they_are_asked_for() {
        let resources = json!([{"resource": "public.sales.id", "privileges": ["SELECT", "UPDATE"]},
                               {"resource": "hr.reviews", "privileges": ["SELECT"]}]);
        assert_eq!(text(&resources), "public.sales.id:SELECT,UPDATE,hr.reviews:SELECT");
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(time(&json!("2026-01-31T09:15:00.123+01:00")), "2026-01-31 08:15:00");
        assert_eq!(time(&json!(null)), "");
    }
}

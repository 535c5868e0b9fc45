//! YAML 1.2 of a JSON value, in block style.
//!
//! A text is written without quotes only where no reader, old or new, could take it for anything else; otherwise as a
//! JSON string, which YAML reads the same way.

use serde_json::{Map, Value};

/// The whole document, with a line break at its end.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(fields, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
    out
}

fn mapping(fields: &Map<String, Value>, indent: usize, out: &mut String) {
    for (at, (name, value)) in fields.iter().enumerate() {
        // The first field follows on the line that the caller began.
        if at > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&plain_or_quoted(name));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                out.push_str(&" ".repeat(indent + 2));
                mapping(inner, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                sequence(items, indent, out);
            }
            Value::Object(_)
            | Value::Array(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => {
                out.push(' ');
                out.push_str(&scalar(value));
                out.push('\n');
            }
        }
    }
}

fn sequence(items: &[Value], indent: usize, out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(inner, indent + 2, out),
            Value::Array(inner) if !inner.is_empty() => sequence(inner, indent + 2, out),
            Value::Object(_)
            | Value::Array(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => {
                out.push_str(&scalar(item));
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text),
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            value.to_string()
        }
    }
}

fn plain_or_quoted(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./@".contains(&byte))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let json = Value::String(text.to_owned()).to_string();
    // Legal in JSON, but line breaks or unprintable to a YAML reader.
    let odd = |letter| {
        matches!(letter, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let written =
        |letter| if odd(letter) { format!("\\u{:04x}", u32::from(letter)) } else { String::from(letter) };
    json.chars().map(written).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_lists_and_objects_are_indented() {
        let value = json!([{"id": "r_1", "list": [{"a": 1}, {"a": [2, 3]}], "none": null, "empty": []}, {"id": "r_2"}]);
        let text = document(&value);
        assert!(text.contains("  list:\n  - a: 1\n  - a:\n    - 2\n    - 3\n"), "{text}");
        assert!(text.contains("  none: null\n") && text.ends_with("- id: r_2\n"), "{text}");
        assert!(text.contains("empty: []\n"), "{text}");
    }

    #[test]
    fn a_text_that_could_be_taken_for_something_else_is_quoted() {
        for text in
            ["", "no", "NULL", "1", "1e3", "~", "- x", "a: b", "a #b", "2026-01-01", "*", "\u{2028}", "x\n"]
        {
            assert!(plain_or_quoted(text).starts_with('"'), "{text:?}");
        }
        assert_eq!(plain_or_quoted("alice@example.com"), "alice@example.com");
    }
}

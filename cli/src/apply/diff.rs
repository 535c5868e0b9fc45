//! What changes, for people.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::print::visible;

/// Every change, and how many there are.
pub(super) fn text(answer: &Value) -> String {
    let none = Vec::new();
    let changes = answer["changes"].as_array().unwrap_or(&none);
    let lines: String = changes.iter().map(line).collect();
    let count = |action: &str| changes.iter().filter(|change| change["action"] == action).count();
    let (made, changed, gone) = (count("create"), count("change"), count("delete"));
    let done = if answer["applied"] == true { "" } else { " (dry run: nothing was changed)" };
    format!("{lines}{made} created, {changed} changed, {gone} deleted{done}\n")
}

fn line(change: &Value) -> String {
    let (mark, fields) = match change["action"].as_str() {
        Some("create") => ('+', fields(&Value::Null, &change["after"])),
        Some("delete") => ('-', String::new()),
        Some(_) | None => ('~', fields(&change["before"], &change["after"])),
    };
    let caution = change["caution"].as_str().map(|text| format!("    ! {}\n", visible(text)));
    let caution = caution.unwrap_or_default();
    format!("{mark} {} {}\n{caution}{fields}", word(&change["kind"]), word(&change["name"]))
}

fn word(value: &Value) -> String {
    visible(value.as_str().unwrap_or_default())
}

fn fields(before: &Value, after: &Value) -> String {
    let empty = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let line = |name: &String| match (before.get(name), after.get(name)) {
        (old, new) if old == new || name == "name" => String::new(),
        (Some(old), Some(new)) => format!("    {name}: {} -> {}\n", shown(old), shown(new)),
        (None, Some(new)) => format!("    {name}: {}\n", shown(new)),
        (Some(old), None) => format!("    {name}: {} -> (none)\n", shown(old)),
        (None, None) => String::new(),
    };
    names.into_iter().map(line).collect()
}

fn shown(value: &Value) -> String {
    visible(&value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_made_changed_and_deleted_is_told_field_by_field() {
        let answer = json!({"applied": false, "changes": [
            {"kind": "rule", "name": "a", "action": "create", "before": null, "after": {"name": "a", "priority": 1}},
            {"kind": "rule", "name": "b", "action": "change", "before": {"name": "b", "whole": true, "star": "deny"},
             "after": {"name": "b", "whole": false, "knock": true}},
            {"kind": "rule", "name": "c\u{1b}", "action": "delete", "before": {"name": "c"}, "after": null},
            {"kind": "repo", "name": "d", "action": "change", "before": {"open": false}, "after": {"open": true},
             "caution": "reopens what was closed by a\u{1b}"},
        ]});
        assert_eq!(
            text(&answer),
            "+ rule a\n    priority: 1\n~ rule b\n    knock: true\n    star: \"deny\" -> (none)\n    whole: true -> false\n\
             - rule c\\u{1b}\n~ repo d\n    ! reopens what was closed by a\\u{1b}\n    open: false -> true\n\
             1 created, 2 changed, 1 deleted (dry run: nothing was changed)\n"
        );
    }
}

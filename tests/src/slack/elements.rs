//! What Slack takes for the elements of blocks: buttons, menus, fields.
//!
//! <https://docs.slack.dev/reference/block-kit/block-elements>

use std::collections::HashSet;

use serde_json::Value;

use super::blocks::{Faults, Surface};

/// In which kind of block an element stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Section,
    Actions,
    Input,
}

/// Checks an element.
pub(super) fn check(faults: &mut Faults, place: &str, element: &Value, within: Place, surface: Surface) {
    faults.length(&format!("{place}.action_id"), &element["action_id"], 255);
    if let Some(text) = element.get("placeholder") {
        faults.text(&format!("{place}.placeholder"), text, true, 150);
    }
    if let Some(dialog) = element.get("confirm") {
        confirm(faults, &format!("{place}.confirm"), dialog);
    }
    match element["type"].as_str().unwrap_or_default() {
        "button" => button(faults, place, element, within),
        "static_select" => static_select(faults, place, element, &["initial_option"]),
        "multi_static_select" => {
            if within == Place::Actions {
                faults.say(place, "a multi-select does not stand among actions");
            }
            static_select(faults, place, element, &["initial_options", "max_selected_items"]);
        }
        "external_select" => external_select(faults, place, element, &["initial_option"]),
        "multi_external_select" => {
            if within == Place::Actions {
                faults.say(place, "a multi-select does not stand among actions");
            }
            external_select(faults, place, element, &["initial_options", "max_selected_items"]);
        }
        "plain_text_input" => plain_text_input(faults, place, element, within),
        "datetimepicker" => {
            faults.keys(
                place,
                element,
                &["type", "action_id", "initial_date_time", "confirm", "focus_on_load"],
            );
            if within == Place::Section {
                faults.say(place, "a datetimepicker stands among actions and inputs");
            }
        }
        other => faults.say(place, format!("an element of the type {other:?} is not known here")),
    }
    if surface == Surface::Message && within == Place::Input {
        faults.say(place, "messages have no inputs here");
    }
}

fn button(faults: &mut Faults, place: &str, element: &Value, within: Place) {
    let known = ["type", "action_id", "text", "url", "value", "style", "confirm", "accessibility_label"];
    faults.keys(place, element, &known);
    if within == Place::Input {
        faults.say(place, "a button is no input");
    }
    faults.text(&format!("{place}.text"), &element["text"], true, 75);
    for (name, most) in [("url", 3_000), ("value", 2_000), ("accessibility_label", 75)] {
        if let Some(text) = element.get(name) {
            faults.length(&format!("{place}.{name}"), text, most);
        }
    }
    if element.get("style").is_some_and(|style| style != "primary" && style != "danger") {
        faults.say(place, "its style is neither primary nor danger");
    }
}

fn confirm(faults: &mut Faults, place: &str, dialog: &Value) {
    faults.keys(place, dialog, &["title", "text", "confirm", "deny", "style"]);
    faults.text(&format!("{place}.title"), &dialog["title"], true, 100);
    faults.text(&format!("{place}.text"), &dialog["text"], false, 300);
    faults.text(&format!("{place}.confirm"), &dialog["confirm"], true, 30);
    faults.text(&format!("{place}.deny"), &dialog["deny"], true, 30);
}

/// Checks a choice.
pub(super) fn option(faults: &mut Faults, place: &str, option: &Value) {
    faults.keys(place, option, &["text", "value", "description"]);
    faults.text(&format!("{place}.text"), &option["text"], true, 75);
    faults.length(&format!("{place}.value"), &option["value"], 150);
    if let Some(text) = option.get("description") {
        faults.text(&format!("{place}.description"), text, true, 75);
    }
}

/// Checks what a menu offers: options, or groups of them. Gives them all.
pub(super) fn choices(faults: &mut Faults, place: &str, menu: &Value, least: usize) -> Vec<Value> {
    let mut all = Vec::new();
    match (menu.get("options"), menu.get("option_groups")) {
        (Some(options), None) => all.extend(faults.list(place, options, least, 100).iter().cloned()),
        (None, Some(groups)) => {
            for (number, group) in faults.list(place, groups, least, 100).iter().enumerate() {
                let at = format!("{place}.option_groups[{number}]");
                faults.keys(&at, group, &["label", "options"]);
                faults.text(&format!("{at}.label"), &group["label"], true, 75);
                all.extend(faults.list(&at, &group["options"], 1, 100).iter().cloned());
            }
        }
        (None, None) | (Some(_), Some(_)) => faults.say(place, "either options or option_groups"),
    }
    let mut values = HashSet::new();
    for (number, choice) in all.iter().enumerate() {
        let at = format!("{place}.options[{number}]");
        option(faults, &at, choice);
        if !values.insert(choice["value"].as_str().unwrap_or_default()) {
            faults.say(&at, "its value stands twice");
        }
    }
    all
}

fn initial(element: &Value) -> impl Iterator<Item = &Value> {
    let many = element.get("initial_options").and_then(Value::as_array).into_iter().flatten();
    element.get("initial_option").into_iter().chain(many)
}

fn static_select(faults: &mut Faults, place: &str, element: &Value, more: &[&str]) {
    let known = ["type", "action_id", "placeholder", "options", "option_groups", "confirm", "focus_on_load"];
    faults.keys(place, element, &[&known[..], more].concat());
    let all = choices(faults, place, element, 1);
    for choice in initial(element) {
        if !all.contains(choice) {
            faults.say(place, format!("the initial choice {choice} is not offered"));
        }
    }
}

fn external_select(faults: &mut Faults, place: &str, element: &Value, more: &[&str]) {
    let known = ["type", "action_id", "placeholder", "min_query_length", "confirm", "focus_on_load"];
    faults.keys(place, element, &[&known[..], more].concat());
    for (number, choice) in initial(element).enumerate() {
        option(faults, &format!("{place}.initial[{number}]"), choice);
    }
    if element.get("initial_options").is_some_and(|list| list.as_array().is_none_or(Vec::is_empty)) {
        faults.say(place, "initial_options is empty");
    }
}

fn plain_text_input(faults: &mut Faults, place: &str, element: &Value, within: Place) {
    let known = [
        "type",
        "action_id",
        "placeholder",
        "initial_value",
        "multiline",
        "min_length",
        "max_length",
        "dispatch_action_config",
        "focus_on_load",
    ];
    faults.keys(place, element, &known);
    if within != Place::Input {
        faults.say(place, "a text field stands in an input");
    }
    let most = element.get("max_length").map_or(3_000, |most| most.as_u64().unwrap_or(0));
    if most == 0 || most > 3_000 {
        faults.say(place, "max_length is 1 to 3000");
    }
    if let Some(text) = element.get("initial_value").and_then(Value::as_str)
        && text.chars().count() as u64 > most
    {
        faults.say(place, "the initial value is longer than max_length");
    }
}

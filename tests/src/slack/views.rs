//! What Slack takes for a view: a dialog or a home tab.
//!
//! <https://docs.slack.dev/reference/views>

use serde_json::Value;

use super::blocks::{self, Faults, Surface};

const MODAL: [&str; 11] = [
    "type",
    "title",
    "blocks",
    "close",
    "submit",
    "private_metadata",
    "callback_id",
    "clear_on_close",
    "notify_on_close",
    "external_id",
    "submit_disabled",
];
const HOME: [&str; 5] = ["type", "blocks", "private_metadata", "callback_id", "external_id"];

/// Checks a view.
pub(super) fn check(view: &Value, surface: Surface) -> Vec<String> {
    let mut faults = Faults::default();
    let (kind, known) = if surface == Surface::Home { ("home", &HOME[..]) } else { ("modal", &MODAL[..]) };
    faults.keys("view", view, known);
    if view["type"] != kind {
        faults.say("view", format!("its type is {} and not {kind}", view["type"]));
    }
    if surface == Surface::Modal {
        faults.text("view.title", &view["title"], true, 24);
        for name in ["submit", "close"] {
            if let Some(text) = view.get(name) {
                faults.text(&format!("view.{name}"), text, true, 24);
            }
        }
        let blocks = view["blocks"].as_array().map_or(&[][..], Vec::as_slice);
        if blocks.iter().any(|block| block["type"] == "input") && view.get("submit").is_none() {
            faults.say("view", "inputs without submit");
        }
    }
    for (name, most) in [("private_metadata", 3_000), ("callback_id", 255), ("external_id", 255)] {
        if view.get(name).and_then(Value::as_str).is_some_and(|text| text.chars().count() > most) {
            faults.say("view", format!("{name} is longer than {most}"));
        }
    }
    blocks::check(&mut faults, &view["blocks"], surface);
    faults.into_inner()
}

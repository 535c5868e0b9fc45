//! What Slack takes for blocks, by the reference of Block Kit and the types of `@slack/types`.
//!
//! <https://docs.slack.dev/reference/block-kit/blocks>

use std::collections::HashSet;

use serde_json::Value;

use super::elements;

/// Where blocks stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    Message,
    Modal,
    Home,
}

/// What is wrong, where.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn say(&mut self, place: &str, what: impl AsRef<str>) {
        self.0.push(format!("{place}: {}", what.as_ref()));
    }

    pub(super) fn into_inner(self) -> Vec<String> {
        self.0
    }

    /// A text of at most so many characters, and at least one.
    pub(super) fn length(&mut self, place: &str, text: &Value, most: usize) {
        match text.as_str() {
            None => self.say(place, "no text"),
            Some("") => self.say(place, "empty"),
            Some(text) if text.chars().count() > most => {
                self.say(place, format!("{} characters are more than {most}", text.chars().count()));
            }
            Some(_) => {}
        }
    }

    /// A text object.
    pub(super) fn text(&mut self, place: &str, text: &Value, plain_only: bool, most: usize) {
        let kind = text["type"].as_str().unwrap_or_default();
        if kind != "plain_text" && (plain_only || kind != "mrkdwn") {
            self.say(place, format!("a text of the type {kind:?}"));
        }
        self.keys(place, text, &["type", "text", "emoji", "verbatim"]);
        if kind == "mrkdwn" && text.get("emoji").is_some() {
            self.say(place, "emoji belongs to plain_text");
        }
        self.length(place, &text["text"], most);
    }

    /// No field that Slack does not know.
    pub(super) fn keys(&mut self, place: &str, value: &Value, known: &[&str]) {
        match value.as_object() {
            None => self.say(place, "no object"),
            Some(fields) => {
                for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
                    self.say(place, format!("an unknown field {name:?}"));
                }
            }
        }
    }

    /// A list of so many.
    pub(super) fn list<'a>(
        &mut self,
        place: &str,
        list: &'a Value,
        least: usize,
        most: usize,
    ) -> &'a [Value] {
        let items = list.as_array().map_or(&[][..], Vec::as_slice);
        if items.len() < least || items.len() > most {
            self.say(place, format!("{} entries; {least} to {most} are allowed", items.len()));
        }
        items
    }
}

/// Checks a list of blocks.
pub(super) fn check(faults: &mut Faults, blocks: &Value, surface: Surface) {
    let most = if surface == Surface::Message { 50 } else { 100 };
    let mut ids = HashSet::new();
    for (number, block) in faults.list("blocks", blocks, 0, most).iter().enumerate() {
        let place = format!("blocks[{number}]");
        if let Some(id) = block.get("block_id") {
            faults.length(&format!("{place}.block_id"), id, 255);
            if !ids.insert(id.as_str().unwrap_or_default()) {
                faults.say(&place, format!("block_id {id} stands twice"));
            }
        }
        one(faults, &place, block, surface);
    }
}

fn one(faults: &mut Faults, place: &str, block: &Value, surface: Surface) {
    match block["type"].as_str().unwrap_or_default() {
        "header" => {
            faults.keys(place, block, &["type", "block_id", "text"]);
            faults.text(&format!("{place}.text"), &block["text"], true, 150);
        }
        "divider" => faults.keys(place, block, &["type", "block_id"]),
        "section" => section(faults, place, block, surface),
        "context" => context(faults, place, block),
        "actions" => actions(faults, place, block, surface),
        "input" => input(faults, place, block, surface),
        other => faults.say(place, format!("a block of the type {other:?} is not known here")),
    }
}

fn section(faults: &mut Faults, place: &str, block: &Value, surface: Surface) {
    faults.keys(place, block, &["type", "block_id", "text", "fields", "accessory", "expand"]);
    if block.get("text").is_none() && block.get("fields").is_none() {
        faults.say(place, "neither text nor fields");
    }
    if let Some(text) = block.get("text") {
        faults.text(&format!("{place}.text"), text, false, 3_000);
    }
    if let Some(fields) = block.get("fields") {
        for (number, field) in faults.list(&format!("{place}.fields"), fields, 1, 10).iter().enumerate() {
            faults.text(&format!("{place}.fields[{number}]"), field, false, 2_000);
        }
    }
    if let Some(accessory) = block.get("accessory") {
        elements::check(faults, &format!("{place}.accessory"), accessory, elements::Place::Section, surface);
    }
}

fn context(faults: &mut Faults, place: &str, block: &Value) {
    faults.keys(place, block, &["type", "block_id", "elements"]);
    for (number, text) in
        faults.list(&format!("{place}.elements"), &block["elements"], 1, 10).iter().enumerate()
    {
        faults.text(&format!("{place}.elements[{number}]"), text, false, 3_000);
    }
}

fn actions(faults: &mut Faults, place: &str, block: &Value, surface: Surface) {
    faults.keys(place, block, &["type", "block_id", "elements"]);
    let mut ids = HashSet::new();
    for (number, element) in
        faults.list(&format!("{place}.elements"), &block["elements"], 1, 25).iter().enumerate()
    {
        let at = format!("{place}.elements[{number}]");
        elements::check(faults, &at, element, elements::Place::Actions, surface);
        if !ids.insert(element["action_id"].as_str().unwrap_or_default()) {
            faults.say(&at, "its action_id stands twice in the block");
        }
    }
}

fn input(faults: &mut Faults, place: &str, block: &Value, surface: Surface) {
    let known = ["type", "block_id", "label", "element", "dispatch_action", "hint", "optional"];
    faults.keys(place, block, &known);
    if surface == Surface::Home {
        faults.say(place, "the home tab's inputs are not used here");
    }
    faults.text(&format!("{place}.label"), &block["label"], true, 2_000);
    if let Some(hint) = block.get("hint") {
        faults.text(&format!("{place}.hint"), hint, true, 2_000);
    }
    elements::check(faults, &format!("{place}.element"), &block["element"], elements::Place::Input, surface);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(blocks: Value, surface: Surface) -> Vec<String> {
        let mut faults = Faults::default();
        check(&mut faults, &blocks, surface);
        faults.into_inner()
    }

    fn mrkdwn(text: &str) -> Value {
        json!({"type": "mrkdwn", "text": text})
    }

    #[test]
    fn what_slack_refuses_is_found() {
        let plain = |length: usize| json!({"type": "plain_text", "text": "x".repeat(length)});
        let button = |length: usize| json!({"type": "button", "action_id": "a", "text": plain(length)});
        let options = |count: usize| {
            let option = |number| json!({"text": plain(75), "value": format!("{number}")});
            json!({"type": "static_select", "action_id": "s", "options": (0..count).map(option).collect::<Vec<_>>()})
        };
        let input = |element: Value| json!({"type": "input", "label": plain(1), "element": element});
        for (block, fine) in [
            (json!({"type": "section", "text": mrkdwn(&"x".repeat(3_000))}), true),
            (json!({"type": "section", "text": mrkdwn(&"x".repeat(3_001))}), false),
            (json!({"type": "section", "text": mrkdwn("")}), false),
            (json!({"type": "section"}), false),
            (json!({"type": "section", "fields": vec![mrkdwn("x"); 10]}), true),
            (json!({"type": "section", "fields": vec![mrkdwn("x"); 11]}), false),
            (json!({"type": "section", "fields": [mrkdwn(&"x".repeat(2_001))]}), false),
            (json!({"type": "header", "text": plain(150)}), true),
            (json!({"type": "header", "text": plain(151)}), false),
            (json!({"type": "header", "text": mrkdwn("x")}), false),
            (json!({"type": "actions", "elements": [button(75)]}), true),
            (json!({"type": "actions", "elements": [button(76)]}), false),
            (json!({"type": "actions", "elements": [button(1), button(1)]}), false),
            (json!({"type": "actions", "elements": []}), false),
            (json!({"type": "divider", "colour": "red"}), false),
            (json!({"type": "divider", "block_id": "x".repeat(256)}), false),
            (input(options(100)), true),
            (input(options(101)), false),
            (input(options(0)), false),
            (input(button(1)), false),
        ] {
            let found = faults(json!([block]), Surface::Modal);
            assert_eq!(found.is_empty(), fine, "{block} {found:?}");
        }
    }

    #[test]
    fn a_message_has_fifty_blocks_and_a_dialog_a_hundred() {
        let blocks = |count: usize| json!(vec![json!({"type": "divider"}); count]);
        for (count, surface, fine) in [
            (50, Surface::Message, true),
            (51, Surface::Message, false),
            (100, Surface::Modal, true),
            (101, Surface::Modal, false),
            (100, Surface::Home, true),
            (101, Surface::Home, false),
        ] {
            assert_eq!(faults(blocks(count), surface).is_empty(), fine, "{count} {surface:?}");
        }
        let twice = json!([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]);
        assert!(!faults(twice, Surface::Message).is_empty());
    }
}

//! The pieces that messages, dialogs and home tabs are made of, each within the length that Slack allows.
//!
//! <https://docs.slack.dev/reference/block-kit>

use serde_json::{Value, json};

use super::text::{elided, in_order, shortened};

/// The most choices in one menu.
pub(super) const MOST_OPTIONS: usize = 100;
/// The longest value of a choice.
pub(super) const LONGEST_VALUE: usize = 150;
const LONGEST_TEXT: usize = 3_000;
const LONGEST_FIELD: usize = 2_000;
const LONGEST_LABEL: usize = 75;
const LONGEST_HEADER: usize = 150;

/// A text without any markup.
pub(super) fn plain(text: &str, most: usize) -> Value {
    json!({"type": "plain_text", "text": shortened(&in_order(text), most), "emoji": false})
}

fn mrkdwn(text: &str, most: usize) -> Value {
    // Verbatim: addresses, channels and people are what was marked as such here, and nothing that was typed.
    json!({"type": "mrkdwn", "text": cut(text, most), "verbatim": true})
}

/// Markup that is cut between two lines, so that no entity and no mention is cut in two.
fn cut(text: &str, most: usize) -> String {
    let mut left = most.saturating_sub(2);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let fits = |line: &&str| {
        let length = line.chars().count() + 1;
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    };
    let lines: Vec<&str> = text.lines().take_while(fits).collect();
    if lines.is_empty() { "…".to_owned() } else { format!("{}\n…", lines.join("\n")) }
}

/// A title.
pub(super) fn header(text: &str) -> Value {
    json!({"type": "header", "text": plain(text, LONGEST_HEADER)})
}

/// A paragraph in Slack's markup.
pub(super) fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text, LONGEST_TEXT)})
}

/// A paragraph with a button beside it.
pub(super) fn section_with(text: &str, button: &Value) -> Value {
    json!({"type": "section", "text": mrkdwn(text, LONGEST_TEXT), "accessory": button})
}

/// A paragraph in somebody's own words: nothing in it means anything to Slack.
pub(super) fn words(text: &str) -> Value {
    json!({"type": "section", "text": plain(text, LONGEST_TEXT)})
}

/// Names and values in two columns.
pub(super) fn fields(pairs: &[(&str, String)]) -> Value {
    let fields: Vec<Value> =
        pairs.iter().map(|(name, value)| mrkdwn(&format!("*{name}*\n{value}"), LONGEST_FIELD)).collect();
    json!({"type": "section", "fields": fields})
}

/// Something small.
pub(super) fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [mrkdwn(text, LONGEST_TEXT)]})
}

/// A line.
pub(super) fn divider() -> Value {
    json!({"type": "divider"})
}

/// How a button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Primary,
    Danger,
}

/// A button; `value` comes back when it is pressed.
pub(super) fn button(action_id: &str, label: &str, value: &str, style: Style) -> Value {
    let mut button = json!({"type": "button", "action_id": action_id, "text": plain(label, LONGEST_LABEL), "value": value});
    match style {
        Style::Plain => {}
        Style::Primary => button["style"] = json!("primary"),
        Style::Danger => button["style"] = json!("danger"),
    }
    button
}

/// A button that opens a page.
pub(super) fn page_button(action_id: &str, label: &str, url: &str) -> Value {
    json!({"type": "button", "action_id": action_id, "text": plain(label, LONGEST_LABEL), "url": url})
}

/// The same button, but it asks first.
pub(super) fn asking(mut button: Value, question: &str, yes: &str) -> Value {
    button["confirm"] = json!({
        "title": plain("Are you sure?", 100), "text": plain(question, 300), "confirm": plain(yes, 30),
        "deny": plain("No", 30),
    });
    button
}

/// A row of buttons.
pub(super) fn actions(buttons: &[Value]) -> Value {
    json!({"type": "actions", "elements": buttons})
}

/// A choice; nothing when its value is longer than Slack allows.
pub(super) fn option(value: &str, label: &str) -> Option<Value> {
    (value.chars().count() <= LONGEST_VALUE && !value.is_empty())
        .then(|| json!({"text": plain(&elided(label, LONGEST_LABEL), LONGEST_LABEL), "value": value}))
}

/// A field of a dialog.
pub(super) fn input(block_id: &str, label: &str, element: &Value) -> Value {
    json!({"type": "input", "block_id": block_id, "label": plain(label, 2_000), "element": element})
}

/// The same field, but it may stay empty.
pub(super) fn optional(mut input: Value) -> Value {
    input["optional"] = json!(true);
    input
}

/// The same field, but the app hears of each change.
pub(super) fn reporting(mut input: Value) -> Value {
    input["dispatch_action"] = json!(true);
    input
}

/// The same field with an explanation.
pub(super) fn hinted(mut input: Value, hint: &str) -> Value {
    input["hint"] = plain(hint, 2_000);
    input
}

/// A dialog in which there is nothing to fill in.
pub(super) fn note(callback_id: &str, title: &str, blocks: Vec<Value>) -> Value {
    json!({
        "type": "modal", "callback_id": callback_id, "title": plain(title, 24), "close": plain("Close", 24),
        "blocks": blocks,
    })
}

/// A dialog.
pub(super) fn modal(
    callback_id: &str,
    title: &str,
    submit: &str,
    metadata: &str,
    blocks: Vec<Value>,
) -> Value {
    json!({
        "type": "modal", "callback_id": callback_id, "title": plain(title, 24), "submit": plain(submit, 24),
        "close": plain("Cancel", 24), "private_metadata": metadata, "blocks": blocks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_cut_between_lines() {
        let text = format!("{}\n{}\n", "a".repeat(10), "<@U1>".repeat(10));
        assert_eq!(cut(&text, 30), format!("{}\n…", "a".repeat(10)));
        assert_eq!(cut("short", 30), "short");
        assert_eq!(cut(&"x".repeat(40), 30), "…");
    }

    #[test]
    fn what_slack_would_not_take_as_a_value_is_no_choice() {
        assert!(option(&"x".repeat(151), "x").is_none() && option("", "x").is_none());
        let long = "schema.".to_owned() + &"t".repeat(100) + ".column";
        let label = option(&long, &long).unwrap();
        let label = label["text"]["text"].as_str().unwrap();
        assert!(label.chars().count() <= 75 && label.starts_with("schema.") && label.ends_with(".column"));
    }
}

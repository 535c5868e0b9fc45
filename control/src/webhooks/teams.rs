//! Microsoft Teams: a workflow that is triggered by a webhook takes a message with an adaptive card.
//!
//! <https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook>

use serde_json::{Value, json};

use super::words::{Words, plain};

/// The body.
pub(super) fn body(words: &Words) -> Value {
    let facts: Vec<Value> =
        words.facts.iter().map(|(name, value)| json!({ "title": name, "value": plain(value) })).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    { "type": "TextBlock", "text": plain(&words.headline), "weight": "Bolder", "wrap": true },
                    { "type": "FactSet", "facts": facts },
                ],
                "actions": [{ "type": "Action.OpenUrl", "title": "Open", "url": words.link }],
            },
        }],
    })
}

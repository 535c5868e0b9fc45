//! Mattermost's incoming webhooks, and others that take the same: `{"text": …}` in Markdown.
//!
//! <https://developers.mattermost.com/integrate/webhooks/incoming/>

use serde_json::{Value, json};

use super::words::{Words, plain};

/// The body.
pub(super) fn body(words: &Words) -> Value {
    let facts: Vec<String> =
        words.facts.iter().map(|(name, value)| format!("**{name}** {}", plain(value))).collect();
    let text = format!("{}\n{}\n{}", plain(&words.headline), facts.join(" · "), words.link);
    json!({ "text": text, "username": "Postern" })
}

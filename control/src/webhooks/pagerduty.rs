//! `PagerDuty` Events API v2: a request opens an alert, its decision resolves it.
//!
//! <https://developer.pagerduty.com/docs/send-alert-event>

use serde_json::{Value, json};

use super::words::Words;
use crate::events::Event;

/// The longest summary that is taken, in letters.
const LONGEST: usize = 1_024;

/// What ends the waiting of whoever was alerted.
const ENDINGS: [&str; 4] = ["request.approved", "request.rejected", "request.cancelled", "request.expired"];

/// The body.
pub(super) fn body(event: &Event, words: &Words, routing_key: &str) -> Value {
    let action = if ENDINGS.contains(&event.kind.as_str()) { "resolve" } else { "trigger" };
    let of_request = event.kind.starts_with("request.");
    let subject = event.request.as_ref().filter(|_| of_request).unwrap_or(&event.id);
    let summary: String = words.headline.chars().take(LONGEST).collect();
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": format!("postern/{subject}"),
        "client": "Postern",
        "client_url": words.link,
        "payload": {
            "summary": summary,
            "source": "postern",
            "severity": severity(&event.kind),
            "timestamp": event.at.to_string(),
            "class": event.kind,
            "custom_details": event,
        },
        "links": [{ "href": words.link, "text": "Open" }],
    })
}

fn severity(kind: &str) -> &'static str {
    if kind.starts_with("request.") { "warning" } else { "info" }
}

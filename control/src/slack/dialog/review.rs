//! Saying no with a reason, and approving for less time.

use std::sync::Arc;

use postern_protocol::duration::Span;
use serde_json::{Value, json};

use super::{
    super::{
        callback::ViewSubmission,
        desk::Slack,
        kit::{input, modal, optional},
        message::approved,
    },
    Wrong, callback_id, filled,
    form::{self, check_words},
    show,
};

fn reason() -> Value {
    let element = json!({"type": "plain_text_input", "action_id": form::REASON, "multiline": true, "max_length": 1_000});
    input(form::REASON, "Reason", &element)
}

/// Asks why not.
pub(in super::super) async fn open_deny(slack: &Slack, trigger: &str, request: &str) {
    let view = modal(callback_id::DENY, "Deny", "Deny", request, vec![reason()]);
    if let Err(error) = show(slack, trigger, &view).await {
        tracing::warn!(%error, "a dialog could not be opened");
    }
}

/// Asks for how long.
pub(in super::super) async fn open_shorter(slack: &Slack, trigger: &str, request: &str) {
    let element = json!({
        "type": "plain_text_input", "action_id": form::DURATION, "max_length": 20,
        "placeholder": {"type": "plain_text", "text": "30m, 2h, 1d"},
    });
    let duration = input(form::DURATION, "For how long", &element);
    let blocks = vec![duration, optional(reason())];
    let view = modal(callback_id::SHORTER, "Approve for less", "Approve", request, blocks);
    if let Err(error) = show(slack, trigger, &view).await {
        tracing::warn!(%error, "a dialog could not be opened");
    }
}

/// The words of a field.
pub(super) fn words(call: &ViewSubmission, field: &str) -> Result<String, Wrong> {
    let text = filled(&call.view, field).and_then(|filled| filled.value.clone()).unwrap_or_default();
    check_words(&text)?;
    Ok(text.trim().to_owned())
}

/// The duration that was typed.
pub(super) fn duration(call: &ViewSubmission) -> Result<Span, Wrong> {
    let text = words(call, form::DURATION)?;
    text.parse().map_err(|error| Wrong::at(form::DURATION, format!("{error}")))
}

pub(super) async fn submit_deny(slack: &Arc<Slack>, call: &ViewSubmission) -> Result<(), Wrong> {
    let reason = words(call, form::REASON)?;
    let acting = slack.acting(slack.linked(&call.user.id).await?).await?;
    acting.deny(&call.view.private_metadata, reason).await?;
    Ok(())
}

pub(super) async fn submit_shorter(slack: &Arc<Slack>, call: &ViewSubmission) -> Result<(), Wrong> {
    let (span, reason) = (duration(call)?, words(call, form::REASON)?);
    let acting = slack.acting(slack.linked(&call.user.id).await?).await?;
    let shown = approved(&call.view.private_metadata);
    if acting.approve(shown, &reason, Some(span)).await?.is_none() {
        let text = "Not approved: it asks for something else by now. Close this and look at it again.";
        return Err(Wrong::at(form::DURATION, text));
    }
    Ok(())
}

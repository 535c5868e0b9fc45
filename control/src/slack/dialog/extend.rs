//! Asking for more time: the grant itself lasts longer when that is approved, and its open sessions with it.

use std::sync::Arc;

use serde_json::json;

use super::{
    super::{
        callback::ViewSubmission,
        desk::Slack,
        kit::{context, input, modal, optional},
    },
    Wrong, callback_id, form,
    review::{duration, words},
    show,
};

/// Asks for how much longer, and why.
pub(in super::super) async fn open(slack: &Slack, trigger: &str, request: &str) {
    let field = |name: &str, multiline: bool| json!({"type": "plain_text_input", "action_id": name, "multiline": multiline, "max_length": 1_000});
    let mut duration = field(form::DURATION, false);
    duration["initial_value"] = json!("1h");
    let blocks = vec![
        input(form::DURATION, "How much longer", &duration),
        optional(input(form::REASON, "Reason", &field(form::REASON, true))),
        context("The rule that gave the access decides. Once it is approved, open sessions go on."),
    ];
    let view = modal(callback_id::EXTEND, "More time", "Request", request, blocks);
    if let Err(error) = show(slack, trigger, &view).await {
        tracing::warn!(%error, "a dialog could not be opened");
    }
}

pub(super) async fn submit(slack: &Arc<Slack>, call: &ViewSubmission) -> Result<(), Wrong> {
    let (by, reason) = (duration(call)?, words(call, form::REASON)?);
    let acting = slack.acting(slack.linked(&call.user.id).await?).await?;
    let before = acting.show(&call.view.private_metadata).await?.request;
    if before.identity != acting.link.identity {
        return Err(Wrong::at(form::DURATION, "This is somebody else's access."));
    }
    let none = || Wrong::at(form::DURATION, "There is no access yet that could last longer.");
    acting.extend(before.grant.ok_or_else(none)?.as_str(), by, &reason).await?;
    Ok(())
}

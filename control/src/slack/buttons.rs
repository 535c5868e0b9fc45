//! What buttons do. Slack has its acknowledgement by then; what came of it is told to whoever pressed.

use std::sync::Arc;

use serde_json::json;

use super::{
    callback::{Action, BlockActions},
    case::{Standing, standing},
    commands::{failure_text, unlinked_text},
    desk::Slack,
    dialog::{self, Form},
    home,
    links::Unlinked,
    message::{approved, button_id},
    records::Link,
    text::code,
};
use crate::{
    actions::{Failure, requests::Filed},
    domain::Refusal,
};

/// A button, or a field of a dialog that reports its changes, was used.
pub(super) async fn pressed(slack: Arc<Slack>, call: BlockActions) {
    if let Some(view) = call.view.as_ref().filter(|view| !view.callback_id.is_empty()) {
        return dialog::changed(&slack, &call, view).await;
    }
    let Some(action) = call.actions.first() else { return };
    if action.action_id == button_id::PAGE {
        return;
    }
    if action.action_id == button_id::CONNECT {
        return dialog::open_connect(&slack, &call.user.id, &call.trigger_id).await;
    }
    let told = match slack.linked(&call.user.id).await {
        Ok(link) => {
            act(&slack, link, &call, action).await.unwrap_or_else(|failure| Some(failure_text(&failure)))
        }
        Err(unlinked) => Some(unlinked_text(&unlinked, "/postern")),
    };
    if let Some(text) = told {
        slack.tell(&call, &text).await;
    }
    if call.view.is_some() {
        home::show(&slack, &call.user.id).await;
    }
}

/// Does it. Gives what there is to say, where the message itself does not say it.
async fn act(
    slack: &Arc<Slack>,
    link: Link,
    call: &BlockActions,
    action: &Action,
) -> Result<Option<String>, Failure> {
    let id = action.value.as_deref().unwrap_or_default();
    match action.action_id.as_str() {
        button_id::APPROVE => approve(slack, link, id).await,
        button_id::DENY => {
            reviewable(slack, link, id, || dialog::open_deny(slack, &call.trigger_id, id)).await
        }
        button_id::SHORTER => {
            let (request, _) = approved(id);
            reviewable(slack, link, request, || dialog::open_shorter(slack, &call.trigger_id, id)).await
        }
        button_id::REVOKE => revoke(slack, link, id).await,
        button_id::REVOKE_ALL => revoke_all(slack, link, id).await,
        button_id::HOW => {
            let filed = slack.acting(link).await?.show(id).await?;
            dialog::open_how(slack, &call.trigger_id, &filed.request).await;
            Ok(None)
        }
        button_id::CANCEL => cancel(slack, link, call, id).await,
        button_id::EXTEND => {
            slack.acting(link).await?.show(id).await?;
            dialog::open_extend(slack, &call.trigger_id, id).await;
            Ok(None)
        }
        button_id::REQUEST | button_id::AGAIN | button_id::FAVOURITE | button_id::BUNDLE => {
            let form = filled(slack, &link, action, id).await?;
            dialog::open_request(slack, link, &call.trigger_id, form).await.map(|()| None)
        }
        button_id::KEEP => slack.acting(link).await?.keep(id).await.map(|()| None),
        button_id::FORGET => slack.acting(link).await?.forget(id).await.map(|()| None),
        _ => Ok(None),
    }
}

/// What a request dialog is filled with when it opens.
async fn filled(slack: &Slack, link: &Link, action: &Action, id: &str) -> Result<Form, Failure> {
    let acting = slack.acting(link.clone()).await?;
    match action.action_id.as_str() {
        button_id::AGAIN => Ok(Form::again(&acting.show(id).await?.request)),
        button_id::FAVOURITE => {
            let kept = acting.favourites().await?;
            let kept = kept.iter().find(|favourite| favourite.id == id);
            Ok(Form::of(&kept.ok_or_else(|| Refusal::not_found("favourite", id))?.ask))
        }
        button_id::BUNDLE => Ok(Form::of_bundle(id)),
        _ => Ok(Form::default()),
    }
}

async fn approve(slack: &Slack, link: Link, value: &str) -> Result<Option<String>, Failure> {
    let acting = slack.acting(link).await?;
    let (id, asked) = approved(value);
    match acting.approve((id, asked), "", None).await {
        Ok(Some(_)) => Ok(None),
        Ok(None) => {
            let id = code(id);
            Ok(Some(format!("Not approved: {id} asks for something else by now. Look at it again.")))
        }
        Err(failure) => stale(&acting.show(id).await, failure),
    }
}

/// Opens a dialog for a request that is still to be decided, or says how it stands.
async fn reviewable<F: Future<Output = ()>>(
    slack: &Slack,
    link: Link,
    id: &str,
    open: impl FnOnce() -> F,
) -> Result<Option<String>, Failure> {
    let acting = slack.acting(link).await?;
    let filed = acting.show(id).await?;
    if filed.request.identity == acting.link.identity {
        return Err(Refusal::OwnRequest.into());
    }
    let waits = filed.request.status_at(filed.now) == crate::domain::RequestStatus::Pending;
    if !waits && !filed.request.awaits_hindsight() {
        return Ok(Some(true_state(&filed)));
    }
    open().await;
    Ok(None)
}

async fn revoke(slack: &Slack, link: Link, id: &str) -> Result<Option<String>, Failure> {
    let acting = slack.acting(link).await?;
    let filed = acting.show(id).await?;
    let Some(grant) = &filed.request.grant else { return Ok(Some(true_state(&filed))) };
    match acting.revoke(grant.as_str(), "").await {
        Ok(()) => Ok(None),
        Err(failure) => stale(&acting.show(id).await, failure),
    }
}

/// Withdraws a request. A home tab shows it by itself; elsewhere there is nothing that does.
async fn cancel(slack: &Slack, link: Link, call: &BlockActions, id: &str) -> Result<Option<String>, Failure> {
    let acting = slack.acting(link).await?;
    match acting.cancel(id).await {
        Ok(_) => Ok(call.view.is_none().then(|| format!("{} is withdrawn.", code(id)))),
        Err(failure) => stale(&acting.show(id).await, failure),
    }
}

/// Takes back all that a bundle has given.
async fn revoke_all(slack: &Slack, link: Link, id: &str) -> Result<Option<String>, Failure> {
    let acting = slack.acting(link).await?;
    let filed = acting.show(id).await?;
    if filed.request.grant.is_none() {
        return Ok(Some(true_state(&filed)));
    }
    match acting.revoke_all(id).await {
        Ok(()) => Ok(None),
        Err(failure) => stale(&acting.show(id).await, failure),
    }
}

/// A button of a message that is behind: no error, but how things stand.
fn stale(filed: &Result<Filed, Failure>, failure: Failure) -> Result<Option<String>, Failure> {
    let Failure::Refused(Refusal::AlreadyDecided(_) | Refusal::GrantEnded(_)) = &failure else {
        return Err(failure);
    };
    filed.as_ref().map_or(Err(failure), |filed| Ok(Some(true_state(filed))))
}

/// How a request stands, and who has brought it there.
pub(super) fn true_state(filed: &Filed) -> String {
    let standing = standing(&filed.request, filed.grant.as_ref(), filed.now);
    let first = if standing == Standing::Waiting { "not decided yet" } else { "settled already" };
    let last = filed.request.reviews.last().map(super::message::review);
    let last = last.map(|review| format!(" Last word: {review}.")).unwrap_or_default();
    let (id, word) = (code(filed.request.id.as_str()), standing.as_str());
    format!("This request is {first}: {id}: {word}.{last}")
}

impl Slack {
    /// Says something to whoever pressed a button, where they pressed it.
    async fn tell(&self, call: &BlockActions, text: &str) {
        let body = json!({"response_type": "ephemeral", "replace_original": false, "text": text});
        let outcome = match &call.response_url {
            Some(url) => self.api.respond(url, &body).await,
            None => self.whisper(&call.user.id, text).await,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "an answer to a button could not be given");
        }
    }

    /// What a button's user is, or why they are nobody.
    pub(super) async fn acting_user(&self, user: &str) -> Result<super::acting::Acting<'_>, Unlinked> {
        Ok(self.acting(self.linked(user).await?).await?)
    }
}

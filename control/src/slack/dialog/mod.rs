//! Dialogs: asking for access, saying no, approving for less time, asking for more time; how to connect.
//!
//! In: a trigger, or what was filled in. Out: a view, or what is wrong with a field. What a dialog is about stands in
//! its `private_metadata`, which comes back as it was; what somebody may do is looked at anew when it is sent off.

mod connect;
mod extend;
mod form;
mod how;
mod layout;
mod menus;
mod request;
mod review;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    callback::{BlockActions, BlockSuggestion, Filled, View, ViewSubmission},
    commands::{failure_text, unlinked_text},
    desk::{Reply, Slack},
    web_api::{Method, SlackError},
};

pub(super) use connect::open as open_connect;
pub(super) use form::Form;
pub(super) use how::open as open_how;
pub(super) use menus::bundles_for;
pub(super) use request::open as open_request;
pub(super) use {extend::open as open_extend, review::open_deny, review::open_shorter};

/// The names of the dialogs.
mod callback_id {
    pub(super) const REQUEST: &str = "request";
    pub(super) const DENY: &str = "deny";
    pub(super) const SHORTER: &str = "shorter";
    pub(super) const EXTEND: &str = "extend";
    pub(super) const CONNECT: &str = "connect";
    pub(super) const HOW: &str = "how";
}

/// Shows a dialog to whoever has just done something.
pub(super) async fn show(slack: &Slack, trigger: &str, view: &Value) -> Result<(), SlackError> {
    slack.api.call(Method::ViewsOpen, &json!({"trigger_id": trigger, "view": view})).await.map(drop)
}

/// A dialog was sent off.
pub(super) async fn submit(slack: &Arc<Slack>, call: &ViewSubmission) -> Reply {
    let outcome = match call.view.callback_id.as_str() {
        callback_id::REQUEST => request::submit(slack, call).await,
        callback_id::DENY => review::submit_deny(slack, call).await,
        callback_id::SHORTER => review::submit_shorter(slack, call).await,
        callback_id::EXTEND => extend::submit(slack, call).await,
        _ => return Reply::Done,
    };
    match outcome {
        Ok(()) => Reply::Done,
        Err(wrong) => wrong.reply(&call.view),
    }
}

/// Something in a dialog was changed.
pub(super) async fn changed(slack: &Arc<Slack>, call: &BlockActions, view: &View) {
    if view.callback_id == callback_id::REQUEST {
        request::changed(slack, &call.user.id, view).await;
    }
}

/// A menu asks what to offer.
pub(super) async fn suggest(slack: &Arc<Slack>, call: &BlockSuggestion) -> Reply {
    Reply::Json(menus::suggest(slack, call).await)
}

/// What is wrong with what was filled in: at a field, by its action's name, or at none.
#[derive(Debug)]
pub(super) struct Wrong {
    field: &'static str,
    text: String,
}

impl Wrong {
    fn at(field: &'static str, text: impl Into<String>) -> Self {
        Self { field, text: text.into() }
    }

    /// At the field, if it is there, or else at the first that is: somewhere it must be seen.
    fn reply(&self, view: &View) -> Reply {
        let block = block_of(view, self.field).or_else(|| view.state.values.keys().min().map(String::as_str));
        let Some(block) = block else { return Reply::Done };
        let text: String = super::text::shortened(&self.text, 1_000);
        Reply::Json(json!({"response_action": "errors", "errors": BTreeMap::from([(block, text)])}))
    }
}

impl From<super::links::Unlinked> for Wrong {
    fn from(unlinked: super::links::Unlinked) -> Self {
        Self::at("", unlinked_text(&unlinked, "/postern"))
    }
}

impl From<crate::actions::Failure> for Wrong {
    /// A refusal names the field that it is about before a colon, where it is about one.
    fn from(failure: crate::actions::Failure) -> Self {
        let text = failure_text(&failure);
        let crate::actions::Failure::Refused(refusal) = &failure else { return Self::at("", text) };
        let told = refusal.to_string();
        let named = [
            form::REASON,
            form::DURATION,
            form::PARTS,
            form::RESOURCES,
            form::ACCOUNT,
            form::REPO,
            form::START,
        ]
        .into_iter()
        .find(|field| told.starts_with(&format!("{}:", form::field_word(field))));
        let field = named.unwrap_or(if told.contains("duration") { form::DURATION } else { form::RESOURCES });
        Self::at(field, told)
    }
}

/// The block in which a field stands.
fn block_of<'a>(view: &'a View, action_id: &str) -> Option<&'a str> {
    let found = view.state.values.iter().find(|(_, actions)| actions.contains_key(action_id));
    found.map(|(block, _)| block.as_str())
}

/// What was filled in at a field.
fn filled<'a>(view: &'a View, action_id: &str) -> Option<&'a Filled> {
    view.state.values.values().find_map(|actions| actions.get(action_id))
}

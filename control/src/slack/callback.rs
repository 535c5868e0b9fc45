//! What Slack calls with: slash commands, interactions, events. Fields that nobody here needs are left out, and Slack
//! may add more.

#![expect(clippy::struct_field_names, reason = "the names are Slack's")]

use std::collections::HashMap;

use serde::Deserialize;

/// A slash command.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Command {
    pub team_id: String,
    pub api_app_id: String,
    pub user_id: String,
    pub command: String,
    #[serde(default)]
    pub text: String,
    pub response_url: String,
    pub trigger_id: String,
}

/// Somebody used a button, a menu or a dialog.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Interaction {
    /// A button or a menu.
    BlockActions(Box<BlockActions>),
    /// A dialog was sent off.
    ViewSubmission(Box<ViewSubmission>),
    /// A menu asks what to offer.
    BlockSuggestion(Box<BlockSuggestion>),
    /// Something that this app has not asked for.
    #[serde(other)]
    Other,
}

/// A workspace.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Team {
    pub id: String,
}

/// A user.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub id: String,
}

/// A button or a menu was used.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct BlockActions {
    pub team: Team,
    pub user: User,
    pub api_app_id: String,
    pub trigger_id: String,
    #[serde(default)]
    pub response_url: Option<String>,
    #[serde(default)]
    pub view: Option<View>,
    pub actions: Vec<Action>,
}

/// Which button, which choice.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Action {
    pub action_id: String,
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub action_ts: String,
}

/// A dialog was sent off.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ViewSubmission {
    pub team: Team,
    pub user: User,
    pub api_app_id: String,
    pub trigger_id: String,
    pub view: View,
}

/// A menu asks what to offer.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct BlockSuggestion {
    pub team: Team,
    pub user: User,
    pub api_app_id: String,
    pub action_id: String,
    #[serde(default)]
    pub value: String,
    #[serde(default)]
    pub view: Option<View>,
}

/// A dialog or a home tab, with what was filled in.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct View {
    pub id: String,
    #[serde(default)]
    pub hash: String,
    #[serde(default)]
    pub callback_id: String,
    #[serde(default)]
    pub private_metadata: String,
    #[serde(default)]
    pub state: State,
}

/// What was filled in: by block, then by action.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct State {
    #[serde(default)]
    pub values: HashMap<String, HashMap<String, Filled>>,
}

/// What was filled in at one place.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub selected_option: Option<Chosen>,
    #[serde(default)]
    pub selected_options: Vec<Chosen>,
    #[serde(default)]
    pub selected_date_time: Option<i64>,
}

/// A choice.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Chosen {
    pub value: String,
}

/// A call of the Events API.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum EventCall {
    /// Slack asks whether somebody is there.
    UrlVerification {
        /// What to answer.
        challenge: String,
    },
    /// Something happened.
    EventCallback(EventCallback),
    /// Something that this app has not asked for.
    #[serde(other)]
    Other,
}

/// Something happened in the workspace.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EventCallback {
    pub team_id: String,
    pub api_app_id: String,
    pub event_id: String,
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event {
    /// Somebody looks at the app.
    AppHomeOpened {
        /// Who.
        user: String,
        /// `home` or `messages`.
        #[serde(default)]
        tab: String,
    },
    /// Something that this app has not asked for.
    #[serde(other)]
    Other,
}

/// Any of them.
#[derive(Clone, Debug)]
pub(super) enum Callback {
    Command(Box<Command>),
    Interaction(Interaction),
    Event(EventCallback),
}

/// Which workspace and which app a call names, and whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub team: &'a str,
    pub app: &'a str,
}

impl Callback {
    /// What it says about where it comes from; absent for what this app has not asked for.
    pub(super) fn origin(&self) -> Option<Origin<'_>> {
        let (team, app) = match self {
            Self::Command(command) => (&command.team_id, &command.api_app_id),
            Self::Interaction(Interaction::BlockActions(call)) => (&call.team.id, &call.api_app_id),
            Self::Interaction(Interaction::ViewSubmission(call)) => (&call.team.id, &call.api_app_id),
            Self::Interaction(Interaction::BlockSuggestion(call)) => (&call.team.id, &call.api_app_id),
            Self::Interaction(Interaction::Other) => return None,
            Self::Event(call) => (&call.team_id, &call.api_app_id),
        };
        Some(Origin { team, app })
    }

    /// What is the same when Slack calls twice for one thing; absent where twice is no harm.
    pub(super) fn occasion(&self) -> Option<String> {
        match self {
            Self::Command(command) => Some(format!("trigger {}", command.trigger_id)),
            Self::Interaction(Interaction::BlockActions(call)) => {
                let at = call.actions.first().map_or("", |action| action.action_ts.as_str());
                Some(format!("trigger {} {at}", call.trigger_id))
            }
            Self::Interaction(Interaction::ViewSubmission(call)) => {
                Some(format!("trigger {} {}", call.trigger_id, call.view.id))
            }
            Self::Interaction(Interaction::BlockSuggestion(_) | Interaction::Other) => None,
            Self::Event(call) => Some(format!("event {}", call.event_id)),
        }
    }
}

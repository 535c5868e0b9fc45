//! What Slack users are told who were connected to an identity, or are so no longer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{config::LinkBy, kit::section, links::Untied, text::code},
    Said, mentions,
};
use crate::events::Event;

/// A link that began or ended, as far as the Slack user has not brought it about just now, in Slack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct LinkChange {
    /// The Slack user, as `TEAM/USER`.
    pub slack: String,
    /// Whom it is about.
    pub identity: String,
    /// What became of it.
    pub turn: Turn,
}

/// What became of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Turn {
    /// It began in the browser.
    Began,
    /// It was ended in the browser.
    Ended,
    /// It was ended by an administrator.
    Cut,
    /// Another Slack user, as `TEAM/USER`, is connected in their place.
    Passed(String),
}

impl Turn {
    fn of(event: &Event, slack: &str) -> Option<Self> {
        let detail = |name: &str| event.detail.get(name).and_then(Value::as_str);
        match (event.kind.as_str(), detail("replaced_by")) {
            ("slack.linked", _) if detail("by") == Some(LinkBy::Browser.as_str()) => Some(Self::Began),
            ("slack.unlinked", Some(by)) if by != slack => Some(Self::Passed(by.to_owned())),
            ("slack.unlinked", None) if detail("by") == Some(Untied::InBrowser.as_str()) => Some(Self::Ended),
            ("slack.unlinked", None) if detail("by") == Some(Untied::ByAdministrator.as_str()) => {
                Some(Self::Cut)
            }
            _ => None,
        }
    }
}

impl LinkChange {
    /// What an event is to a Slack user.
    pub(in super::super) fn of(event: &Event) -> Option<Self> {
        let slack = event.detail.get("slack")?.as_str()?.to_owned();
        Some(Self { turn: Turn::of(event, &slack)?, identity: event.identity.clone()?, slack })
    }

    /// Whom to tell in this workspace, and what.
    pub(in super::super) fn told(&self, team: &str) -> Option<(String, Said)> {
        let user_of =
            |key: &str| key.split_once('/').filter(|(of, _)| *of == team).map(|(_, user)| user.to_owned());
        let identity = code(&self.identity);
        let text = match &self.turn {
            Turn::Began => format!(
                "You act as {identity} here from now on. If that is not who you are, type `/postern disconnect`."
            ),
            Turn::Ended => {
                format!("You act as {identity} here no longer: whoever is that has disconnected you.")
            }
            Turn::Cut => {
                format!("You act as {identity} here no longer: an administrator has disconnected you.")
            }
            Turn::Passed(other) => {
                let other: Vec<String> = user_of(other).into_iter().collect();
                format!(
                    "{identity} is connected with {} from now on, and with you no longer. If it was not you who did \
                     that, tell whoever runs Postern at once.",
                    mentions(&other)
                )
            }
        };
        Some((user_of(&self.slack)?, Said { blocks: vec![section(&text)], text }))
    }
}

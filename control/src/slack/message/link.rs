//! What Slack users are told who were connected to an identity, or are so no longer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{config::LinkBy, kit::section, text::code},
    Said, mentions,
};
use crate::events::Event;

/// A link that began or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct LinkChange {
    /// The Slack user, as `TEAM/USER`.
    pub slack: String,
    /// Whom it is about.
    pub identity: String,
    /// Whether it began.
    pub begins: bool,
    /// Who is connected in their place, as `TEAM/USER`.
    pub replaced_by: Option<String>,
}

impl LinkChange {
    /// What an event is to a Slack user; nothing where what they did just now in Slack has brought it about.
    pub(in super::super) fn of(event: &Event) -> Option<Self> {
        let detail = |name: &str| event.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let (slack, replaced_by) = (detail("slack")?, detail("replaced_by"));
        let begins =
            event.kind == "slack.linked" && detail("by").as_deref() == Some(LinkBy::Browser.as_str());
        let replaced = event.kind == "slack.unlinked" && replaced_by.as_ref().is_some_and(|by| *by != slack);
        let identity = event.identity.clone()?;
        (begins || replaced).then_some(Self { slack, identity, begins, replaced_by })
    }

    /// Whom to tell in this workspace, and what.
    pub(in super::super) fn told(&self, team: &str) -> Option<(String, Said)> {
        let user_of =
            |key: &str| key.split_once('/').filter(|(of, _)| *of == team).map(|(_, user)| user.to_owned());
        let identity = code(&self.identity);
        let text = if self.begins {
            format!(
                "You act as {identity} here from now on. If that is not who you are, type `/postern disconnect`."
            )
        } else {
            let other: Vec<String> = self.replaced_by.as_deref().and_then(user_of).into_iter().collect();
            format!(
                "{identity} is connected with {} from now on, and with you no longer. If it was not you who did that, \
                 tell whoever runs Postern at once.",
                mentions(&other)
            )
        };
        Some((user_of(&self.slack)?, Said { blocks: vec![section(&text)], text }))
    }
}

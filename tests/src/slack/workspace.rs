//! Who and what there is in the workspace.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{faults::Fault, limits::Limits};

/// The workspace.
pub const TEAM: &str = "T0POSTERN";
/// The app.
pub const APP: &str = "A0POSTERN";
/// The app's user.
pub const BOT: &str = "U0POSTERN";
/// The app's bot.
pub(super) const BOT_ID: &str = "B0POSTERN";
/// The approvers' channel.
pub const CHANNEL: &str = "C0APPROVERS";

/// Somebody in the workspace.
#[derive(Clone, Debug)]
pub struct User {
    /// `U…`
    pub id: String,
    /// Their address.
    pub email: String,
    /// What differs from an ordinary member, as `users.info` says it.
    pub more: Value,
}

impl User {
    /// As `users.info` has them.
    pub(super) fn profile(&self) -> Value {
        let mut user = json!({
            "id": self.id, "team_id": TEAM, "name": self.id.to_lowercase(), "deleted": false, "is_bot": false,
            "is_restricted": false, "is_ultra_restricted": false, "is_email_confirmed": true,
            "profile": {"email": self.email, "real_name": self.id, "display_name": ""},
        });
        for (name, value) in self.more.as_object().into_iter().flatten() {
            user[name] = value.clone();
        }
        user
    }
}

/// A message as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where.
    pub channel: String,
    /// Its name there.
    pub ts: String,
    /// What notifications show.
    pub text: String,
    /// What people see.
    pub blocks: Value,
    /// What programs see.
    pub metadata: Value,
    /// Who alone sees it.
    pub only_for: Option<String>,
    /// How often it was changed.
    pub changes: u32,
}

impl Message {
    /// As the Web API has it.
    pub(super) fn json(&self, with_metadata: bool) -> Value {
        let mut message = json!({
            "type": "message", "ts": self.ts, "text": self.text, "bot_id": BOT_ID, "app_id": APP, "user": BOT,
            "blocks": self.blocks,
        });
        if with_metadata && !self.metadata.is_null() {
            message["metadata"] = self.metadata.clone();
        }
        message
    }
}

/// A dialog or a home tab as it stands.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub id: String,
    pub user: String,
    pub hash: u64,
    pub shown: Value,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub users: BTreeMap<String, User>,
    pub messages: Vec<Message>,
    /// Dialogs, the uppermost of a user last.
    pub views: Vec<View>,
    /// Home tabs, by user.
    pub homes: BTreeMap<String, View>,
    /// Triggers that may still open a dialog, and whose they are.
    pub triggers: HashMap<String, (String, Instant)>,
    /// What came in over response URLs, by the URL's last part.
    pub responses: Vec<(String, Value)>,
    /// Every call of the Web API that was done, in order: the method and what was sent.
    pub calls: Vec<(String, Value)>,
    /// What Slack would have refused.
    pub violations: Vec<String>,
    pub faults: VecDeque<(String, Fault)>,
    pub down: bool,
    pub limits: Limits,
    /// How often the app was told to wait.
    pub limited: u32,
    serial: u64,
}

impl Workspace {
    /// Counts from here on.
    pub(super) fn begin_at(&mut self, serial: u64) {
        self.serial = serial;
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A name for the next message.
    pub(super) fn ts(&mut self) -> String {
        format!("1700000000.{:06}", self.next())
    }

    /// The channel of direct messages with a user.
    pub(super) fn direct(user: &str) -> String {
        format!("D{user}")
    }

    /// Whether there is a channel of this id that the app is in.
    pub(super) fn has_channel(&self, id: &str) -> bool {
        id == CHANNEL
            || id.starts_with("C1")
            || id.strip_prefix('D').is_some_and(|user| self.users.contains_key(user))
    }
}

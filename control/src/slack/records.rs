//! What the app must not forget.

use postern_protocol::{duration::Span, gate::Identity};
use postern_service::random::sha256_hex;
use serde::{Deserialize, Serialize};

use super::config::LinkBy;
use crate::{
    domain::Moment,
    store::{Columns, Entity, Table},
};

/// How long a call is remembered: longer than its signature is good for, either way.
const SEEN_FOR: Span = Span::from_secs(1_200);

/// A Slack user who acts as an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// `TEAM/USER`
    pub key: String,
    /// `T…`
    pub team: String,
    /// `U…`
    pub user: String,
    /// As whom.
    pub identity: Identity,
    /// Since when.
    pub since: Moment,
    /// How it came about.
    #[serde(default = "by_email")]
    pub by: LinkBy,
}

/// Before there was the other way.
const fn by_email() -> LinkBy {
    LinkBy::Email
}

/// An address at which a Slack user can be connected to whoever signs in there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    /// SHA-256 of the code in the address.
    pub sha256: String,
    /// The Slack user, by [`Link::key`]. There is one address for each.
    pub key: String,
    /// `T…`
    pub team: String,
    /// What people call it.
    pub workspace: String,
    /// `U…`
    pub user: String,
    /// What people see of them.
    pub name: String,
    /// What they are mentioned by.
    pub handle: String,
    /// Their confirmed e-mail address, where the app may see it.
    pub email: Option<String>,
    /// When it was asked for.
    pub created_at: Moment,
    /// When it is good no longer.
    pub expires_at: Moment,
}

/// A call that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// SHA-256 of what tells it from others.
    pub key: String,
    /// When it may be forgotten.
    pub expires_at: Moment,
}

/// A message that follows its request, or one that several events bring about and that is posted once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Post {
    /// What it is about.
    pub key: String,
    /// Where it stands.
    pub channel: String,
    /// Its name there.
    pub ts: String,
    /// SHA-256 of what it shows; empty where that does not change.
    pub shown: String,
}

impl Post {
    /// One of this key in this channel, whose name and looks are not known yet.
    pub(super) fn of(key: &str, channel: &str) -> Self {
        let (key, channel) = (key.to_owned(), channel.to_owned());
        Self { key, channel, ts: String::new(), shown: String::new() }
    }
}

impl Link {
    /// What a Slack user is found by.
    pub(crate) fn key(team: &str, user: &str) -> String {
        format!("{team}/{user}")
    }

    /// Whether it is good where links are made like this: one that was made when e-mail addresses were trusted is not,
    /// where they are so no longer.
    pub(super) fn is_good(&self, made: LinkBy) -> bool {
        self.by == LinkBy::Browser || made == LinkBy::Email
    }
}

impl Seen {
    /// Remembers something from now on.
    pub(crate) fn new(what: &str, now: Moment) -> Self {
        Self { key: sha256_hex(what.as_bytes()), expires_at: now.plus(SEEN_FOR) }
    }
}

impl Entity for Link {
    const TABLE: Table = Table::SlackLinks;

    fn id(&self) -> &str {
        &self.key
    }

    fn columns(&self) -> Columns<'_> {
        Columns { identity: Some(self.identity.as_str()), ..Columns::default() }
    }
}

impl Entity for Invitation {
    const TABLE: Table = Table::SlackConnects;

    fn id(&self) -> &str {
        &self.sha256
    }

    fn columns(&self) -> Columns<'_> {
        Columns { lookup: Some(&self.key), due: Some(self.expires_at), ..Columns::default() }
    }
}

impl Entity for Seen {
    const TABLE: Table = Table::SlackSeen;

    fn id(&self) -> &str {
        &self.key
    }

    fn columns(&self) -> Columns<'_> {
        Columns { due: Some(self.expires_at), ..Columns::default() }
    }
}

impl Entity for Post {
    const TABLE: Table = Table::SlackPosts;

    fn id(&self) -> &str {
        &self.key
    }

    fn columns(&self) -> Columns<'_> {
        Columns::default()
    }
}

//! The feed: the stream on which the control plane pushes grants to one sidecar.
//!
//! Each event is one compact JWS (RFC 7515, `EdDSA`) over an [`Envelope`]. The envelope carries the nonce that the
//! sidecar chose when it connected, its name, and a counter without gaps; so a forged, foreign, replayed, reordered
//! or dropped message shows, whoever sits in between. What is signed is the message, not the single grant: a hundred
//! thousand grants then cost a few signatures, and a grant cannot be lifted out of its place.

use serde::{Deserialize, Serialize};

use super::{AccessToken, Grant, GrantId, Identity, Issuer, RepoName, SessionId, SidecarName, TokenId};

/// The `event:` name of every message on the stream.
pub const FEED_EVENT: &str = "gate";

/// A place in the control plane's ordered change log.
pub type Position = u64;

/// The claims of one signed message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The sidecar that it is meant for.
    pub aud: SidecarName,
    /// What the sidecar sent as `nonce` when it opened this stream.
    pub nonce: String,
    /// 0 for the first message of the stream, then one more each time.
    pub seq: u64,
    /// The control plane's clock, in milliseconds since the Unix epoch. Never goes back, even over a restart.
    pub now: i64,
    /// What is said.
    pub message: Message,
}

/// One message of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// The SSO providers whose tokens count from now on. First on every stream, and again when they change.
    Issuers(Vec<Issuer>),
    /// A part of everything that holds at one position. The parts replace what the sidecar knew once the last is in.
    Snapshot(Snapshot),
    /// What changed in one transaction of the store.
    Changes {
        /// The transaction's place in the log.
        position: Position,
        /// In order.
        changes: Vec<Change>,
    },
    /// Nothing changed up to `position`; sent once a second so that silence means trouble.
    Beat {
        /// The newest place in the log.
        position: Position,
    },
    /// The sidecar's token was revoked: end everything, do not come back.
    Retire {
        /// Who revoked it.
        by: String,
        /// Why.
        reason: String,
    },
}

/// One part of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The place in the log that the whole snapshot shows.
    pub position: Position,
    /// True on the last part.
    pub last: bool,
    /// Every scheduled and active grant of the sidecar's repos.
    pub grants: Vec<Grant>,
    /// Every access token that has not expired.
    pub tokens: Vec<AccessToken>,
    /// Repos whose ephemeral access is switched off.
    pub disabled_repos: Vec<RepoName>,
    /// Identities that are deactivated.
    pub disabled_identities: Vec<Identity>,
    /// Sessions of this sidecar that somebody killed while it was away.
    pub kills: Vec<Change>,
    /// Whether the sidecar is being drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// For grants that ended less than a day ago: how, so that the client can be told.
    pub ended: Vec<Change>,
}

/// A sidecar is to take no new sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// When those that are open end, in milliseconds since the Unix epoch by the control plane's clock; absent: when
    /// they end by themselves.
    pub until: Option<i64>,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What can change for a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A grant is new or different.
    Grant(Grant),
    /// A grant is over.
    GrantEnded {
        /// Which.
        grant: GrantId,
        /// The grant's revision with this change.
        revision: u64,
        /// How.
        cause: EndCause,
        /// Who ended it; empty when time did.
        by: String,
        /// Why.
        reason: String,
    },
    /// An access token was issued.
    Token(AccessToken),
    /// An access token is void.
    TokenRevoked {
        /// Which.
        token: TokenId,
    },
    /// Ephemeral access of a repo was switched.
    Repo {
        /// Which.
        repo: RepoName,
        /// On or off.
        enabled: bool,
        /// Who switched it.
        by: String,
        /// Why.
        reason: String,
    },
    /// An identity was deactivated or came back.
    Identity {
        /// Who.
        identity: Identity,
        /// In or out.
        enabled: bool,
        /// Who did it.
        by: String,
        /// Why.
        reason: String,
    },
    /// The sidecar is to take no new sessions; absent: it may take them again.
    Drain(Option<Drain>),
    /// One session is to end; its grant stays.
    Kill {
        /// Which.
        session: SessionId,
        /// Who asked for it.
        by: String,
        /// Why.
        reason: String,
    },
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Somebody revoked it.
    Revoked,
    /// Its time is up.
    Expired,
}

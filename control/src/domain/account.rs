//! API clients, the tokens that they sign in with, and the access tokens that people connect with.

use postern_protocol::gate::{AccessToken, Identity, TokenId};
use serde::{Deserialize, Serialize};

use super::{Actor, Moment, Permissions, Refusal, identity::check_name};

/// A program that uses the REST interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiClient {
    /// `c_…`, its `client_id`.
    pub id: String,
    /// Unique.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// SHA-256 of its secret, lower-case hexadecimal. The secret is 256 random bits, so a plain hash does.
    pub secret_sha256: String,
    /// Whether it is a directory: its secret itself is the bearer token, on `/scim` and nowhere else.
    #[serde(default)]
    pub scim: bool,
    /// The secret before the last rotation, while it still counts.
    #[serde(default)]
    pub former: Option<FormerSecret>,
    /// When it was made.
    pub created_at: Moment,
}

/// A secret that was rotated away and is good for a while yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormerSecret {
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// Until when.
    pub until: Moment,
}

impl ApiClient {
    /// A new client.
    pub(crate) fn new(
        id: String,
        name: &str,
        permissions: Permissions,
        secret_sha256: String,
        now: Moment,
    ) -> Result<Self, Refusal> {
        check_name("API client", name)?;
        let name = name.to_owned();
        Ok(Self { id, name, permissions, secret_sha256, scim: false, former: None, created_at: now })
    }

    /// The hashes of the secrets that count now.
    pub(crate) fn hashes(&self, now: Moment) -> impl Iterator<Item = &str> {
        let former = self.former.as_ref().filter(|former| now < former.until);
        std::iter::once(&*self.secret_sha256).chain(former.map(|former| &*former.sha256))
    }

    /// The client as somebody who does things.
    pub(crate) fn actor(&self) -> Actor {
        Actor::client(&self.name)
    }
}

/// What an [`ApiToken`] is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenUse {
    /// Calls.
    Access,
    /// One exchange for a new pair.
    Refresh,
    /// Nothing any more: it was exchanged. Seeing it again means that somebody has a copy.
    Spent,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Holder {
    /// An API client, by its id.
    Client(String),
    /// A person who signed in.
    Person(Identity),
}

impl Holder {
    /// The id or the name.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Client(id) => id,
            Self::Person(name) => name.as_str(),
        }
    }
}

/// A token of the OAuth endpoint, by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiToken {
    /// SHA-256 of the token, lower-case hexadecimal.
    pub sha256: String,
    /// Whose.
    #[serde(flatten)]
    pub holder: Holder,
    /// All tokens that come from one sign-in share it; a person's is the [`super::Login`].
    pub family: String,
    /// What it is good for.
    pub good_for: TokenUse,
    /// Until when.
    pub expires_at: Moment,
}

/// An access token for databases, as the control plane keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuedToken {
    /// `t_…`
    pub id: TokenId,
    /// SHA-256 of the token, lower-case hexadecimal.
    pub sha256: String,
    /// Whose.
    pub identity: Identity,
    /// Who asked for it.
    pub issued_by: String,
    /// When.
    pub created_at: Moment,
    /// Until when.
    pub expires_at: Moment,
}

impl IssuedToken {
    /// As the feed carries it.
    pub(crate) fn wire(&self) -> AccessToken {
        AccessToken {
            id: self.id.clone(),
            sha256: self.sha256.clone(),
            identity: self.identity.clone(),
            expires_at: self.expires_at.as_millis(),
        }
    }
}

/// What was answered to a write with an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replay {
    /// SHA-256 over client and key.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub fingerprint: String,
    /// Status and body; absent while the first call is under way, or was when the program ended.
    pub answer: Option<(u16, String)>,
    /// When it is forgotten.
    pub expires_at: Moment,
}

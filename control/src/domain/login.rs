//! A person's sign-in: a browser's session, or the command line's tokens.

use postern_protocol::gate::Identity;
use serde::{Deserialize, Serialize};

use super::{Moment, Permission, Permissions};

/// Where somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginKind {
    /// In a browser: a cookie carries it.
    Browser,
    /// With `postern login`: tokens carry it.
    CommandLine,
}

impl LoginKind {
    /// The word in records.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::CommandLine => "command_line",
        }
    }
}

/// A sign-in that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// `l_…`; the family of its tokens.
    pub id: String,
    /// Who.
    pub identity: Identity,
    /// Where.
    pub kind: LoginKind,
    /// SHA-256 of the secret that a browser's cookie holds, lower-case hexadecimal.
    #[serde(default)]
    pub secret_sha256: Option<String>,
    /// Who it is at the provider: issuer and `sub`, as [`subject`] writes them.
    pub subject: String,
    /// The provider's session.
    #[serde(default)]
    pub sid: Option<String>,
    /// Since when.
    pub created_at: Moment,
    /// A browser's is over when nothing came for long.
    pub idle_until: Moment,
    /// It is over at this moment whatever happens.
    pub expires_at: Moment,
}

impl Login {
    /// Whether it is good at this moment.
    pub(crate) fn is_live(&self, now: Moment) -> bool {
        now < self.expires_at && now < self.idle_until
    }
}

/// One text for somebody at a provider. No issuer's URL has a blank in it.
pub(crate) fn subject(issuer: &str, sub: &str) -> String {
    format!("{issuer} {sub}")
}

/// What a person may do that no rule says: ask for access; an administrator may do everything.
pub(crate) fn permissions_of(is_admin: bool) -> Permissions {
    if is_admin { Permission::ALL.into_iter().collect() } else { [Permission::AccessRequest].into() }
}

//! Until when a session may live, and what ends it then.

use tokio::time::Instant;

use super::Ending;

/// The end of a session's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// The time of its grant is up then.
    Grant(Instant),
    /// A stretch of the grant's hours ends then; the grant itself goes on.
    Hours(Instant),
    /// The credential that the session began with expires then.
    Credential(Instant),
}

impl Deadline {
    /// When.
    pub(crate) const fn at(self) -> Instant {
        match self {
            Self::Grant(at) | Self::Hours(at) | Self::Credential(at) => at,
        }
    }

    /// Why it is over then.
    pub(crate) const fn ending(self) -> Ending {
        match self {
            Self::Grant(_) => Ending::Expired,
            Self::Hours(_) => Ending::AfterHours,
            Self::Credential(_) => Ending::CredentialExpired,
        }
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Self::Grant(at)
    }
}

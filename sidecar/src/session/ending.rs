//! Why a session is over.
//!
//! One value gives the client's text, the audit record and the metric label, so that the three never disagree.

use std::time::Duration;

use postern_protocol::{
    duration::Span,
    gate::{EndCause, GrantId},
};

/// What made the gate fall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its grant was ended by somebody, or by the control plane's clock.
    Grant { cause: EndCause, by: String, reason: String },
    /// Its grant's time is up.
    Expired,
    /// The hours in which its grant may be used are over for now.
    AfterHours,
    /// Nothing was heard of its client for so long.
    Idle(Duration),
    /// The credential that it began with has expired.
    CredentialExpired,
    /// Its grant no longer covers what the session was opened with.
    Shrunk,
    /// Somebody ended this session.
    Killed { by: String, reason: String },
    /// The identity was deactivated.
    IdentityDisabled { by: String, reason: String },
    /// The repo's ephemeral access was switched off.
    RepoDisabled { by: String, reason: String },
    /// The control plane was silent for too long.
    LeaseRanOut,
    /// The sidecar's own token was revoked.
    Retired { by: String, reason: String },
    /// The sidecar was drained, and the time for that is over.
    Drained { by: String, reason: String },
    /// Records would be lost, and the configuration forbids that.
    AuditFull,
    /// The sidecar has lost the means to end this session's statements for certain.
    Unguarded,
    /// A result, or the database's state, was not what the verdict on a statement said it would be.
    Tripwire,
    /// More was moved than the grant allows.
    Exceeded(String),
    /// The sidecar stops.
    Shutdown,
}

fn told(what: &str, by: &str, reason: &str) -> String {
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{what}{by}{reason}")
}

impl Ending {
    /// The label of `postern_sessions_ended_total{cause}`.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Grant { cause: EndCause::Revoked, .. } => "revoked",
            Self::Grant { cause: EndCause::Expired, .. } | Self::Expired => "expired",
            Self::AfterHours => "after_hours",
            Self::Idle(_) => "idle",
            Self::CredentialExpired => "credential_expired",
            Self::Shrunk => "shrunk",
            Self::Killed { .. } => "killed",
            Self::IdentityDisabled { .. } => "identity_disabled",
            Self::RepoDisabled { .. } => "repo_disabled",
            Self::LeaseRanOut => "lease",
            Self::Retired { .. } => "sidecar_revoked",
            Self::Drained { .. } => "drained",
            Self::AuditFull => "audit_full",
            Self::Unguarded => "unguarded",
            Self::Tripwire => "tripwire",
            Self::Exceeded(_) => "limits",
            Self::Shutdown => "shutdown",
        }
    }

    /// What the client is told: which, by whom, why, and the session's grant.
    pub(crate) fn message(&self, grant: &GrantId) -> String {
        let what = match self {
            Self::Grant { cause: EndCause::Revoked, by, reason } => told("access revoked", by, reason),
            Self::Grant { cause: EndCause::Expired, .. } | Self::Expired => {
                "access expired: the time of the grant is up".to_owned()
            }
            Self::AfterHours => "access closed: the hours in which the grant may be used are over".to_owned(),
            Self::Idle(longest) => {
                format!("session ended: idle for longer than {}", Span::from_secs(longest.as_secs()))
            }
            Self::CredentialExpired => {
                "access expired: the credential that this session began with is no longer valid".to_owned()
            }
            Self::Shrunk => {
                "access reduced: the grant no longer covers what this session was opened with".to_owned()
            }
            Self::Killed { by, reason } => told("session killed", by, reason),
            Self::IdentityDisabled { by, reason } => told("identity deactivated", by, reason),
            Self::RepoDisabled { by, reason } => {
                told("access to this repository was switched off", by, reason)
            }
            Self::LeaseRanOut => "lease ran out: the control plane cannot be reached".to_owned(),
            Self::Retired { by, reason } => told("this sidecar was revoked", by, reason),
            Self::Drained { by, reason } => told("this sidecar was drained", by, reason),
            Self::AuditFull => "access suspended: audit records can no longer be kept".to_owned(),
            Self::Unguarded => {
                "access suspended: the sidecar has lost its connection for ending this account's sessions"
                    .to_owned()
            }
            Self::Tripwire => {
                "access suspended: a result was not what the statement was allowed for; the sidecar's operator was told"
                    .to_owned()
            }
            Self::Exceeded(what) => format!("limit exceeded: {what}"),
            Self::Shutdown => "terminating connection: the sidecar is shutting down".to_owned(),
        };
        format!("{what} (grant {grant})")
    }

    /// Whoever did it; empty when time or circumstance did.
    pub(crate) fn by(&self) -> &str {
        match self {
            Self::Grant { by, .. }
            | Self::Killed { by, .. }
            | Self::IdentityDisabled { by, .. }
            | Self::RepoDisabled { by, .. }
            | Self::Retired { by, .. }
            | Self::Drained { by, .. } => by,
            Self::Expired
            | Self::AfterHours
            | Self::Idle(_)
            | Self::CredentialExpired
            | Self::Shrunk
            | Self::LeaseRanOut
            | Self::AuditFull
            | Self::Unguarded
            | Self::Tripwire
            | Self::Exceeded(_)
            | Self::Shutdown => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_learns_who_why_and_which_grant() {
        let (by, reason) = ("bob@example.com".to_owned(), "incident over".to_owned());
        let ending = Ending::Grant { cause: EndCause::Revoked, by, reason };
        assert_eq!(
            ending.message(&"g_1".into()),
            "access revoked by bob@example.com: incident over (grant g_1)"
        );
        assert_eq!(ending.label(), "revoked");
    }

    #[test]
    fn nothing_is_said_of_nobody() {
        let ending = Ending::Killed { by: String::new(), reason: String::new() };
        assert_eq!(ending.message(&"g_1".into()), "session killed (grant g_1)");
    }
}

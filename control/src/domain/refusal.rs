//! Why something is not done.
//!
//! One value carries what the caller is told, the stable word for programs, and the kind of mistake. The REST status,
//! the problem document and the audit trail are all made from it.

use super::{GrantState, Permission, RequestStatus};

/// A refusal; its text is for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or the caller may not know of it.
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Under which name.
        name: String,
    },
    /// The caller lacks every one of these permissions.
    #[error("this needs the permission {}", names(.0))]
    Permission(Vec<Permission>),
    /// The caller may not do it here.
    #[error("{0}")]
    Forbidden(String),
    /// No rule lets the identity request this.
    #[error("{0}")]
    NoRule(String),
    /// An identity that is deactivated.
    #[error("{0} is deactivated")]
    IdentityDisabled(String),
    /// Nobody reviews a request of their own.
    #[error("nobody reviews a request of their own")]
    OwnRequest,
    /// The reviewer is on none of the rule's lists.
    #[error("{0} is not among those who may review this request")]
    NotAnApprover(String),
    /// Nobody approves twice.
    #[error("{0} has approved this request already")]
    AlreadyReviewed(String),
    /// The request was decided before.
    #[error("the request is {} already", .0.as_str())]
    AlreadyDecided(RequestStatus),
    /// The grant is over.
    #[error("the grant is {} already", .0.as_str())]
    GrantEnded(GrantState),
    /// Since the request was filed its rule went away or changed.
    #[error("{0}")]
    RuleChanged(String),
    /// The name is taken.
    #[error("the {kind} `{name}` exists already")]
    Exists {
        /// What.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It stands against what is there.
    #[error("{0}")]
    Conflict(String),
    /// It is not as the caller has seen it.
    #[error("somebody changed it since: read it again, and send its new ETag")]
    Stale,
    /// What was sent makes no sense; the text says which part.
    #[error("{0}")]
    Invalid(String),
    /// The shape is known, but this version cannot do it.
    #[error("not supported yet: {0}")]
    NotSupported(String),
}

fn names(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" or ")
}

impl Refusal {
    /// There is no such thing.
    pub fn not_found(kind: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { kind, name: name.into() }
    }

    /// The stable word for programs.
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Permission(_) => "missing-permission",
            Self::Forbidden(_) => "forbidden",
            Self::NoRule(_) => "no-rule",
            Self::IdentityDisabled(_) => "identity-disabled",
            Self::OwnRequest => "own-request",
            Self::NotAnApprover(_) => "not-an-approver",
            Self::AlreadyReviewed(_) => "already-reviewed",
            Self::AlreadyDecided(_) => "already-decided",
            Self::GrantEnded(_) => "grant-ended",
            Self::RuleChanged(_) => "rule-changed",
            Self::Exists { .. } => "exists",
            Self::Conflict(_) => "conflict",
            Self::Stale => "changed-since",
            Self::Invalid(_) => "invalid",
            Self::NotSupported(_) => "not-supported",
        }
    }

    /// The true state of what the caller wanted to change, where that is the reason.
    pub const fn state(&self) -> Option<&'static str> {
        match self {
            Self::AlreadyDecided(status) => Some(status.as_str()),
            Self::GrantEnded(state) => Some(state.as_str()),
            Self::NotFound { .. }
            | Self::Permission(_)
            | Self::Forbidden(_)
            | Self::NoRule(_)
            | Self::IdentityDisabled(_)
            | Self::OwnRequest
            | Self::NotAnApprover(_)
            | Self::AlreadyReviewed(_)
            | Self::RuleChanged(_)
            | Self::Exists { .. }
            | Self::Conflict(_)
            | Self::Stale
            | Self::Invalid(_)
            | Self::NotSupported(_) => None,
        }
    }
}

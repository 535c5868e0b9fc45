//! What an approved request becomes: who may use which account of which repo, from when to when, within which limits.

use serde::{Deserialize, Serialize};

use super::{AccountName, GrantId, Identity, Privilege, RepoName, Resource};
use crate::duration::Span;

/// A grant as a sidecar gets it. Times are milliseconds since the Unix epoch on the control plane's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `g_…`
    pub id: GrantId,
    /// Grows with every change of the grant; a sidecar never goes back to a lower one.
    pub revision: u64,
    /// Who may connect.
    pub identity: Identity,
    /// To which repo.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
    /// With what.
    pub scope: Scope,
    /// On what terms.
    #[serde(default)]
    pub terms: Terms,
    /// How its sessions live.
    #[serde(default, skip_serializing_if = "SessionTerms::are_none")]
    pub session: SessionTerms,
    /// From this moment on.
    pub not_before: i64,
    /// Up to this moment, and no longer.
    pub expires_at: i64,
}

/// How much of the account's own power a grant hands out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All that the account can do.
    Whole,
    /// These resources and nothing else. An empty list allows nothing.
    Limited(Vec<ResourceGrant>),
}

/// One resource of a limited grant and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceGrant {
    /// The table or column.
    pub resource: Resource,
    /// What may be done with it.
    pub privileges: Vec<Privilege>,
}

/// How the sessions of a grant are held, beyond its scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What becomes of `SELECT *` on a partly granted table.
    #[serde(default)]
    pub star: Star,
    /// How much a session may move.
    #[serde(default)]
    pub limits: MovementLimits,
}

/// How the sessions of a grant live, whatever they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionTerms {
    /// Sessions live inside these stretches of time only: in order, apart from one another. Absent: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<Stretch>>,
    /// How long one may be idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<Span>,
    /// How many there may be at once, at each sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
}

impl SessionTerms {
    /// Whether they ask for nothing.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A stretch of time, in milliseconds since the Unix epoch on the control plane's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// From this moment on.
    pub from: i64,
    /// Up to this moment, and no longer.
    pub to: i64,
}

/// What `SELECT *` on a partly granted table does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Star {
    /// It is denied, as the database would.
    #[default]
    Deny,
    /// It becomes the granted columns.
    Expand,
}

/// Limits of what a session may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Limits"))]
#[serde(deny_unknown_fields)]
pub struct MovementLimits {
    /// Rows in one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// Rows in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_minute: Option<u64>,
    /// Statements in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements_per_minute: Option<u64>,
}

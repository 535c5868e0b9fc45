//! What an approved request becomes: who may use which account of which repo, from when to when, within which limits.

use serde::{Deserialize, Serialize};

use super::{AccountName, GrantId, Identity, Privilege, RepoName, Resource};

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

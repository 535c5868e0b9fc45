//! A wish that a client states by connecting: the sidecar files it, and lets the client wait for the answer.
//!
//! `POST /v1/sidecar/knocks` ([`Knock`] → [`Knocked`]), and `GET /v1/sidecar/knocks/{request}` (→ [`Knocked`]) until it is
//! decided.

use serde::{Deserialize, Serialize};

use super::{AccountName, Identity, RepoName, RequestId};
use crate::duration::Span;

/// What somebody wants whose credential was good, and who has no grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Knock {
    /// Who.
    pub identity: Identity,
    /// The groups that the credential lists, without `group:`. They count for this request alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// When the credential was made, in milliseconds since the Unix epoch, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<i64>,
    /// Where.
    pub repo: RepoName,
    /// As which account.
    pub account: AccountName,
    /// For how long.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub duration: Span,
    /// Why.
    pub reason: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Knocked {
    /// The request.
    pub request: RequestId,
    /// Where it stands.
    pub state: KnockState,
    /// Who or what refused it, for the client.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub word: String,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KnockState {
    /// Nobody has decided.
    Waiting,
    /// It became a grant.
    Granted,
    /// It will not become one.
    Refused,
}

//! What a sidecar tells the control plane, by POST.
//!
//! `POST /v1/sidecar/hello` ([`Hello`] → [`Welcome`]), then `GET /v1/sidecar/feed?instance=…&nonce=…&after=…` (the
//! feed), and as things happen `POST /v1/sidecar/acks` ([`Ack`]), `…/sessions` ([`SessionReport`]), `…/pulse`
//! ([`Pulse`]), `…/resources` ([`ResourceReport`]), `…/knocks` ([`Knock`](super::Knock)) and `…/audit` ([`AuditBatch`]). Each carries the sidecar's token as a bearer token.

use serde::{Deserialize, Serialize};

use super::{AccountName, GrantId, Identity, Position, RepoName, Resource, SessionId, SidecarName};

/// Which protocol a repo speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Engine {
    /// The word used in configuration, metrics and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }
}

/// A repo that a sidecar serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServedRepo {
    /// Its name.
    pub name: RepoName,
    /// Its protocol.
    pub engine: Engine,
    /// PostgreSQL: the database behind it.
    pub database: Option<String>,
    /// Where clients reach it: the sidecar's listener address.
    pub listen: String,
    /// The accounts whose secrets the sidecar holds.
    pub accounts: Vec<AccountName>,
}

/// The first word of a sidecar that has just started, or comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Its configured name; must be the token's.
    pub name: SidecarName,
    /// Random, chosen when the process started: tells two processes of one name apart.
    pub instance: String,
    /// `postern --version`.
    pub version: String,
    /// What it serves.
    pub repos: Vec<ServedRepo>,
}

/// The answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// The control plane's version.
    pub version: String,
    /// Where people ask for access, for the hints that clients are shown.
    pub public_url: String,
}

/// A change, or a snapshot, was applied and everything that it ended is dead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Which process says so.
    pub instance: String,
    /// The position of the `Changes` message, or of the snapshot.
    pub position: Position,
    /// True for a snapshot: everything up to `position` is applied.
    pub snapshot: bool,
    /// How many sessions it ended.
    pub sessions_ended: u64,
    /// From the message's arrival to the last of them being dead.
    pub milliseconds: f64,
}

/// Where a sidecar stands; sent every few seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Which process.
    pub instance: String,
    /// The newest position that it has applied.
    pub applied: Position,
    /// How many sessions it has open.
    pub sessions: u64,
}

/// A session that began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionStart {
    /// `s_…`
    pub id: SessionId,
    /// The grant that it stands on.
    pub grant: GrantId,
    /// Who.
    pub identity: Identity,
    /// Where.
    pub repo: RepoName,
    /// As whom.
    pub account: AccountName,
    /// The client's address and port.
    pub client: String,
    /// What the client calls itself (`application_name`); may be empty.
    pub application: String,
    /// Milliseconds since the Unix epoch.
    pub started_at: i64,
}

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionEnd {
    /// Which.
    pub id: SessionId,
    /// The metric label of the cause, such as `revoked` or `client`.
    pub cause: String,
    /// Milliseconds since the Unix epoch.
    pub ended_at: i64,
}

/// Sessions that began and ended since the last report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionReport {
    /// Which process.
    pub instance: String,
    /// True when `started` is everything that is open now, and whatever else was known of this process is over.
    pub all: bool,
    /// New ones.
    pub started: Vec<SessionStart>,
    /// Finished ones.
    pub ended: Vec<SessionEnd>,
}

/// What kind of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table, or a partition of one.
    Table,
    /// A table that has partitions.
    PartitionedTable,
    /// A view.
    View,
    /// A materialised view.
    MaterializedView,
    /// A table of another server.
    ForeignTable,
}

/// A column that was found in a repo's catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it for people: `character varying(20)`.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// A table that was found in a repo's catalog: something that a request may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FoundTable {
    /// Its schema (MySQL: its database).
    pub schema: String,
    /// Its name.
    pub table: String,
    /// What it is.
    pub kind: TableKind,
    /// Its columns, in order.
    pub columns: Vec<FoundColumn>,
}

impl FoundTable {
    /// It as requests and grants name it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource { schema: self.schema.as_str().into(), table: self.table.as_str().into(), column: None }
    }
}

/// A stretch of a repo's tables, in the order of their names' bytes as [`Resource`] writes them: there are these in
/// it, and no others. What is there is told in many such reports, each good for itself, so that no report is large
/// and a change needs no more than the stretch that it lies in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResourceReport {
    /// Where.
    pub repo: RepoName,
    /// The stretch begins behind this name; absent: with the first that there can be.
    pub after: Option<String>,
    /// It ends with this name; absent: with the last that there can be.
    pub through: Option<String>,
    /// All tables of the stretch, in order; at most [`ResourceReport::MOST`].
    pub tables: Vec<FoundTable>,
}

impl ResourceReport {
    /// The most tables that a report may have.
    pub const MOST: usize = 1_000;
}

/// Audit records of one chain, in order; those already known are skipped by their number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AuditBatch"))]
#[serde(deny_unknown_fields)]
pub struct AuditBatch<Record> {
    /// The records.
    pub records: Vec<Record>,
}

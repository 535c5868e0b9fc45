//! Where the control plane keeps what it must not forget.
//!
//! One trait, [`Store`], that hands out transactions: a reading one sees a single moment, a writing one is alone and
//! is either all there after a commit or not at all, `kill -9` or not. [`Place`] says which database it is: SQLite for
//! one control plane, PostgreSQL for several side by side. Their SQL is the same, and so are their tests. [`Entity`]
//! puts the domain's types on top.

mod backup;
mod clock_mark;
mod entity;
mod error;
mod lists;
mod place;
mod postgres;
mod sqlite;
mod statement;
mod transaction;

use futures_util::future::BoxFuture;
use postern_protocol::gate::Position;
use postern_service::audit::Record;

pub(crate) use backup::{BackupError, back_up};
pub(crate) use clock_mark::{AHEAD, ClockMark};
pub(crate) use entity::{
    Columns, Entity, Page, find, find_all, load, load_all, load_by, remove, save, save_all,
};
pub(crate) use error::StoreError;
pub(crate) use place::Place;
#[cfg(test)]
pub(crate) use postgres::MIGRATIONS as POSTGRES_MIGRATIONS;
#[cfg(test)]
pub(crate) use sqlite::{MIGRATIONS as SQLITE_MIGRATIONS, SqliteStore};

use crate::domain::Moment;

/// The control plane's own audit chain.
pub(crate) const CHAIN: &str = "control";

/// What a call to the store gives, later.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// [`crate::domain::ApiClient`]
    ApiClients,
    /// [`crate::domain::ApiToken`]
    ApiTokens,
    /// [`crate::domain::Sidecar`]
    Sidecars,
    /// [`crate::domain::Repo`]
    Repos,
    /// [`crate::domain::IdentityRecord`]
    Identities,
    /// [`crate::domain::StoredRule`]
    Rules,
    /// [`crate::domain::Request`]
    Requests,
    /// [`crate::domain::Grant`]
    Grants,
    /// [`crate::domain::Session`]
    Sessions,
    /// [`crate::domain::IssuedToken`]
    AccessTokens,
    /// [`crate::domain::Login`]
    Logins,
    /// [`crate::domain::DeviceLogin`]
    DeviceLogins,
    /// [`crate::domain::Replay`]
    Replays,
    /// [`crate::domain::Bundle`]
    Bundles,
    /// [`crate::domain::Favourite`]
    Favourites,
    /// `slack::records::Link`
    SlackLinks,
    /// `slack::records::Seen`
    SlackSeen,
    /// `slack::records::Invitation`
    SlackConnects,
    /// [`crate::domain::RunningPlane`]
    RunningPlanes,
    /// [`crate::domain::Process`]
    Processes,
    /// `slack::records::Post`
    SlackPosts,
    /// [`crate::domain::Webhook`]
    Webhooks,
    /// [`crate::domain::Delivery`]
    Deliveries,
    /// [`crate::domain::DirectoryUser`]
    DirectoryUsers,
    /// [`crate::domain::DirectoryGroup`]
    DirectoryGroups,
    /// [`crate::domain::Membership`]
    Memberships,
    /// [`crate::domain::Usage`]
    Usages,
    /// [`crate::domain::Touched`]
    Touched,
}

impl Table {
    /// Every kind.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 28] = [
        Self::ApiClients,
        Self::ApiTokens,
        Self::Sidecars,
        Self::Repos,
        Self::Identities,
        Self::Rules,
        Self::Requests,
        Self::Grants,
        Self::Sessions,
        Self::AccessTokens,
        Self::Logins,
        Self::DeviceLogins,
        Self::Replays,
        Self::Bundles,
        Self::Favourites,
        Self::SlackLinks,
        Self::SlackPosts,
        Self::SlackSeen,
        Self::SlackConnects,
        Self::RunningPlanes,
        Self::Processes,
        Self::Webhooks,
        Self::Deliveries,
        Self::DirectoryUsers,
        Self::DirectoryGroups,
        Self::Memberships,
        Self::Usages,
        Self::Touched,
    ];

    /// Its name in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ApiClients => "api_clients",
            Self::ApiTokens => "api_tokens",
            Self::Sidecars => "sidecars",
            Self::Repos => "repos",
            Self::Identities => "identities",
            Self::Rules => "rules",
            Self::Requests => "requests",
            Self::Grants => "grants",
            Self::Sessions => "sessions",
            Self::AccessTokens => "access_tokens",
            Self::Logins => "logins",
            Self::DeviceLogins => "device_logins",
            Self::Replays => "replays",
            Self::Bundles => "bundles",
            Self::Favourites => "favourites",
            Self::SlackLinks => "slack_links",
            Self::SlackSeen => "slack_seen",
            Self::SlackConnects => "slack_connects",
            Self::RunningPlanes => "running_planes",
            Self::Processes => "processes",
            Self::SlackPosts => "slack_posts",
            Self::Webhooks => "webhooks",
            Self::Deliveries => "deliveries",
            Self::DirectoryUsers => "directory_users",
            Self::DirectoryGroups => "directory_groups",
            Self::Memberships => "memberships",
            Self::Usages => "usages",
            Self::Touched => "touched",
        }
    }
}

/// In which order records are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// What is due soonest first. Goes with no [`Filter::after`].
    Due,
}

/// Which records are wanted; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// With one of these ids.
    pub ids: Option<Vec<String>>,
    /// With this second key.
    pub lookup: Option<String>,
    /// With a second key, whatever it is.
    pub keyed: bool,
    /// Of this identity.
    pub identity: Option<String>,
    /// Of an identity on this list, which names identities, `group:NAME`, and everybody by `*`.
    pub listed: Option<Vec<String>>,
    /// Of this repo.
    pub repo: Option<String>,
    /// In one of these states.
    pub states: Vec<&'static str>,
    /// In this state, given as text.
    pub state: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// Of none of these owners.
    pub not_owned_by: Vec<String>,
    /// Due at this moment or earlier.
    pub due_by: Option<Moment>,
    /// Due later than this.
    pub due_after: Option<Moment>,
    /// In which order.
    pub order: Order,
    /// Behind the record of this number, in that order.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// A record to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Put<'a> {
    /// Its key.
    pub id: &'a str,
    /// What it can be found by.
    pub columns: Columns<'a>,
    /// JSON.
    pub body: String,
}

/// A record as the database has it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The order in which it came in.
    pub n: i64,
    /// JSON.
    pub body: String,
}

/// Which audit records are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFilter {
    /// At this moment or later.
    pub since: Option<Moment>,
    /// Before this moment.
    pub until: Option<Moment>,
    /// About this identity.
    pub identity: Option<String>,
    /// About this repo.
    pub repo: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this chain.
    pub chain: Option<String>,
    /// Behind the record of this number.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// How far the audit trail reaches, by the numbers of its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditReach {
    /// Everything up to here was put away.
    pub pruned: i64,
    /// The newest number.
    pub newest: i64,
}

/// How long a chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Whose.
    pub chain: String,
    /// How many records.
    pub count: u64,
    /// The hash of the last.
    pub hash: String,
}

/// Which of a repo's tables are wanted; what is absent does not matter. Names are those of
/// [`postern_protocol::gate::Resource`], in the order of their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceFilter {
    /// Of this repo.
    pub repo: String,
    /// Behind this name.
    pub after: Option<String>,
    /// Up to this name, and this one too.
    pub through: Option<String>,
    /// Whose names begin so.
    pub prefix: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// A table of a repo as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceRow {
    /// Its name.
    pub name: String,
    /// JSON.
    pub body: String,
}

/// One transaction of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    /// Its place.
    pub position: Position,
    /// JSON.
    pub entry: String,
}

/// How far the change log reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogReach {
    /// Everything up to here was thrown away.
    pub pruned: Position,
    /// The newest place.
    pub newest: Position,
}

/// A database.
pub(crate) trait Store: Send + Sync + 'static {
    /// A transaction that sees one moment.
    fn read(&self) -> Answer<'_, Box<dyn Read>>;

    /// A transaction that is alone. Dropped without [`Write::commit`] it leaves nothing.
    fn write(&self) -> Answer<'_, Box<dyn Write>>;

    /// Says something to whoever listens on this store, without keeping it. It may be lost.
    fn announce(&self, said: Vec<String>) -> Answer<'_, ()>;

    /// Listens; nothing where nobody else can be on this store for long.
    fn listen(&self) -> Answer<'_, Option<Box<dyn Listen>>>;
}

/// What is said on a store.
pub(crate) trait Listen: Send {
    /// What is said next: a position of the change log that was committed, or an announcement. An error means that
    /// something may have been missed, and that it is time to listen anew.
    fn next(&mut self) -> Answer<'_, String>;
}

/// What can be asked.
pub(crate) trait Read: Send {
    /// The body of a record.
    fn get<'a>(&'a mut self, table: Table, id: &'a str) -> Answer<'a, Option<String>>;

    /// Records.
    fn find<'a>(&'a mut self, table: Table, filter: &'a Filter) -> Answer<'a, Vec<Row>>;

    /// How many records of this kind are in this state.
    fn count<'a>(&'a mut self, table: Table, state: &'a str) -> Answer<'a, u64>;

    /// How far the change log reaches.
    fn log_reach(&mut self) -> Answer<'_, LogReach>;

    /// The change log behind a place, at most `limit` transactions.
    fn log_after(&mut self, position: Position, limit: u32) -> Answer<'_, Vec<LogRow>>;

    /// Audit records with their numbers, oldest first.
    fn audit<'a>(&'a mut self, filter: &'a AuditFilter) -> Answer<'a, Vec<(i64, Record)>>;

    /// How far the audit trail reaches. Numbers are handed out in the order of commits.
    fn audit_reach(&mut self) -> Answer<'_, AuditReach>;

    /// The number of the control plane's own last audit record from before a moment; 0 without one. Their time only goes
    /// forward, while a sidecar's may bear any.
    fn audit_before(&mut self, before: Moment) -> Answer<'_, i64>;

    /// The last record of a chain.
    fn audit_last<'a>(&'a mut self, chain: &'a str) -> Answer<'a, Option<Record>>;

    /// Every chain's head.
    fn audit_heads(&mut self) -> Answer<'_, Vec<Head>>;

    /// Tables of a repo, in the order of their names.
    fn resources<'a>(&'a mut self, filter: &'a ResourceFilter) -> Answer<'a, Vec<ResourceRow>>;

    /// A setting.
    fn setting<'a>(&'a mut self, name: &'a str) -> Answer<'a, Option<String>>;
}

/// What can be changed.
pub(crate) trait Write: Read {
    /// Makes or replaces a record. A second key that another record has is [`StoreError::Taken`].
    fn put<'a>(
        &'a mut self,
        table: Table,
        id: &'a str,
        columns: Columns<'a>,
        body: String,
    ) -> Answer<'a, ()> {
        self.put_all(table, vec![Put { id, columns, body }])
    }

    /// Makes or replaces records, each named once.
    fn put_all<'a>(&'a mut self, table: Table, records: Vec<Put<'a>>) -> Answer<'a, ()>;

    /// Removes a record; true when it was there.
    fn delete<'a>(&'a mut self, table: Table, id: &'a str) -> Answer<'a, bool>;

    /// Removes every record that is due at this moment or earlier.
    fn delete_due(&mut self, table: Table, due_by: Moment) -> Answer<'_, u64>;

    /// Adds to the change log.
    fn append_log(&mut self, at: Moment, entry: String) -> Answer<'_, Position>;

    /// Throws away the change log up to a moment.
    fn prune_log(&mut self, before: Moment) -> Answer<'_, ()>;

    /// Adds to audit chains, and moves their heads.
    fn append_audit<'a>(&'a mut self, records: &'a [Record]) -> Answer<'a, ()>;

    /// Puts away audit records up to a number, but for the last of each chain. Gives how far each chain that lost some is
    /// cut now: so many records, the last of which had this hash.
    fn prune_audit(&mut self, to: i64) -> Answer<'_, Vec<Head>>;

    /// Puts these in the place of all tables that the filter finds.
    fn replace_resources<'a>(
        &'a mut self,
        filter: &'a ResourceFilter,
        rows: &'a [ResourceRow],
    ) -> Answer<'a, ()>;

    /// Keeps a setting.
    fn set<'a>(&'a mut self, name: &'a str, value: &'a str) -> Answer<'a, ()>;

    /// What the control planes' clock was marked with last.
    fn clock_mark(&mut self) -> Answer<'_, Option<ClockMark>>;

    /// Marks what the control planes' clock says.
    fn set_clock_mark(&mut self, at: Moment) -> Answer<'_, ()>;

    /// Makes it all last.
    fn commit(self: Box<Self>) -> Answer<'static, ()>;
}

//! Keeps snapshots of what databases say of themselves, and tells the control plane of it.
//!
//! In: questions of those who judge statements. Out: a snapshot, the same one until the database says something else,
//! and reports of the tables that people may ask for. How a catalog is read is the engine's business: it gives a
//! [`Source`].

mod asker;
mod keeper;
mod teller;

use std::{fmt::Display, sync::Arc, time::Duration};

use postern_protocol::gate::{AccountName, FoundTable, RepoName, Resource};

pub(crate) use asker::{Asker, LOOK, SHARE};
pub(crate) use keeper::{Attendance, Keeper, Stir};
pub(crate) use teller::Teller;

/// How often to look while nobody attends.
pub(crate) const UNATTENDED: Duration = Duration::from_secs(10);

/// What was read of a database's catalog, at one moment.
pub(crate) trait Snapshot: Send + Sync + 'static {
    /// What statements are judged by.
    type Catalog: Send + Sync;
    /// A table as the snapshot holds it.
    type Table;

    /// What statements are judged by.
    fn catalog(&self) -> &Arc<Self::Catalog>;

    /// No two snapshots of a repo that differ have the same.
    fn version(&self) -> u64;

    /// How many tables, views and the like there are.
    fn relations(&self) -> usize;

    /// The tables that people may ask for, in any order.
    fn resources(&self) -> impl Iterator<Item = &Self::Table> + Send;

    /// The table as requests name it.
    fn resource(&self, table: &Self::Table) -> Resource;

    /// The table as the control plane is told of it.
    fn found(&self, table: &Self::Table) -> FoundTable;
}

/// Where a catalog is read.
pub(crate) trait Source: Send + 'static {
    /// What is read.
    type Snapshot: Snapshot;
    /// The connection.
    type Connection: Send;
    /// Why nothing could be read.
    type Error: Display + Send + Sync;

    /// The repo whose catalog it is.
    fn repo(&self) -> &RepoName;

    /// Connects, as `asked` unless the source knows better.
    fn connect(
        &self,
        asked: Option<AccountName>,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Begins a look. False where the last one that came to its end still holds.
    fn begin(
        &mut self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// A text that is another one whenever a snapshot would be.
    fn fingerprint(
        &mut self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<String, Self::Error>> + Send;

    /// Reads the snapshot that belongs to `fingerprint`, and returns its fingerprint; where that has changed meanwhile
    /// one that nothing ever has.
    fn load(
        &mut self,
        connection: &mut Self::Connection,
        fingerprint: String,
    ) -> impl Future<Output = Result<(Arc<Self::Snapshot>, String), Self::Error>> + Send;

    /// Ends the look.
    fn end(
        &mut self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Says good-bye.
    fn close(connection: Self::Connection) -> impl Future<Output = ()> + Send;

    /// The database took too long.
    fn too_slow() -> Self::Error;

    /// Returns when somebody else has seen a change since this was called last. May be dropped at any time.
    fn stirred(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// How long until the next look while nobody attends, after one that saw this; nothing if it failed.
    fn rest(&self, _seen: Option<&Self::Snapshot>) -> Duration {
        UNATTENDED
    }
}

//! The store in one SQLite file.
//!
//! Write-ahead log with `synchronous=FULL`: an answered commit is on the disk. One connection writes, under
//! `BEGIN IMMEDIATE`, so that positions of the change log are handed out in the order of commits; a few read.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::LazyLock, time::Duration};

use postern_protocol::gate::Position;
use sqlx::{
    AssertSqlSafe, Connection as _, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    },
};
use tokio::time::{Instant, sleep};

use super::{
    Answer, Listen, Read, Store, StoreError, Write,
    clock_mark::Reference,
    statement::{Statement, arguments},
    transaction::{Connection, Found, SqlTransaction},
};

pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| sqlx::migrate!("migrations/sqlite"));

const READERS: u32 = 4;
/// So many rows SQLite's thread reads before it waits for whoever asked.
const ROWS_AHEAD: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// `SQLITE_BUSY`
const BUSY: &str = "5";

/// A SQLite file.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it (for its owner alone) if it is not there, and brings its tables up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteConnectOptions::new(), PATIENCE).await
    }

    /// The same, as if the disk had room for no more than so many pages.
    #[cfg(test)]
    pub(crate) async fn open_with_room_for(path: &Path, pages: u32) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().pragma("max_page_count", pages.to_string());
        Self::open_with(path, options, PATIENCE).await
    }

    /// The same, for people in a hurry.
    #[cfg(test)]
    pub(crate) async fn open_impatiently(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteConnectOptions::new(), patience).await
    }

    async fn open_with(
        path: &Path,
        options: SqliteConnectOptions,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        create_private(path)?;
        let options = options
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .row_buffer_size(ROWS_AHEAD)
            .foreign_keys(true)
            .busy_timeout(patience);
        let writer = connect_patiently(&options, patience).await?;
        // Alone, since another program may be opening the same new file.
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        MIGRATIONS.run_direct(None, &mut *tx, false).await?;
        tx.commit().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(patience)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self { writer, readers })
    }
}

/// SQLite does not wait for a lock while it turns a new file's journal into a write-ahead log.
async fn connect_patiently(
    options: &SqliteConnectOptions,
    patience: Duration,
) -> Result<SqlitePool, sqlx::Error> {
    let begun = Instant::now();
    loop {
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(patience);
        // A transaction that SQLite itself gave up, for want of room, is one that the driver cannot end: such a
        // connection is thrown away.
        let pool = pool.before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(std::future::ready(Ok(is_free)))
        });
        let connected = pool.connect_with(options.clone()).await;
        match connected {
            Err(sqlx::Error::Database(error)) if is_busy(&*error) && begun.elapsed() < patience => {
                sleep(PAUSE).await;
            }
            Ok(_) | Err(_) => return connected,
        }
    }
}

fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == BUSY)
}

fn create_private(path: &Path) -> Result<(), StoreError> {
    let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    opened.map(drop).map_err(|source| StoreError::File { path: path.display().to_string(), source })
}

impl Store for SqliteStore {
    fn read(&self) -> Answer<'_, Box<dyn Read>> {
        Box::pin(async move {
            let tx = self.readers.begin().await?;
            Ok(Box::new(SqlTransaction::new(SqliteConnection { tx, reference: None })) as Box<dyn Read>)
        })
    }

    fn write(&self) -> Answer<'_, Box<dyn Write>> {
        Box::pin(async move {
            let tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let reference = Reference::uptime();
            Ok(Box::new(SqlTransaction::new(SqliteConnection { tx, reference })) as Box<dyn Write>)
        })
    }

    fn announce(&self, _: Vec<String>) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Another program that writes to the file for a moment is noticed within a second.
    fn listen(&self) -> Answer<'_, Option<Box<dyn Listen>>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

struct SqliteConnection {
    tx: Transaction<'static, Sqlite>,
    reference: Option<Reference>,
}

impl Connection for SqliteConnection {
    fn fetch(&mut self, statement: Statement) -> Answer<'_, Vec<Found>> {
        Box::pin(async move {
            let Statement { text, values, frequent } = statement;
            let values: SqliteArguments = arguments(values).map_err(sqlx::Error::Encode)?;
            let query = sqlx::query_as_with(AssertSqlSafe(text), values).persistent(frequent);
            Ok(query.fetch_all(&mut *self.tx).await?)
        })
    }

    fn execute(&mut self, statement: Statement) -> Answer<'_, u64> {
        Box::pin(async move {
            let Statement { text, values, frequent } = statement;
            let values: SqliteArguments = arguments(values).map_err(sqlx::Error::Encode)?;
            let query = sqlx::query_with(AssertSqlSafe(text), values).persistent(frequent);
            Ok(query.execute(&mut *self.tx).await?.rows_affected())
        })
    }

    fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// Nobody else listens; another program's look comes within a second.
    fn wake(&mut self, _: Position) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn commit(self) -> Answer<'static, ()> {
        Box::pin(async move { Ok(self.tx.commit().await?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Moment,
        store::{AuditFilter, Filter, Order, Table},
    };

    async fn plan(store: &SqliteStore, table: Table, filter: Filter) -> String {
        plan_of(store, Statement::records(table, &Filter { limit: Some(101), ..filter })).await
    }

    /// How SQLite would go about it.
    async fn plan_of(store: &SqliteStore, Statement { text, values, .. }: Statement) -> String {
        let values: SqliteArguments = arguments(values).unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as_with(explain, values).fetch_all(&store.readers).await.unwrap();
        steps.into_iter().map(|(_, _, _, step)| step).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn what_is_asked_often_is_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("control.db")).await.unwrap();
        let due = |states| Filter {
            due_by: Some(Moment::default()),
            states,
            order: Order::Due,
            ..Filter::default()
        };
        let living = || vec!["SCHEDULED", "ACTIVE"];
        let repo = || Some("sales".to_owned());
        let owner = || Some("client:bot".to_owned());
        for (table, filter, index) in [
            (Table::Requests, due(vec!["PENDING"]), "requests_by_due"),
            (
                Table::Grants,
                Filter { repo: repo(), states: living(), order: Order::Oldest, ..Filter::default() },
                "grants_live_of_repo",
            ),
            (Table::Requests, Filter { keyed: true, ..Filter::default() }, "requests_awaiting_hindsight"),
            (Table::AccessTokens, Filter { owner: owner(), ..Filter::default() }, "access_tokens_by_owner"),
        ] {
            let plan = plan(&store, table, filter.clone()).await;
            assert!(plan.contains(index) && !plan.contains("B-TREE"), "{filter:?}: {plan}");
        }
        let ended = Filter {
            repo: repo(),
            states: vec!["EXPIRED", "REVOKED"],
            due_after: Some(Moment::default()),
            order: Order::Oldest,
            ..Filter::default()
        };
        // Few are due, and few ended lately: sorting them is nothing.
        for (filter, index) in [(due(living()), "grants_by_due"), (ended, "grants_ended_of_repo")] {
            let plan = plan(&store, Table::Grants, filter).await;
            assert!(plan.contains(index), "{plan}");
        }
    }

    #[tokio::test]
    async fn audit_records_are_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("control.db")).await.unwrap();
        let own = plan_of(&store, Statement::audit_before(Moment::default())).await;
        assert!(own.contains("audit_own_by_time") && !own.contains("B-TREE"), "{own}");
        let some = || Some("x".to_owned());
        let all = AuditFilter {
            since: Some(Moment::default()),
            after: Some(7),
            limit: 101,
            ..AuditFilter::default()
        };
        for (filter, way) in [
            (all.clone(), "USING INTEGER PRIMARY KEY (rowid>?)"),
            (AuditFilter { chain: some(), ..all.clone() }, "audit_by_chain (chain=? AND n>?)"),
            (AuditFilter { identity: some(), ..all.clone() }, "audit_by_identity (identity=? AND n>?)"),
            (AuditFilter { repo: some(), ..all.clone() }, "audit_by_repo (repo=? AND n>?)"),
            (AuditFilter { kind: some(), ..all.clone() }, "audit_by_kind (kind=? AND n>?)"),
            (
                AuditFilter { identity: some(), repo: some(), ..all.clone() },
                "audit_by_identity_repo (identity=? AND repo=? AND n>?)",
            ),
            (
                AuditFilter { identity: some(), kind: some(), ..all.clone() },
                "audit_by_identity_kind (identity=? AND kind=? AND n>?)",
            ),
            (
                AuditFilter { repo: some(), kind: some(), ..all.clone() },
                "audit_by_repo_kind (repo=? AND kind=? AND n>?)",
            ),
            (
                AuditFilter { identity: some(), repo: some(), kind: some(), ..all },
                "audit_by_identity_repo_kind (identity=? AND repo=? AND kind=? AND n>?)",
            ),
        ] {
            let plan = plan_of(&store, Statement::audit(&filter)).await;
            assert!(plan.contains(way) && !plan.contains("B-TREE"), "{plan}");
        }
    }
}

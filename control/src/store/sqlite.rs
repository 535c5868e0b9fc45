//! The store in one SQLite file.
//!
//! Write-ahead log with `synchronous=FULL`: an answered commit is on the disk. One connection writes, under
//! `BEGIN IMMEDIATE`, so that positions of the change log are handed out in the order of commits; a few read.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use postern_protocol::gate::Position;
use postern_service::audit::Record;
use sqlx::{
    AssertSqlSafe, QueryBuilder, Row as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use tokio::time::{Instant, sleep};

use super::{
    Answer, AuditFilter, AuditReach, Columns, Filter, Head, LogReach, LogRow, Order, Read, ResourceFilter,
    ResourceRow, Row, Store, StoreError, Table, Write,
};
use crate::domain::Moment;

const READERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// `SQLITE_BUSY`
const BUSY: &str = "5";
const PRUNED: &str = "log_pruned_to";
const AUDIT_PRUNED: &str = "audit_pruned_to";

/// A SQLite file.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it (for its owner alone) if it is not there, and brings its tables up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let writer = connect_patiently(&options).await?;
        // Alone, since another program may be opening the same new file.
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::migrate!("migrations/sqlite").run_direct(None, &mut *tx, false).await?;
        tx.commit().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self { writer, readers })
    }
}

/// SQLite does not wait for a lock while it turns a new file's journal into a write-ahead log.
async fn connect_patiently(options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let begun = Instant::now();
    loop {
        let connected = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        match connected {
            Err(sqlx::Error::Database(error)) if is_busy(&*error) && begun.elapsed() < PATIENCE => {
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
            Ok(Box::new(SqliteTransaction(tx)) as Box<dyn Read>)
        })
    }

    fn write(&self) -> Answer<'_, Box<dyn Write>> {
        Box::pin(async move {
            let tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            Ok(Box::new(SqliteTransaction(tx)) as Box<dyn Write>)
        })
    }
}

struct SqliteTransaction(Transaction<'static, Sqlite>);

/// Positions and counts are small; SQLite's integers are signed.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn record(row: &SqliteRow) -> Result<(i64, Record), StoreError> {
    let body: &str = row.try_get("body")?;
    Ok((row.try_get("n")?, serde_json::from_str(body)?))
}

fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    let texts = [
        (" AND lookup = ", &filter.lookup),
        (" AND identity = ", &filter.identity),
        (" AND repo = ", &filter.repo),
        (" AND state = ", &filter.state),
        (" AND owner = ", &filter.owner),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value.clone());
        }
    }
    if !filter.states.is_empty() {
        query.push(" AND state IN (");
        let mut list = query.separated(", ");
        for state in &filter.states {
            list.push_bind(*state);
        }
        query.push(")");
    }
    if let Some(by) = filter.due_by {
        query.push(" AND due <= ").push_bind(by.as_millis());
    }
    if let Some(after) = filter.due_after {
        query.push(" AND due > ").push_bind(after.as_millis());
    }
    let (behind, order) = match filter.order {
        Order::Newest => (" AND n < ", " ORDER BY n DESC"),
        Order::Oldest => (" AND n > ", " ORDER BY n"),
    };
    if let Some(after) = filter.after {
        query.push(behind).push_bind(after);
    }
    query.push(order);
    if let Some(limit) = filter.limit {
        query.push(" LIMIT ").push_bind(limit);
    }
}

fn push_audit_filter(query: &mut QueryBuilder<Sqlite>, filter: &AuditFilter) {
    let texts = [
        (" AND identity = ", &filter.identity),
        (" AND repo = ", &filter.repo),
        (" AND kind = ", &filter.kind),
        (" AND chain = ", &filter.chain),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value.clone());
        }
    }
    if let Some(since) = filter.since {
        query.push(" AND at >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" AND at < ").push_bind(until.as_millis());
    }
    if let Some(after) = filter.after {
        query.push(" AND n > ").push_bind(after);
    }
    query.push(" ORDER BY n LIMIT ").push_bind(filter.limit);
}

fn push_resource_filter(query: &mut QueryBuilder<Sqlite>, filter: &ResourceFilter) {
    query.push(" WHERE repo = ").push_bind(filter.repo.clone());
    // Names compare by their bytes, and no byte of a text is as high as the last letter's first one.
    let end = filter.prefix.as_ref().map(|prefix| format!("{prefix}{}", char::MAX));
    let bounds = [
        (" AND name > ", &filter.after),
        (" AND name <= ", &filter.through),
        (" AND name >= ", &filter.prefix),
        (" AND name < ", &end),
    ];
    for (condition, bound) in bounds {
        if let Some(bound) = bound {
            query.push(condition).push_bind(bound.clone());
        }
    }
}

impl Read for SqliteTransaction {
    fn get<'a>(&'a mut self, table: Table, id: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let sql = format!("SELECT body FROM {} WHERE id = ?", table.as_str());
            Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_optional(&mut *self.0).await?)
        })
    }

    fn find<'a>(&'a mut self, table: Table, filter: &'a Filter) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let mut query = QueryBuilder::new(format!("SELECT n, body FROM {} WHERE true", table.as_str()));
            push_filter(&mut query, filter);
            let rows = query.build().fetch_all(&mut *self.0).await?;
            rows.iter().map(|row| Ok(Row { n: row.try_get("n")?, body: row.try_get("body")? })).collect()
        })
    }

    fn count<'a>(&'a mut self, table: Table, state: &'a str) -> Answer<'a, u64> {
        Box::pin(async move {
            let sql = format!("SELECT count(*) FROM {} WHERE state = ?", table.as_str());
            Ok(unsigned(sqlx::query_scalar(AssertSqlSafe(sql)).bind(state).fetch_one(&mut *self.0).await?))
        })
    }

    fn log_reach(&mut self) -> Answer<'_, LogReach> {
        Box::pin(async move {
            let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM change_log")
                .fetch_one(&mut *self.0)
                .await?;
            let pruned: Position =
                self.setting(PRUNED).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
            Ok(LogReach { pruned, newest: unsigned(newest).max(pruned) })
        })
    }

    fn log_after(&mut self, position: Position, limit: u32) -> Answer<'_, Vec<LogRow>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT position, entry FROM change_log WHERE position > ? ORDER BY position LIMIT ?",
            )
            .bind(signed(position))
            .bind(limit)
            .fetch_all(&mut *self.0)
            .await?;
            rows.iter()
                .map(|row| {
                    Ok(LogRow { position: unsigned(row.try_get("position")?), entry: row.try_get("entry")? })
                })
                .collect()
        })
    }

    fn audit<'a>(&'a mut self, filter: &'a AuditFilter) -> Answer<'a, Vec<(i64, Record)>> {
        Box::pin(async move {
            let mut query = QueryBuilder::new("SELECT n, body FROM audit WHERE true");
            push_audit_filter(&mut query, filter);
            query.build().fetch_all(&mut *self.0).await?.iter().map(record).collect()
        })
    }

    fn audit_reach(&mut self) -> Answer<'_, AuditReach> {
        Box::pin(async move {
            let newest: i64 =
                sqlx::query_scalar("SELECT coalesce(max(n), 0) FROM audit").fetch_one(&mut *self.0).await?;
            let pruned = self.setting(AUDIT_PRUNED).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
            Ok(AuditReach { pruned, newest: newest.max(pruned) })
        })
    }

    fn audit_last<'a>(&'a mut self, chain: &'a str) -> Answer<'a, Option<Record>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT n, body FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1")
                .bind(chain)
                .fetch_optional(&mut *self.0)
                .await?;
            row.map(|row| record(&row).map(|(_, record)| record)).transpose()
        })
    }

    fn audit_heads(&mut self) -> Answer<'_, Vec<Head>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT chain, count, hash FROM audit_heads ORDER BY chain")
                .fetch_all(&mut *self.0)
                .await?;
            rows.iter()
                .map(|row| {
                    let count = unsigned(row.try_get("count")?);
                    Ok(Head { chain: row.try_get("chain")?, count, hash: row.try_get("hash")? })
                })
                .collect()
        })
    }

    fn resources<'a>(&'a mut self, filter: &'a ResourceFilter) -> Answer<'a, Vec<ResourceRow>> {
        Box::pin(async move {
            let mut query = QueryBuilder::new("SELECT name, body FROM resources");
            push_resource_filter(&mut query, filter);
            query.push(" ORDER BY name");
            if let Some(limit) = filter.limit {
                query.push(" LIMIT ").push_bind(limit);
            }
            let rows = query.build().fetch_all(&mut *self.0).await?;
            rows.iter()
                .map(|row| Ok(ResourceRow { name: row.try_get("name")?, body: row.try_get("body")? }))
                .collect()
        })
    }

    fn setting<'a>(&'a mut self, name: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let query = sqlx::query_scalar("SELECT value FROM settings WHERE name = ?").bind(name);
            Ok(query.fetch_optional(&mut *self.0).await?)
        })
    }
}

impl Write for SqliteTransaction {
    fn put<'a>(
        &'a mut self,
        table: Table,
        id: &'a str,
        columns: Columns<'a>,
        body: String,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let sql = format!(
                "INSERT INTO {} (id, lookup, identity, repo, state, owner, due, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (id) DO UPDATE SET lookup = excluded.lookup, identity = excluded.identity, \
                 repo = excluded.repo, state = excluded.state, owner = excluded.owner, due = excluded.due, \
                 body = excluded.body",
                table.as_str()
            );
            let query = sqlx::query(AssertSqlSafe(sql))
                .bind(id)
                .bind(columns.lookup)
                .bind(columns.identity)
                .bind(columns.repo)
                .bind(columns.state)
                .bind(columns.owner)
                .bind(columns.due.map(Moment::as_millis))
                .bind(body);
            match query.execute(&mut *self.0).await {
                Ok(_) => Ok(()),
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(StoreError::Taken),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn delete<'a>(&'a mut self, table: Table, id: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let sql = format!("DELETE FROM {} WHERE id = ?", table.as_str());
            let done = sqlx::query(AssertSqlSafe(sql)).bind(id).execute(&mut *self.0).await?;
            Ok(done.rows_affected() > 0)
        })
    }

    fn delete_due(&mut self, table: Table, due_by: Moment) -> Answer<'_, u64> {
        Box::pin(async move {
            let sql = format!("DELETE FROM {} WHERE due <= ?", table.as_str());
            let done = sqlx::query(AssertSqlSafe(sql)).bind(due_by.as_millis()).execute(&mut *self.0).await?;
            Ok(done.rows_affected())
        })
    }

    fn append_log(&mut self, at: Moment, entry: String) -> Answer<'_, Position> {
        Box::pin(async move {
            let position: i64 =
                sqlx::query_scalar("INSERT INTO change_log (at, entry) VALUES (?, ?) RETURNING position")
                    .bind(at.as_millis())
                    .bind(entry)
                    .fetch_one(&mut *self.0)
                    .await?;
            Ok(unsigned(position))
        })
    }

    fn prune_log(&mut self, before: Moment) -> Answer<'_, ()> {
        Box::pin(async move {
            let last: Option<i64> = sqlx::query_scalar("SELECT max(position) FROM change_log WHERE at < ?")
                .bind(before.as_millis())
                .fetch_one(&mut *self.0)
                .await?;
            let Some(last) = last else { return Ok(()) };
            sqlx::query("DELETE FROM change_log WHERE position <= ?")
                .bind(last)
                .execute(&mut *self.0)
                .await?;
            self.set(PRUNED, &last.to_string()).await
        })
    }

    fn append_audit<'a>(&'a mut self, records: &'a [Record]) -> Answer<'a, ()> {
        Box::pin(async move {
            for record in records {
                sqlx::query("INSERT INTO audit (chain, seq, at, kind, identity, repo, body) VALUES (?, ?, ?, ?, ?, ?, ?)")
                    .bind(&record.chain)
                    .bind(signed(record.seq))
                    .bind(record.at.as_millisecond())
                    .bind(&record.kind)
                    .bind(&record.identity)
                    .bind(&record.repo)
                    .bind(serde_json::to_string(record)?)
                    .execute(&mut *self.0)
                    .await?;
                sqlx::query("INSERT OR REPLACE INTO audit_heads (chain, count, hash) VALUES (?, ?, ?)")
                    .bind(&record.chain)
                    .bind(signed(record.seq.saturating_add(1)))
                    .bind(&record.hash)
                    .execute(&mut *self.0)
                    .await?;
            }
            Ok(())
        })
    }

    fn replace_resources<'a>(
        &'a mut self,
        filter: &'a ResourceFilter,
        rows: &'a [ResourceRow],
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut query = QueryBuilder::new("DELETE FROM resources");
            push_resource_filter(&mut query, filter);
            query.build().execute(&mut *self.0).await?;
            for ResourceRow { name, body } in rows {
                sqlx::query("INSERT INTO resources (repo, name, body) VALUES (?, ?, ?)")
                    .bind(&filter.repo)
                    .bind(name)
                    .bind(body)
                    .execute(&mut *self.0)
                    .await?;
            }
            Ok(())
        })
    }

    fn set<'a>(&'a mut self, name: &'a str, value: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            sqlx::query("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)")
                .bind(name)
                .bind(value)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        })
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move { Ok(self.0.commit().await?) })
    }
}

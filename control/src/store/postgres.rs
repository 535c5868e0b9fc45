//! The store in a PostgreSQL database, which several control planes may share.
//!
//! Writers take turns by an advisory lock that a transaction takes first and holds to its end, so that positions of the
//! change log are handed out in the order of commits, whichever control plane they come from. So nothing is ever
//! written on what was read before somebody else's write, and nothing fails for that: what is tried again is only a
//! connection that broke before a transaction began. Readers see one moment. Each commit that lengthens the log says so
//! on a channel.

use std::{sync::LazyLock, time::Duration};

use postern_protocol::gate::Position;
use sqlx::{
    AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, Row as _,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgListener, PgPoolOptions, PgRow},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Answer, Listen, Read, Store, StoreError, Write,
    clock_mark::Reference,
    statement::{Statement, Value, arguments},
    transaction::{Connection, Found, SqlTransaction},
};

pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| sqlx::migrate!("migrations/postgres"));

/// Only one writes at a time; the others stand ready for their turn.
const WRITERS: u32 = 3;
const READERS: u32 = 8;
const TALKERS: u32 = 4;

/// How long a connection may be waited for, and a lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a transaction may take to begin: a writer waits for its turn.
const BEGINNING: Duration = Duration::from_secs(12);

/// How long a writer's turn is waited for in all: somewhat more than three writers may take that were cut off.
const TURNS: Duration = Duration::from_secs(18);

/// How long a statement may take.
const STATEMENT: Duration = Duration::from_secs(30);

/// How long it is asked what became of a commit.
const DOUBT: Duration = Duration::from_secs(10);

/// After so long a silence a connection that listens is taken for dead.
const SILENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// The oldest version with everything that is used.
const OLDEST: i32 = 130_000;

/// What every connection is told first. A control plane that the network has cut off in the middle of a transaction
/// holds the others up for no longer than the third line says; a hundred thousand grants are sorted in memory; no statement
/// is worth compiling; an answered commit is on the disk.
const SET_UP: &str = "
    SET statement_timeout = '30s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '5s';
    SET client_encoding = 'UTF8';
    SET work_mem = '32MB';
    SET jit = off;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Each statement sees what was committed before it began, and the last one is behind the lock. The number is `postern`
/// in ASCII.
const BEGIN_WRITE: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT pg_advisory_xact_lock(31647739056321134) IS NULL;
    SELECT pg_current_xact_id()::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text";

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub(crate) struct PostgresStore {
    writers: PgPool,
    readers: PgPool,
    /// For what is said and heard.
    talkers: PgPool,
}

impl PostgresStore {
    /// Connects, and brings the tables up to date.
    pub(crate) async fn open(options: PgConnectOptions) -> Result<Self, StoreError> {
        let writers = pool(WRITERS).connect_with(options.clone()).await?;
        let mut connection = writers.acquire().await?;
        check(&mut connection).await?;
        MIGRATIONS.run_direct(None, &mut *connection, false).await?;
        drop(connection);
        let talkers = pool(TALKERS).connect_lazy_with(options.clone());
        Ok(Self { writers, readers: pool(READERS).connect_lazy_with(options), talkers })
    }
}

fn pool(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(PATIENCE)
        // A broken one shows when a transaction begins, and then there is another try.
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SET_UP).await.map(drop) }))
}

async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), \
               pg_is_in_recovery()";
    let (version, encoding, standby): (i32, String, bool) = sqlx::query_as(sql).fetch_one(connection).await?;
    if version < OLDEST {
        return Err(StoreError::Unfit("PostgreSQL 13 or later is needed".to_owned()));
    }
    if encoding != "UTF8" {
        return Err(StoreError::Unfit(format!("the database's encoding is {encoding}: UTF8 is needed")));
    }
    if standby {
        return Err(StoreError::Unfit("the server is a standby: name the primary".to_owned()));
    }
    Ok(())
}

/// Waits no longer than a statement may take, whatever has become of the network.
async fn patiently<T>(work: impl Future<Output = Result<T, sqlx::Error>> + Send) -> Result<T, StoreError> {
    within(STATEMENT, work).await
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>> + Send,
) -> Result<T, StoreError> {
    let answered = timeout(patience, work).await;
    answered
        .map_err(|_| StoreError::Unavailable(format!("no answer in {} s", patience.as_secs())))?
        .map_err(Into::into)
}

/// A connection on which `sql` has begun a transaction, and what that gave. Connections that turn out to be broken are
/// thrown away: a server that was started again leaves a pool full of them.
async fn begin(
    pool: &PgPool,
    sql: &'static str,
) -> Result<(PoolConnection<Postgres>, Vec<PgRow>), StoreError> {
    let begun = Instant::now();
    let mut tries = pool.options().get_max_connections();
    loop {
        let mut connection = pool.acquire().await?;
        match within(BEGINNING, sqlx::raw_sql(sql).fetch_all(&mut *connection)).await {
            Ok(rows) => return Ok((connection, rows)),
            Err(error) if tries > 0 && begun.elapsed() < patience(&error) => tries -= 1,
            Err(error) => {
                connection.close_on_drop();
                return Err(error);
            }
        }
        connection.close_on_drop();
    }
}

/// How long it is tried to begin. Whoever was cut off while they waited for the lock get their turns as well, one after
/// the other, before the server finds out.
const fn patience(error: &StoreError) -> Duration {
    match error {
        StoreError::Unavailable(_) => PATIENCE,
        StoreError::Busy(_) => TURNS,
        StoreError::Database(_)
        | StoreError::Full(_)
        | StoreError::Doubt(_)
        | StoreError::Spoilt
        | StoreError::Migration(_)
        | StoreError::Newer(_)
        | StoreError::Unfit(_)
        | StoreError::File { .. }
        | StoreError::Unreadable(_)
        | StoreError::Taken => Duration::ZERO,
    }
}

impl Store for PostgresStore {
    fn read(&self) -> Answer<'_, Box<dyn Read>> {
        Box::pin(async move {
            let (connection, _) = begin(&self.readers, BEGIN_READ).await?;
            let open = OpenTransaction::new(connection, &self.readers);
            Ok(Box::new(SqlTransaction::new(open)) as Box<dyn Read>)
        })
    }

    fn write(&self) -> Answer<'_, Box<dyn Write>> {
        Box::pin(async move {
            let (connection, rows) = begin(&self.writers, BEGIN_WRITE).await?;
            let mut open = OpenTransaction::new(connection, &self.readers);
            if let Some(row) = rows.last() {
                open.xid = Some(row.try_get(0)?);
                open.reference = row.try_get::<String, _>(1)?.parse().ok().map(Reference::server);
            }
            Ok(Box::new(SqlTransaction::new(open)) as Box<dyn Write>)
        })
    }

    fn announce(&self, said: Vec<String>) -> Answer<'_, ()> {
        Box::pin(async move {
            let (mut connection, _) = begin(&self.talkers, "SET synchronous_commit = off").await?;
            let notify = "SELECT pg_notify('postern', said) FROM unnest($1::text[]) AS news (said)";
            let done = patiently(sqlx::query(notify).bind(said).execute(&mut *connection)).await;
            if done.is_err() {
                connection.close_on_drop();
            }
            done.map(drop)
        })
    }

    fn listen(&self) -> Answer<'_, Option<Box<dyn Listen>>> {
        Box::pin(async move {
            let mut listener = patiently(PgListener::connect_with(&self.talkers)).await?;
            patiently(listener.listen("postern")).await?;
            Ok(Some(Box::new(Ear(listener)) as Box<dyn Listen>))
        })
    }
}

/// Hears what is said on the store. Somebody says something every second, so that silence is a broken connection.
struct Ear(PgListener);

impl Listen for Ear {
    fn next(&mut self) -> Answer<'_, String> {
        Box::pin(async move {
            let lost = || StoreError::Unavailable("the connection that listens was lost".to_owned());
            let heard = timeout(SILENCE, self.0.try_recv()).await.map_err(|_| lost())??;
            Ok(heard.ok_or_else(lost)?.payload().to_owned())
        })
    }
}

/// A connection with an open transaction.
struct OpenTransaction {
    /// There until it ends.
    connection: Option<PoolConnection<Postgres>>,
    /// The transaction's number, if it may write.
    xid: Option<String>,
    /// When it began to write, on the server's clock.
    reference: Option<Reference>,
    /// Where to ask what became of it.
    readers: PgPool,
    /// Whether the connection must not be used again.
    broken: bool,
}

impl OpenTransaction {
    fn new(connection: PoolConnection<Postgres>, readers: &PgPool) -> Self {
        let readers = readers.clone();
        Self { connection: Some(connection), xid: None, reference: None, readers, broken: false }
    }

    fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.connection.as_deref_mut().ok_or(StoreError::Spoilt)
    }

    fn noted<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.broken |= matches!(result, Err(StoreError::Unavailable(_)));
        result
    }
}

/// PostgreSQL's texts hold no NUL; no name of ours does, but somebody may look for one.
fn without_nul(values: Vec<Value>) -> Result<PgArguments, StoreError> {
    let clean = values.into_iter().map(|value| match value {
        Value::Text(Some(text)) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        Value::Text(_) | Value::Number(_) => value,
    });
    arguments(clean.collect()).map_err(|error| StoreError::Database(sqlx::Error::Encode(error)))
}

impl Connection for OpenTransaction {
    fn fetch(&mut self, statement: Statement) -> Answer<'_, Vec<Found>> {
        Box::pin(async move {
            let Statement { text, values, frequent } = statement;
            let query = sqlx::query_as_with(AssertSqlSafe(text), without_nul(values)?).persistent(frequent);
            let found = patiently(query.fetch_all(self.connection()?)).await;
            self.noted(found)
        })
    }

    fn execute(&mut self, statement: Statement) -> Answer<'_, u64> {
        Box::pin(async move {
            let Statement { text, values, frequent } = statement;
            let query = sqlx::query_with(AssertSqlSafe(text), without_nul(values)?).persistent(frequent);
            let done = patiently(query.execute(self.connection()?)).await;
            self.noted(done).map(|done| done.rows_affected())
        })
    }

    fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    fn wake(&mut self, position: Position) -> Answer<'_, ()> {
        Box::pin(async move {
            let notify = Statement::new("SELECT pg_notify('postern', ").bind(position.to_string()).push(")");
            self.execute(notify).await.map(drop)
        })
    }

    fn commit(mut self) -> Answer<'static, ()> {
        Box::pin(async move {
            let done = patiently(sqlx::raw_sql("COMMIT").execute(self.connection()?)).await;
            match (self.noted(done), self.xid.take()) {
                (Ok(_), _) => {
                    drop(self.connection.take());
                    Ok(())
                }
                (Err(error @ StoreError::Unavailable(_)), Some(xid)) => {
                    settle(&self.readers, &xid, error).await
                }
                (Err(error), _) => Err(error),
            }
        })
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.broken {
            connection.close_on_drop();
            return;
        }
        tokio::spawn(async move {
            if timeout(PATIENCE, sqlx::raw_sql("ROLLBACK").execute(&mut *connection)).await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}

/// The connection broke while a commit was under way: the server is asked what became of it.
async fn settle(pool: &PgPool, xid: &str, error: StoreError) -> Result<(), StoreError> {
    let begun = Instant::now();
    while begun.elapsed() < DOUBT {
        let status = timeout(DOUBT, status(pool, xid)).await;
        match status.ok().and_then(Result::ok).flatten().as_deref() {
            Some("committed") => return Ok(()),
            Some("aborted") => return Err(error),
            Some(_) | None => sleep(PAUSE).await,
        }
    }
    Err(StoreError::Doubt(error.to_string()))
}

/// `committed`, `aborted` or `in progress`; nothing where the server has forgotten. A server that crashed before it had
/// written a word of the transaction does not know its number.
async fn status(pool: &PgPool, xid: &str) -> Result<Option<String>, StoreError> {
    let (mut connection, _) = begin(pool, "SELECT 1").await?;
    let asked = sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)")
        .bind(xid)
        .fetch_one(&mut *connection)
        .await;
    match asked {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("22023") => {
            Ok(Some("aborted".to_owned()))
        }
        Ok(_) | Err(_) => Ok(asked?),
    }
}

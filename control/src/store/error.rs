//! What can go wrong with the store.

use sqlx::{error::DatabaseError, migrate::MigrateError};

/// A failure of the store. But for [`StoreError::Doubt`], nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: see its text.
    #[error("the store failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The database cannot be reached, or does not answer: it is tried again with the next call.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// There is no room: make some.
    #[error("the store is full: {0}")]
    Full(String),
    /// The connection broke while a commit was under way, and what became of it cannot be found out.
    #[error("it is not known whether the store took the change: {0}")]
    Doubt(String),
    /// A step of the transaction had failed, so that it cannot be committed.
    #[error("an earlier step of the transaction failed")]
    Spoilt,
    /// The tables could not be brought up to date.
    #[error("the store's tables could not be brought up to date: {0}")]
    Migration(#[source] MigrateError),
    /// A newer version has changed the tables: run that one.
    #[error("the store belongs to a newer version of Postern (its tables are at step {0}): run that version")]
    Newer(i64),
    /// The database is none that can be used: the text says what it lacks.
    #[error("the store cannot be used: {0}")]
    Unfit(String),
    /// The file could not be made or opened.
    #[error("cannot open the store {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A record does not read as what it should be: the store was changed by something else or by a newer version.
    #[error("the store holds something unreadable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another record has this second key.
    #[error("a record with this name is there already")]
    Taken,
}

/// What SQLite (by number) and PostgreSQL (by SQLSTATE) say when there is no room.
const FULL: [&str; 2] = ["13", "53100"];

/// What PostgreSQL says when it ends, starts, has no connection left or lets somebody wait too long for a lock.
const AWAY: [&str; 8] = ["57P01", "57P02", "57P03", "57P05", "53300", "55P03", "25P03", "25006"];

fn of_database(error: Box<dyn DatabaseError>) -> StoreError {
    let code = error.code().unwrap_or_default().into_owned();
    if error.is_unique_violation() {
        StoreError::Taken
    } else if FULL.contains(&code.as_str()) {
        StoreError::Full(error.message().to_owned())
    } else if AWAY.contains(&code.as_str()) {
        StoreError::Unavailable(error.message().to_owned())
    } else {
        StoreError::Database(sqlx::Error::Database(error))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(error) = error {
            return of_database(error);
        }
        // A server that goes away while it is being connected to shows as an answer that makes no sense.
        if matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
        ) {
            return Self::Unavailable(error.to_string());
        }
        Self::Database(error)
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        if let MigrateError::VersionMissing(version) = error {
            return Self::Newer(version);
        }
        Self::Migration(error)
    }
}

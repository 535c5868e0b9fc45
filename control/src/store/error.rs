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
    /// Others held it for too long: it is tried again with the next call.
    #[error("the store is busy: {0}")]
    Busy(String),
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

impl StoreError {
    /// What it comes to, for people who are not to know what the database said.
    pub(crate) const fn plainly(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "the store does not answer",
            Self::Busy(_) => "the store is busy",
            Self::Full(_) => "the store is full",
            Self::Doubt(_) => "the store's connection broke",
            Self::Database(_)
            | Self::Spoilt
            | Self::Migration(_)
            | Self::Newer(_)
            | Self::Unfit(_)
            | Self::File { .. }
            | Self::Unreadable(_)
            | Self::Taken => "the store failed",
        }
    }
}

/// What a database's code comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Away,
    Busy,
    Full,
    Other,
}

/// SQLite's codes are numbers, whose lowest byte is the kind (<https://www.sqlite.org/rescode.html>); PostgreSQL's are
/// five characters, whose first two are the kind (its manual, appendix A).
fn trouble(code: &str) -> Trouble {
    match (code.len(), code.parse::<u32>()) {
        (0..5, Ok(number)) => of_sqlite(number & 0xff),
        (_, Ok(_) | Err(_)) => of_postgres(code),
    }
}

fn of_sqlite(kind: u32) -> Trouble {
    match kind {
        // SQLITE_FULL
        13 => Trouble::Full,
        // SQLITE_BUSY, SQLITE_LOCKED
        5 | 6 => Trouble::Busy,
        // SQLITE_NOMEM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN
        7 | 8 | 10 | 14 => Trouble::Away,
        _ => Trouble::Other,
    }
}

fn of_postgres(code: &str) -> Trouble {
    match (code.get(..2).unwrap_or_default(), code) {
        // disk_full
        (_, "53100") => Trouble::Full,
        // lock_not_available, query_canceled (by a timeout), transactions that got in each other's way
        (_, "55P03" | "57014") | ("40", _) => Trouble::Busy,
        // Connections; resources; shutdown and start; the system; who may log in; the database is gone. And
        // idle_in_transaction_session_timeout, read_only_sql_transaction: it is a standby now.
        ("08" | "53" | "57" | "58" | "28" | "3D", _) | (_, "25P03" | "25006") => Trouble::Away,
        _ => Trouble::Other,
    }
}

fn of_database(error: Box<dyn DatabaseError>) -> StoreError {
    if error.is_unique_violation() {
        return StoreError::Taken;
    }
    match trouble(&error.code().unwrap_or_default()) {
        Trouble::Full => StoreError::Full(error.message().to_owned()),
        Trouble::Busy => StoreError::Busy(error.message().to_owned()),
        Trouble::Away => StoreError::Unavailable(error.message().to_owned()),
        Trouble::Other => StoreError::Database(sqlx::Error::Database(error)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_databases_say_is_sorted_by_what_can_be_done_about_it() {
        for (code, expected) in [
            ("13", Trouble::Full),
            ("53100", Trouble::Full),
            ("5", Trouble::Busy),
            ("517", Trouble::Busy),
            ("55P03", Trouble::Busy),
            ("40P01", Trouble::Busy),
            ("57014", Trouble::Busy),
            ("778", Trouble::Away),
            ("1032", Trouble::Away),
            ("57P01", Trouble::Away),
            ("53300", Trouble::Away),
            ("28P01", Trouble::Away),
            ("3D000", Trouble::Away),
            ("25006", Trouble::Away),
            ("1", Trouble::Other),
            ("42703", Trouble::Other),
            ("", Trouble::Other),
        ] {
            assert_eq!(trouble(code), expected, "{code}");
        }
    }
}

//! What can go wrong with the store.

/// A failure of the store. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: see its text; disk, permissions, another program's lock.
    #[error("the store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the store's tables could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
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

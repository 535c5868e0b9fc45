//! A copy of a SQLite store as it is at one moment, made while a control plane goes on writing.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::StoreError;

/// Why there is no copy. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store is on a server, which has means of its own.
    #[error("the store is in PostgreSQL: back it up with pg_dump")]
    Server,
    /// The copy's file is there already: name another.
    #[error("{} is there already: name another file", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies the store to a new file that its owner alone may read. When this returns, the copy is whole and on the disk.
pub(crate) async fn back_up(store: &Path, copy: &Path) -> Result<(), BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::File { path, source }
    };
    // Taken before the work begins, so that two who choose the same name do not both do it.
    create(copy).map_err(|source| {
        let exists = source.kind() == io::ErrorKind::AlreadyExists;
        if exists { BackupError::Exists(copy.to_owned()) } else { failed(copy)(source) }
    })?;
    let part = beside(copy);
    let made = async {
        create(&part).map_err(failed(&part))?;
        write(store, &part).await?;
        File::open(&part).and_then(|file| file.sync_all()).map_err(failed(&part))?;
        fs::rename(&part, copy).map_err(failed(copy))?;
        let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(copy))
    }
    .await;
    if made.is_err() {
        let _ = (fs::remove_file(&part), fs::remove_file(copy));
    }
    made
}

fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

fn beside(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

async fn write(store: &Path, part: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(store).create_if_missing(false);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let part = part.to_str().ok_or_else(|| StoreError::Unfit("the copy's path is not UTF-8".to_owned()))?;
    sqlx::query("VACUUM INTO $1").bind(part).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

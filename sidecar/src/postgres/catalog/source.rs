//! How a PostgreSQL database is looked at.

use std::sync::Arc;

use postern_protocol::gate::{AccountName, RepoName};

use super::{Snapshot, fingerprint, load};
use crate::{
    catalog::{self, LOOK},
    enforce::postgres::catalog::Catalog,
    postgres::{
        back::BackError,
        simple::{self, Connection},
        target::Target,
    },
};

/// What is read from the connection at a time.
const ROOM: usize = 64 * 1024;

/// Reads a target's catalog.
pub(crate) struct Reading {
    target: Arc<Target>,
    /// Of the last snapshot.
    version: u64,
}

/// A connection to look through.
pub(crate) struct Open {
    connection: Connection,
    /// The moment of the look that has begun.
    moment: Option<String>,
    /// Whether all could be read that was.
    complete: bool,
    /// The moment of the last look that came to its end.
    before: Option<String>,
}

impl Reading {
    pub(crate) const fn new(target: Arc<Target>) -> Self {
        Self { target, version: 0 }
    }
}

impl catalog::Source for Reading {
    type Snapshot = Snapshot;
    type Connection = Open;
    type Error = BackError;

    fn repo(&self) -> &RepoName {
        &self.target.name
    }

    async fn connect(&self, asked: Option<AccountName>) -> Result<Open, BackError> {
        let account = self.target.catalog_account(asked);
        let account = account.ok_or_else(|| BackError::Account("none is configured".to_owned()))?;
        let parameters = simple::parameters(&format!(
            "-c statement_timeout={} -c jit=off -c max_parallel_workers_per_gather=0",
            LOOK.as_millis()
        ));
        let backend = self.target.connect(&account, &parameters).await?;
        Ok(Open { connection: Connection::new(backend, ROOM), moment: None, complete: true, before: None })
    }

    async fn begin(&mut self, open: &mut Open) -> Result<bool, BackError> {
        open.moment = one_text(&mut open.connection, fingerprint::BEGIN).await?;
        Ok(open.moment.is_none() || open.moment != open.before)
    }

    async fn fingerprint(&mut self, open: &mut Open) -> Result<String, BackError> {
        Ok(one_text(&mut open.connection, &fingerprint::statement()).await?.unwrap_or_default())
    }

    async fn load(
        &mut self,
        open: &mut Open,
        fingerprint: String,
    ) -> Result<(Arc<Snapshot>, String), BackError> {
        let (parts, spelling, complete) = load::load(&mut open.connection).await?;
        open.complete = complete;
        // What could not be read is asked for again with the next look.
        let fingerprint = if complete { fingerprint } else { String::new() };
        self.version += 1;
        let catalog = Arc::new(Catalog::new(self.version, parts));
        Ok((Arc::new(Snapshot { catalog, spelling }), fingerprint))
    }

    async fn end(&mut self, open: &mut Open) -> Result<(), BackError> {
        open.connection.run("COMMIT").await?;
        open.before = open.moment.take().filter(|_| open.complete);
        Ok(())
    }

    async fn close(open: Open) {
        open.connection.close().await;
    }

    fn too_slow() -> BackError {
        BackError::Timeout
    }
}

/// The last row's one field.
async fn one_text(connection: &mut Connection, text: &str) -> Result<Option<String>, BackError> {
    let mut last = None;
    connection.ask(text).await?;
    while let Some(row) = connection.row().await? {
        let [field] = row.fields()?;
        last = field.optional();
    }
    Ok(last)
}

//! How an account looks at a server.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use postern_protocol::{
    gate::{AccountName, RepoName},
    mysql::Malformed,
};
use tokio::{sync::watch, time::Instant};

use super::{Snapshot, fingerprint, load};
use crate::{
    catalog::{self, LOOK, SHARE, UNATTENDED},
    enforce::mysql::Server,
    mysql::{back::BackError, simple::Connection, target::Target},
};

/// Where the whole fingerprint takes no longer, nothing is gained by a shorter one.
const SHORT: Duration = Duration::from_millis(40);

/// Whatever the server's settings are, all rows are wanted, and of the newest state.
const SESSION: [&str; 2] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = '', autocommit = 1, sql_big_selects = 1, sql_select_limit = 18446744073709551615",
];

/// How often accounts look that leave it to another one, while nobody attends.
const RARELY: Duration = Duration::from_mins(2);

const SERVER: &str = "SELECT VERSION(), @@lower_case_table_names";

/// The snapshots of a repo's accounts.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Of the last one.
    version: u64,
    /// Those that somebody holds, with their fingerprints.
    known: Vec<(String, Weak<Snapshot>)>,
}

/// The account that looks while nobody attends, and how many tables it sees. It calls the others where it sees a change.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    holder: Mutex<Option<(AccountName, usize)>>,
    calls: watch::Sender<()>,
}

impl Lookout {
    /// The account has seen a change.
    fn call(&self, account: &AccountName) {
        let held = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|(holder, _)| holder == account) {
            self.calls.send_replace(());
        }
    }

    /// Whether this account has to look: it sees most, or nobody else sees anything. It has seen so many tables, or its
    /// last look has failed.
    fn is_held_by(&self, account: &AccountName, seen: Option<usize>) -> bool {
        let mut held = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        let others = held.as_ref().filter(|(holder, _)| holder != account);
        match (others, seen) {
            (Some((_, most)), Some(seen)) if seen <= *most => false,
            (Some(_), None) => false,
            (_, Some(seen)) => {
                *held = Some((account.clone(), seen));
                true
            }
            (None, None) => {
                *held = None;
                true
            }
        }
    }
}

/// Reads what one account sees.
pub(crate) struct Sight {
    target: Arc<Target>,
    account: AccountName,
    /// When the server was last asked for its whole fingerprint, and how long it took.
    compared: Option<Instant>,
    took: Duration,
    /// The quick fingerprint of the look that has begun, and of the last one that came to its end.
    quick: Option<String>,
    before: Option<String>,
    calls: watch::Receiver<()>,
}

/// A connection to look through.
pub(crate) struct Open {
    connection: Connection,
    server: Server,
}

impl Open {
    /// What a statement says of the catalog, and which functions were loaded.
    async fn text(&mut self, statement: String) -> Result<String, BackError> {
        let mut text = String::new();
        self.connection.ask([statement]).await?;
        self.connection
            .rows(|row| {
                let [field] = row.fields()?;
                text = field.text().into_owned();
                Ok(())
            })
            .await?;
        let loadable = load::loadable(&mut self.connection, self.server).await?;
        Ok(format!("{text} {}", loadable.join("\0")))
    }
}

impl Snapshots {
    fn find(&self, fingerprint: &str) -> Option<Arc<Snapshot>> {
        self.known.iter().find(|(known, _)| known == fingerprint)?.1.upgrade()
    }
}

impl Sight {
    pub(crate) fn new(target: Arc<Target>, account: AccountName) -> Self {
        let calls = target.lookout.calls.subscribe();
        Self { target, account, compared: None, took: Duration::ZERO, quick: None, before: None, calls }
    }

    /// Whether the whole fingerprint may be asked for again.
    fn is_due(&self) -> bool {
        self.compared.is_none_or(|compared| compared.elapsed() >= self.took * SHARE)
    }
}

impl catalog::Source for Sight {
    type Snapshot = Snapshot;
    type Connection = Open;
    type Error = BackError;

    fn repo(&self) -> &RepoName {
        &self.target.name
    }

    async fn connect(&self, _: Option<AccountName>) -> Result<Open, BackError> {
        let mut connection = Connection::open(&self.target, None, &self.account).await?;
        connection.ask(SESSION.map(str::to_owned)).await?;
        for _ in SESSION {
            connection.done().await?;
        }
        let server = server(&mut connection).await?;
        connection.ask([more(server)]).await?;
        connection.done().await?;
        Ok(Open { connection, server })
    }

    async fn begin(&mut self, open: &mut Open) -> Result<bool, BackError> {
        self.quick = None;
        let Some(text) = fingerprint::quick(open.server).filter(|_| self.took > SHORT) else {
            return Ok(true);
        };
        self.quick = Some(open.text(text).await?);
        Ok(self.is_due() || self.quick != self.before)
    }

    async fn fingerprint(&mut self, open: &mut Open) -> Result<String, BackError> {
        let begun = Instant::now();
        let text = open.text(fingerprint::whole(open.server)).await?;
        (self.took, self.compared) = (begun.elapsed(), Some(Instant::now()));
        Ok(text)
    }

    /// The server shows no single moment, so what was read while something changed is good until the next look.
    async fn load(
        &mut self,
        open: &mut Open,
        fingerprint: String,
    ) -> Result<(Arc<Snapshot>, String), BackError> {
        let target = Arc::clone(&self.target);
        target.lookout.call(&self.account);
        self.calls.mark_unchanged();
        let mut snapshots = target.snapshots.lock().await;
        if let Some(same) = snapshots.find(&fingerprint) {
            return Ok((same, fingerprint));
        }
        let (parts, listed) = load::load(&mut open.connection, open.server).await?;
        snapshots.version += 1;
        let snapshot = Arc::new(Snapshot::new(snapshots.version, parts, listed));
        if self.fingerprint(open).await? != fingerprint {
            self.quick = None;
            return Ok((snapshot, String::new()));
        }
        snapshots.known.retain(|(_, known)| known.strong_count() > 0);
        snapshots.known.push((fingerprint.clone(), Arc::downgrade(&snapshot)));
        Ok((snapshot, fingerprint))
    }

    async fn end(&mut self, _: &mut Open) -> Result<(), BackError> {
        self.before = self.quick.take();
        Ok(())
    }

    async fn close(open: Open) {
        open.connection.close().await;
    }

    fn too_slow() -> BackError {
        BackError::Timeout
    }

    async fn stirred(&mut self) {
        // The sender lies in the target, and so lives as long.
        let _ = self.calls.changed().await;
    }

    /// One account looks for all of them: the one that sees most.
    fn rest(&self, seen: Option<&Snapshot>) -> Duration {
        if self.target.lookout.is_held_by(&self.account, seen.map(catalog::Snapshot::relations)) {
            UNATTENDED
        } else {
            RARELY
        }
    }
}

/// Whose server it is.
async fn server(connection: &mut Connection) -> Result<Server, BackError> {
    let mut server = None;
    connection.ask([SERVER.to_owned()]).await?;
    connection
        .rows(|row| {
            let [version, folds] = row.fields()?;
            server = Server::new(&version.text(), folds.parse()?);
            Ok(())
        })
        .await?;
    server.ok_or(Malformed("VERSION()").into())
}

/// Settings that not every server has: how long a statement may take, and that no column is hidden.
fn more(server: Server) -> String {
    if server.is_maria() {
        return format!("SET SESSION max_statement_time = {}", LOOK.as_secs());
    }
    let hidden =
        if server.version >= 80_030 { ", show_gipk_in_create_table_and_information_schema = 1" } else { "" };
    format!("SET SESSION max_execution_time = {}{hidden}", LOOK.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_looks_for_all_while_nobody_attends() {
        let lookout = Lookout::default();
        let [one, other] = ["one", "other"].map(AccountName::from);
        assert!(lookout.is_held_by(&one, None) && lookout.is_held_by(&other, None), "nobody sees anything");
        assert!(lookout.is_held_by(&one, Some(3)));
        assert!(!lookout.is_held_by(&other, Some(3)) && !lookout.is_held_by(&other, None));
        assert!(lookout.is_held_by(&other, Some(4)), "it sees more");
        assert!(!lookout.is_held_by(&one, Some(3)));
        assert!(lookout.is_held_by(&other, None), "until another one sees something");
        assert!(lookout.is_held_by(&one, Some(3)) && !lookout.is_held_by(&other, None));
    }
}

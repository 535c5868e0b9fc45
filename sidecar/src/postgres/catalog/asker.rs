//! The one who asks the database: owns the connection, decides when to ask, and shares the answers.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::AccountName;
use tokio::time::{Instant, sleep_until, timeout};

use super::{CatalogKeeper, Need, Question, Snapshot, fingerprint, load};
use crate::{
    enforce::postgres::catalog::Catalog,
    metrics,
    postgres::{
        back::BackError,
        simple::{self, Connection},
        target::Target,
    },
};

/// How long the database may take for all of a look.
const LOOK: Duration = Duration::from_mins(1);
/// How often to look while somebody attends.
const ATTENDED: Duration = Duration::from_secs(2);
/// How often to look while nobody does.
const UNATTENDED: Duration = Duration::from_secs(10);
/// How long the connection outlives the last one who attended.
const LINGER: Duration = Duration::from_mins(1);
/// A fingerprint every so many times its own length takes two hundredths of a core at most.
const SHARE: u32 = 50;
/// The same for what else a look takes where something has changed.
const SHARE_OF_CHANGE: u32 = 10;
/// Between two looks that were asked for.
const BREATH: Duration = Duration::from_millis(250);
/// The same where a session waits, if ten times what a look takes is not more.
const SHORT_BREATH: Duration = Duration::from_millis(10);
/// What is read from the connection at a time.
const ROOM: usize = 64 * 1024;

/// What keeps a repo's snapshot, for ever.
pub(crate) struct Asker {
    target: Arc<Target>,
    connection: Option<Open>,
    /// What the newest snapshot was made of.
    fingerprint: String,
    version: u64,
    /// How long the database was busy with the last look, and with its fingerprint.
    took: Duration,
    compared: Duration,
    /// The last look failed; said once.
    failing: bool,
}

struct Open {
    connection: Connection,
    /// The moment of the last look that was read to its end through this connection.
    moment: Option<String>,
}

impl Asker {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            connection: None,
            fingerprint: String::new(),
            version: 0,
            took: Duration::ZERO,
            compared: Duration::ZERO,
            failing: false,
        }
    }

    /// Looks when it is time to, and when somebody asks.
    pub(crate) async fn run(mut self) {
        let target = Arc::clone(&self.target);
        let keeper = &target.catalog;
        let (mut due, mut attended) = (Instant::now(), None);
        loop {
            let mut questions = self.await_need(keeper, due, attended).await;
            let account = questions.iter().find_map(|question| question.account.clone());
            (self.took, self.compared) = (Duration::ZERO, Duration::ZERO);
            let outcome = self.look(keeper, account).await.map_err(Arc::new);
            self.report(outcome.as_ref().err());
            let asked = !questions.is_empty();
            for question in questions.drain(..) {
                // Whoever gave up waiting needs no answer.
                let _ = question.answer.send(outcome.clone());
            }
            if keeper.is_attended() || asked {
                attended = Some(Instant::now());
            }
            due = Instant::now() + self.pause(attended).await;
        }
    }

    /// Waits for the next look, and takes the questions that it answers.
    async fn await_need(
        &self,
        keeper: &CatalogKeeper,
        due: Instant,
        attended: Option<Instant>,
    ) -> Vec<Question> {
        let now = Instant::now();
        let rested = now + (self.took * 10).clamp(SHORT_BREATH, BREATH);
        loop {
            let until = match keeper.need(is_recent(attended)) {
                None => due,
                Some(Need::Session) => due.min(rested),
                // Names that mean nothing are free of charge, so what they cost the database is bounded.
                Some(Need::Newer) => due.min(now + BREATH.max(self.compared * SHARE_OF_CHANGE)),
            };
            if Instant::now() >= until {
                return std::mem::take(&mut *keeper.waiting());
            }
            tokio::select! {
                () = sleep_until(until) => {}
                () = keeper.wake.notified() => {}
            }
        }
    }

    /// How long until the next look that nobody asks for. Without anybody to attend there is no connection meanwhile.
    async fn pause(&mut self, attended: Option<Instant>) -> Duration {
        let spared = self.took.saturating_sub(self.compared) * SHARE_OF_CHANGE;
        let spared = spared.max(self.compared * SHARE);
        if is_recent(attended) {
            return ATTENDED.max(spared);
        }
        if let Some(open) = self.connection.take() {
            open.connection.close().await;
        }
        UNATTENDED.max(spared)
    }

    fn report(&mut self, error: Option<&Arc<BackError>>) {
        match error {
            Some(error) if !self.failing => {
                tracing::warn!(repo = %self.target.name, %error, "cannot read the catalog");
            }
            None if self.failing => tracing::info!(repo = %self.target.name, "the catalog can be read again"),
            Some(_) | None => {}
        }
        self.failing = error.is_some();
    }

    /// The newest snapshot, from the database if it has changed. A connection that proves broken is replaced once.
    async fn look(
        &mut self,
        keeper: &CatalogKeeper,
        account: Option<AccountName>,
    ) -> Result<Arc<Catalog>, BackError> {
        if let Some(open) = self.connection.take()
            && let Ok(found) = self.look_through(keeper, open).await
        {
            return Ok(found);
        }
        let open = self.open(account).await?;
        self.look_through(keeper, open).await
    }

    async fn open(&self, account: Option<AccountName>) -> Result<Open, BackError> {
        let account = self.target.catalog_account(account);
        let account = account.ok_or_else(|| BackError::Account("none is configured".to_owned()))?;
        let parameters = simple::parameters(&format!(
            "-c statement_timeout={} -c jit=off -c max_parallel_workers_per_gather=0",
            LOOK.as_millis()
        ));
        let backend = self.target.connect(&account, &parameters).await?;
        Ok(Open { connection: Connection::new(backend, ROOM), moment: None })
    }

    async fn look_through(
        &mut self,
        keeper: &CatalogKeeper,
        mut open: Open,
    ) -> Result<Arc<Catalog>, BackError> {
        let begun = Instant::now();
        let looking = timeout(LOOK, self.look_at_one_moment(keeper, &mut open)).await;
        self.took = begun.elapsed();
        let found = looking.map_err(|_| BackError::Timeout)??;
        self.connection = Some(open);
        Ok(found)
    }

    async fn look_at_one_moment(
        &mut self,
        keeper: &CatalogKeeper,
        open: &mut Open,
    ) -> Result<Arc<Catalog>, BackError> {
        let Open { connection, moment: before } = open;
        let moment = one_text(connection, fingerprint::BEGIN).await?;
        let known = keeper.newest.borrow().clone();
        let snapshot = match known {
            Some(known) if moment.is_some() && moment == *before => known,
            known => self.compare(keeper, connection, known).await?,
        };
        connection.run("COMMIT").await?;
        *before = moment;
        Ok(Arc::clone(&snapshot.catalog))
    }

    /// Reads a new snapshot if the catalog says something else than when this one was made.
    async fn compare(
        &mut self,
        keeper: &CatalogKeeper,
        connection: &mut Connection,
        known: Option<Arc<Snapshot>>,
    ) -> Result<Arc<Snapshot>, BackError> {
        let begun = Instant::now();
        let fingerprint = one_text(connection, &fingerprint::statement()).await?.unwrap_or_default();
        self.compared = begun.elapsed();
        if let Some(known) = known.filter(|_| fingerprint == self.fingerprint) {
            return Ok(known);
        }
        let begun = Instant::now();
        let (parts, spelling) = load::load(connection).await?;
        let relations = parts.relations.len();
        self.version += 1;
        self.fingerprint = fingerprint;
        let snapshot = Arc::new(Snapshot { catalog: Arc::new(Catalog::new(self.version, parts)), spelling });
        metrics::catalog_read(&self.target.name, begun.elapsed(), relations);
        keeper.newest.send_replace(Some(Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

fn is_recent(attended: Option<Instant>) -> bool {
    attended.is_some_and(|attended| attended.elapsed() < LINGER)
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

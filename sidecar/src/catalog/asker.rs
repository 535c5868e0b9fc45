//! The one who asks the database: owns the connection, decides when to ask, and shares the answers.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::AccountName;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    Keeper, Snapshot, Source,
    keeper::{Need, Question},
};
use crate::metrics;

/// How long the database may take for all of a look.
pub(crate) const LOOK: Duration = Duration::from_mins(1);
/// How often to look while somebody attends.
const ATTENDED: Duration = Duration::from_secs(2);
/// How long the connection outlives the last one who attended.
const LINGER: Duration = Duration::from_mins(1);
/// A fingerprint every so many times its own length takes two hundredths of a core at most.
pub(crate) const SHARE: u32 = 50;
/// The same for what else a look takes where something has changed.
const SHARE_OF_CHANGE: u32 = 10;
/// Between two looks that were asked for.
const BREATH: Duration = Duration::from_millis(250);
/// The same where a session waits, if ten times what a look takes is not more.
const SHORT_BREATH: Duration = Duration::from_millis(10);

/// What keeps a source's snapshot, for ever.
pub(crate) struct Asker<S: Source> {
    source: S,
    keeper: Arc<Keeper<S>>,
    connection: Option<S::Connection>,
    /// What the newest snapshot was made of.
    fingerprint: String,
    /// How long the database was busy with the last look, and with its fingerprint.
    took: Duration,
    compared: Duration,
    /// The last look failed; said once.
    failing: bool,
}

impl<S: Source> Asker<S> {
    pub(crate) fn new(source: S, keeper: Arc<Keeper<S>>) -> Self {
        Self {
            source,
            keeper,
            connection: None,
            fingerprint: String::new(),
            took: Duration::ZERO,
            compared: Duration::ZERO,
            failing: false,
        }
    }

    /// Looks when it is time to, and when somebody asks.
    pub(crate) async fn run(mut self) {
        let (mut due, mut attended) = (Instant::now(), None);
        loop {
            let mut questions = self.await_need(due, attended).await;
            let account = questions.iter().find_map(|question| question.account.clone());
            (self.took, self.compared) = (Duration::ZERO, Duration::ZERO);
            let outcome = self.look(account).await.map_err(Arc::new);
            self.report(outcome.as_ref().err());
            let asked = !questions.is_empty();
            for question in questions.drain(..) {
                // Whoever gave up waiting needs no answer.
                let _ = question.answer.send(match &outcome {
                    Ok(snapshot) => Ok(Arc::clone(snapshot.catalog())),
                    Err(error) => Err(Arc::clone(error)),
                });
            }
            if self.keeper.is_attended() || asked {
                attended = Some(Instant::now());
            }
            due = Instant::now() + self.pause(attended).await;
        }
    }

    /// Waits for the next look, and takes the questions that it answers.
    async fn await_need(&mut self, due: Instant, attended: Option<Instant>) -> Vec<Question<S>> {
        let now = Instant::now();
        let rested = now + (self.took * 10).clamp(SHORT_BREATH, BREATH);
        loop {
            let until = match self.keeper.need(is_recent(attended)) {
                None => due,
                Some(Need::Session) => due.min(rested),
                // Names that mean nothing are free of charge, so what they cost the database is bounded.
                Some(Need::Newer) => due.min(now + BREATH.max(self.compared * SHARE_OF_CHANGE)),
            };
            if Instant::now() >= until {
                return std::mem::take(&mut *self.keeper.waiting());
            }
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.keeper.wake.notified() => {}
                () = self.source.stirred() => return std::mem::take(&mut *self.keeper.waiting()),
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
        if let Some(connection) = self.connection.take() {
            S::close(connection).await;
        }
        let seen = self.keeper.newest.borrow().clone().filter(|_| !self.failing);
        self.source.rest(seen.as_deref()).max(spared)
    }

    fn report(&mut self, error: Option<&Arc<S::Error>>) {
        match error {
            Some(error) if !self.failing => {
                tracing::warn!(repo = %self.source.repo(), %error, "cannot read the catalog");
            }
            None if self.failing => {
                tracing::info!(repo = %self.source.repo(), "the catalog can be read again");
            }
            Some(_) | None => {}
        }
        self.failing = error.is_some();
    }

    /// The newest snapshot, from the database if it has changed. A connection that proves broken is replaced once.
    async fn look(&mut self, account: Option<AccountName>) -> Result<Arc<S::Snapshot>, S::Error> {
        if let Some(connection) = self.connection.take()
            && let Ok(found) = self.look_through(connection).await
        {
            return Ok(found);
        }
        let connection = self.source.connect(account).await?;
        self.look_through(connection).await
    }

    async fn look_through(&mut self, mut connection: S::Connection) -> Result<Arc<S::Snapshot>, S::Error> {
        let begun = Instant::now();
        let looking = timeout(LOOK, self.look_at_one_moment(&mut connection)).await;
        self.took = begun.elapsed();
        let found = looking.map_err(|_| S::too_slow())??;
        self.connection = Some(connection);
        Ok(found)
    }

    async fn look_at_one_moment(
        &mut self,
        connection: &mut S::Connection,
    ) -> Result<Arc<S::Snapshot>, S::Error> {
        let may_have_changed = self.source.begin(connection).await?;
        let known = self.keeper.newest.borrow().clone();
        let snapshot = match known {
            Some(known) if !may_have_changed => known,
            known => self.compare(connection, known).await?,
        };
        self.source.end(connection).await?;
        Ok(snapshot)
    }

    /// Reads a new snapshot if the catalog says something else than when this one was made.
    async fn compare(
        &mut self,
        connection: &mut S::Connection,
        known: Option<Arc<S::Snapshot>>,
    ) -> Result<Arc<S::Snapshot>, S::Error> {
        let begun = Instant::now();
        let fingerprint = self.source.fingerprint(connection).await?;
        self.compared = begun.elapsed();
        if let Some(known) = known.filter(|_| fingerprint == self.fingerprint) {
            return Ok(known);
        }
        let begun = Instant::now();
        let (snapshot, fingerprint) = self.source.load(connection, fingerprint).await?;
        self.fingerprint = fingerprint;
        metrics::catalog_read(self.source.repo(), begun.elapsed(), snapshot.relations());
        self.keeper.newest.send_replace(Some(Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

fn is_recent(attended: Option<Instant>) -> bool {
    attended.is_some_and(|attended| attended.elapsed() < LINGER)
}

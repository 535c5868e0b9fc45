//! One piece of work on the store: what changes, what the sidecars hear of it, what the audit trail says, what is
//! counted. All of it in one transaction, and the feed is woken when that has committed.

use std::{collections::BTreeSet, sync::Arc};

use postern_protocol::gate::{Change, Position, RepoName, SidecarName};
use postern_service::audit::{Chain, Event, Record};
use serde::{Deserialize, Serialize};

use crate::{
    actions::Failure,
    domain::{Moment, Refusal},
    feed::{self, Notice, Outcome},
    measures::Measure,
    plane::ControlPlane,
    store::{self, CHAIN, Entity, Filter, Read, Write},
};

/// Whom a change concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Audience {
    /// Every sidecar.
    All,
    /// Those that serve this repo.
    Repo(RepoName),
    /// This one.
    Sidecar(SidecarName),
}

impl Audience {
    /// Whether a sidecar of this name that serves these repos is told.
    pub(crate) fn includes(&self, sidecar: &SidecarName, repos: &BTreeSet<RepoName>) -> bool {
        match self {
            Self::All => true,
            Self::Repo(repo) => repos.contains(repo),
            Self::Sidecar(name) => name == sidecar,
        }
    }
}

/// A change in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logged {
    /// Who is told.
    pub to: Audience,
    /// What.
    pub change: Told,
}

/// What a feed says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Told {
    /// Something that the sidecar applies.
    Change(Change),
    /// The sidecar was revoked.
    Retire {
        /// By whom, and why.
        retire: Retirement,
    },
}

/// Who revoked a sidecar, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retirement {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What the sidecars made of a commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    /// Whether all of them have acknowledged it; not so while one that was there lately is away.
    pub complete: bool,
    /// One by one.
    pub sidecars: Vec<Outcome>,
}

/// A transaction in the making.
pub(crate) struct Work {
    plane: Arc<ControlPlane>,
    tx: Box<dyn Write>,
    now: Moment,
    changes: Vec<Logged>,
    events: Vec<Event>,
    /// Whether the audit trail grows by this.
    recorded: bool,
    measures: Vec<Measure>,
}

impl Work {
    /// Begins; alone until it is committed or dropped.
    pub(crate) async fn begin(plane: &Arc<ControlPlane>) -> Result<Self, Failure> {
        let mut tx = plane.store.write().await?;
        // The time is taken under the lock, so that what is written later also bears a later time, whichever control
        // plane writes it.
        if let Some(mark) = tx.clock_mark().await? {
            plane.clock.catch_up(mark.at);
        }
        let now = plane.clock.now();
        Ok(Self {
            plane: Arc::clone(plane),
            tx,
            now,
            changes: Vec::new(),
            events: Vec::new(),
            recorded: false,
            measures: Vec::new(),
        })
    }

    /// The moment at which all of this happens.
    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    /// The transaction, for questions.
    pub(crate) fn tx(&mut self) -> &mut dyn Read {
        &mut *self.tx
    }

    /// The transaction, for what is no record.
    pub(crate) fn tx_mut(&mut self) -> &mut dyn Write {
        &mut *self.tx
    }

    /// The record of this id.
    pub(crate) async fn load<T: Entity>(&mut self, id: &str) -> Result<Option<T>, Failure> {
        Ok(store::load(&mut *self.tx, id).await?)
    }

    /// The record of this id, or a refusal that says that there is none.
    pub(crate) async fn get<T: Entity>(&mut self, kind: &'static str, id: &str) -> Result<T, Failure> {
        self.load(id).await?.ok_or_else(|| Refusal::not_found(kind, id).into())
    }

    /// Every record that fits.
    pub(crate) async fn find_all<T: Entity>(&mut self, filter: &Filter) -> Result<Vec<T>, Failure> {
        Ok(store::find_all(&mut *self.tx, filter).await?)
    }

    /// Makes or replaces a record.
    pub(crate) async fn save<T: Entity>(&mut self, entity: &T) -> Result<(), Failure> {
        Ok(store::save(&mut *self.tx, entity).await?)
    }

    /// Removes a record; true when it was there.
    pub(crate) async fn remove<T: Entity>(&mut self, id: &str) -> Result<bool, Failure> {
        Ok(store::remove::<T>(&mut *self.tx, id).await?)
    }

    /// Tells sidecars of a change.
    pub(crate) fn tell(&mut self, to: Audience, change: Change) {
        self.changes.push(Logged { to, change: Told::Change(change) });
    }

    /// Tells a sidecar that it was revoked.
    pub(crate) fn retire(&mut self, name: SidecarName, retire: Retirement) {
        self.changes.push(Logged { to: Audience::Sidecar(name), change: Told::Retire { retire } });
    }

    /// Puts something into the audit trail.
    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Puts records of another chain into the audit trail.
    pub(crate) async fn keep(&mut self, records: &[Record]) -> Result<(), Failure> {
        self.recorded |= !records.is_empty();
        Ok(self.tx.append_audit(records).await?)
    }

    /// Counts something, once it is true.
    pub(crate) fn measure(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    /// Makes it last, and wakes the feed and those who follow events. Gives the change log's position when sidecars are told something.
    pub(crate) async fn commit(mut self) -> Result<Option<Position>, Failure> {
        let mark = self.plane.clock.mark();
        if !self.events.is_empty() || !self.changes.is_empty() {
            self.tx.set_clock_mark(mark).await?;
        }
        if !self.events.is_empty() {
            let records = self.records().await?;
            self.keep(&records).await?;
        }
        let mut position = None;
        if !self.changes.is_empty() {
            let entry = serde_json::to_string(&self.changes).map_err(store::StoreError::from)?;
            position = Some(self.tx.append_log(self.now, entry).await?);
        }
        self.tx.commit().await?;
        if let Some(position) = position {
            self.plane.hub.publish(position);
        }
        if self.recorded {
            self.plane.bell.ring();
            self.plane.bus.tell(Notice::Recorded);
        }
        self.measures.iter().for_each(Measure::count);
        Ok(position)
    }

    /// Commits, then waits until every connected sidecar that is told has done it, or 2 s have passed.
    ///
    /// One that is away, but was heard of lately, is listed and not waited for: its sessions may live until its lease
    /// ends. So whoever gets an answer finds the sidecars already knowing.
    pub(crate) async fn commit_and_wait(self, to: &Audience) -> Result<Settled, Failure> {
        let plane = Arc::clone(&self.plane);
        let waiter = plane.hub.wait();
        let Some(position) = self.commit().await? else { return Ok(Settled::default()) };
        let concerned = match feed::concerned(&plane, to).await {
            Ok(concerned) => concerned,
            Err(error) => {
                tracing::error!(%error, "a change was made, and who has to acknowledge it is not known");
                return Ok(Settled::default());
            }
        };
        let (complete, sidecars) = waiter.settle(position, concerned).await;
        Ok(Settled { complete, sidecars })
    }

    async fn records(&mut self) -> Result<Vec<Record>, Failure> {
        let last = self.tx.audit_last(CHAIN).await?;
        let mut chain = last.map_or_else(|| Chain::new(CHAIN), |last| Chain::after(&last));
        let at = self.now.timestamp();
        Ok(std::mem::take(&mut self.events).into_iter().map(|event| chain.append(at, event)).collect())
    }
}

//! Which sidecars are there, what each serves, and who waits for their acknowledgements.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use postern_protocol::gate::{Ack, Hello, Position, Pulse, RepoName, SidecarName};
use tokio::sync::{mpsc, watch};

use super::acks::{Heard, Waiter};
use crate::{domain::Moment, measures, work::Audience};

/// One process of a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeedKey {
    /// The sidecar.
    pub name: SidecarName,
    /// The process.
    pub instance: String,
}

/// Whom a change concerns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Concerned {
    /// Their feed is open: they are told.
    pub connected: Vec<FeedKey>,
    /// Their feed is not open, but they may run all the same, and their sessions live until their lease ends.
    pub absent: Vec<FeedKey>,
}

/// Who revoked a sidecar, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retirement {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What is known of one process of a sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// The repos that it named.
    pub repos: Arc<BTreeSet<RepoName>>,
    /// Its version.
    pub version: String,
    /// The newest position that it has applied.
    pub applied: Position,
    /// How many sessions it has open.
    pub sessions: u64,
    /// When it was heard of last.
    pub heard: Moment,
    /// Whether its feed is open.
    pub connected: bool,
}

struct Process {
    live: Live,
    generation: u64,
    /// The position of the newest snapshot that it was sent.
    shown: Option<Position>,
    /// See [`Seat::resumable_from`].
    resumable_from: Option<Position>,
    retire: Option<watch::Sender<Option<Retirement>>>,
}

#[derive(Default)]
struct Registry {
    processes: HashMap<FeedKey, Process>,
    waiters: HashMap<u64, mpsc::UnboundedSender<Heard>>,
    counter: u64,
}

impl Registry {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn connected(&self) -> usize {
        self.processes.values().filter(|process| process.live.connected).count()
    }
}

/// The connected sidecars.
#[derive(Clone)]
pub(crate) struct Hub {
    newest: watch::Sender<Position>,
    stopping: watch::Sender<bool>,
    registry: Arc<Mutex<Registry>>,
}

/// An open feed's place in the hub; when it goes, so does the place.
pub(crate) struct Seat {
    hub: Hub,
    key: FeedKey,
    generation: u64,
    /// The repos that the feed is about.
    pub repos: Arc<BTreeSet<RepoName>>,
    /// Tells that the sidecar was revoked.
    pub retired: watch::Receiver<Option<Retirement>>,
    /// A feed may resume here or later. Nothing until the process has applied a snapshot that this control plane sent
    /// it for these repos: before that, its position may belong to a log that a restored store no longer has.
    pub resumable_from: Option<Position>,
}

impl Hub {
    /// Nobody is connected; the log reaches to `newest`.
    pub(crate) fn new(newest: Position) -> Self {
        Self {
            newest: watch::Sender::new(newest),
            stopping: watch::Sender::new(false),
            registry: Arc::default(),
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log reaches to this position now.
    pub(crate) fn publish(&self, position: Position) {
        self.newest.send_if_modified(|newest| {
            let further = position > *newest;
            *newest = position.max(*newest);
            further
        });
    }

    /// How far the log reaches, to be watched.
    pub(crate) fn newest(&self) -> watch::Receiver<Position> {
        self.newest.subscribe()
    }

    /// Whether the program is about to end, to be watched.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Ends every feed.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// A sidecar's process says what it serves.
    pub(crate) fn hello(&self, hello: &Hello, now: Moment) {
        let key = FeedKey { name: hello.name.clone(), instance: hello.instance.clone() };
        let repos: BTreeSet<RepoName> = hello.repos.iter().map(|repo| repo.name.clone()).collect();
        let mut registry = self.registry();
        if let Some(process) = registry.processes.get_mut(&key) {
            process.live.heard = now;
            process.live.version.clone_from(&hello.version);
            if *process.live.repos != repos {
                process.live.repos = Arc::new(repos);
                process.shown = None;
                process.resumable_from = None;
            }
            return;
        }
        let live = Live {
            repos: Arc::new(repos),
            version: hello.version.clone(),
            applied: 0,
            sessions: 0,
            heard: now,
            connected: false,
        };
        let process = Process { live, generation: 0, shown: None, resumable_from: None, retire: None };
        registry.processes.insert(key, process);
    }

    /// Opens a feed for a process that said hello. An older feed of the same process ends.
    pub(crate) fn sit(&self, key: FeedKey, now: Moment) -> Option<Seat> {
        let mut registry = self.registry();
        let generation = registry.next();
        let process = registry.processes.get_mut(&key)?;
        let (retire, retired) = watch::channel(None);
        process.generation = generation;
        process.live.connected = true;
        process.live.heard = now;
        process.retire = Some(retire);
        let repos = Arc::clone(&process.live.repos);
        let resumable_from = process.resumable_from;
        measures::feed_clients(registry.connected());
        drop(registry);
        Some(Seat { hub: self.clone(), key, generation, repos, retired, resumable_from })
    }

    fn leave(&self, key: &FeedKey, generation: u64) {
        let mut registry = self.registry();
        let process = registry.processes.get_mut(key).filter(|process| process.generation == generation);
        if let Some(process) = process {
            process.live.connected = false;
            process.retire = None;
        }
        measures::feed_clients(registry.connected());
    }

    /// Tells every feed of a sidecar that it was revoked, and forgets the sidecar.
    pub(crate) fn retire(&self, name: &SidecarName, retirement: &Retirement) {
        let mut registry = self.registry();
        registry.processes.retain(|key, process| {
            let gone = key.name == *name;
            if let (true, Some(retire)) = (gone, &process.retire) {
                retire.send_replace(Some(retirement.clone()));
            }
            !gone
        });
        measures::feed_clients(registry.connected());
    }

    /// A process says where it stands.
    pub(crate) fn pulse(&self, name: &SidecarName, pulse: Pulse, now: Moment) {
        let key = FeedKey { name: name.clone(), instance: pulse.instance };
        if let Some(process) = self.registry().processes.get_mut(&key) {
            process.live.applied = process.live.applied.max(pulse.applied);
            process.live.sessions = pulse.sessions;
            process.live.heard = now;
        }
    }

    /// A process has applied something.
    pub(crate) fn ack(&self, name: &SidecarName, ack: Ack, now: Moment) {
        let key = FeedKey { name: name.clone(), instance: ack.instance.clone() };
        let mut registry = self.registry();
        if let Some(process) = registry.processes.get_mut(&key) {
            process.live.applied = process.live.applied.max(ack.position);
            process.live.heard = now;
            if ack.snapshot && process.shown == Some(ack.position) {
                process.resumable_from.get_or_insert(ack.position);
            }
        }
        for waiter in registry.waiters.values() {
            // A waiter that has gone is about to take itself off the list.
            let _ = waiter.send(Heard { key: key.clone(), ack: ack.clone() });
        }
    }

    /// Listens for acknowledgements from now on: to be called before what they are for is committed.
    pub(crate) fn wait(&self) -> Waiter {
        let (heard, waiter) = mpsc::unbounded_channel();
        let mut registry = self.registry();
        let id = registry.next();
        registry.waiters.insert(id, heard);
        drop(registry);
        Waiter::new(self.clone(), id, waiter)
    }

    pub(super) fn forget_waiter(&self, id: u64) {
        self.registry().waiters.remove(&id);
    }

    /// The processes that a change concerns: those with an open feed, and those heard of since `since`.
    pub(crate) fn concerned(&self, to: &Audience, since: Moment) -> Concerned {
        let registry = self.registry();
        let mut concerned = Concerned::default();
        for (key, Process { live, .. }) in &registry.processes {
            if !to.includes(&key.name, &live.repos) {
                continue;
            }
            if live.connected {
                concerned.connected.push(key.clone());
            } else if live.heard >= since {
                concerned.absent.push(key.clone());
            }
        }
        concerned
    }

    /// The processes of a sidecar that were heard of since the program started.
    pub(crate) fn processes(&self, name: &SidecarName) -> Vec<(String, Live)> {
        let registry = self.registry();
        let mut found: Vec<(String, Live)> = registry
            .processes
            .iter()
            .filter(|(key, _)| key.name == *name)
            .map(|(key, process)| (key.instance.clone(), process.live.clone()))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// Forgets processes that are gone: not connected and not heard of since `before`.
    pub(crate) fn forget_silent(&self, before: Moment) {
        self.registry().processes.retain(|_, process| process.live.connected || process.live.heard >= before);
    }
}

impl Seat {
    /// A snapshot of this position is about to be sent.
    pub(super) fn show(&self, position: Position) {
        let mut registry = self.hub.registry();
        let process = registry.processes.get_mut(&self.key);
        // An older feed, or one about other repos, shows nothing that a later one could resume from.
        let own = |process: &&mut Process| {
            process.generation == self.generation && Arc::ptr_eq(&process.live.repos, &self.repos)
        };
        if let Some(process) = process.filter(own) {
            process.shown = Some(position);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(&self.key, self.generation);
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hub").field("newest", &*self.newest.borrow()).finish_non_exhaustive()
    }
}

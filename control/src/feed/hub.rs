//! The feeds that are open here, and who waits for acknowledgements.
//!
//! What other control planes must know of it goes into the store: see [`super::presence`].

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use postern_protocol::{
    duration::Span,
    gate::{Ack, Position, Pulse, RepoName, SidecarName},
};
use tokio::sync::{mpsc, watch};

use super::acks::{Heard, Waiter};
use crate::{
    domain::{Moment, Process, Standing},
    measures,
};

/// A control plane that has not seen the store for so long cannot say who has been revoked; sidecars had better ask
/// another.
const BLIND: Span = Span::from_secs(10);

/// One process of a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeedKey {
    /// The sidecar.
    pub name: SidecarName,
    /// The process.
    pub instance: String,
}

impl FeedKey {
    /// Of this process.
    pub(crate) fn of(process: &Process) -> Self {
        Self { name: process.sidecar.clone(), instance: process.instance.clone() }
    }

    /// The key of its record.
    pub(crate) fn record(&self) -> String {
        Process::key(&self.name, &self.instance)
    }
}

/// A process whose feed is, or was, open here.
struct Guest {
    repos: Arc<BTreeSet<RepoName>>,
    generation: u64,
    /// Dropped when the feed gives way to a newer one.
    place: Option<watch::Sender<()>>,
    heard_at: Moment,
    /// The position of the newest snapshot that it was sent.
    shown: Option<Position>,
    /// See [`Seat::resumable_from`].
    resumable_from: Option<Position>,
}

#[derive(Default)]
struct Registry {
    guests: HashMap<FeedKey, Guest>,
    /// What was heard and is not in the store yet.
    news: HashMap<FeedKey, Standing>,
    /// Those of them whose feed has closed.
    closed: HashSet<FeedKey>,
    /// Whose feeds are open with a token, by its hash, and how many.
    tokens: HashMap<String, (SidecarName, usize)>,
    waiters: HashMap<u64, mpsc::UnboundedSender<Heard>>,
    counter: u64,
}

impl Registry {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn connected(&self) -> usize {
        self.guests.values().filter(|guest| guest.place.is_some()).count()
    }

    fn let_go(&mut self, token_sha256: &str) {
        if let Some((_, open)) = self.tokens.get_mut(token_sha256) {
            *open -= 1;
            if *open == 0 {
                self.tokens.remove(token_sha256);
            }
        }
    }

    fn note(&mut self, key: &FeedKey, standing: Standing) {
        if let Some(guest) = self.guests.get_mut(key) {
            guest.heard_at = guest.heard_at.max(standing.heard_at);
        }
        let news = self.news.entry(key.clone()).or_default();
        *news = news.and(standing);
    }
}

/// The feeds that are open here.
#[derive(Clone)]
pub(crate) struct Hub {
    newest: watch::Sender<Position>,
    stopping: watch::Sender<bool>,
    /// See [`Hub::is_current`].
    current: Arc<AtomicI64>,
    registry: Arc<Mutex<Registry>>,
}

/// An open feed's place in the hub; when it goes, so does the place.
pub(crate) struct Seat {
    hub: Hub,
    key: FeedKey,
    /// Of the token that it was opened with.
    token_sha256: String,
    generation: u64,
    /// The repos that the feed is about.
    pub repos: Arc<BTreeSet<RepoName>>,
    /// Closed when a newer feed of this process takes the place.
    pub replaced: watch::Receiver<()>,
    /// A feed may resume here or later. Nothing until the process has applied a snapshot that this control plane sent
    /// it for these repos: before that, its position may belong to a log that a restored store no longer has.
    pub resumable_from: Option<Position>,
}

impl Hub {
    /// Nobody is connected; at `now` the log reached to `newest`.
    pub(crate) fn new(newest: Position, now: Moment) -> Self {
        Self {
            current: Arc::new(AtomicI64::new(now.as_millis())),
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

    /// Everything that was committed before `moment`, by whichever control plane, was published.
    pub(crate) fn is_current(&self, moment: Moment) {
        self.current.fetch_max(moment.as_millis(), Ordering::AcqRel);
    }

    /// Until when everything that was committed is known here. To be asked before [`Hub::newest`] is.
    pub(crate) fn current(&self) -> Moment {
        Moment::from_millis(self.current.load(Ordering::Acquire))
    }

    /// Whether the store was out of reach for so long that nobody should rely on what is known here.
    pub(crate) fn is_blind(&self, now: Moment) -> bool {
        self.current() < now.minus(BLIND)
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

    /// Opens a feed for a process, with a token of this hash. An older one of the same process, if it is open here, ends.
    pub(crate) fn sit(&self, process: &Process, token_sha256: &str) -> Seat {
        let key = FeedKey::of(process);
        let token_sha256 = token_sha256.to_owned();
        let mut registry = self.registry();
        let open = registry.tokens.entry(token_sha256.clone()).or_insert_with(|| (key.name.clone(), 0));
        open.1 += 1;
        let generation = registry.next();
        let (place, replaced) = watch::channel(());
        let guest = registry.guests.entry(key.clone()).or_insert_with(|| Guest {
            repos: Arc::default(),
            generation,
            place: None,
            heard_at: process.heard_at,
            shown: None,
            resumable_from: None,
        });
        if *guest.repos != process.repos {
            guest.repos = Arc::new(process.repos.clone());
            guest.shown = None;
            guest.resumable_from = None;
        }
        guest.generation = generation;
        guest.place = Some(place);
        guest.heard_at = guest.heard_at.max(process.heard_at);
        let (repos, resumable_from) = (Arc::clone(&guest.repos), guest.resumable_from);
        measures::feed_clients(registry.connected());
        drop(registry);
        Seat { hub: self.clone(), key, token_sha256, generation, repos, replaced, resumable_from }
    }

    fn leave(&self, Seat { key, token_sha256, generation, .. }: &Seat) {
        let mut registry = self.registry();
        registry.let_go(token_sha256);
        if let Some(guest) = registry.guests.get_mut(key).filter(|guest| guest.generation == *generation) {
            guest.place = None;
            let heard_at = guest.heard_at;
            // The store is to hear that the feed is no longer open here.
            registry.note(key, Standing { heard_at, ..Standing::default() });
            registry.closed.insert(key.clone());
        }
        measures::feed_clients(registry.connected());
    }

    /// Whose token has this hash, if a feed is open with it: that one was let in, and ends when the token is revoked.
    pub(crate) fn sidecar_with(&self, token_sha256: &str) -> Option<SidecarName> {
        self.registry().tokens.get(token_sha256).map(|(name, _)| name.clone())
    }

    /// A sidecar's tokens are good no longer.
    pub(crate) fn forget_tokens(&self, of: &SidecarName) {
        self.registry().tokens.retain(|_, (name, _)| name != of);
    }

    /// A process says where it stands.
    pub(crate) fn pulse(&self, name: &SidecarName, pulse: &Pulse, now: Moment) {
        let key = FeedKey { name: name.clone(), instance: pulse.instance.clone() };
        self.registry().note(&key, Standing::of(pulse, now));
    }

    /// A process has applied something, and told it to this control plane.
    pub(crate) fn ack(&self, name: &SidecarName, ack: &Ack, now: Moment) {
        let key = FeedKey { name: name.clone(), instance: ack.instance.clone() };
        let standing = Standing { applied: ack.position, sessions: None, heard_at: now };
        self.registry().note(&key, standing);
        self.heard(key, ack);
    }

    /// A process has applied something, whichever control plane it told.
    pub(crate) fn heard(&self, key: FeedKey, ack: &Ack) {
        let mut registry = self.registry();
        if let Some(guest) = registry.guests.get_mut(&key)
            && ack.snapshot
            && guest.shown == Some(ack.position)
        {
            guest.resumable_from.get_or_insert(ack.position);
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

    /// Whether a feed of this process is open here.
    pub(crate) fn has_open(&self, key: &FeedKey) -> bool {
        self.registry().guests.get(key).is_some_and(|guest| guest.place.is_some())
    }

    /// What was heard of this process and is not in the store yet.
    pub(crate) fn news_of(&self, key: &FeedKey) -> Option<Standing> {
        self.registry().news.get(key).copied()
    }

    /// Everything that was heard since this was asked last; unless `all` of it is wanted, of closed feeds alone.
    pub(crate) fn take_news(&self, all: bool) -> HashMap<FeedKey, Standing> {
        let mut registry = self.registry();
        let closed = std::mem::take(&mut registry.closed);
        if all {
            return std::mem::take(&mut registry.news);
        }
        closed.into_iter().filter_map(|key| registry.news.remove_entry(&key)).collect()
    }

    /// It could not be put into the store: it is news still.
    pub(crate) fn keep_news(&self, news: HashMap<FeedKey, Standing>) {
        let mut registry = self.registry();
        for (key, earlier) in news {
            let standing = registry.news.get(&key).map_or(earlier, |later| earlier.and(*later));
            registry.closed.insert(key.clone());
            registry.news.insert(key, standing);
        }
    }

    /// Forgets processes that are gone: not connected and not heard of since `before`.
    pub(crate) fn forget_silent(&self, before: Moment) {
        self.registry().guests.retain(|_, guest| guest.place.is_some() || guest.heard_at >= before);
    }
}

impl Seat {
    /// A snapshot of this position is about to be sent.
    pub(super) fn show(&self, position: Position) {
        let mut registry = self.hub.registry();
        let guest = registry.guests.get_mut(&self.key);
        // An older feed, or one about other repos, shows nothing that a later one could resume from.
        let own = |guest: &&mut Guest| {
            guest.generation == self.generation && Arc::ptr_eq(&guest.repos, &self.repos)
        };
        if let Some(guest) = guest.filter(own) {
            guest.shown = Some(position);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(self);
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hub").field("newest", &*self.newest.borrow()).finish_non_exhaustive()
    }
}

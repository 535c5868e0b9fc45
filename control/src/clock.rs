//! The control plane's clock: wall time at the start, monotonic from then on, and never back, not over a restart.
//!
//! The store keeps a mark that lies ahead of every time that was told. A running program moves the mark on and tells
//! no time beyond it; the next one starts at the mark if the wall clock says that it is earlier.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::{
    domain::Moment,
    store::{Store, StoreError},
};

/// How far the mark lies ahead.
const AHEAD: Duration = Duration::from_secs(4);

/// How often the mark is to be moved.
pub(crate) const MARK_EVERY: Duration = Duration::from_secs(1);

const MARK: &str = "clock_mark";

/// Tells the time.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;

    /// Up to which moment the time may be told after the mark was written; the mark to write.
    fn next_mark(&self) -> Moment;

    /// The mark is written.
    fn marked(&self, mark: Moment);
}

/// The clock of a running control plane.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Moment,
    since: Instant,
    mark: AtomicI64,
}

impl SystemClock {
    /// Starts behind what the store has seen.
    pub(crate) async fn start(store: &dyn Store) -> Result<Arc<Self>, StoreError> {
        let mut tx = store.write().await?;
        let before = tx.setting(MARK).await?.and_then(|text| text.parse().ok()).unwrap_or(i64::MIN);
        let start = Moment::from_millis(before).max(wall());
        let clock = Self { start, since: Instant::now(), mark: AtomicI64::new(i64::MIN) };
        let mark = clock.next_mark();
        write_mark(&mut *tx, mark).await?;
        tx.commit().await?;
        clock.marked(mark);
        Ok(Arc::new(clock))
    }

    fn raw(&self) -> Moment {
        self.start_plus(self.since.elapsed())
    }

    fn start_plus(&self, elapsed: Duration) -> Moment {
        let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        Moment::from_millis(self.start.as_millis().saturating_add(millis))
    }
}

fn wall() -> Moment {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Puts a mark into a transaction.
pub(crate) async fn write_mark(tx: &mut dyn crate::store::Write, mark: Moment) -> Result<(), StoreError> {
    tx.set(MARK, &mark.as_millis().to_string()).await
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        self.raw().min(Moment::from_millis(self.mark.load(Ordering::Acquire)))
    }

    fn next_mark(&self) -> Moment {
        self.start_plus(self.since.elapsed() + AHEAD)
    }

    fn marked(&self, mark: Moment) {
        self.mark.fetch_max(mark.as_millis(), Ordering::AcqRel);
    }
}

/// A clock that stands still until it is told to go on.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

#[cfg(test)]
impl HandClock {
    /// At some Friday in 2026.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_000_000_000)))
    }

    /// Goes on.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn next_mark(&self) -> Moment {
        self.now()
    }

    fn marked(&self, _: Moment) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn a_wall_clock_that_was_set_back_does_not_turn_time_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let future = wall().plus(postern_protocol::duration::Span::from_secs(86_400));
        let mut tx = store.write().await.unwrap();
        write_mark(&mut *tx, future).await.unwrap();
        tx.commit().await.unwrap();
        let clock = SystemClock::start(&store).await.unwrap();
        assert!(clock.now() >= future);
    }

    #[tokio::test]
    async fn no_time_is_told_beyond_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let clock = SystemClock::start(&store).await.unwrap();
        let told = clock.now();
        let mut tx = store.read().await.unwrap();
        let mark: i64 = tx.setting(MARK).await.unwrap().unwrap().parse().unwrap();
        assert!(told.as_millis() <= mark);
    }
}

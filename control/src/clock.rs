//! The control planes' clock: wall time at the start, monotonic from then on, and never back: not over a restart, and
//! not from one control plane to another on the same store.
//!
//! The store keeps a mark: what the clock said at some moment. A running program moves it on and tells no time that lies
//! further ahead of it than [`AHEAD`]. Whoever begins a change looks at the mark first and goes on from there if it is
//! ahead of its own clock, so the fastest clock leads and what is written later bears a later time. The next program
//! goes on from the mark by what has passed since, as far as the store can tell; otherwise it starts behind everything
//! that can have been told. The wall clock decides only when it is later.

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
    store::{AHEAD, ClockMark, Store, StoreError},
};

/// How often the mark is to be moved.
pub(crate) const MARK_EVERY: Duration = Duration::from_secs(1);

/// What has passed is known to so much: uptime is counted in hundredths of a second.
const STEP: Duration = Duration::from_millis(10);

fn later(at: Moment, by: Duration) -> Moment {
    Moment::from_millis(at.as_millis().saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

/// The earliest moment that a program which finds this mark may tell.
fn resume(mark: ClockMark) -> Moment {
    later(mark.at, mark.elapsed.map_or(AHEAD, |elapsed| elapsed + STEP))
}

/// Tells the time.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;

    /// Goes on from here if it is not that late yet: another control plane has told this time, and marked it.
    fn catch_up(&self, marked: Moment);

    /// What to mark now.
    fn mark(&self) -> Moment;

    /// The mark is written: the time may go on.
    fn marked(&self, mark: Moment);
}

/// The clock of a running control plane.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Moment,
    since: Instant,
    /// By how many milliseconds it was set ahead since.
    ahead: AtomicI64,
    /// No later time may be told.
    limit: AtomicI64,
}

impl SystemClock {
    /// Starts behind what the store has seen.
    pub(crate) async fn start(store: &dyn Store) -> Result<Arc<Self>, StoreError> {
        let mut tx = store.write().await?;
        let wall = wall();
        let start = tx.clock_mark().await?.map_or(wall, |mark| resume(mark).max(wall));
        let clock =
            Self { start, since: Instant::now(), ahead: AtomicI64::new(0), limit: AtomicI64::new(i64::MIN) };
        let mark = clock.mark();
        tx.set_clock_mark(mark).await?;
        tx.commit().await?;
        clock.marked(mark);
        Ok(Arc::new(clock))
    }

    fn own(&self) -> Moment {
        later(self.start, self.since.elapsed())
    }
}

fn wall() -> Moment {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    later(Moment::default(), since_epoch)
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        self.mark().min(Moment::from_millis(self.limit.load(Ordering::Acquire)))
    }

    fn catch_up(&self, marked: Moment) {
        let behind = marked.as_millis().saturating_sub(self.own().as_millis());
        self.ahead.fetch_max(behind, Ordering::AcqRel);
        self.marked(marked);
    }

    fn mark(&self) -> Moment {
        let ahead = self.ahead.load(Ordering::Acquire);
        Moment::from_millis(self.own().as_millis().saturating_add(ahead))
    }

    fn marked(&self, mark: Moment) {
        self.limit.fetch_max(later(mark, AHEAD).as_millis(), Ordering::AcqRel);
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

    fn catch_up(&self, _: Moment) {}

    fn mark(&self) -> Moment {
        self.now()
    }

    fn marked(&self, _: Moment) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    async fn store() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(&folder.path().join("c.db")).await.unwrap(), folder)
    }

    async fn mark(store: &SqliteStore, at: Moment) {
        let mut tx = store.write().await.unwrap();
        tx.set_clock_mark(at).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[test]
    fn a_program_that_cannot_tell_what_has_passed_starts_behind_what_was_told() {
        let at = Moment::from_millis(1_000_000);
        for (elapsed, expected) in
            [(Some(Duration::from_secs(1)), Duration::from_secs(1) + STEP), (None, AHEAD)]
        {
            assert_eq!(resume(ClockMark { at, elapsed }), later(at, expected), "{elapsed:?}");
        }
    }

    #[tokio::test]
    async fn a_wall_clock_that_was_set_back_does_not_turn_time_back() {
        let (store, _folder) = store().await;
        let future = later(wall(), Duration::from_hours(24));
        mark(&store, future).await;
        let clock = SystemClock::start(&store).await.unwrap();
        assert!(clock.now() >= future);
    }

    #[tokio::test]
    async fn a_clock_that_is_behind_another_goes_on_from_there() {
        let (store, _folder) = store().await;
        let clock = SystemClock::start(&store).await.unwrap();
        let other = later(clock.now(), Duration::from_mins(1));
        clock.catch_up(other);
        assert!(clock.now() >= other && clock.now() <= later(other, AHEAD));
        let told = clock.now();
        clock.catch_up(later(other, Duration::ZERO));
        assert!(clock.now() >= told);
    }

    #[tokio::test]
    async fn a_restart_in_a_loop_does_not_run_ahead_of_the_wall() {
        let (store, _folder) = store().await;
        let mut told = Moment::default();
        for _ in 0..20 {
            let clock = SystemClock::start(&store).await.unwrap();
            assert!(clock.now() >= told);
            told = clock.now();
        }
        assert!(told <= later(wall(), 42 * STEP));
    }
}

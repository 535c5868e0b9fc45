//! The control plane's clock: wall time at the start, monotonic from then on, and never back, not over a restart.
//!
//! The store keeps a mark: what the clock said at some moment of the machine's uptime. A running program moves it on
//! and tells no time that lies further ahead of it than [`AHEAD`]. The next program of the same boot goes on from
//! there by the uptime; one of another boot starts behind everything that can have been told. The wall clock decides
//! only when it is later.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::{
    domain::Moment,
    store::{Store, StoreError, Write},
};

/// How far the time may run ahead of the mark.
const AHEAD: Duration = Duration::from_secs(4);

/// How often the mark is to be moved.
pub(crate) const MARK_EVERY: Duration = Duration::from_secs(1);

/// `/proc/uptime` counts in hundredths of a second.
const UPTIME_STEP: Duration = Duration::from_millis(10);

const MARK: &str = "clock_mark";

/// What is to be kept of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    at: Moment,
    boot: Option<Boot>,
}

/// A moment of a machine's uptime.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Boot {
    id: String,
    uptime: Duration,
}

impl Boot {
    /// Now; nothing where the system does not tell.
    fn now() -> Option<Self> {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        Some(Self { id, uptime: Duration::try_from_secs_f64(seconds).ok()? })
    }
}

impl Mark {
    /// The earliest moment that a program which finds this mark may tell.
    fn resume(&self, boot: Option<&Boot>) -> Moment {
        let elapsed = match (&self.boot, boot) {
            (Some(then), Some(now)) if then.id == now.id => now.uptime.checked_sub(then.uptime),
            (None | Some(_), None | Some(_)) => None,
        };
        later(self.at, elapsed.map_or(AHEAD, |elapsed| elapsed + UPTIME_STEP))
    }

    fn text(&self) -> String {
        let at = self.at.as_millis();
        self.boot
            .as_ref()
            .map_or_else(|| at.to_string(), |boot| format!("{at} {} {}", boot.id, boot.uptime.as_millis()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let at = Moment::from_millis(parts.next()?.parse().ok()?);
        let boot = match (parts.next(), parts.next().and_then(|millis| millis.parse().ok())) {
            (Some(id), Some(millis)) => {
                Some(Boot { id: id.to_owned(), uptime: Duration::from_millis(millis) })
            }
            (None | Some(_), None) | (None, Some(_)) => None,
        };
        Some(Self { at, boot })
    }
}

fn later(at: Moment, by: Duration) -> Moment {
    Moment::from_millis(at.as_millis().saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

/// Tells the time.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Moment;

    /// The mark to write now.
    fn mark(&self) -> Mark;

    /// The mark is written: the time may go on.
    fn marked(&self, mark: &Mark);
}

/// The clock of a running control plane.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Moment,
    since: Instant,
    /// No later time may be told.
    limit: AtomicI64,
}

impl SystemClock {
    /// Starts behind what the store has seen.
    pub(crate) async fn start(store: &dyn Store) -> Result<Arc<Self>, StoreError> {
        let mut tx = store.write().await?;
        let before = tx.setting(MARK).await?.as_deref().and_then(Mark::read);
        let wall = wall();
        let start = before.map_or(wall, |mark| mark.resume(Boot::now().as_ref()).max(wall));
        let clock = Self { start, since: Instant::now(), limit: AtomicI64::new(i64::MIN) };
        let mark = clock.mark();
        write_mark(&mut *tx, &mark).await?;
        tx.commit().await?;
        clock.marked(&mark);
        Ok(Arc::new(clock))
    }

    fn raw(&self) -> Moment {
        later(self.start, self.since.elapsed())
    }
}

fn wall() -> Moment {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    later(Moment::default(), since_epoch)
}

/// Puts a mark into a transaction.
pub(crate) async fn write_mark(tx: &mut dyn Write, mark: &Mark) -> Result<(), StoreError> {
    tx.set(MARK, &mark.text()).await
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        self.raw().min(Moment::from_millis(self.limit.load(Ordering::Acquire)))
    }

    fn mark(&self) -> Mark {
        // The uptime first: read late it would make a later program believe that less time has passed.
        let boot = Boot::now();
        Mark { at: self.raw(), boot }
    }

    fn marked(&self, mark: &Mark) {
        self.limit.fetch_max(later(mark.at, AHEAD).as_millis(), Ordering::AcqRel);
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

    fn mark(&self) -> Mark {
        Mark { at: self.now(), boot: None }
    }

    fn marked(&self, _: &Mark) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    fn boot(id: &str, seconds: u64) -> Boot {
        Boot { id: id.to_owned(), uptime: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_same_boot_goes_on_by_its_uptime_and_another_starts_behind_what_was_told() {
        let at = Moment::from_millis(1_000_000);
        let mark = Mark { at, boot: Some(boot("a", 100)) };
        let step = UPTIME_STEP;
        for (now, expected) in [
            (Some(boot("a", 101)), Duration::from_secs(1) + step),
            (Some(boot("a", 160)), Duration::from_mins(1) + step),
            (Some(boot("a", 99)), AHEAD),
            (Some(boot("b", 500)), AHEAD),
            (None, AHEAD),
        ] {
            assert_eq!(mark.resume(now.as_ref()), later(at, expected), "{now:?}");
        }
        assert_eq!(Mark::read(&mark.text()), Some(mark));
        let bare = Mark { at, boot: None };
        assert_eq!(Mark::read(&bare.text()), Some(bare));
    }

    #[tokio::test]
    async fn a_wall_clock_that_was_set_back_does_not_turn_time_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let future = later(wall(), Duration::from_hours(24));
        let mut tx = store.write().await.unwrap();
        write_mark(&mut *tx, &Mark { at: future, boot: Boot::now() }).await.unwrap();
        tx.commit().await.unwrap();
        let clock = SystemClock::start(&store).await.unwrap();
        assert!(clock.now() >= future);
    }

    #[tokio::test]
    async fn a_restart_in_a_loop_does_not_run_ahead_of_the_wall() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let mut told = Moment::default();
        for _ in 0..20 {
            let clock = SystemClock::start(&store).await.unwrap();
            assert!(clock.now() >= told);
            told = clock.now();
        }
        assert!(told <= later(wall(), 42 * UPTIME_STEP));
    }
}

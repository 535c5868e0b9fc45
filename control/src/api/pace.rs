//! How fast one caller may call: a bucket for each, in a table of bounded size.
//!
//! Generous, for it is there against programs that run wild and not against those that work.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Calls in one go.
const BURST: f64 = 5_000.0;

/// Calls in a second, after that.
const RATE: f64 = 1_000.0;

const MOST_ENTRIES: usize = 10_000;

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = elapsed.mul_add(RATE, self.left).min(BURST);
        self.at = now;
    }
}

/// Counts the calls of each caller.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<String, Bucket>>);

impl Pace {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one call of this caller's, or says how many seconds to wait.
    pub(crate) fn take(&self, caller: &str, now: Instant) -> Result<(), u64> {
        let mut table = self.table();
        if table.len() >= MOST_ENTRIES && !table.contains_key(caller) {
            table.retain(|_, bucket| {
                bucket.refill(now);
                bucket.left < BURST
            });
        }
        let bucket = table.entry(caller.to_owned()).or_insert(Bucket { left: BURST, at: now });
        bucket.refill(now);
        if bucket.left < 1.0 {
            return Err(1);
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn calls(pace: &Pace, caller: &str, now: Instant) -> usize {
        (0..10_000).take_while(|_| pace.take(caller, now).is_ok()).count()
    }

    #[test]
    fn who_runs_wild_waits_and_nobody_else_does() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(calls(&pace, "client:wild", now), 5_000);
        assert_eq!(pace.take("client:wild", now), Err(1));
        assert_eq!(pace.take("client:calm", now), Ok(()));
        assert_eq!(calls(&pace, "client:wild", now + Duration::from_secs(1)), 1_000);
    }

    #[test]
    fn those_who_are_gone_are_forgotten() {
        let (pace, now) = (Pace::default(), Instant::now());
        for n in 0..MOST_ENTRIES {
            pace.take(&format!("client:{n}"), now).unwrap();
        }
        pace.take("client:new", now + Duration::from_mins(1)).unwrap();
        assert_eq!(pace.table().len(), 1);
    }
}

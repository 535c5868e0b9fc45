//! Logins that fail are answered ever later, by source and by account name.
//!
//! In: where a failed login came from and as whom. Out: how long its answer is kept back. A login that succeeds is never
//! delayed: whoever guesses at an account must not be able to keep its rightful users out, and a token cannot be guessed.
//! The room that this takes is fixed, whatever strangers send: names fall into so many places by a hash that nobody
//! outside can predict, and those who share one share its delays.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::net::network;

const PLACES: usize = 4096;
/// Failures in a row that are answered at once.
const FREE: u32 = 3;
/// The first delay; each further failure doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest delay, well within the time for a login.
const LONGEST: Duration = Duration::from_secs(10);
/// The longest for an account's name, which many sources share.
const LONGEST_OF_ACCOUNT: Duration = Duration::from_secs(2);
/// After so long without a failure it begins anew.
const MEMORY: Duration = Duration::from_mins(5);

/// What is remembered of failed logins.
#[derive(Debug)]
pub(crate) struct Throttle {
    hash: RandomState,
    places: Mutex<Box<[Place]>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    failures: u32,
    last: Option<Instant>,
}

impl Place {
    fn fail(&mut self, now: Instant, longest: Duration) -> Duration {
        if self.last.is_none_or(|last| now.saturating_duration_since(last) > MEMORY) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        match self.failures.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(more) => (FIRST * 2_u32.saturating_pow(more.min(16))).min(longest),
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        let places = vec![Place::default(); PLACES].into_boxed_slice();
        Self { hash: RandomState::new(), places: Mutex::new(places) }
    }
}

impl Throttle {
    /// A login from `source` as `account` failed: for how long to keep the answer back.
    pub(crate) fn failed(&self, source: IpAddr, account: &str) -> Duration {
        let now = Instant::now();
        let of_source = self.fail(("source", network(source)), now, LONGEST);
        of_source.max(self.fail(("account", account), now, LONGEST_OF_ACCOUNT))
    }

    fn fail(&self, who: impl Hash, now: Instant, longest: Duration) -> Duration {
        let hash = self.hash.hash_one(who);
        let place = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get_mut(place).map_or(Duration::ZERO, |place| place.fail(now, longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_one_source_are_answered_ever_later_up_to_a_bound() {
        let throttle = Throttle::default();
        let delays: Vec<_> =
            (0..20).map(|number| throttle.failed(source(1), &format!("a{number}"))).collect();
        assert_eq!(delays[..3], [Duration::ZERO; 3]);
        assert!(delays.is_sorted() && delays[4] > delays[3]);
        assert_eq!(delays.last(), Some(&LONGEST));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_as_one_account_count_together_wherever_they_come_from() {
        let throttle = Throttle::default();
        let delays: Vec<_> = (0..20).map(|number| throttle.failed(source(number), "app_ro")).collect();
        assert_eq!(delays.last(), Some(&LONGEST_OF_ACCOUNT));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_while_it_begins_anew() {
        let throttle = Throttle::default();
        for _ in 0..20 {
            throttle.failed(source(1), "app_ro");
        }
        tokio::time::advance(MEMORY + Duration::from_secs(1)).await;
        assert_eq!(throttle.failed(source(1), "app_ro"), Duration::ZERO);
    }
}

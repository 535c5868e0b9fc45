//! Slows down who guesses secrets: failed sign-ins per source, in a table of bounded size.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_mins(1);

/// Failures of one client id from one source within the window.
const PER_CLIENT: u32 = 10;

/// Failures of one source within the window, whatever the client id.
const PER_SOURCE: u32 = 100;

const MOST_ENTRIES: usize = 10_000;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Source {
    address: IpAddr,
    client: Option<String>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    failures: u32,
}

/// Counts failed sign-ins.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<HashMap<Source, Count>>);

impl Limiter {
    fn table(&self) -> MutexGuard<'_, HashMap<Source, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many seconds this source must wait, if it must.
    pub(crate) fn wait(&self, address: IpAddr, client: &str) -> Option<u64> {
        let table = self.table();
        sources(address, client).into_iter().find_map(|(source, limit)| {
            let count = table.get(&source).filter(|count| count.failures >= limit)?;
            let left = WINDOW.checked_sub(count.since.elapsed())?;
            Some(left.as_secs().saturating_add(1))
        })
    }

    /// A sign-in of this source failed.
    pub(crate) fn failed(&self, address: IpAddr, client: &str) {
        let mut table = self.table();
        if table.len() >= MOST_ENTRIES {
            table.retain(|_, count| count.since.elapsed() < WINDOW);
        }
        for (source, _) in sources(address, client) {
            if table.len() >= MOST_ENTRIES && !table.contains_key(&source) {
                continue;
            }
            let count = table.entry(source).or_insert_with(|| Count { since: Instant::now(), failures: 0 });
            if count.since.elapsed() >= WINDOW {
                *count = Count { since: Instant::now(), failures: 0 };
            }
            count.failures += 1;
        }
    }
}

/// So much of a name counts; ours are shorter.
pub(crate) fn shortened(client: &str) -> String {
    client.chars().take(64).collect()
}

fn sources(address: IpAddr, client: &str) -> [(Source, u32); 2] {
    [
        (Source { address, client: Some(shortened(client)) }, PER_CLIENT),
        (Source { address, client: None }, PER_SOURCE),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guesser_is_slowed_down_and_others_are_not() {
        let limiter = Limiter::default();
        let (guesser, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for _ in 0..PER_CLIENT {
            assert_eq!(limiter.wait(guesser, "c_1"), None);
            limiter.failed(guesser, "c_1");
        }
        assert!(limiter.wait(guesser, "c_1").is_some());
        assert_eq!(limiter.wait(guesser, "c_2"), None);
        assert_eq!(limiter.wait(other, "c_1"), None);
        for n in 0..PER_SOURCE {
            limiter.failed(guesser, &format!("c_{n}"));
        }
        assert!(limiter.wait(guesser, "c_new").is_some());
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let limiter = Limiter::default();
        for n in 0..(MOST_ENTRIES * 2) {
            limiter.failed([10, 0, 0, 1].into(), &format!("c_{n}"));
        }
        assert!(limiter.table().len() <= MOST_ENTRIES);
    }
}

//! How many connections there may be: in all, and from one source.
//!
//! One source can take a part of the places and never all of them, and the last quarter is kept for sources that have
//! few, so that whoever wants to revoke something still comes in while somebody else floods the server.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::proxies::Proxies;

/// The places of a server.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    limits: Limits,
    proxies: Proxies,
    taken: Arc<Mutex<Taken>>,
}

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In all.
    pub all: usize,
    /// For one source.
    pub one_source: usize,
    /// For one source, of the last quarter.
    pub one_source_when_full: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    source: IpAddr,
}

impl Default for Places {
    fn default() -> Self {
        Self::new(Limits { all: 10_000, one_source: 1_024, one_source_when_full: 64 })
    }
}

impl Places {
    /// All of them free.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, proxies: Proxies::default(), taken: Arc::default() }
    }

    /// All of them free, behind proxies: many people come over each of those, so they are no source.
    pub(crate) fn behind(proxies: Proxies) -> Self {
        Self { proxies, ..Self::default() }
    }

    /// Those in front.
    pub(crate) const fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// A place for a connection from there, if there is one.
    pub(crate) fn take(&self, peer: IpAddr) -> Option<Place> {
        let source = source(peer);
        let mut taken = lock(&self.taken);
        let of_source = taken.by_source.get(&source).copied().unwrap_or_default();
        let free = self.limits.all.saturating_sub(taken.all);
        let nearly_full = free <= self.limits.all / 4;
        let most = if nearly_full { self.limits.one_source_when_full } else { self.limits.one_source };
        if free == 0 || of_source >= most && !self.proxies.has(peer) {
            return None;
        }
        taken.all += 1;
        taken.by_source.insert(source, of_source + 1);
        drop(taken);
        Some(Place { taken: Arc::clone(&self.taken), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        let left = taken.by_source.get(&self.source).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            taken.by_source.remove(&self.source);
        } else {
            taken.by_source.insert(self.source, left);
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Addresses that one machine has for the asking count as one: all of loopback, and an IPv6 network of 64 bits.
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        address if address.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::new(Limits { all: 16, one_source: 8, one_source_when_full: 2 })
    }

    fn take(places: &Places, peer: &str, times: usize) -> Vec<Place> {
        (0..times).filter_map(|_| places.take(peer.parse().unwrap())).collect()
    }

    #[test]
    fn one_source_gets_its_part_and_others_still_come_in() {
        let places = places();
        let flood = take(&places, "10.0.0.1", 100);
        assert_eq!(flood.len(), 8);
        assert_eq!(take(&places, "10.0.0.2", 1).len(), 1);
        drop(flood);
        assert_eq!(take(&places, "10.0.0.1", 100).len(), 8);
    }

    #[test]
    fn all_of_them_may_be_taken_over_a_proxy() {
        let proxies = Proxies::new(vec!["10.0.0.0/24".parse().unwrap()]);
        let places = Places { proxies, ..places() };
        let mut all = take(&places, "10.0.0.1", 10);
        assert_eq!((all.len(), take(&places, "10.0.1.1", 100).len()), (10, 2));
        all.extend(take(&places, "::ffff:10.0.0.1", 100));
        assert_eq!(all.len(), 16);
    }

    #[test]
    fn the_last_quarter_is_for_those_who_have_few() {
        let places = places();
        let _floods = (take(&places, "10.0.0.1", 100), take(&places, "10.0.0.2", 100));
        let late = take(&places, "10.0.0.3", 100);
        assert_eq!(late.len(), 2);
        assert_eq!(take(&places, "10.0.0.4", 1).len(), 1);
    }

    #[test]
    fn addresses_of_one_machine_are_one_source() {
        for (first, second) in [
            ("127.0.0.1", "127.9.9.9"),
            ("127.0.0.1", "::1"),
            ("10.0.0.1", "::ffff:10.0.0.1"),
            ("fd00::1", "fd00::2"),
        ] {
            let places = places();
            let _flood = take(&places, first, 100);
            assert!(take(&places, second, 1).is_empty(), "{first} {second}");
        }
    }
}

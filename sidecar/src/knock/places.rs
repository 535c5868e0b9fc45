//! Places for those who wait for a decision: few in all, and few for each source and each identity.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use postern_protocol::gate::Identity;

use crate::net::network;

/// How many clients may wait at once.
const MOST: usize = 256;
/// And from one source.
const MOST_OF_SOURCE: usize = 64;
/// And of one identity: nobody needs more, and each wait is a question a second.
const MOST_OF_IDENTITY: usize = 8;

/// The places of all of them.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    by: Vec<(u64, IpAddr, Identity)>,
}

/// One place. It is given back when this goes.
#[derive(Debug)]
pub(super) struct Place {
    waiters: Arc<Waiters>,
    number: u64,
}

impl Waiters {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, unless too many are taken.
    pub(super) fn take(self: &Arc<Self>, source: IpAddr, identity: &Identity) -> Option<Place> {
        let source = network(source);
        let mut held = self.held();
        let of_source = held.by.iter().filter(|(_, from, _)| *from == source).count();
        let of_identity = held.by.iter().filter(|(_, _, who)| who == identity).count();
        if held.by.len() >= MOST || of_source >= MOST_OF_SOURCE || of_identity >= MOST_OF_IDENTITY {
            return None;
        }
        let number = held.next;
        held.next += 1;
        held.by.push((number, source, identity.clone()));
        drop(held);
        Some(Place { waiters: Arc::clone(self), number })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiters.held().by.retain(|(number, _, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: usize) -> IpAddr {
        IpAddr::from([192, 0, 2, u8::try_from(number).unwrap()])
    }

    /// Those who got a place.
    fn filled(waiters: &Arc<Waiters>, who: impl Fn(usize) -> (usize, usize)) -> Vec<Place> {
        let places = (0..MOST * 2).map(who);
        places
            .filter_map(|(from, name)| waiters.take(source(from), &format!("p{name}@example.com").into()))
            .collect()
    }

    #[test]
    fn there_are_so_many_places_in_all_and_for_each_source_and_identity() {
        let waiters = Arc::new(Waiters::default());
        assert_eq!(filled(&waiters, |number| (number % 200, number)).len(), MOST);
        assert_eq!(filled(&waiters, |number| (1, number)).len(), MOST_OF_SOURCE);
        assert_eq!(filled(&waiters, |number| (number % 200, 1)).len(), MOST_OF_IDENTITY);
    }

    #[test]
    fn a_place_is_given_back() {
        let waiters = Arc::new(Waiters::default());
        let mut places = filled(&waiters, |_| (1, 1));
        assert!(waiters.take(source(1), &"p1@example.com".into()).is_none());
        places.pop();
        assert!(waiters.take(source(1), &"p1@example.com".into()).is_some());
    }
}

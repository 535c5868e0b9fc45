//! Connections that have not logged in yet.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::net::network;

/// The places of all of them.
#[derive(Debug)]
pub(crate) struct Places {
    total: usize,
    per_source: usize,
    patience: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// Oldest first; those who left in the meantime are skipped.
    order: VecDeque<(u64, IpAddr)>,
    present: HashMap<u64, Arc<Notify>>,
    by_source: HashMap<IpAddr, usize>,
}

/// One place. It is given back when this goes.
#[derive(Debug)]
pub(crate) struct Pending {
    places: Arc<Places>,
    number: u64,
    source: IpAddr,
    evicted: Arc<Notify>,
    deadline: Instant,
}

impl Places {
    /// So many places in all and from one source, each for so long.
    pub(crate) fn new(total: usize, per_source: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            total: total.max(1),
            per_source: per_source.max(1),
            patience,
            waiting: Mutex::default(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection; whoever waits longest has to go if there is none, of the same source if that one
    /// has too many.
    pub(crate) fn take(self: &Arc<Self>, source: IpAddr) -> Pending {
        let source = network(source);
        let evicted = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        if waiting.by_source.get(&source).is_some_and(|count| *count >= self.per_source) {
            waiting.evict(Some(source));
        } else if waiting.present.len() >= self.total {
            waiting.evict(None);
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.order.push_back((number, source));
        waiting.present.insert(number, Arc::clone(&evicted));
        *waiting.by_source.entry(source).or_default() += 1;
        if waiting.order.len() > 2 * self.total {
            let Waiting { order, present, .. } = &mut *waiting;
            order.retain(|(number, _)| present.contains_key(number));
        }
        drop(waiting);
        Pending {
            places: Arc::clone(self),
            number,
            source,
            evicted,
            deadline: Instant::now() + self.patience,
        }
    }
}

impl Waiting {
    fn evict(&mut self, of: Option<IpAddr>) {
        let oldest = self.order.iter().position(|(number, source)| {
            self.present.contains_key(number) && of.is_none_or(|wanted| wanted == *source)
        });
        if let Some((number, source)) = oldest.and_then(|place| self.order.remove(place))
            && let Some(evicted) = self.leave(number, source)
        {
            evicted.notify_one();
        }
    }

    fn leave(&mut self, number: u64, source: IpAddr) -> Option<Arc<Notify>> {
        let left = self.present.remove(&number)?;
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(left)
    }
}

impl Pending {
    /// Does it, unless the time for logging in is over first or the place is needed for somebody else.
    pub(crate) async fn until_evicted<T>(&self, login: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = login => Some(done),
            () = self.evicted.notified() => None,
            () = tokio::time::sleep_until(self.deadline) => None,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.places.waiting().leave(self.number, self.source);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, net::Ipv4Addr};

    use super::*;

    fn source(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let places = Places::new(2, 2, Duration::from_secs(30));
        let (first, second) = (places.take(source(1)), places.take(source(2)));
        let third = places.take(source(3));
        assert_eq!(first.until_evicted(pending::<()>()).await, None);
        assert_eq!(second.until_evicted(async { 2 }).await, Some(2));
        assert_eq!(third.until_evicted(async { 3 }).await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn one_source_drives_out_only_itself() {
        let places = Places::new(10, 1, Duration::from_secs(30));
        let other = places.take(source(9));
        let (first, second) = (places.take(source(1)), places.take(source(1)));
        assert_eq!(first.until_evicted(pending::<()>()).await, None);
        assert_eq!(second.until_evicted(async { 2 }).await, Some(2));
        assert_eq!(other.until_evicted(async { 9 }).await, Some(9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_held_for_a_limited_time_and_given_back() {
        let places = Places::new(2, 2, Duration::from_secs(30));
        let place = places.take(source(1));
        assert_eq!(place.until_evicted(pending::<()>()).await, None);
        drop(place);
        assert!(places.waiting().present.is_empty() && places.waiting().by_source.is_empty());
    }
}

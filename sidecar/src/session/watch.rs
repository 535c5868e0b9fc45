//! The session's own clock: fires at the deadline, and shortly before it so that the client can be warned.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Ending, Leash};

/// How long before the end a client is warned.
const WARNINGS: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(1)];

/// What the watch reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The gate is down. Look at the leash for the reason.
    Fallen,
    /// So much time is left.
    Warning(Duration),
}

/// Watches a leash on behalf of the one task that owns the session.
#[derive(Debug)]
pub(crate) struct Watch<'s> {
    leash: &'s Leash,
    generation: u64,
    deadline: Instant,
    next_warning: usize,
    alarm: Pin<Box<Sleep>>,
}

impl<'s> Watch<'s> {
    /// Begins to watch.
    pub(crate) fn new(leash: &'s Leash) -> Self {
        let deadline = leash.deadline();
        let alarm = Box::pin(sleep_until(deadline));
        let mut watch = Self { leash, generation: leash.generation(), deadline, next_warning: 0, alarm };
        watch.arm();
        watch
    }

    /// The leash that is watched.
    pub(crate) const fn leash(&self) -> &'s Leash {
        self.leash
    }

    fn warning_at(&self, index: usize) -> Option<Instant> {
        WARNINGS.get(index).and_then(|ahead| self.deadline.checked_sub(*ahead))
    }

    /// Sets the alarm for the next warning that is still ahead, or else for the deadline.
    fn arm(&mut self) {
        let now = Instant::now();
        self.next_warning = (0..WARNINGS.len())
            .find(|index| self.warning_at(*index).is_some_and(|at| at > now))
            .unwrap_or(WARNINGS.len());
        let at = self.warning_at(self.next_warning).unwrap_or(self.deadline);
        self.alarm.as_mut().reset(at);
    }

    /// Ready when the gate has fallen or a warning is due; lets the gate fall itself when time is up.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.leash.register(cx.waker());
        if self.leash.has_fallen() {
            return Poll::Ready(Event::Fallen);
        }
        let generation = self.leash.generation();
        if generation != self.generation {
            self.generation = generation;
            self.deadline = self.leash.deadline();
            self.arm();
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= self.deadline {
                self.leash.fall(Ending::Expired);
                return Poll::Ready(Event::Fallen);
            }
            let due = self.warning_at(self.next_warning).is_some_and(|at| at <= now);
            self.arm();
            if due {
                return Poll::Ready(Event::Warning(self.deadline - now));
            }
        }
        Poll::Pending
    }

    /// Waits for the gate to fall.
    pub(crate) async fn fallen(&mut self) {
        poll_fn(|cx| {
            loop {
                match self.poll(cx) {
                    Poll::Ready(Event::Fallen) => return Poll::Ready(()),
                    Poll::Ready(Event::Warning(_)) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_warned_twice_and_then_ended_by_its_own_clock() {
        let leash = Leash::new(Instant::now() + Duration::from_mins(10), &Arc::default());
        let mut watch = Watch::new(&leash);
        for left in WARNINGS {
            assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Warning(left));
        }
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Fallen);
        assert_eq!(leash.ending().unwrap().0, Ending::Expired);
    }

    #[tokio::test(start_paused = true)]
    async fn an_extended_grant_warns_anew_and_a_shortened_one_ends_at_once() {
        let leash = Leash::new(Instant::now() + Duration::from_mins(2), &Arc::default());
        let mut watch = Watch::new(&leash);
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Warning(WARNINGS[1]));
        leash.set_deadline(Instant::now() + Duration::from_hours(1));
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Warning(WARNINGS[0]));
        leash.set_deadline(Instant::now());
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Fallen);
    }
}

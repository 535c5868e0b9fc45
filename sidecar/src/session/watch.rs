//! The session's own clock: fires at the deadline, and shortly before it so that the client can be warned.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Deadline, Ending, Leash};

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
    deadline: Deadline,
    max_idle: Option<Duration>,
    next_warning: usize,
    alarm: Pin<Box<Sleep>>,
    /// When the session was last seen to be used.
    used: Instant,
    /// Whether it is, as far as is known.
    busy: bool,
}

impl<'s> Watch<'s> {
    /// Begins to watch. Until the first [`Watch::note`] the session is taken for busy.
    pub(crate) fn new(leash: &'s Leash) -> Self {
        let generation = leash.generation();
        let (deadline, max_idle) = leash.terms();
        let alarm = Box::pin(sleep_until(deadline.at()));
        let (used, busy) = (Instant::now(), true);
        let mut watch = Self { leash, generation, deadline, max_idle, next_warning: 0, alarm, used, busy };
        watch.arm();
        watch
    }

    /// The leash that is watched.
    pub(crate) const fn leash(&self) -> &'s Leash {
        self.leash
    }

    /// Takes note of what the session does: whether its client was heard, and whether the server is at work for it.
    pub(crate) fn note(&mut self, heard: bool, busy: bool) {
        if self.max_idle.is_some() && (heard || busy || self.busy) {
            self.used = Instant::now();
        }
        self.busy = busy;
    }

    fn warning_at(&self, index: usize) -> Option<Instant> {
        WARNINGS.get(index).and_then(|ahead| self.deadline.at().checked_sub(*ahead))
    }

    /// Sets the alarm for the next warning that is still ahead, or else for the deadline; or for the moment at which
    /// the session will have been idle for too long, if nothing happens.
    fn arm(&mut self) {
        let now = Instant::now();
        self.next_warning = (0..WARNINGS.len())
            .find(|index| self.warning_at(*index).is_some_and(|at| at > now))
            .unwrap_or(WARNINGS.len());
        let at = self.warning_at(self.next_warning).unwrap_or(self.deadline.at());
        let idle = self.max_idle.and_then(|longest| self.used.checked_add(longest));
        self.alarm.as_mut().reset(idle.map_or(at, |idle| idle.min(at)));
    }

    /// Takes over what the leash says now.
    fn renew(&mut self, generation: u64) {
        self.generation = generation;
        let before = self.max_idle;
        (self.deadline, self.max_idle) = self.leash.terms();
        if before != self.max_idle {
            self.used = Instant::now();
        }
        self.arm();
    }

    /// What ends the session at this moment.
    fn due(&mut self, now: Instant) -> Option<Ending> {
        if now >= self.deadline.at() {
            return Some(self.deadline.ending());
        }
        if self.busy {
            self.used = now;
        }
        let longest = self.max_idle?;
        (now.saturating_duration_since(self.used) >= longest).then_some(Ending::Idle(longest))
    }

    /// Ready when the gate has fallen or a warning is due; lets the gate fall itself when time is up.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.leash.register(cx.waker());
        if self.leash.has_fallen() {
            return Poll::Ready(Event::Fallen);
        }
        let generation = self.leash.generation();
        if generation != self.generation {
            self.renew(generation);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if let Some(ending) = self.due(now) {
                self.leash.fall(ending);
                return Poll::Ready(Event::Fallen);
            }
            let due = self.warning_at(self.next_warning).is_some_and(|at| at <= now);
            self.arm();
            if due {
                return Poll::Ready(Event::Warning(self.deadline.at() - now));
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
        leash.set(Instant::now() + Duration::from_hours(1), None);
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Warning(WARNINGS[0]));
        leash.set(Instant::now(), None);
        assert_eq!(poll_fn(|cx| watch.poll(cx)).await, Event::Fallen);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_hours_ends_a_session_and_says_so() {
        let leash = Leash::new(Deadline::Hours(Instant::now() + Duration::from_secs(30)), &Arc::default());
        Watch::new(&leash).fallen().await;
        assert_eq!(leash.ending().unwrap().0, Ending::AfterHours);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_idle_from_the_last_word_or_the_end_of_the_last_statement() {
        const LONGEST: Duration = Duration::from_mins(10);
        let begun = Instant::now();
        let leash = Leash::new(begun + Duration::from_hours(8), &Arc::default());
        leash.set(begun + Duration::from_hours(8), Some(LONGEST));
        let mut watch = Watch::new(&leash);
        watch.note(true, true);
        let long = tokio::time::timeout(Duration::from_hours(1), watch.fallen()).await;
        assert!(long.is_err(), "a statement runs");
        watch.note(false, false);
        assert!(tokio::time::timeout(LONGEST / 2, watch.fallen()).await.is_err());
        watch.note(true, false);
        assert!(tokio::time::timeout(LONGEST / 2 + Duration::from_secs(1), watch.fallen()).await.is_err());
        watch.fallen().await;
        assert_eq!(leash.ending().unwrap().0, Ending::Idle(LONGEST));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_with_its_credential_is_told_so_however_long_its_grant_lasts() {
        let soon = Instant::now() + Duration::from_secs(5);
        let leash = Leash::new(soon + Duration::from_hours(1), &Arc::default()).within(Some(soon));
        let mut watch = Watch::new(&leash);
        leash.set(soon + Duration::from_hours(2), None);
        watch.fallen().await;
        assert_eq!((leash.ending().unwrap().0, Instant::now()), (Ending::CredentialExpired, soon));
    }
}

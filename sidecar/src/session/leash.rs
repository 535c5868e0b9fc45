//! What holds a session, and what ends it: a flag that is read before every byte, and a deadline.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::{Deadline, Ending, Untold};

#[derive(Debug)]
struct State {
    deadline: Deadline,
    max_idle: Option<Duration>,
    ending: Option<Ending>,
    fell_at: Option<Instant>,
}

/// Shared by the session's task, which looks at it before it forwards anything, and by whoever may end the session.
#[derive(Debug)]
pub(crate) struct Leash {
    /// Mirrors `state.ending.is_some()`, readable without the lock.
    fallen: AtomicBool,
    /// Counts changes of `state`.
    generation: AtomicU64,
    state: Mutex<State>,
    waker: AtomicWaker,
    told: AtomicBool,
    untold: Arc<Untold>,
    /// The end of the credential, where a session ends with that too.
    credential_ends: Option<Instant>,
}

impl Leash {
    /// A leash that lasts until `deadline`, one of those that `untold` counts.
    pub(crate) fn new(deadline: impl Into<Deadline>, untold: &Arc<Untold>) -> Self {
        let deadline = deadline.into();
        Self {
            fallen: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            state: Mutex::new(State { deadline, max_idle: None, ending: None, fell_at: None }),
            waker: AtomicWaker::new(),
            told: AtomicBool::new(false),
            untold: Arc::clone(untold),
            credential_ends: None,
        }
    }

    /// One that lasts no longer than the credential, where that has an end that counts.
    pub(crate) fn within(mut self, credential_ends: Option<Instant>) -> Self {
        self.credential_ends = credential_ends;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every section under the lock leaves a whole state behind, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
        self.waker.wake();
    }

    /// Lets the gate fall. The first ending counts; returns whether this was it. From the return on the session's
    /// task forwards nothing more.
    pub(crate) fn fall(&self, ending: Ending) -> bool {
        let mut state = self.state();
        if state.ending.is_some() {
            return false;
        }
        state.ending = Some(ending);
        state.fell_at = Some(Instant::now());
        self.untold.begin();
        self.fallen.store(true, Ordering::Release);
        drop(state);
        self.changed();
        true
    }

    /// Moves the deadline, either way, and says how long the session may be idle.
    pub(crate) fn set(&self, deadline: impl Into<Deadline>, max_idle: Option<Duration>) {
        let deadline = deadline.into();
        let mut state = self.state();
        if (state.deadline, state.max_idle) == (deadline, max_idle) {
            return;
        }
        (state.deadline, state.max_idle) = (deadline, max_idle);
        drop(state);
        self.changed();
    }

    /// Has the session's task look around: something other than the leash has changed.
    pub(crate) fn nudge(&self) {
        self.waker.wake();
    }

    /// Whether the gate has fallen. One atomic load.
    pub(crate) fn has_fallen(&self) -> bool {
        self.fallen.load(Ordering::Acquire)
    }

    /// Why it fell, and when.
    pub(crate) fn ending(&self) -> Option<(Ending, Instant)> {
        let state = self.state();
        Some((state.ending.clone()?, state.fell_at?))
    }

    /// Until when it lasts, and how long the session may be idle.
    pub(crate) fn terms(&self) -> (Deadline, Option<Duration>) {
        let State { deadline, max_idle, .. } = *self.state();
        let sooner = self.credential_ends.filter(|end| *end < deadline.at());
        (sooner.map_or(deadline, Deadline::Credential), max_idle)
    }

    /// A number that grows with every change.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The client of the fallen gate has been told, or is beyond telling.
    pub(crate) fn told(&self) {
        if self.has_fallen() && !self.told.swap(true, Ordering::AcqRel) {
            self.untold.end();
        }
    }

    /// The count of those that are still to be told.
    pub(crate) fn untold(&self) -> &Untold {
        &self.untold
    }

    /// Wakes this task at the next change. To be called before the state is looked at.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.told();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_ending_counts() {
        let leash = Leash::new(Instant::now(), &Arc::default());
        assert!(!leash.has_fallen());
        assert!(leash.fall(Ending::LeaseRanOut));
        assert!(!leash.fall(Ending::Shutdown));
        assert!(leash.has_fallen());
        assert_eq!(leash.ending().unwrap().0, Ending::LeaseRanOut);
    }
}

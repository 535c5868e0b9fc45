//! How long the sidecar may go on without hearing from the control plane.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::session::{Ending, Registry};

/// The lease. It is held from the first complete picture on, and for `length` after the control plane last spoke.
#[derive(Debug)]
pub(crate) struct Lease {
    length: Duration,
    origin: Instant,
    /// Microseconds from `origin` to the end of the lease; 0 before it was ever held.
    until: AtomicU64,
}

impl Lease {
    /// A lease that is not held yet.
    pub(crate) fn new(length: Duration) -> Arc<Self> {
        Arc::new(Self { length, origin: Instant::now(), until: AtomicU64::new(0) })
    }

    /// The control plane spoke at `spoken` (not: was heard). Never shortens the lease.
    pub(crate) fn renew(&self, spoken: Instant) {
        let until = (spoken + self.length).saturating_duration_since(self.origin).as_micros();
        self.until.fetch_max(u64::try_from(until).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    /// Gives the lease back: the control plane said so.
    pub(crate) fn surrender(&self) {
        self.until.store(0, Ordering::Release);
    }

    fn until(&self) -> Instant {
        self.origin + Duration::from_micros(self.until.load(Ordering::Acquire))
    }

    /// What is left of it; nothing when it is not held.
    pub(crate) fn remaining(&self) -> Duration {
        self.until().saturating_duration_since(Instant::now())
    }

    /// How long the control plane has not been heard.
    pub(crate) fn silence(&self) -> Duration {
        let spoken = self.until().checked_sub(self.length).unwrap_or(self.origin);
        spoken.max(self.origin).elapsed()
    }

    /// Whether sessions may live.
    pub(crate) fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// Ends every session whenever the lease has run out. Runs for ever, apart from the feed: whatever becomes of
    /// the feed's own task, this one still fires.
    pub(crate) async fn enforce(self: Arc<Self>, registry: Arc<Registry>) {
        loop {
            let until = self.until();
            if until > Instant::now() {
                sleep_until(until).await;
                continue;
            }
            let ended = registry.end_all(&Ending::LeaseRanOut).len();
            if ended > 0 {
                tracing::warn!(sessions = ended, "the control plane is silent: the lease ran out");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_lasts_from_when_the_control_plane_spoke() {
        let lease = Lease::new(Duration::from_mins(1));
        assert!(!lease.is_held());
        let spoken = Instant::now();
        tokio::time::advance(Duration::from_secs(50)).await;
        lease.renew(spoken);
        assert!(lease.is_held());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!lease.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_message_does_not_shorten_the_lease() {
        let lease = Lease::new(Duration::from_mins(1));
        let earlier = Instant::now();
        tokio::time::advance(Duration::from_secs(30)).await;
        lease.renew(Instant::now());
        lease.renew(earlier);
        assert_eq!(lease.remaining(), Duration::from_mins(1));
    }
}

//! How many clients have yet to hear that their gate has fallen.
//!
//! A revocation may end a thousand sessions at once. Each backend that goes costs its server a good deal more than a
//! last word costs us, so good-byes that can wait do wait until every client has its answer.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// The count; one for all sessions of a sidecar.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    count: AtomicUsize,
    none: Notify,
}

impl Untold {
    /// One more gate has fallen.
    pub(super) fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// One more client has been told.
    pub(super) fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_waiters();
        }
    }

    /// Waits until everybody has been told, but no longer than `patience`.
    pub(crate) async fn wait(&self, patience: Duration) {
        let none = self.none.notified();
        if self.count.load(Ordering::Acquire) > 0 {
            // Whether it came to nobody or patience came to its end: it goes on either way.
            let _ = timeout(patience, none).await;
        }
    }
}

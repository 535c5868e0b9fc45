//! Tells those who follow events that the audit trail has grown.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::watch;

/// Rings when there may be something new; what there is stands in the store.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: watch::Sender<u64>,
    newest: AtomicI64,
}

impl Default for Bell {
    fn default() -> Self {
        Self { rung: watch::Sender::new(0), newest: AtomicI64::new(i64::MIN) }
    }
}

impl Bell {
    /// Something was recorded.
    pub(crate) fn ring(&self) {
        self.rung.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The trail reaches to this number. Rings if another control plane on the same store wrote it.
    pub(crate) fn reached(&self, newest: i64) {
        if self.newest.swap(newest, Ordering::Relaxed) != newest {
            self.ring();
        }
    }

    /// Changes with every ring.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }
}

//! Audit records: chained, written here, shipped to the control plane.
//!
//! In: events, from anywhere, without waiting. Out: JSON lines in the spool (and in a local file, if configured),
//! and batches to the control plane. A record leaves the spool when the control plane has it. What does not fit is
//! counted, and ends the sessions where the configuration says that nothing may be lost.

mod spool;
mod writer;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use postern_service::audit::Event;
use tokio::sync::mpsc;

pub(crate) use spool::{Spool, SpoolError};
pub(crate) use writer::Writer;

use crate::{
    metrics,
    session::{Ending, Registry},
};

/// Events that may wait for the writer.
const QUEUE: usize = 16 * 1024;

/// Where events go.
#[derive(Clone)]
pub(crate) struct Audit {
    events: mpsc::Sender<(jiff::Timestamp, Event)>,
    loss: Loss,
}

/// What happens when a record cannot be kept.
#[derive(Clone)]
pub(crate) struct Loss {
    required: bool,
    registry: Arc<Registry>,
    /// Records lost that the chain does not tell of yet.
    untold: Arc<AtomicU64>,
}

impl Loss {
    pub(crate) fn new(required: bool, registry: Arc<Registry>) -> Self {
        Self { required, registry, untold: Arc::default() }
    }

    /// A record is lost. That of a stranger who did not get in costs nobody else their session.
    pub(crate) fn lost(&self, event: &Event) {
        metrics::audit_dropped();
        self.untold.fetch_add(1, Ordering::AcqRel);
        if self.required && !is_of_stranger(event) {
            self.registry.end_all(&Ending::AuditFull);
        }
    }

    /// How many were lost since this was asked last.
    pub(crate) fn take_untold(&self) -> u64 {
        self.untold.swap(0, Ordering::AcqRel)
    }

    /// They could not be told of after all.
    pub(crate) fn put_back(&self, untold: u64) {
        self.untold.fetch_add(untold, Ordering::AcqRel);
    }
}

/// Whether an event tells of somebody who proved no identity; anybody can cause any number of those.
pub(crate) fn is_of_stranger(event: &Event) -> bool {
    event.identity.is_empty() && event.session.is_empty()
}

impl Audit {
    /// The entrance, and the queue behind it for a [`Writer`].
    pub(crate) fn new(loss: Loss) -> (Self, mpsc::Receiver<(jiff::Timestamp, Event)>) {
        let (events, queue) = mpsc::channel(QUEUE);
        (Self { events, loss }, queue)
    }

    /// Takes an event. Never waits. Half of the room is for those who proved who they are.
    pub(crate) fn record(&self, event: Event) {
        if is_of_stranger(&event) && self.events.capacity() < QUEUE / 2 {
            return self.loss.lost(&event);
        }
        if let Err(full) = self.events.try_send((jiff::Timestamp::now(), event)) {
            let (_, event) = full.into_inner();
            self.loss.lost(&event);
        }
    }
}

/// A text of a client's, short enough for a record.
pub(crate) fn clip(text: &str) -> &str {
    const LONGEST: usize = 256;
    if text.len() <= LONGEST {
        text
    } else {
        text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
    }
}

//! Audit records: chained, written here, shipped to the control plane.
//!
//! In: events, from anywhere, without waiting. Out: JSON lines in the spool (and in a local file, if configured),
//! and batches to the control plane. A record leaves the spool when the control plane has it. What does not fit is
//! counted, and ends the sessions where the configuration says that nothing may be lost.

mod spool;
mod writer;

use std::sync::Arc;

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
}

impl Loss {
    pub(crate) const fn new(required: bool, registry: Arc<Registry>) -> Self {
        Self { required, registry }
    }

    /// A record is lost.
    pub(crate) fn lost(&self) {
        metrics::audit_dropped();
        if self.required {
            self.registry.end_all(&Ending::AuditFull);
        }
    }
}

impl Audit {
    /// The entrance, and the queue behind it for a [`Writer`].
    pub(crate) fn new(loss: Loss) -> (Self, mpsc::Receiver<(jiff::Timestamp, Event)>) {
        let (events, queue) = mpsc::channel(QUEUE);
        (Self { events, loss }, queue)
    }

    /// Takes an event. Never waits.
    pub(crate) fn record(&self, event: Event) {
        if self.events.try_send((jiff::Timestamp::now(), event)).is_err() {
            self.loss.lost();
        }
    }
}

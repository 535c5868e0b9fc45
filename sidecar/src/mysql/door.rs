//! What one listener serves.

use std::sync::Arc;

use super::{target::Target, threads::Threads};

/// The one server behind a port, and the numbers of its clients.
pub(crate) struct Door {
    pub(crate) target: Arc<Target>,
    pub(crate) threads: Arc<Threads>,
}

//! Threads that carry one kind of work, and nothing else.
//!
//! In: the tasks that begin it; whatever they start stays with them. Sessions have theirs, so that no session waits while
//! a catalog is read, audit records are shipped or a scrape is answered; and so have the grants, so that no revocation
//! does. All else happens on the process's other threads.
//!
//! A session is nearly all waiting and copying in the kernel. On few threads a wake-up finds several sessions ready,
//! on many each one costs a switch: on two processors that they share with clients and server, one thread carries
//! eight clients 15 to 20 percent faster than two. So there are half as many as processors.

use std::{io, num::NonZeroUsize, thread::available_parallelism};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

/// What runs on them ends with the last reference: sessions that are open are then cut.
#[derive(Debug)]
pub(crate) struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts so many for sessions; by default half as many as there are processors.
    pub(crate) fn for_sessions(count: Option<NonZeroUsize>) -> io::Result<Self> {
        let half = || available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
        Self::start("sessions", count.map_or_else(half, NonZeroUsize::get))
    }

    /// Starts the one for grants.
    pub(crate) fn for_grants() -> io::Result<Self> {
        Self::start("grants", 1)
    }

    fn start(name: &str, count: usize) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(count).thread_name(name).enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs it there.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle.spawn(work)
    }
}

impl Drop for Threads {
    /// A runtime that is dropped waits for its threads, which asynchronous code may not.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

//! The threads that carry sessions, and nothing else.
//!
//! In: the loops that accept clients; whatever a session starts stays with them. Reading a catalog, taking in a
//! snapshot of grants, shipping audit records and answering a scrape happen on the process's other threads, so that no
//! session waits for them.
//!
//! A session is nearly all waiting and copying in the kernel. On few threads a wake-up finds several sessions ready,
//! on many each one costs a switch: on two processors that they share with clients and server, one thread carries
//! eight clients 15 to 20 percent faster than two.

use std::{io, num::NonZeroUsize, thread::available_parallelism};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

/// Ends with the last reference to it; sessions that are open are then cut.
#[derive(Debug)]
pub(crate) struct SessionRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl SessionRuntime {
    /// Starts so many threads; by default half as many as there are processors.
    pub(crate) fn start(threads: Option<NonZeroUsize>) -> io::Result<Self> {
        let half = || available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
        let threads = threads.map_or_else(half, NonZeroUsize::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("sessions")
            .enable_all()
            .build()?;
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

impl Drop for SessionRuntime {
    /// A runtime that is dropped waits for its threads, which asynchronous code may not.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

//! Authenticated connections that nobody has used yet, so that a session need not wait for the database's own login.
//!
//! Start-up parameters are session defaults (`RESET` returns to them), so a ready connection serves only a client that
//! sends exactly the same ones; and it serves one session, ever. Connections are made ready once the same parameters
//! were asked for twice in a short time, and are closed again when nobody asks any more, or when a session of the
//! account was ended: whoever cleans up after a revocation finds nothing of the account left.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use postern_protocol::{
    gate::AccountName,
    postgres::{HEADER_LEN, error_field},
};
use tokio::time::Instant;

use super::{
    back::{BackError, Backend},
    target::Target,
};

/// How long ready connections outlive the last demand for them.
const DEMAND: Duration = Duration::from_secs(20);
/// Different sets of parameters per repo.
const SHELVES: usize = 64;

/// For whom a connection is ready.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Label {
    account: AccountName,
    parameters: Vec<(String, String)>,
}

#[derive(Debug)]
struct Shelf {
    ready: Vec<Backend>,
    /// Connections being made.
    coming: usize,
    asked: Instant,
    /// Changes when the shelf is cleared, so that a connection which comes too late is not kept.
    generation: u64,
}

/// A repo's ready connections.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    size: usize,
    shelves: Mutex<HashMap<Label, Shelf>>,
    generations: AtomicU64,
}

impl Warm {
    /// Up to `size` for each account and set of parameters; none with 0.
    pub(crate) fn new(size: usize) -> Self {
        Self { size, ..Self::default() }
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<Label, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the ready connections of an account. Returns whether there were any.
    pub(crate) fn clear(&self, account: &AccountName) -> bool {
        let mut any = false;
        self.shelves().retain(|label, shelf| {
            let cleared = label.account == *account;
            any |= cleared && !shelf.ready.is_empty();
            !cleared
        });
        any
    }

    /// A ready connection, and how many more to make.
    fn ask(&self, label: &Label) -> (Option<Backend>, usize, u64) {
        if self.size == 0 {
            return (None, 0, 0);
        }
        let now = Instant::now();
        let mut shelves = self.shelves();
        shelves.retain(|_, shelf| now - shelf.asked < DEMAND);
        if shelves.len() >= SHELVES && !shelves.contains_key(label) {
            return (None, 0, 0);
        }
        let Some(shelf) = shelves.get_mut(label) else {
            let generation = self.generations.fetch_add(1, Ordering::Relaxed);
            shelves.insert(label.clone(), Shelf { ready: Vec::new(), coming: 0, asked: now, generation });
            return (None, 0, 0);
        };
        shelf.asked = now;
        let mut found = None;
        while let Some(backend) = shelf.ready.pop() {
            if is_fresh(&backend) {
                found = Some(backend);
                break;
            }
        }
        let missing = self.size.saturating_sub(shelf.ready.len() + shelf.coming);
        shelf.coming += missing;
        (found, missing, shelf.generation)
    }

    /// A connection has been made, or not.
    fn put(&self, label: &Label, generation: u64, made: Option<Backend>) {
        if let Some(shelf) = self.shelves().get_mut(label).filter(|shelf| shelf.generation == generation) {
            shelf.coming = shelf.coming.saturating_sub(1);
            shelf.ready.extend(made);
        }
    }

    /// Closes what nobody asks for any more.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.shelves().retain(|_, shelf| now - shelf.asked < DEMAND);
    }
}

impl Target {
    /// A connection for a session: a ready one, or a new one.
    pub(crate) async fn open(
        self: &Arc<Self>,
        account: &AccountName,
        parameters: &[(String, String)],
    ) -> Result<Backend, BackError> {
        // A walsender's start-up has effects of its own.
        if parameters.iter().any(|(name, _)| name == "replication") {
            return self.connect(account, parameters).await;
        }
        let label = Label { account: account.clone(), parameters: parameters.to_vec() };
        let (ready, missing, generation) = self.warm.ask(&label);
        for _ in 0..missing {
            let (target, label) = (Arc::clone(self), label.clone());
            tokio::spawn(async move {
                let made = target.connect(&label.account, &label.parameters).await.ok();
                target.warm.put(&label, generation, made);
            });
        }
        if let Some(ready) = ready {
            return Ok(ready);
        }
        match self.connect(account, parameters).await {
            // Perhaps it is our ready connections that fill the server up.
            Err(BackError::Refused(error)) if is_too_many(&error) && self.warm.clear(account) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.connect(account, parameters).await
            }
            other => other,
        }
    }
}

fn is_too_many(error: &[u8]) -> bool {
    let body = error.get(HEADER_LEN..).unwrap_or_default();
    error_field(body, b'C').is_some_and(|sqlstate| sqlstate == "53300")
}

/// Whether the server has said nothing since it was ready: not even that it goes.
fn is_fresh(backend: &Backend) -> bool {
    backend.stream.tcp().is_some_and(|tcp| tcp.peek(&mut [0]).now_or_never().is_none())
}

//! Keeps a snapshot of the database's catalog.
//!
//! In: questions of those who judge statements, and of those who tell the control plane what there is. Out: an
//! [`Arc<Catalog>`], the same one until the database says something else. One task for each repo asks, for all.

mod asker;
mod fingerprint;
mod load;
mod spelling;
#[cfg(test)]
mod tests;
mod types;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use postern_protocol::gate::AccountName;
use tokio::sync::{Notify, oneshot, watch};

pub(crate) use asker::Asker;
pub(crate) use spelling::Spelling;

use super::{back::BackError, target::Target};
use crate::enforce::postgres::catalog::Catalog;

/// A snapshot, and how the types of its columns are written.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) spelling: Spelling,
}

/// Somebody wants to know whether the newest snapshot still holds.
struct Question {
    /// As whom to ask, where nobody has yet.
    account: Option<AccountName>,
    answer: oneshot::Sender<Result<Arc<Catalog>, Arc<BackError>>>,
}

/// Why to look before it is time to.
enum Need {
    /// A session begins.
    Session,
    /// Something is not in the snapshot, or the snapshot is wanted after a long rest.
    Newer,
}

/// A repo's catalog.
pub(crate) struct CatalogKeeper {
    newest: watch::Sender<Option<Arc<Snapshot>>>,
    questions: Mutex<Vec<Question>>,
    /// Somebody looked at the snapshot since the task last did.
    wanted: AtomicBool,
    /// There is a question, or the snapshot is wanted.
    wake: Notify,
    /// One more than there are [`Attendance`]s.
    attended: Arc<()>,
}

/// As long as somebody holds one, the database is asked for news every few seconds.
#[derive(Debug)]
pub(crate) struct Attendance {
    _attended: Arc<()>,
}

impl CatalogKeeper {
    pub(super) fn new() -> Self {
        Self {
            newest: watch::Sender::new(None),
            questions: Mutex::default(),
            wanted: AtomicBool::new(false),
            wake: Notify::new(),
            attended: Arc::default(),
        }
    }

    /// The newest snapshot, checked against the database just now.
    pub(crate) async fn fresh(
        &self,
        target: &Target,
        account: &AccountName,
    ) -> Result<Arc<Catalog>, BackError> {
        if target.login(account).is_none() {
            return Err(BackError::Account("it is not configured".to_owned()));
        }
        match self.ask(Some(account.clone())).await {
            Ok(Ok(catalog)) => Ok(catalog),
            Ok(Err(error)) => Err(BackError::Catalog(error)),
            Err(_) => Err(BackError::Timeout),
        }
    }

    /// The newest snapshot that is here; none before the first. It may be some seconds old, and older where nobody
    /// attended.
    pub(crate) fn newest(&self) -> Option<Arc<Catalog>> {
        if !self.wanted.swap(true, Ordering::Relaxed) {
            self.wake.notify_one();
        }
        self.newest.borrow().as_ref().map(|snapshot| Arc::clone(&snapshot.catalog))
    }

    /// Asks for a newer one; resolves when the database was asked, whether anything changed or not. Many callers share
    /// one question.
    pub(crate) fn refresh(&self) -> impl Future<Output = ()> {
        let asked = self.ask(None);
        async {
            let _ = asked.await;
        }
    }

    /// Has the database asked for news for as long as this is held: for the life of a limited session.
    pub(crate) fn attend(&self) -> Attendance {
        Attendance { _attended: Arc::clone(&self.attended) }
    }

    /// Every snapshot from now on.
    pub(crate) fn snapshots(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.newest.subscribe()
    }

    fn ask(&self, account: Option<AccountName>) -> oneshot::Receiver<Result<Arc<Catalog>, Arc<BackError>>> {
        let (answer, outcome) = oneshot::channel();
        self.waiting().push(Question { account, answer });
        self.wake.notify_one();
        outcome
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Question>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn need(&self, looks_often: bool) -> Option<Need> {
        let waiting = self.waiting();
        if waiting.iter().any(|question| question.account.is_some()) {
            return Some(Need::Session);
        }
        let wanted = !looks_often && self.wanted.load(Ordering::Relaxed);
        (wanted || !waiting.is_empty()).then_some(Need::Newer)
    }

    /// Whether anybody has looked since this was last asked, or is there to look.
    fn is_attended(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed) || Arc::strong_count(&self.attended) > 1
    }
}

//! Where the newest snapshot lies, and where those ask who want to know whether it still holds.

use std::{
    future::pending,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Context,
};

use futures_util::stream::{self, Stream};
use postern_protocol::gate::AccountName;
use tokio::sync::{Notify, oneshot, watch};

use super::{Snapshot, Source};

/// What statements are judged by, of a source's snapshots.
type CatalogOf<S> = <<S as Source>::Snapshot as Snapshot>::Catalog;
/// What those get who ask.
pub(super) type Answer<S> = Result<Arc<CatalogOf<S>>, Arc<<S as Source>::Error>>;
/// The newest snapshot, if there is one.
type Newest<S> = Option<Arc<<S as Source>::Snapshot>>;

/// Somebody wants to know whether the newest snapshot still holds.
pub(super) struct Question<S: Source> {
    /// As whom to ask, where nobody has yet.
    pub(super) account: Option<AccountName>,
    pub(super) answer: oneshot::Sender<Answer<S>>,
}

/// Notices when a catalog changes.
pub(crate) struct Stir(Pin<Box<dyn Stream<Item = ()> + Send>>);

impl Stir {
    /// Whether there is another snapshot than when this was last asked. The task is woken when there is one.
    pub(crate) fn has_changed(&mut self, cx: &mut Context<'_>) -> bool {
        let mut changed = false;
        while self.0.as_mut().poll_next(cx).is_ready() {
            changed = true;
        }
        changed
    }
}

/// Why to look before it is time to.
pub(super) enum Need {
    /// A session begins.
    Session,
    /// Something is not in the snapshot, or the snapshot is wanted after a long rest.
    Newer,
}

/// A source's catalog. An [`Asker`](super::Asker) has to run for it.
pub(crate) struct Keeper<S: Source> {
    pub(super) newest: watch::Sender<Newest<S>>,
    questions: Mutex<Vec<Question<S>>>,
    /// Somebody looked at the snapshot since the task last did.
    wanted: AtomicBool,
    /// There is a question, or the snapshot is wanted.
    pub(super) wake: Notify,
    /// One more than there are [`Attendance`]s.
    attended: Arc<()>,
}

/// As long as somebody holds one, the database is asked for news every few seconds.
#[derive(Debug)]
pub(crate) struct Attendance {
    _attended: Arc<()>,
}

impl<S: Source> Default for Keeper<S> {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(None),
            questions: Mutex::default(),
            wanted: AtomicBool::new(false),
            wake: Notify::new(),
            attended: Arc::default(),
        }
    }
}

impl<S: Source> Keeper<S> {
    /// The newest snapshot, checked against the database just now.
    pub(crate) async fn fresh(&self, account: &AccountName) -> Answer<S> {
        let answer = self.ask(Some(account.clone())).await;
        answer.unwrap_or_else(|_| Err(Arc::new(S::too_slow())))
    }

    /// The newest snapshot that is here; none before the first. It may be some seconds old, and older where nobody
    /// attended.
    pub(crate) fn newest(&self) -> Option<Arc<CatalogOf<S>>> {
        if !self.wanted.swap(true, Ordering::Relaxed) {
            self.wake.notify_one();
        }
        self.newest.borrow().as_ref().map(|snapshot| Arc::clone(snapshot.catalog()))
    }

    /// Asks for a newer one; resolves when the database was asked, whether anything changed or not. Many callers share
    /// one question.
    pub(crate) fn refresh(&self) -> impl Future<Output = ()> + use<S> {
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
    pub(crate) fn snapshots(&self) -> watch::Receiver<Newest<S>> {
        self.newest.subscribe()
    }

    /// Notices other snapshots than the newest of this moment.
    pub(crate) fn stir(&self) -> Stir {
        Stir(Box::pin(stream::unfold(self.newest.subscribe(), async |mut newest| {
            if newest.changed().await.is_err() {
                pending::<()>().await;
            }
            Some(((), newest))
        })))
    }

    fn ask(&self, account: Option<AccountName>) -> oneshot::Receiver<Answer<S>> {
        let (answer, outcome) = oneshot::channel();
        self.waiting().push(Question { account, answer });
        self.wake.notify_one();
        outcome
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Vec<Question<S>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn need(&self, looks_often: bool) -> Option<Need> {
        let waiting = self.waiting();
        if waiting.iter().any(|question| question.account.is_some()) {
            return Some(Need::Session);
        }
        let wanted = !looks_often && self.wanted.load(Ordering::Relaxed);
        (wanted || !waiting.is_empty()).then_some(Need::Newer)
    }

    /// Whether anybody has looked since this was last asked, or is there to look.
    pub(super) fn is_attended(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed) || Arc::strong_count(&self.attended) > 1
    }
}

//! Ends work at the database for certain, over a connection that there is for this alone.
//!
//! One connection for an account that has sessions at a server: it is there before the first of them begins, it is
//! watched, and if it is lost and cannot be had again, the sessions are ended while they still can be. Orders are
//! carried out in batches, for a revocation may end a thousand sessions at once. How it is done is the engine's
//! business.

use std::{
    collections::HashMap,
    fmt::Display,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use postern_protocol::gate::{AccountName, RepoName};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use super::{Ending, Registry, Session};

/// Orders that are carried out together.
const BATCH: usize = 1_000;
/// How long connecting may take before it is tried anew.
const CONNECTING: Duration = Duration::from_secs(2);
/// How long sessions go on without the connection.
const UNGUARDED: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(200);

/// The way to end an account's work at one server.
pub(crate) trait Means: Send + Sync + 'static {
    /// Names what is to be ended. It must match nothing else, ever.
    type Victim: Send + Sync;
    /// The connection.
    type Connection: Send;
    /// Why there is none.
    type Error: Display + Send;

    /// Connects.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Ends them, and says of each whether that is done; nothing when the connection is of no use any more.
    fn terminate(
        &self,
        connection: &mut Self::Connection,
        victims: &[Self::Victim],
    ) -> impl Future<Output = Option<Vec<bool>>> + Send;

    /// Returns when the connection is lost. May be dropped at any time.
    fn lost(&self, connection: &mut Self::Connection) -> impl Future<Output = ()> + Send;

    /// Says good-bye.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;
}

/// A server's terminators: one for each account and address, as long as a session holds it.
pub(crate) struct Terminators<V>(Mutex<Shared<V>>);

type Shared<V> = HashMap<(AccountName, Option<SocketAddr>), Weak<Terminator<V>>>;

impl<V> Default for Terminators<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Terminators<V> {
    /// The one for an account at an address, started where there is none.
    pub(crate) fn get(
        &self,
        account: &AccountName,
        peer: Option<SocketAddr>,
        start: impl FnOnce() -> Arc<Terminator<V>>,
    ) -> Arc<Terminator<V>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, terminator| terminator.strong_count() > 0);
        let place = all.entry((account.clone(), peer)).or_default();
        place.upgrade().unwrap_or_else(|| {
            let terminator = start();
            *place = Arc::downgrade(&terminator);
            terminator
        })
    }
}

/// One thing to end.
struct Order<V> {
    victim: V,
    done: oneshot::Sender<bool>,
}

/// Whether the connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Coming,
    There,
    Refused,
}

/// Gives orders to the connection.
pub(crate) struct Terminator<V> {
    orders: mpsc::Sender<Order<V>>,
    state: watch::Receiver<State>,
}

impl<V: Send + 'static> Terminator<V> {
    /// Starts one for the sessions of `account`. It ends when the last reference to it goes.
    pub(crate) fn start<M: Means<Victim = V>>(
        means: M,
        repo: RepoName,
        account: AccountName,
        registry: Arc<Registry>,
    ) -> Arc<Self> {
        let (orders, inbox) = mpsc::channel(BATCH * 4);
        let (tell, state) = watch::channel(State::Coming);
        let executor = Executor { means, repo, account, registry, tell, lost: Instant::now() };
        tokio::spawn(executor.run(inbox));
        Arc::new(Self { orders, state })
    }

    /// Waits until it is known whether the connection can be had.
    pub(crate) async fn is_there(&self) -> bool {
        let state = self.state.clone().wait_for(|state| *state != State::Coming).await.map(|state| *state);
        state.is_ok_and(|state| state == State::There)
    }

    /// Ends one. False when that could not be done this way.
    pub(crate) async fn terminate(&self, victim: V) -> bool {
        let (done, outcome) = oneshot::channel();
        self.orders.send(Order { victim, done }).await.is_ok() && outcome.await.unwrap_or(false)
    }
}

struct Executor<M> {
    means: M,
    repo: RepoName,
    account: AccountName,
    registry: Arc<Registry>,
    tell: watch::Sender<State>,
    /// Since when there is no connection.
    lost: Instant,
}

impl<M: Means> Executor<M> {
    /// Keeps the connection up, and carries out orders, until nobody can give any.
    async fn run(mut self, mut inbox: mpsc::Receiver<Order<M::Victim>>) {
        while let Some(mut connection) = self.connect(&mut inbox).await {
            self.tell.send_replace(State::There);
            let over = self.serve(&mut connection, &mut inbox).await;
            self.lost = Instant::now();
            if over {
                self.means.close(connection).await;
                return;
            }
            tracing::warn!(repo = %self.repo, account = %self.account, "the connection for ending sessions broke");
        }
    }

    /// Connects, again and again; nothing when nobody needs it any more.
    async fn connect(&mut self, inbox: &mut mpsc::Receiver<Order<M::Victim>>) -> Option<M::Connection> {
        loop {
            let error = match timeout(CONNECTING, self.means.connect()).await {
                Ok(Ok(connection)) => return Some(connection),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "too slow".to_owned(),
            };
            tracing::warn!(repo = %self.repo, account = %self.account, error, "no connection for ending sessions");
            self.refuse_sessions();
            // Whoever waits for an order has other means to try meanwhile.
            while let Ok(order) = inbox.try_recv() {
                let _ = order.done.send(false);
            }
            if inbox.is_closed() {
                return None;
            }
            sleep(RETRY).await;
        }
    }

    /// No session may begin without the connection, and none goes on without it for long.
    fn refuse_sessions(&self) {
        self.tell.send_replace(State::Refused);
        if self.lost.elapsed() < UNGUARDED {
            return;
        }
        let unguarded = |session: &Session| session.account == self.account && session.repo == self.repo;
        for session in self.registry.pick(unguarded) {
            session.leash.fall(Ending::Unguarded);
        }
    }

    /// Carries out orders; true when there will be none any more, false when the connection is lost.
    async fn serve(
        &self,
        connection: &mut M::Connection,
        inbox: &mut mpsc::Receiver<Order<M::Victim>>,
    ) -> bool {
        let mut orders = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = inbox.recv_many(&mut orders, BATCH) => {
                    if count == 0 {
                        return true;
                    }
                    if !self.carry_out(connection, &mut orders).await {
                        return false;
                    }
                }
                () = self.means.lost(connection) => return false,
            }
        }
    }

    /// Answers every order; false when the connection is of no use any more.
    async fn carry_out(&self, connection: &mut M::Connection, orders: &mut Vec<Order<M::Victim>>) -> bool {
        let (victims, waiting): (Vec<_>, Vec<_>) =
            orders.drain(..).map(|order| (order.victim, order.done)).unzip();
        let ended = self.means.terminate(connection, &victims).await;
        let usable = ended.is_some();
        let mut ended = ended.unwrap_or_default().into_iter();
        for done in waiting {
            // Nobody waits any longer when the session has given up on us.
            let _ = done.send(ended.next().unwrap_or(false));
        }
        usable
    }
}

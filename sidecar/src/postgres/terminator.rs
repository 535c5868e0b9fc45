//! Ends backends for certain.
//!
//! A `CancelRequest` stops one statement, and a statement may catch it; a client that pipelines has more of them lying
//! in the backend's socket. `pg_terminate_backend` makes the backend go before it reads the next message, rolls its
//! transaction back and frees its locks, and one statement ends a thousand of them. An account may do that to its own
//! backends, unless another account is configured for it. So there is one connection for this alone while an account
//! has sessions at a server: it is there before the first of them begins, it is watched, and if it is lost and cannot
//! be had again, the sessions are ended while they still can be.

use std::{fmt::Write, net::SocketAddr, sync::Arc, time::Duration};

use postern_protocol::gate::AccountName;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    back::BackError,
    simple::{self, Connection},
    target::Target,
};
use crate::session::{Ending, Registry};

/// Orders that are carried out by one statement.
const BATCH: usize = 1_000;
/// How long the statement may take before the connection is given up.
const STATEMENT: Duration = Duration::from_secs(2);
/// How long sessions go on without the connection.
const UNGUARDED: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(200);
/// What is read at a time; a thousand process ids are not much more.
const ROOM: usize = 2048;

/// One backend to end: its process id, and the client port at which it sees us. Process ids come back; the pair does
/// not while the connection is open. Through a pooler or address translation it matches nothing, and then nobody is
/// ended by mistake.
struct Order {
    pid: i32,
    port: u16,
    done: oneshot::Sender<bool>,
}

/// Whether the connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Coming,
    There,
    Refused,
}

/// The way to end an account's backends at one server.
pub(crate) struct Terminator {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
}

impl Terminator {
    /// Starts one for `account`, which logs in as `terminating`. It ends when the last reference to it goes.
    pub(crate) fn start(
        target: Arc<Target>,
        account: AccountName,
        terminating: AccountName,
        peer: Option<SocketAddr>,
        registry: Arc<Registry>,
    ) -> Arc<Self> {
        let (orders, inbox) = mpsc::channel(BATCH * 4);
        let (tell, state) = watch::channel(State::Coming);
        let executor = Executor { target, account, terminating, peer, registry, tell, lost: Instant::now() };
        tokio::spawn(executor.run(inbox));
        Arc::new(Self { orders, state })
    }

    /// Waits until it is known whether the connection can be had.
    pub(crate) async fn is_there(&self) -> bool {
        let state = self.state.clone().wait_for(|state| *state != State::Coming).await.map(|state| *state);
        state.is_ok_and(|state| state == State::There)
    }

    /// Ends a backend. False when that could not be done this way.
    pub(crate) async fn terminate(&self, pid: i32, port: u16) -> bool {
        let (done, outcome) = oneshot::channel();
        self.orders.send(Order { pid, port, done }).await.is_ok() && outcome.await.unwrap_or(false)
    }
}

struct Executor {
    target: Arc<Target>,
    account: AccountName,
    terminating: AccountName,
    peer: Option<SocketAddr>,
    registry: Arc<Registry>,
    tell: watch::Sender<State>,
    /// Since when there is no connection.
    lost: Instant,
}

impl Executor {
    /// Keeps the connection up, and carries out orders, until nobody can give any.
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        while let Some(mut connection) = self.connect(&mut inbox).await {
            self.tell.send_replace(State::There);
            let over = self.serve(&mut connection, &mut inbox).await;
            self.lost = Instant::now();
            if over {
                connection.close().await;
                return;
            }
            tracing::warn!(repo = %self.target.name, account = %self.account, "the connection to end backends with broke");
        }
    }

    /// Connects, again and again; nothing when nobody needs it any more.
    async fn connect(&mut self, inbox: &mut mpsc::Receiver<Order>) -> Option<Connection> {
        let parameters = simple::parameters("-c statement_timeout=0");
        loop {
            let connecting = self.target.connect_to(self.peer, &self.terminating, &parameters);
            match timeout(STATEMENT, connecting).await {
                Ok(Ok(backend)) => return Some(Connection::new(backend, ROOM)),
                Ok(Err(error)) => {
                    tracing::warn!(repo = %self.target.name, account = %self.account, %error, "no connection to end backends with");
                }
                Err(_) => {
                    tracing::warn!(repo = %self.target.name, account = %self.account, "no connection to end backends with: too slow");
                }
            }
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
        let unguarded = |session: &crate::session::Session| {
            session.account == self.account && session.repo == self.target.name
        };
        for session in self.registry.pick(unguarded) {
            session.leash.fall(Ending::Unguarded);
        }
    }

    /// Carries out orders; true when there will be none any more, false when the connection is lost.
    async fn serve(&self, connection: &mut Connection, inbox: &mut mpsc::Receiver<Order>) -> bool {
        let mut orders = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = inbox.recv_many(&mut orders, BATCH) => {
                    if count == 0 {
                        return true;
                    }
                    if !carry_out(connection, &mut orders).await {
                        return false;
                    }
                }
                // Nothing but settings, notices and the end comes unasked. A message is read whole or not at all
                // before the next order: what was read of it stays with the reader.
                unasked = connection.unasked() => if unasked.is_err() {
                    return false;
                },
            }
        }
    }
}

/// Answers every order; false when the connection is of no use any more.
async fn carry_out(connection: &mut Connection, orders: &mut Vec<Order>) -> bool {
    let together = execute(connection, orders).await;
    if let Ok(ended) = together {
        for order in orders.drain(..) {
            // Nobody waits any longer when the session has given up on us.
            let _ = order.done.send(ended.contains(&order.pid));
        }
        return true;
    }
    // One of them cannot be ended, and fails the statement for all: one by one, then.
    let mut usable = matches!(together, Err(BackError::Refused(_)));
    for order in orders.drain(..) {
        let ended =
            if usable { execute(connection, std::slice::from_ref(&order)).await } else { Ok(Vec::new()) };
        usable &= matches!(ended, Ok(_) | Err(BackError::Refused(_)));
        let _ = order.done.send(ended.is_ok_and(|ended| ended.contains(&order.pid)));
    }
    usable
}

/// The process ids of the backends that were ended.
async fn execute(connection: &mut Connection, orders: &[Order]) -> Result<Vec<i32>, BackError> {
    let text = statement(orders);
    let ended = async {
        connection.ask(&text).await?;
        let mut ended = Vec::new();
        while let Some(row) = connection.row().await? {
            let [pid] = row.fields()?;
            ended.push(pid.parse()?);
        }
        Ok(ended)
    };
    timeout(STATEMENT, ended).await.map_err(|_| BackError::Timeout)?
}

fn statement(orders: &[Order]) -> String {
    let mut list = String::new();
    for order in orders {
        let comma = if list.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(list, "{comma}({},{})", order.pid, order.port);
    }
    // Who is meant is settled before anybody is ended; a planner may otherwise call the function first. Names and
    // operators are qualified: what the account's search_path holds must not matter.
    format!(
        "WITH found AS MATERIALIZED (SELECT a.pid FROM pg_catalog.pg_stat_get_activity(NULL) AS a, \
         (VALUES {list}) AS wanted(pid, port) WHERE a.pid OPERATOR(pg_catalog.=) wanted.pid \
         AND a.client_port OPERATOR(pg_catalog.=) wanted.port) \
         SELECT found.pid FROM found WHERE pg_catalog.pg_terminate_backend(found.pid)"
    )
}

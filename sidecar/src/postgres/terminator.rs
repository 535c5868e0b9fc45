//! Ends backends for certain.
//!
//! A `CancelRequest` stops one statement; a client that pipelines has more of them lying in the backend's socket, and
//! those would still run. `pg_terminate_backend` makes the backend go before it reads the next message, rolls its
//! transaction back and frees its locks, and one statement ends a thousand of them. Any account may do that to its
//! own backends. So each account with live sessions has one connection whose only use is this; it goes with the
//! account's last session.

use std::{fmt::Write, sync::Arc, time::Duration};

use postern_protocol::{gate::AccountName, postgres};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    back::{BackError, Backend},
    frames::FrameReader,
    target::Target,
};

/// Orders that are carried out by one statement.
const BATCH: usize = 1_000;
/// How long the statement may take before the connection is given up.
const STATEMENT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);

/// One backend to end: its process id, and the client port at which it sees us. Process ids come back; the pair does
/// not while the connection is open. Through a pooler or address translation it matches nothing, and then nobody is
/// ended by mistake.
struct Order {
    pid: i32,
    port: u16,
    done: oneshot::Sender<bool>,
}

/// The way to end an account's backends.
pub(crate) struct Terminator {
    orders: mpsc::Sender<Order>,
}

impl Terminator {
    /// Starts one. It ends when the last reference to it goes.
    pub(crate) fn start(target: Arc<Target>, account: AccountName) -> Arc<Self> {
        let (orders, inbox) = mpsc::channel(BATCH * 4);
        tokio::spawn(Executor { target, account, connection: None }.run(inbox));
        Arc::new(Self { orders })
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
    connection: Option<(Backend, FrameReader)>,
}

impl Executor {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        self.ensure_connected().await;
        let mut orders = Vec::new();
        while inbox.recv_many(&mut orders, BATCH).await > 0 {
            self.carry_out(&mut orders).await;
        }
        if let Some((mut backend, _)) = self.connection.take() {
            // A polite end; the server closes an abandoned connection just as well.
            let _ = timeout(PAUSE, backend.stream.write_all(&postgres::terminate())).await;
        }
    }

    async fn ensure_connected(&mut self) -> bool {
        if self.connection.is_none() {
            let name = [("application_name".to_owned(), "postern".to_owned())];
            match timeout(STATEMENT, self.target.connect(&self.account, &name)).await {
                Ok(Ok(backend)) => self.connection = Some((backend, FrameReader::default())),
                Ok(Err(error)) => {
                    tracing::warn!(repo = %self.target.name, account = %self.account, %error, "no connection to end backends with");
                }
                Err(_) => {
                    tracing::warn!(repo = %self.target.name, account = %self.account, "no connection to end backends with: too slow");
                }
            }
        }
        self.connection.is_some()
    }

    async fn carry_out(&mut self, orders: &mut Vec<Order>) {
        // An idle connection may have died unnoticed: one more try with a new one.
        let mut ended = None;
        for _ in 0..2 {
            if ended.is_none() && self.ensure_connected().await {
                ended = self.execute(orders).await;
            }
        }
        let ended = ended.unwrap_or_default();
        for order in orders.drain(..) {
            // Nobody waits any longer when the session has given up on us.
            let _ = order.done.send(ended.contains(&order.pid));
        }
    }

    /// The process ids of the backends that were ended.
    async fn execute(&mut self, orders: &[Order]) -> Option<Vec<i32>> {
        let (mut backend, mut frames) = self.connection.take()?;
        let ended = timeout(STATEMENT, run_statement(&mut backend, &mut frames, &statement(orders))).await;
        match ended {
            Ok(Ok(ended)) => {
                self.connection = Some((backend, frames));
                Some(ended)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the connection to end backends with broke");
                None
            }
            Err(_) => None,
        }
    }
}

fn statement(orders: &[Order]) -> String {
    let mut list = String::new();
    for order in orders {
        let comma = if list.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(list, "{comma}({},{})", order.pid, order.port);
    }
    // Names and operators are qualified: the account's search_path may hold anything.
    format!(
        "SELECT a.pid FROM (VALUES {list}) AS wanted(pid, port), \
         LATERAL pg_catalog.pg_stat_get_activity(wanted.pid) AS a \
         WHERE a.client_port OPERATOR(pg_catalog.=) wanted.port AND pg_catalog.pg_terminate_backend(a.pid)"
    )
}

async fn run_statement(
    backend: &mut Backend,
    frames: &mut FrameReader,
    text: &str,
) -> Result<Vec<i32>, BackError> {
    let query = postgres::query(text);
    backend.stream.write_all(&query).await.map_err(BackError::Unreachable)?;
    backend.stream.flush().await.map_err(BackError::Unreachable)?;
    let mut ended = Vec::new();
    loop {
        let frame = frames.next(&mut backend.stream, 64 * 1024).await?;
        match frame.kind {
            // One column, in text.
            b'D' => ended.extend(
                frame.body().get(6..).and_then(|text| std::str::from_utf8(text).ok()?.parse::<i32>().ok()),
            ),
            b'E' => return Err(BackError::Refused(frame.bytes)),
            b'Z' => return Ok(ended),
            b'T' | b'C' | b'N' | b'S' | b'A' => {}
            other => return Err(BackError::Unexpected(other)),
        }
    }
}

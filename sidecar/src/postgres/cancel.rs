//! Cancellation: our own keys towards clients, the database's keys towards the database.
//!
//! A client gets the real backend's process id, because drivers compare it with the one in notifications, and a
//! secret of ours. The database's own secret never leaves the sidecar.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use postern_protocol::{
    gate::AccountName,
    postgres::{self, CancelKey, ProtocolVersion},
};
use postern_service::random::{self, NoRandomness};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Mutex,
    time::timeout,
};

use super::{back::BackError, target::Target};
use crate::session::Session;

/// How long a cancellation may take. It is a courtesy of the server's postmaster, not a statement.
const CANCEL: Duration = Duration::from_secs(5);

/// Where a cancellation for a session goes.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) target: Arc<Target>,
    pub(crate) account: AccountName,
    pub(crate) key: CancelKey,
    /// Where the session's connection really went: one of several servers behind the name, perhaps.
    pub(crate) peer: Option<SocketAddr>,
}

impl Upstream {
    /// Has the statement cancelled. Returns once the server has passed the signal on.
    pub(crate) async fn cancel(&self) -> Result<(), BackError> {
        timeout(CANCEL, self.cancel_patiently()).await.map_err(|_| BackError::Timeout)?
    }

    async fn cancel_patiently(&self) -> Result<(), BackError> {
        let tcp = self.target.dial(self.peer).await?;
        let tls = self.target.login(&self.account).and_then(|login| login.tls.as_ref());
        let mut stream = self.target.encrypt(tcp, tls).await?;
        let request = postgres::cancel_request(&self.key);
        stream.write_all(&request).await.map_err(BackError::Unreachable)?;
        stream.flush().await.map_err(BackError::Unreachable)?;
        // The server closes the connection when the signal is sent.
        let mut nothing = [0; 16];
        match stream.read(&mut nothing).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(BackError::Unreachable(error)),
        }
    }
}

/// The cancel keys that clients hold.
#[derive(Default)]
pub(crate) struct CancelKeys {
    keys: DashMap<CancelKey, Arc<Holder>>,
}

/// Whose a key is.
struct Holder {
    session: Arc<Session>,
    upstream: Upstream,
    turns: Turns,
}

/// Has something done by one at a time. Whoever comes while it is being done waits for the next turn, which is for all
/// of them: a client that cancels without end has one connection to the server and no more.
#[derive(Default)]
struct Turns {
    begun: AtomicU64,
    /// The number of the last turn that came to its end.
    ended: Mutex<u64>,
}

impl Turns {
    /// Returns when it has been done from beginning to end since the call.
    async fn take<E>(&self, work: impl AsyncFnOnce() -> Result<(), E>) -> Result<(), E> {
        let before = self.begun.load(Ordering::Acquire);
        let mut ended = self.ended.lock().await;
        if *ended > before {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let done = work().await;
        *ended = number;
        done
    }
}

impl CancelKeys {
    /// Gives a session a key of its own, as long as its protocol version allows. The key is good until the returned
    /// guard goes.
    pub(crate) fn issue(
        self: &Arc<Self>,
        session: Arc<Session>,
        upstream: Upstream,
        version: ProtocolVersion,
    ) -> Result<Issued, NoRandomness> {
        let secret: Box<[u8]> = if version >= ProtocolVersion::V3_2 {
            random::bytes::<32>()?.into()
        } else {
            random::bytes::<4>()?.into()
        };
        let key = CancelKey { pid: upstream.key.pid, secret };
        let holder = Holder { session, upstream, turns: Turns::default() };
        self.keys.insert(key.clone(), Arc::new(holder));
        Ok(Issued { keys: Arc::clone(self), key })
    }

    /// Has the statement cancelled of whomever a client's key belongs to, if it is anybody's. The gate of a session that
    /// has fallen is no longer cancelled through.
    pub(crate) async fn cancel(&self, key: &CancelKey) -> Result<(), BackError> {
        let found = self.keys.get(key).map(|found| Arc::clone(found.value()));
        let Some(holder) = found.filter(|holder| !holder.session.leash.has_fallen()) else { return Ok(()) };
        holder.turns.take(async || holder.upstream.cancel().await).await
    }
}

/// A key in a client's hands.
pub(crate) struct Issued {
    keys: Arc<CancelKeys>,
    pub(crate) key: CancelKey,
}

impl Drop for Issued {
    fn drop(&mut self) {
        self.keys.keys.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::pending};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn those_who_come_while_one_is_at_work_share_the_next_turn() {
        let (turns, done, gate) = (Turns::default(), AtomicU64::new(0), Semaphore::new(0));
        let take = || {
            turns.take(async || {
                drop(gate.acquire().await);
                done.fetch_add(1, Ordering::AcqRel);
                Ok::<_, Infallible>(())
            })
        };
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(1);
        };
        // They all come before the first is done.
        tokio::join!(join_all((0..50).map(|_| take())), open);
        assert_eq!(done.load(Ordering::Acquire), 2, "the first, and one for all who came behind it");
        assert_eq!(take().await, Ok(()));
        assert_eq!(done.load(Ordering::Acquire), 3, "whoever comes later is not served by what was before");
    }

    #[tokio::test]
    async fn who_is_given_up_in_the_middle_of_their_turn_makes_room() {
        let (turns, done) = (Turns::default(), AtomicU64::new(0));
        let stuck = turns.take(async || pending::<Result<(), Infallible>>().await);
        let next = async {
            tokio::task::yield_now().await;
            let work = async || {
                done.fetch_add(1, Ordering::AcqRel);
                Ok::<_, Infallible>(())
            };
            turns.take(work).await
        };
        let (given_up, next) = tokio::join!(timeout(Duration::from_millis(10), stuck), next);
        assert!(given_up.is_err() && next.is_ok());
        assert_eq!(done.load(Ordering::Acquire), 1, "what was given up has served nobody");
    }
}

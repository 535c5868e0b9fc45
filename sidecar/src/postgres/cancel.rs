//! Cancellation: our own keys towards clients, the database's keys towards the database.
//!
//! A client gets the real backend's process id, because drivers compare it with the one in notifications, and a
//! secret of ours. The database's own secret never leaves the sidecar.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use dashmap::DashMap;
use postern_protocol::{
    gate::AccountName,
    postgres::{self, CancelKey, ProtocolVersion},
};
use postern_service::random::{self, NoRandomness};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
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
    keys: DashMap<CancelKey, (Arc<Session>, Upstream)>,
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
        self.keys.insert(key.clone(), (session, upstream));
        Ok(Issued { keys: Arc::clone(self), key })
    }

    /// Whom a client's key belongs to. The gate of a session that has fallen is no longer cancelled through.
    pub(crate) fn find(&self, key: &CancelKey) -> Option<Upstream> {
        let found = self.keys.get(key)?;
        let (session, upstream) = found.value();
        (!session.leash.has_fallen()).then(|| upstream.clone())
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

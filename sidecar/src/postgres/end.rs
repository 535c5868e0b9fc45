//! Ending a session: one whose gate has fallen, or one whose client is gone while the database still works for it.
//!
//! In this order: nothing more is relayed (the relay has stopped); what the database is doing for the session is
//! stopped and rolled back; the client is told why; both sockets close. Nobody is waited for longer than a moment:
//! not a client that does not read, not a database that does not answer.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use postern_protocol::{
    gate::GrantId,
    postgres::{self, ErrorText},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{back::Backend, cancel::Upstream, terminator::Victim, traffic::Traffic};
use crate::{
    net::Stream,
    session::{Ending, Terminator, Untold, tell},
};

/// How long the client waits for its reason while the database is being stopped.
const STOP_FIRST: Duration = Duration::from_millis(300);
/// How long a termination may take before the statement is cancelled as well. Each cancellation costs the server a
/// process: a thousand of them at once, because a thousand backends that go keep it busy, would only hold it up.
const TERMINATION: Duration = Duration::from_millis(300);
/// How long a backend may take to go of its own accord before it is told once more.
const INSIST: Duration = Duration::from_millis(200);
const INSIST_AT_MOST: Duration = Duration::from_secs(5);
/// How long an idle backend stays while other clients are being told.
const OTHERS_FIRST: Duration = Duration::from_millis(100);
/// A backend that has not gone after so long is left to the operator.
const GIVE_UP: Duration = Duration::from_hours(1);

/// What the client is told of an ending.
pub(crate) fn last_word(ending: &Ending, grant: &GrantId) -> ErrorText {
    ErrorText::new("57P01", ending.message(grant))
}

/// What is left of a session at the database when the relay has stopped.
pub(crate) struct Remains {
    pub(crate) backend: Backend,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) terminator: Option<Arc<Terminator<Victim>>>,
    pub(crate) traffic: Traffic,
    /// Read from the database, not yet written to the client.
    pub(crate) unsent: BytesMut,
    /// Whether a message to the database may be written behind what was.
    pub(crate) may_say_goodbye: bool,
}

impl Remains {
    /// Closes the ready connections of the account: where somebody cleans up, nothing of it stays.
    pub(crate) fn forget_ready_connections(&self) {
        if let Some(upstream) = &self.upstream {
            upstream.target.warm.clear(&upstream.account);
        }
    }

    /// Stops the database's work, tells the client why, closes both. Calls `closed` once the client's socket is closed,
    /// and returns when the backend is gone. A backend that does nothing goes after all of `untold` have been told.
    pub(crate) async fn end(
        mut self,
        client: Stream,
        last_word: &ErrorText,
        closed: impl FnOnce(),
        untold: &Untold,
    ) {
        let unsent = std::mem::take(&mut self.unsent);
        {
            let in_flight = self.traffic.in_flight();
            let mut traffic = self.traffic.clone();
            let mut stop = std::pin::pin!(self.stop(in_flight));
            let stopped = timeout(STOP_FIRST, &mut stop).await.is_ok();
            tokio::join!(
                async {
                    tell(client, &mut traffic, unsent, |_| postgres::fatal(last_word)).await;
                    closed();
                },
                async {
                    if !stopped {
                        stop.await;
                    }
                }
            );
        }
        if !self.traffic.in_flight() {
            untold.wait(OTHERS_FIRST).await;
        }
        self.bury().await;
    }

    /// The same for a session without a client.
    pub(crate) async fn abandon(self) {
        self.stop(self.traffic.in_flight()).await;
        self.bury().await;
    }

    /// Terminates the backend. False where that is not possible, or not known to have happened.
    async fn terminate(&self) -> bool {
        let (Some(upstream), Some(terminator), Some(local)) =
            (&self.upstream, &self.terminator, self.backend.local)
        else {
            return false;
        };
        terminator.terminate(Victim { pid: upstream.key.pid, port: local.port() }).await
    }

    /// Stops what the backend is doing, for good if that can be done.
    async fn stop(&self, in_flight: bool) {
        if !in_flight || timeout(TERMINATION, self.terminate()).await.unwrap_or(false) {
            return;
        }
        if let Some(upstream) = &self.upstream
            && let Err(error) = upstream.cancel().await
        {
            tracing::warn!(%error, "a statement could not be cancelled");
        }
    }

    /// Says good-bye to the database and sees to it that the backend goes: PostgreSQL closes its end of the connection
    /// when the process has ended and its locks are free.
    async fn bury(mut self) {
        let goodbye = self.may_say_goodbye && self.traffic.server_at_boundary();
        let stream = std::mem::replace(&mut self.backend.stream, Stream::Closed);
        if !goodbye {
            stream.hang_up();
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let farewell = async {
            if goodbye {
                // It may be gone already.
                let _ = writer.write_all(&postgres::terminate()).await;
                let _ = writer.shutdown().await;
            }
        };
        let gone = async {
            // Read and thrown away: a backend that is stuck in writing must get its error out to go.
            let mut nowhere = vec![0; 16 * 1024];
            while reader.read(&mut nowhere).await.is_ok_and(|count| count > 0) {}
        };
        let insist = async {
            let mut pause = if goodbye { INSIST } else { Duration::ZERO };
            loop {
                tokio::time::sleep(pause).await;
                if !timeout(INSIST_AT_MOST, self.terminate()).await.unwrap_or(false)
                    && let Some(upstream) = &self.upstream
                {
                    // Its failure was told when the first one failed.
                    let _ = upstream.cancel().await;
                }
                pause = (pause * 2).clamp(INSIST, INSIST_AT_MOST);
            }
        };
        let done = async {
            tokio::select! {
                ((), ()) = async { tokio::join!(farewell, gone) } => {}
                () = insist => {}
            }
        };
        if timeout(GIVE_UP, done).await.is_err() {
            tracing::error!("a backend does not go though its session has ended");
        }
    }
}

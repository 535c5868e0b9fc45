//! Ending a session: one whose gate has fallen, or one whose client is gone while the database still works for it.
//!
//! In this order: nothing more is relayed (the relay has stopped); what the database is doing for the session is
//! stopped and rolled back; the client is told why; both sockets close. Nobody is waited for longer than a moment:
//! not a client that does not read, not a database that does not answer.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use postern_protocol::{
    gate::GrantId,
    postgres::{self, ErrorText},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::{back::Backend, cancel::Upstream, terminator::Terminator, traffic::Traffic};
use crate::{
    net::Stream,
    session::{Ending, Untold, Wire},
};

/// How long the client waits for its reason while the database is being stopped.
const STOP_FIRST: Duration = Duration::from_millis(300);
/// How long a client may take to accept its last message.
const LAST_WORD: Duration = Duration::from_millis(250);
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
    pub(crate) terminator: Option<Arc<Terminator>>,
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
                    tell(client, &mut traffic, unsent, last_word).await;
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
        terminator.terminate(upstream.key.pid, local.port()).await
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

/// Tells the client and closes its socket.
async fn tell(mut client: Stream, traffic: &mut Traffic, unsent: BytesMut, last_word: &ErrorText) {
    let deadline = Instant::now() + LAST_WORD;
    let said = tokio::time::timeout_at(deadline, say(&mut client, traffic, unsent, last_word)).await;
    if matches!(said, Ok(Ok(()))) {
        hear_out(&client, deadline).await;
    } else {
        // It does not read. What lies in the socket's buffers is thrown away with the connection.
        client.reset();
    }
}

async fn say(
    client: &mut Stream,
    traffic: &mut Traffic,
    unsent: BytesMut,
    last_word: &ErrorText,
) -> io::Result<()> {
    finish_message(client, traffic, unsent).await?;
    client.write_all(&postgres::fatal(last_word)).await?;
    client.flush().await?;
    client.shutdown().await
}

/// Completes the message that the client is in the middle of, so that the next one is understood: from what was read
/// before the gate fell, and where that ends, with zeros.
async fn finish_message(client: &mut Stream, traffic: &mut Traffic, mut unsent: BytesMut) -> io::Result<()> {
    loop {
        let needs = match traffic.client_needs() {
            Some(0) => return Ok(()),
            Some(needs) => needs,
            None => 1,
        };
        if unsent.is_empty() {
            if traffic.client_needs().is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            unsent.resize(needs.min(16 * 1024), 0);
        }
        let part = unsent.split_to(needs.min(unsent.len()));
        client.write_all(&part).await?;
        traffic.delivered(&part).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    }
}

/// Takes in what the client is still sending, for a moment: closing a socket with unread bytes resets the connection,
/// and a reset may overtake the last word.
async fn hear_out(client: &Stream, deadline: Instant) {
    let Some(tcp) = client.tcp() else { return };
    let mut nowhere = [0; 4096];
    let mut heard = false;
    loop {
        match tcp.try_read(&mut nowhere) {
            Ok(0) => return,
            Ok(_) => heard = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && heard => {
                let wait = tokio::time::timeout_at(deadline, tcp.readable()).await;
                if !matches!(wait, Ok(Ok(()))) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

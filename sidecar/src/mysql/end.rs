//! Ending a session: one whose gate has fallen, or one whose client is gone while the database still works for it.
//!
//! In this order: nothing more is relayed (the relay has stopped); what the database is doing for the session is
//! stopped and rolled back; the client is told why; both sockets close. Nobody is waited for longer than a moment:
//! not a client that does not read, not a database that does not answer.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use postern_protocol::mysql::{self, ErrorText};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{back::Backend, terminator::Victim, traffic::Traffic};
use crate::{
    net::Stream,
    session::{Terminator, Untold, tell},
};

/// How long the client waits for its reason while the database is being stopped.
const STOP_FIRST: Duration = Duration::from_millis(300);
/// How long a connection may take to go of its own accord before it is killed once more.
const INSIST: Duration = Duration::from_millis(200);
const INSIST_AT_MOST: Duration = Duration::from_secs(5);
/// How long a connection may take to roll back when its socket is closed.
const VANISH: Duration = Duration::from_secs(10);
/// How long an idle connection stays while other clients are being told.
const OTHERS_FIRST: Duration = Duration::from_millis(100);
/// A connection that has not gone after so long is left to the operator.
const GIVE_UP: Duration = Duration::from_hours(1);

/// What is left of a session at the database when the relay has stopped.
pub(crate) struct Remains {
    pub(crate) backend: Backend,
    pub(crate) terminator: Arc<Terminator<Victim>>,
    pub(crate) traffic: Traffic,
    /// Read from the database, not yet written to the client.
    pub(crate) unsent: BytesMut,
    /// Whether a message to the database may be written behind what was.
    pub(crate) may_say_goodbye: bool,
}

impl Remains {
    /// Stops the database's work, tells the client why, closes both. Calls `closed` once the client's socket is closed,
    /// and returns when the connection is gone. One that does nothing goes after all of `untold` have been told.
    pub(crate) async fn end(
        mut self,
        client: Stream,
        last_word: &ErrorText,
        closed: impl FnOnce(),
        untold: &Untold,
    ) {
        let unsent = std::mem::take(&mut self.unsent);
        {
            let mut traffic = self.traffic.clone();
            let mut stop = std::pin::pin!(self.stop());
            let stopped = timeout(STOP_FIRST, &mut stop).await.is_ok();
            tokio::join!(
                async {
                    tell(client, &mut traffic, unsent, |traffic| traffic.last_word(last_word)).await;
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
        self.bury(true).await;
    }

    /// The client broke the protocol: it is told, and the database is left.
    pub(crate) async fn part(mut self, client: Stream, last_word: &ErrorText) {
        let unsent = std::mem::take(&mut self.unsent);
        tell(client, &mut self.traffic, unsent, |traffic| traffic.last_word(last_word)).await;
        self.abandon().await;
    }

    /// The client begins anew in the same connection: nothing that it held stands in its way there.
    pub(crate) async fn make_way(self) {
        self.stop().await;
        self.bury(true).await;
    }

    /// Ends a session without a client.
    pub(crate) async fn abandon(self) {
        self.stop().await;
        self.bury(false).await;
    }

    async fn kill(&self) -> bool {
        timeout(INSIST_AT_MOST, self.terminator.terminate(self.backend.number)).await.unwrap_or(false)
    }

    /// The server closes a killed connection at once, and rolls back then. It is asked for the connection until there is
    /// none.
    async fn vanish(&self) {
        let mut pause = Duration::from_millis(1);
        let vanished = async {
            while !self.kill().await {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(INSIST);
            }
        };
        if timeout(VANISH, vanished).await.is_err() {
            tracing::warn!("a killed connection is still there");
        }
    }

    /// Stops what the database is doing for the session, for good.
    async fn stop(&self) {
        if self.traffic.in_flight() {
            self.kill().await;
        }
    }

    /// Says good-bye to the database and sees to it that the connection goes, and if `vanish`, that its transaction is
    /// rolled back and its locks are free.
    async fn bury(mut self, vanish: bool) {
        let goodbye = self.may_say_goodbye && !self.traffic.in_flight() && self.traffic.server_at_boundary();
        let stream = std::mem::replace(&mut self.backend.stream, Stream::Closed);
        if !goodbye {
            stream.hang_up();
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let farewell = async {
            if goodbye {
                // A server that is told to quit closes first and rolls back then. It may be gone already.
                let farewell = [mysql::reset_connection(), mysql::quit()].concat();
                let _ = writer.write_all(&farewell).await;
                let _ = writer.shutdown().await;
            }
        };
        let gone = async {
            // Read and thrown away: a server that is stuck in writing must get its rows out to see that it is killed.
            let mut nowhere = vec![0; 16 * 1024];
            while reader.read(&mut nowhere).await.is_ok_and(|count| count > 0) {}
        };
        let insist = async {
            let mut pause = INSIST;
            loop {
                tokio::time::sleep(pause).await;
                self.kill().await;
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
            tracing::error!("a connection does not go though its session has ended");
        }
        if vanish {
            self.vanish().await;
        }
    }
}

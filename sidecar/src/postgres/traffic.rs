//! What a session's traffic says about its state: where messages end, and whether the database has work to do.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use postern_protocol::postgres::{self, ErrorText, FrameError, FrameWalker};

use crate::session::{Direction, Passing, Violation, Wire};

/// Follows both directions of one session.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    up: FrameWalker,
    down: FrameWalker,
    work: Work,
}

/// What the database still has to answer.
///
/// It errs to one side only: a `Sync` that the server ignores (in the middle of a COPY) leaves it thinking that there
/// is work when there is none, which costs a superfluous cancellation at the end.
#[derive(Clone, Debug, Default)]
struct Work {
    /// `Query`, `FunctionCall` and `Sync` messages without their `ReadyForQuery`.
    unanswered: u64,
    /// Extended-protocol messages since the last `Sync`.
    unsynced: bool,
    /// `Terminate` was sent.
    farewell: bool,
}

impl Default for Traffic {
    /// A session at its very beginning: the server's first `ReadyForQuery` answers no statement and is still to come.
    /// A client may send statements before it has seen that one; it must not pass for the answer to any of them.
    fn default() -> Self {
        let work = Work { unanswered: 1, ..Work::default() };
        Self { up: FrameWalker::default(), down: FrameWalker::default(), work }
    }
}

impl Work {
    fn ask(&mut self, kind: u8) {
        match kind {
            b'Q' | b'F' | b'S' => {
                self.unanswered += 1;
                self.unsynced = false;
            }
            b'P' | b'B' | b'E' | b'D' | b'C' | b'H' => self.unsynced = true,
            b'X' => self.farewell = true,
            // CopyData, CopyDone, CopyFail belong to a message that is unanswered already; any other kind is one that
            // the server refuses.
            _ => {}
        }
    }
}

impl Traffic {
    /// These bytes go to the database.
    pub(crate) fn sending(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let work = &mut self.work;
        Ok(self.up.walk(bytes, |header, _| work.ask(header.kind))?)
    }

    /// Whether the database may be executing something.
    pub(crate) const fn in_flight(&self) -> bool {
        self.work.unanswered > 0 || self.work.unsynced
    }

    /// Whether the client has said good-bye.
    pub(crate) const fn client_left(&self) -> bool {
        self.work.farewell
    }

    /// Whether a message to the database may begin with the next byte.
    pub(crate) const fn server_at_boundary(&self) -> bool {
        self.up.at_boundary()
    }
}

impl From<FrameError> for Violation {
    fn from(error: FrameError) -> Self {
        Self(error.to_string())
    }
}

impl Wire for Traffic {
    fn forwarding(&mut self, bytes: &[u8], _: &mut BytesMut) -> Result<Passing, Violation> {
        self.sending(bytes)?;
        Ok(Passing::AsTheyAre)
    }

    fn returning(&mut self, _: &[u8], _: &mut BytesMut) -> Result<Passing, Violation> {
        Ok(Passing::AsTheyAre)
    }

    fn poll_decided(
        &mut self,
        _: Direction,
        _: &mut Context<'_>,
        _: &mut BytesMut,
    ) -> Poll<Result<(), Violation>> {
        Poll::Ready(Ok(()))
    }

    fn is_busy(&self) -> bool {
        self.in_flight()
    }

    fn look_around(&mut self, _: &mut Context<'_>) {}

    fn delivered(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let work = &mut self.work;
        Ok(self.down.walk(bytes, |header, _| {
            if header.kind == b'Z' {
                work.unanswered = work.unanswered.saturating_sub(1);
            }
        })?)
    }

    fn client_needs(&self) -> Option<usize> {
        self.down.left().map(|left| left as usize)
    }

    fn warning(&self, left: Duration) -> Bytes {
        let minutes = left.as_secs().div_ceil(60);
        let plural = if minutes == 1 { "" } else { "s" };
        let text = ErrorText::new("01000", format!("access expires in {minutes} minute{plural}"));
        postgres::notice(&text.hint("The session ends then, and its transaction is rolled back."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &[u8] = b"Z\0\0\0\x05I";

    fn frame(kind: u8) -> [u8; 5] {
        [kind, 0, 0, 0, 4]
    }

    /// A session whose client has seen the first `ReadyForQuery`.
    fn begun() -> Traffic {
        let mut traffic = Traffic::default();
        traffic.delivered(READY).unwrap();
        traffic
    }

    #[test]
    fn a_statement_sent_ahead_of_the_first_ready_is_in_flight_all_the_same() {
        let mut traffic = Traffic::default();
        traffic.sending(&frame(b'Q')).unwrap();
        traffic.delivered(READY).unwrap();
        assert!(traffic.in_flight());
        traffic.delivered(READY).unwrap();
        assert!(!traffic.in_flight());
    }

    #[test]
    fn a_statement_is_in_flight_until_the_server_is_ready_again() {
        let mut traffic = begun();
        assert!(!traffic.in_flight());
        traffic.sending(&frame(b'Q')).unwrap();
        assert!(traffic.in_flight());
        traffic.delivered(b"C\0\0\0\x05\0Z\0\0\0\x05I").unwrap();
        assert!(!traffic.in_flight());
    }

    #[test]
    fn a_pipeline_is_in_flight_until_its_last_sync_is_answered() {
        let mut traffic = begun();
        traffic.sending(&[frame(b'P'), frame(b'B'), frame(b'E')].concat()).unwrap();
        assert!(traffic.in_flight());
        traffic.sending(&[frame(b'S'), frame(b'B'), frame(b'S')].concat()).unwrap();
        traffic.delivered(b"Z\0\0\0\x05I").unwrap();
        assert!(traffic.in_flight());
        traffic.delivered(b"Z\0\0\0\x05I").unwrap();
        assert!(!traffic.in_flight());
    }

    #[test]
    fn the_warning_is_a_notice_that_tells_the_time() {
        let bytes = Traffic::default().warning(Duration::from_secs(299));
        assert_eq!(bytes.first(), Some(&b'N'));
        assert!(String::from_utf8_lossy(&bytes).contains("access expires in 5 minutes"));
    }
}

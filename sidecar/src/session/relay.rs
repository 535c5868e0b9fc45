//! The one relay loop: bytes from client to server and back, until somebody is done or the gate falls.
//!
//! One task owns both directions and polls them by hand, the leash first. Before anything is written the leash is
//! looked at once more. Nothing is copied on the way: bytes are read into one buffer per thread and written from
//! there; only what the other side does not take at once is kept, and then nothing more is read from this side. So
//! an idle session holds no buffer, and a slow one at most one. Where the wire has a word in what passes, it takes the
//! bytes and gives others in their place; while it cannot decide, nothing more is read from that side either.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use metrics::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Event, Watch};
use crate::net::Stream;

const BUFFER: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// The stream does not follow its protocol; the session ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

/// What becomes of bytes that one side sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// They go on, unchanged.
    AsTheyAre,
    /// The wire has taken them; what goes in their place, now or later, it puts where it is told.
    Replaced,
}

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

/// What a protocol adds to the relay.
pub(crate) trait Wire {
    /// Looks at bytes of the client before they are forwarded, or takes them and puts others into `instead`.
    fn forwarding(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation>;
    /// The same with bytes of the server.
    fn returning(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation>;
    /// Ready when the wire can take more bytes in this direction. What it has decided about those that it took before
    /// is in `instead` then.
    fn poll_decided(
        &mut self,
        direction: Direction,
        cx: &mut Context<'_>,
        instead: &mut BytesMut,
    ) -> Poll<Result<(), Violation>>;
    /// Whether the client wants another session in its connection. Nothing more goes up then.
    fn is_over(&self) -> bool {
        false
    }
    /// Whether the server has work to do for the client, as far as is known.
    fn is_busy(&self) -> bool;
    /// The session's task was woken: by either side, or because something about the session has changed. Once a turn.
    fn look_around(&mut self, cx: &mut Context<'_>);
    /// Looks at bytes that were just written to the client.
    fn delivered(&mut self, bytes: &[u8]) -> Result<(), Violation>;
    /// How many bytes the client still needs to complete the message that it is in the middle of; none while that
    /// is unknown, zero between messages.
    fn client_needs(&self) -> Option<usize>;
    /// The message that warns the client of the end.
    fn warning(&self, left: Duration) -> Bytes;
}

/// How the relay ended.
#[derive(Debug)]
pub(crate) enum Finish {
    /// The gate fell.
    Fallen,
    /// The client went away.
    Client,
    /// The server went away.
    Server,
    /// The client wants another session.
    Over,
    /// One of them spoke nonsense.
    Violation(Violation),
}

/// What a relay leaves behind.
#[derive(Debug)]
pub(crate) struct Left {
    /// How it ended.
    pub(crate) finish: Finish,
    /// What was read from the server and has not reached the client.
    pub(crate) unsent: BytesMut,
    /// Whether nothing of the client's lies in the server's stream that has not been sent yet: sealed by TLS, and on
    /// its way with the next flush.
    pub(crate) server_is_flushed: bool,
}

/// One direction's leftovers.
#[derive(Debug, Default)]
struct Lane {
    /// Read, not yet written.
    backlog: BytesMut,
    /// The reading side is at its end.
    ended: bool,
    /// The end was passed on.
    closed: bool,
    /// Written, not yet flushed.
    unflushed: bool,
}

/// A session's two streams and what lies between them.
#[derive(Debug)]
pub(crate) struct Relay<'s, W> {
    client: &'s mut Stream,
    server: &'s mut Stream,
    wire: &'s mut W,
    up: Lane,
    down: Lane,
    warning: Bytes,
    warning_begun: bool,
    /// Whether the client said something in this turn.
    heard: bool,
    bytes_up: Counter,
    bytes_down: Counter,
}

impl<'s, W: Wire> Relay<'s, W> {
    /// Puts the relay together. `ahead` is what the server has already said.
    pub(crate) fn new(
        client: &'s mut Stream,
        server: &'s mut Stream,
        wire: &'s mut W,
        ahead: BytesMut,
        [bytes_up, bytes_down]: [Counter; 2],
    ) -> Self {
        let down = Lane { backlog: ahead, ..Lane::default() };
        let (up, warning) = (Lane::default(), Bytes::new());
        let (warning_begun, heard) = (false, false);
        Self { client, server, wire, up, down, warning, warning_begun, heard, bytes_up, bytes_down }
    }

    /// Relays until the end.
    pub(crate) async fn run(mut self, watch: &mut Watch<'_>) -> Left {
        let finish = poll_fn(|cx| self.poll(cx, watch)).await;
        let server_is_flushed = !self.up.unflushed && self.up.backlog.is_empty();
        Left { finish, unsent: self.down.backlog, server_is_flushed }
    }

    fn poll(&mut self, cx: &mut Context<'_>, watch: &mut Watch<'_>) -> Poll<Finish> {
        while let Poll::Ready(event) = watch.poll(cx) {
            match event {
                Event::Fallen => return Poll::Ready(Finish::Fallen),
                Event::Warning(left) => {
                    if !self.warning_begun {
                        self.warning = self.wire.warning(left);
                    }
                }
            }
        }
        self.wire.look_around(cx);
        let turn = SCRATCH.with_borrow_mut(|scratch| {
            self.poll_up(cx, watch, scratch)?;
            self.poll_down(cx, watch, scratch)
        });
        watch.note(std::mem::take(&mut self.heard), self.wire.is_busy());
        if watch.leash().has_fallen() {
            return Poll::Ready(Finish::Fallen);
        }
        turn.map_or_else(Poll::Ready, |()| Poll::Pending)
    }

    /// Client to server, until nothing moves.
    fn poll_up(&mut self, cx: &mut Context<'_>, watch: &Watch<'_>, scratch: &mut [u8]) -> Result<(), Finish> {
        let lane = &mut self.up;
        while !watch.leash().has_fallen() {
            if lane.backlog.has_remaining() {
                let Poll::Ready(count) = write(self.server, cx, &lane.backlog).map_err(|_| Finish::Server)?
                else {
                    break;
                };
                lane.unflushed = true;
                lane.advance(count);
                continue;
            }
            let decided = settled(self.wire.poll_decided(Direction::Up, cx, &mut lane.backlog))?;
            // What was decided goes on while the rest waits.
            if lane.backlog.has_remaining() {
                continue;
            }
            if decided.is_pending() {
                break;
            }
            if self.wire.is_over() {
                return Err(Finish::Over);
            }
            if lane.ended {
                if !lane.closed {
                    lane.closed = Pin::new(&mut *self.server).poll_shutdown(cx).is_ready();
                }
                break;
            }
            // A client that broke off is at its end like one that hung up; what it began goes on, still on the leash.
            let Poll::Ready(count) = read(self.client, cx, scratch).unwrap_or(Poll::Ready(0)) else { break };
            let fresh = scratch.get(..count).unwrap_or_default();
            lane.ended = fresh.is_empty();
            self.heard |= !lane.ended;
            let passing = self.wire.forwarding(fresh, &mut lane.backlog).map_err(Finish::Violation)?;
            self.bytes_up.increment(count as u64);
            if passing == Passing::Replaced {
                continue;
            }
            let sent = match write(self.server, cx, fresh).map_err(|_| Finish::Server)? {
                Poll::Ready(sent) => sent,
                Poll::Pending => 0,
            };
            lane.unflushed = true;
            lane.backlog.extend_from_slice(fresh.get(sent..).unwrap_or_default());
        }
        lane.flush(self.server, cx).map_err(|_| Finish::Server)
    }

    /// Server to client, until nothing moves.
    fn poll_down(
        &mut self,
        cx: &mut Context<'_>,
        watch: &Watch<'_>,
        scratch: &mut [u8],
    ) -> Result<(), Finish> {
        while !watch.leash().has_fallen() {
            if self.down.backlog.has_remaining() || !self.warning.is_empty() {
                let Poll::Ready(()) = self.poll_backlog(cx)? else { break };
                continue;
            }
            let decided = settled(self.wire.poll_decided(Direction::Down, cx, &mut self.down.backlog))?;
            // What was decided goes on while the rest waits.
            if self.down.backlog.has_remaining() {
                continue;
            }
            if decided.is_pending() {
                break;
            }
            if self.down.ended {
                self.down.flush(self.client, cx).map_err(|_| Finish::Client)?;
                if self.down.unflushed {
                    break;
                }
                return Err(Finish::Server);
            }
            let Poll::Ready(count) = read(self.server, cx, scratch).map_err(|_| Finish::Server)? else {
                break;
            };
            let fresh = scratch.get(..count).unwrap_or_default();
            self.down.ended = fresh.is_empty();
            self.bytes_down.increment(count as u64);
            let passing = self.wire.returning(fresh, &mut self.down.backlog).map_err(Finish::Violation)?;
            if passing == Passing::Replaced {
                continue;
            }
            let sent = match write(self.client, cx, fresh).map_err(|_| Finish::Client)? {
                Poll::Ready(sent) => sent,
                Poll::Pending => 0,
            };
            self.down.unflushed = true;
            self.wire.delivered(fresh.get(..sent).unwrap_or_default()).map_err(Finish::Violation)?;
            self.down.backlog.extend_from_slice(fresh.get(sent..).unwrap_or_default());
        }
        self.down.flush(self.client, cx).map_err(|_| Finish::Client)
    }

    /// Writes what waits for the client: a warning between two messages, else the backlog, up to the next boundary
    /// if a warning waits for it.
    fn poll_backlog(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Finish> {
        let needs = self.wire.client_needs();
        self.down.unflushed = true;
        if !self.warning.is_empty() && (self.warning_begun || needs == Some(0)) {
            let Poll::Ready(count) = write(self.client, cx, &self.warning).map_err(|_| Finish::Client)?
            else {
                return Ok(Poll::Pending);
            };
            self.warning.advance(count);
            self.warning_begun = !self.warning.is_empty();
            return Ok(Poll::Ready(()));
        }
        let upto = if self.warning.is_empty() { usize::MAX } else { needs.unwrap_or(1) };
        let slice = self.down.backlog.get(..upto.min(self.down.backlog.len())).unwrap_or_default();
        if slice.is_empty() {
            return self.poll_more(cx);
        }
        let Poll::Ready(count) = write(self.client, cx, slice).map_err(|_| Finish::Client)? else {
            return Ok(Poll::Pending);
        };
        self.wire.delivered(slice.get(..count).unwrap_or_default()).map_err(Finish::Violation)?;
        self.down.advance(count);
        Ok(Poll::Ready(()))
    }

    /// A warning waits for the end of a message of which the rest is not here yet.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Finish> {
        let decided = self.wire.poll_decided(Direction::Down, cx, &mut self.down.backlog);
        let Poll::Ready(()) = settled(decided)? else { return Ok(Poll::Pending) };
        if self.down.backlog.has_remaining() {
            return Ok(Poll::Ready(()));
        }
        let mut more = [0; 4096];
        let Poll::Ready(count) = read(self.server, cx, &mut more).map_err(|_| Finish::Server)? else {
            return Ok(Poll::Pending);
        };
        self.bytes_down.increment(count as u64);
        let more = more.get(..count).unwrap_or_default();
        if self.wire.returning(more, &mut self.down.backlog).map_err(Finish::Violation)? == Passing::AsTheyAre
        {
            self.down.backlog.extend_from_slice(more);
        }
        if count == 0 {
            self.down.ended = true;
            self.warning.clear();
        }
        Ok(Poll::Ready(()))
    }
}

impl Lane {
    fn advance(&mut self, count: usize) {
        self.backlog.advance(count);
        if self.backlog.is_empty() {
            self.backlog = BytesMut::new();
        }
    }

    fn flush(&mut self, into: &mut Stream, cx: &mut Context<'_>) -> io::Result<()> {
        if self.unflushed {
            match Pin::new(into).poll_flush(cx) {
                Poll::Ready(done) => {
                    self.unflushed = false;
                    done?;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }
}

fn settled(decided: Poll<Result<(), Violation>>) -> Result<Poll<()>, Finish> {
    match decided {
        Poll::Ready(decided) => decided.map(Poll::Ready).map_err(Finish::Violation),
        Poll::Pending => Ok(Poll::Pending),
    }
}

fn read(from: &mut Stream, cx: &mut Context<'_>, into: &mut [u8]) -> io::Result<Poll<usize>> {
    let mut buffer = ReadBuf::new(into);
    match Pin::new(from).poll_read(cx, &mut buffer) {
        Poll::Ready(Ok(())) => Ok(Poll::Ready(buffer.filled().len())),
        // A TLS peer that hangs up without saying so: the end of the stream, as on a plain socket.
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Poll::Ready(0)),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(Poll::Pending),
    }
}

fn write(into: &mut Stream, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<Poll<usize>> {
    if bytes.is_empty() {
        return Ok(Poll::Ready(0));
    }
    match Pin::new(into).poll_write(cx, bytes) {
        Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
        Poll::Ready(Ok(count)) => Ok(Poll::Ready(count)),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(Poll::Pending),
    }
}

//! What a session's traffic says about its state, and the few commands that are not passed on as they are.
//!
//! `COM_CHANGE_USER` is another login, so it ends the session. `KILL` names connections by numbers, and a client knows
//! its own by ours. Everything else goes as it came.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use postern_protocol::mysql::{
    Capabilities, ChangeUser, Command, Conversation, ErrorText, HEADER_LEN, Header, Query, Request, packet,
};

use super::{kill, threads::Threads};
use crate::session::{Direction, Passing, Session, Violation, Wire};

/// The longest `COM_CHANGE_USER`.
const CHANGE_USER_MAX: usize = 10_000;
/// No `KILL` is longer than this with its attributes.
const KILL_MAX: usize = 512;

/// Who is going to be somebody else is asked for a proof next, and nothing else can come.
pub(crate) const BEFORE_ANSWER: &str = "commands came before the answer to COM_CHANGE_USER";

/// Follows both directions of one session.
#[derive(Clone)]
pub(crate) struct Traffic {
    conversation: Conversation,
    capabilities: Capabilities,
    session: Arc<Session>,
    threads: Arc<Threads>,
    /// What is still to come of the client's current packet, which goes as it is.
    passing: usize,
    /// The current packet is continued by the next, which therefore begins no message.
    continued: bool,
    /// Of a packet of the client's that is looked at: held back until it is here.
    held: Vec<u8>,
    /// Whether that is a `COM_CHANGE_USER`, and commands before it have no answer yet.
    defers: bool,
    /// This wakes the task that looks at it then.
    blocked: Option<Waker>,
    /// The number after that of a `COM_CHANGE_USER`, and what it says.
    change: Option<(u8, ChangeUser)>,
}

/// What becomes of a packet of the client's.
enum Fate {
    /// It goes as it is.
    Pass(Header),
    /// More of it must be here before anything can be said.
    Wait,
    /// It is so long, and this goes in its place.
    Replace(usize, Bytes),
    /// It is a login, so long.
    Login(usize, u8, ChangeUser),
}

impl Traffic {
    /// A session at its very beginning.
    pub(crate) fn new(capabilities: Capabilities, threads: &Arc<Threads>, session: &Arc<Session>) -> Self {
        Self {
            conversation: Conversation::new(capabilities),
            capabilities,
            session: Arc::clone(session),
            threads: Arc::clone(threads),
            passing: 0,
            continued: false,
            held: Vec::new(),
            defers: false,
            blocked: None,
            change: None,
        }
    }

    /// These bytes go to the database, decided about elsewhere.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.conversation.sending(bytes);
    }

    /// Whether the database may be executing something.
    pub(crate) fn in_flight(&self) -> bool {
        self.conversation.in_flight()
    }

    /// Whether the client has said good-bye.
    pub(crate) const fn client_left(&self) -> bool {
        self.conversation.client_left()
    }

    /// Whether a message to the database may begin with the next byte.
    pub(crate) const fn server_at_boundary(&self) -> bool {
        self.conversation.server_at_boundary()
    }

    /// The packet that tells the client why it ends.
    pub(crate) fn last_word(&self, text: &ErrorText) -> Bytes {
        self.conversation.error_packet(text)
    }

    /// The login that the client asked for in the middle of the connection, and the number of the answer to it.
    pub(crate) fn take_change_user(&mut self) -> Option<(u8, ChangeUser)> {
        self.change.take()
    }

    /// Takes packets and parts of packets, and puts what goes to the database into `instead`.
    fn take(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation> {
        let (before, mut login) = (instead.len(), None);
        let mut together = std::mem::take(&mut self.held);
        together.extend_from_slice(bytes);
        let mut bytes = together.as_slice();
        loop {
            let (part, rest) = bytes.split_at(bytes.len().min(self.passing));
            instead.extend_from_slice(part);
            self.passing -= part.len();
            bytes = rest;
            if bytes.is_empty() {
                break;
            }
            match self.fate(bytes)? {
                Fate::Pass(header) => self.pass(header),
                Fate::Wait => {
                    self.held = bytes.to_vec();
                    break;
                }
                Fate::Replace(length, packet) => {
                    instead.extend_from_slice(&packet);
                    bytes = bytes.get(length..).unwrap_or_default();
                }
                Fate::Login(length, ..) if bytes.len() > length => {
                    return Err(Violation(BEFORE_ANSWER.to_owned()));
                }
                Fate::Login(_, sequence, change) => {
                    self.held = bytes.to_vec();
                    login = Some((sequence, change));
                    break;
                }
            }
        }
        self.conversation.sending(instead.get(before..).unwrap_or_default());
        self.defers = login.is_some() && self.in_flight();
        if !self.defers && login.is_some() {
            self.held.clear();
            self.change = login;
        }
        Ok(Passing::Replaced)
    }

    const fn pass(&mut self, header: Header) {
        self.passing = HEADER_LEN + header.length as usize;
        self.continued = header.continues();
    }

    /// What becomes of the packet with which these bytes begin.
    fn fate(&self, bytes: &[u8]) -> Result<Fate, Violation> {
        let Some((header, payload)) = bytes.split_first_chunk::<HEADER_LEN>() else { return Ok(Fate::Wait) };
        let header = Header::decode(*header);
        if header.length == 0 || self.continued || self.conversation.is_uploading() {
            return Ok(Fate::Pass(header));
        }
        let Some(first) = payload.first() else { return Ok(Fate::Wait) };
        let (command, length) = (Command::from(*first), header.length as usize);
        let whole = payload.get(..length);
        match (command, whole) {
            (Command::ChangeUser, _) if length > CHANGE_USER_MAX => {
                Err(Violation("COM_CHANGE_USER is too long".to_owned()))
            }
            (Command::ChangeUser, Some(whole)) => self.login(header, whole),
            (Command::Query | Command::ProcessKill, Some(whole)) if length <= KILL_MAX => {
                let killed = self.kill(whole).map(|payload| packet(header.sequence, &payload));
                Ok(killed.map_or(Fate::Pass(header), |packet| Fate::Replace(HEADER_LEN + length, packet)))
            }
            (Command::ChangeUser, None) => Ok(Fate::Wait),
            (Command::Query | Command::ProcessKill, None) if length <= KILL_MAX => Ok(Fate::Wait),
            _ => Ok(Fate::Pass(header)),
        }
    }

    fn login(&self, header: Header, payload: &[u8]) -> Result<Fate, Violation> {
        let body = payload.get(1..).unwrap_or_default();
        let change =
            ChangeUser::decode(body, self.capabilities).map_err(|error| Violation(error.to_string()))?;
        Ok(Fate::Login(HEADER_LEN + payload.len(), header.sequence.wrapping_add(1), change))
    }

    /// The payload that says `KILL` with the database's number, if this one says it with ours.
    fn kill(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let upstream = |number| self.threads.upstream(number, &self.session);
        let request = Request::decode(payload, self.capabilities).ok()?;
        if let Request::ProcessKill(number) = request {
            return Some([&[Command::ProcessKill.code()], &upstream(number)?.to_le_bytes()[..]].concat());
        }
        let Request::Query(Query { attributes, text }) = request else { return None };
        let text = kill::translated(text, upstream)?;
        Some([&[Command::Query.code()], attributes, text.as_bytes()].concat())
    }

    /// Whether these are all of one packet, or of none but the current one, and go as they are.
    fn passes(&mut self, bytes: &[u8]) -> Result<bool, Violation> {
        if !self.held.is_empty() {
            return Ok(false);
        }
        if self.passing >= bytes.len() {
            self.passing -= bytes.len();
            return Ok(true);
        }
        if self.passing > 0 {
            return Ok(false);
        }
        if let Fate::Pass(header) = self.fate(bytes)?
            && bytes.len() <= HEADER_LEN + header.length as usize
        {
            self.pass(header);
            self.passing -= bytes.len();
            return Ok(true);
        }
        Ok(false)
    }
}

impl Wire for Traffic {
    fn forwarding(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation> {
        if !self.passes(bytes)? {
            return self.take(bytes, instead);
        }
        self.conversation.sending(bytes);
        Ok(Passing::AsTheyAre)
    }

    fn returning(&mut self, _: &[u8], _: &mut BytesMut) -> Result<Passing, Violation> {
        Ok(Passing::AsTheyAre)
    }

    fn poll_decided(
        &mut self,
        direction: Direction,
        cx: &mut Context<'_>,
        instead: &mut BytesMut,
    ) -> Poll<Result<(), Violation>> {
        if !self.defers || direction == Direction::Down {
            return Poll::Ready(Ok(()));
        }
        if self.in_flight() {
            self.blocked = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.take(&[], instead).map(drop))
    }

    fn is_over(&self) -> bool {
        self.change.is_some()
    }

    fn is_busy(&self) -> bool {
        self.in_flight()
    }

    fn look_around(&mut self, _: &mut Context<'_>) {}

    fn delivered(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.conversation.returning(bytes, &mut |_, _| {});
        if self.defers
            && !self.in_flight()
            && let Some(waker) = self.blocked.take()
        {
            waker.wake();
        }
        Ok(())
    }

    fn client_needs(&self) -> Option<usize> {
        self.conversation.client_needs()
    }

    /// The protocol has no message that could come unasked.
    fn warning(&self, _: Duration) -> Bytes {
        Bytes::new()
    }
}

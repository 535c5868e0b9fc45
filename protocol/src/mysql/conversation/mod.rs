//! Who of the two has to speak, and with which number.
//!
//! In: the bytes of a session after its login, in both directions and in any division. Out: whether the server has
//! work to do, where messages end, what the server's packets say, and which sequence id an error must carry that is
//! slipped in towards the client. Rows are not looked into: only their headers and first bytes are.
//!
//! What cannot be understood is no error here: the conversation is *lost* then, and counts as work for good.

mod answer;
mod event;
mod inbox;
mod reply;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

pub use self::event::{ColumnRole, Event};
use self::{answer::Answer, inbox::Inbox, reply::Phase};
use super::{Capabilities, Command, ErrorText, Header, PacketWalker, packet};

/// A command that is not yet answered in full.
#[derive(Debug, Clone, Copy)]
struct Asked {
    command: Command,
    /// Of the last packet of either side that belongs to it.
    sequence: u8,
}

/// Follows both directions of one session from its login on.
#[derive(Debug, Clone)]
pub struct Conversation {
    capabilities: Capabilities,
    up: PacketWalker,
    /// The client's message has begun with this header, and its first byte is still to come.
    opening: Option<Header>,
    /// The client's current message belongs to the command that was asked last.
    up_counts: bool,
    /// The oldest first: it is the one that is being answered.
    asked: VecDeque<Asked>,
    /// How far the answer to the oldest is.
    phase: Phase,
    down: Inbox,
    rows: u64,
    lost: bool,
    left: bool,
}

impl Conversation {
    /// Begins with the client's first command. The capabilities are those that client *and* server have.
    #[must_use]
    pub fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            up: PacketWalker::default(),
            opening: None,
            up_counts: false,
            asked: VecDeque::new(),
            phase: Phase::Verdict,
            down: Inbox::default(),
            rows: 0,
            lost: false,
            left: false,
        }
    }

    /// These bytes go to the server.
    pub fn sending(&mut self, mut bytes: &[u8]) {
        loop {
            if let (Some(header), Some(first)) = (self.opening, bytes.first()) {
                self.opening = None;
                self.ask(Command::from(*first), header.sequence);
            }
            bytes = self.up.skip(bytes);
            let Some((header, first, rest)) = self.up.header(bytes) else { return };
            bytes = rest;
            if first {
                self.open(header);
            } else {
                self.go_on(header);
            }
        }
    }

    /// The client begins a message: a command, or something that belongs to the last one.
    fn open(&mut self, header: Header) {
        let uploads = matches!(self.phase, Phase::Upload) && !self.asked.is_empty();
        let last = self.asked.back().map(|asked| answer::to(asked.command));
        self.up_counts = uploads || matches!(last, Some(Answer::Authentication | Answer::Dump));
        if self.up_counts {
            self.go_on(header);
            if uploads && header.length == 0 {
                self.phase = Phase::Results;
            }
        } else if header.length == 0 {
            // What servers take an empty packet for.
            self.ask(Command::Sleep, header.sequence);
        } else {
            self.opening = Some(header);
        }
    }

    fn go_on(&mut self, header: Header) {
        if let Some(asked) = self.asked.back_mut().filter(|_| self.up_counts) {
            asked.sequence = header.sequence;
        }
    }

    fn ask(&mut self, command: Command, sequence: u8) {
        match answer::to(command) {
            Answer::Nothing => self.left |= command == Command::Quit,
            Answer::Unforeseeable => self.lost = true,
            answer @ (Answer::Verdict
            | Answer::Results
            | Answer::Rows
            | Answer::Listing
            | Answer::Line
            | Answer::Prepared
            | Answer::Authentication
            | Answer::Dump) => {
                if self.asked.is_empty() {
                    self.phase = Phase::beginning(answer);
                }
                self.asked.push_back(Asked { command, sequence });
                self.up_counts = true;
            }
        }
    }

    /// These bytes go to the client. Calls `seen` for each packet of interest that they complete, with the command
    /// that it answers; an error may come without being asked for.
    pub fn returning(&mut self, mut bytes: &[u8], seen: &mut dyn FnMut(Option<Command>, Event<'_>)) {
        loop {
            bytes = self.take_payload(bytes, seen);
            bytes = self.pass_rows(bytes);
            let Some((header, rest)) = self.down.header(bytes) else { return };
            bytes = rest;
            if let Some(asked) = self.asked.front_mut() {
                asked.sequence = header.sequence;
            }
        }
    }

    /// Whether the server may be executing something.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.lost || !self.asked.is_empty()
    }

    /// The command that is being answered.
    #[must_use]
    pub fn answering(&self) -> Option<Command> {
        self.asked.front().map(|asked| asked.command)
    }

    /// How many commands have not been answered in full; more than one if the client does not wait.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// Whether something was said that is not understood.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the client has said good-bye.
    #[must_use]
    pub const fn client_left(&self) -> bool {
        self.left
    }

    /// Whether a file of the client's is on its way: what it sends are no commands.
    #[must_use]
    pub fn is_uploading(&self) -> bool {
        matches!(self.phase, Phase::Upload) && !self.asked.is_empty()
    }

    /// How many rows have passed.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether a message to the server may begin with the next byte.
    #[must_use]
    pub const fn server_at_boundary(&self) -> bool {
        self.up.at_boundary()
    }

    /// How many bytes the client still needs to complete the physical packet that it is in the middle of; none while
    /// that is unknown, zero between packets.
    #[must_use]
    pub fn client_needs(&self) -> Option<usize> {
        self.down.left()
    }

    /// An error that the client takes for the answer to what it waits for, or to what it says next. Only where
    /// [`Self::client_needs`] is zero; what was made up to get there must have come by [`Self::returning`]. A message of
    /// several packets that is not at its end is ended first.
    #[must_use]
    pub fn error_packet(&self, text: &ErrorText) -> Bytes {
        let last = self.asked.front().map_or(0, |asked| asked.sequence);
        if !self.down.continues() {
            return text.packet(last.wrapping_add(1));
        }
        let mut bytes = BytesMut::from(&packet(last.wrapping_add(1), b"")[..]);
        bytes.extend_from_slice(&text.packet(last.wrapping_add(2)));
        bytes.freeze()
    }
}

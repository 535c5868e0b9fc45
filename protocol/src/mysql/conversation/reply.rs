//! The answers, packet by packet.

use super::{
    Conversation,
    answer::{self, Answer},
    event::{ColumnRole, Event},
    inbox::{KEPT_MAX, Part},
};
use crate::mysql::{
    Capabilities, Command, EofPacket, ErrorPacket, HEADER_LEN, Header, MAX_PACKET, OkPacket, Reader,
    StatusFlags, error::is_progress,
};

/// What the server says next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    /// OK, EOF or ERR.
    Verdict,
    /// OK, a number of columns, or a request for a file.
    Results,
    /// The numbers of a prepared statement.
    Prepared,
    /// The definition of a column.
    Definitions(Definitions),
    /// EOF behind definitions.
    DefinitionsEnd(Definitions),
    /// A row, or the end of the rows.
    Rows {
        /// Another result follows whatever the end says: MySQL forgets to say so behind OUT parameters.
        more: bool,
    },
    /// The definition of a column, or their end.
    Listing,
    /// A text.
    Line,
    /// A step of a login.
    Authentication,
    /// An event of the binary log, or the end.
    Dump,
    /// Nothing, until the client has sent its file.
    Upload,
}

/// Definitions that are still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definitions {
    role: ColumnRole,
    left: u64,
    /// How many definitions of a prepared statement's columns follow those of its parameters, if there are columns.
    behind: Option<u64>,
}

impl Phase {
    pub(super) const fn beginning(answer: Answer) -> Self {
        match answer {
            Answer::Results => Self::Results,
            Answer::Rows => Self::Rows { more: false },
            Answer::Listing => Self::Listing,
            Answer::Line => Self::Line,
            Answer::Prepared => Self::Prepared,
            Answer::Authentication => Self::Authentication,
            Answer::Dump => Self::Dump,
            Answer::Verdict | Answer::Nothing | Answer::Unforeseeable => Self::Verdict,
        }
    }
}

/// A complete message of the server, or its beginning if it is too long.
#[derive(Clone, Copy)]
struct Message<'a> {
    payload: &'a [u8],
    too_long: bool,
}

type Seen<'s> = dyn FnMut(Option<Command>, Event<'_>) + 's;

impl Conversation {
    /// Passes whole rows as fast as their headers can be read.
    pub(super) fn pass_rows<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (Phase::Rows { .. }, Some(asked)) = (self.phase, self.asked.front_mut()) else { return bytes };
        if self.lost || !self.down.at_boundary() {
            return bytes;
        }
        let mut rest = bytes;
        while let Some((header, payload)) = rest.split_first_chunk::<HEADER_LEN>() {
            let header = Header::decode(*header);
            let (Some(first), Some(next)) = (payload.first(), payload.get(header.length as usize..)) else {
                break;
            };
            if *first >= 0xfe || header.length == 0 || header.continues() {
                break;
            }
            asked.sequence = header.sequence;
            self.rows += 1;
            rest = next;
        }
        rest
    }

    /// Reads what is here of the current message, and gives what is behind it.
    pub(super) fn take_payload<'b>(&mut self, bytes: &'b [u8], seen: &mut Seen<'_>) -> &'b [u8] {
        let Some((part, rest)) = self.down.part(bytes) else { return bytes };
        let (phase, free) = (self.phase, self.lost || self.asked.is_empty());
        let (capabilities, lost) = (self.capabilities, self.lost);
        let decide = |first| !lost && (free || is_interesting(phase, first, part.length, capabilities));
        if !self.down.is_interesting(part, decide) {
            if part.last {
                self.passed();
            }
        } else if part.last && self.down.is_empty() {
            let payload = part.bytes.get(..KEPT_MAX).unwrap_or(part.bytes);
            self.read(Message { payload, too_long: payload.len() < part.bytes.len() }, seen);
        } else {
            self.keep(part, seen);
        }
        rest
    }

    fn keep(&mut self, part: Part<'_>, seen: &mut Seen<'_>) {
        self.down.keep(part);
        if part.last {
            let (kept, too_long) = self.down.take_kept();
            self.read(Message { payload: &kept, too_long }, seen);
        }
    }

    /// A message that is not of interest is over.
    fn passed(&mut self) {
        match self.phase {
            _ if self.lost => {}
            Phase::Rows { .. } => self.rows += 1,
            Phase::Line => self.finish(),
            Phase::Verdict
            | Phase::Results
            | Phase::Prepared
            | Phase::Definitions(_)
            | Phase::DefinitionsEnd(_)
            | Phase::Listing
            | Phase::Authentication
            | Phase::Dump
            | Phase::Upload => {}
        }
    }

    /// A message of interest is complete.
    fn read(&mut self, message: Message<'_>, seen: &mut Seen<'_>) {
        let understood = if self.lost { Some(()) } else { self.understand(message, seen) };
        self.lost |= understood.is_none();
    }

    fn understand(&mut self, message: Message<'_>, seen: &mut Seen<'_>) -> Option<()> {
        let payload = message.payload;
        let reports = Capabilities::MARIADB_PROGRESS | Capabilities::CAPABILITY_EXTENSION;
        if is_progress(payload) && (self.capabilities & reports) != Capabilities::NONE {
            return Some(());
        }
        if payload.first() == Some(&0xff) {
            return self.error(ErrorPacket::decode(payload).ok()?, seen);
        }
        self.asked.front()?;
        match self.phase {
            Phase::Verdict => self.end(message, seen).map(|_| self.finish()),
            Phase::Results => self.begin_result(message, seen),
            Phase::Prepared => self.prepared(message, seen),
            Phase::Definitions(definitions) => self.definition(definitions, message, seen),
            Phase::DefinitionsEnd(definitions) => self.definitions_end(definitions, payload, seen),
            Phase::Rows { more } => self.end(message, seen).map(|status| self.result_over(status, more)),
            Phase::Listing if payload.first() == Some(&0xfe) => {
                self.end(message, seen).map(|_| self.finish())
            }
            Phase::Listing => self.tell_column(ColumnRole::Listed, message, seen),
            Phase::Authentication => self.authentication(message, seen),
            Phase::Dump => self.end(message, seen).map(|_| self.finish()),
            Phase::Line | Phase::Upload => None,
        }
    }

    fn tell(&self, event: Event<'_>, seen: &mut Seen<'_>) {
        seen(self.answering(), event);
    }

    /// An ERR packet ends whatever is being answered.
    fn error(&mut self, error: ErrorPacket<'_>, seen: &mut Seen<'_>) -> Option<()> {
        self.tell(Event::Error(error), seen);
        // The client is still sending its file, and who would know now what the server takes it for?
        let uploading = self.is_uploading();
        self.finish();
        (!uploading).then_some(())
    }

    /// An OK or EOF packet. Gives the session's state.
    fn end(&self, message: Message<'_>, seen: &mut Seen<'_>) -> Option<StatusFlags> {
        if let Ok(eof) = EofPacket::decode(message.payload) {
            self.tell(Event::Eof(eof), seen);
            return Some(eof.status);
        }
        if message.too_long {
            self.tell(Event::TooLong, seen);
            return OkPacket::status_of(message.payload);
        }
        let ok = OkPacket::decode(message.payload, self.capabilities).ok()?;
        self.tell(Event::Ok(ok), seen);
        Some(ok.status)
    }

    fn finish(&mut self) {
        self.asked.pop_front();
        self.up_counts &= !self.asked.is_empty();
        self.phase =
            self.asked.front().map_or(Phase::Verdict, |asked| Phase::beginning(answer::to(asked.command)));
    }

    /// A result is over; another of the same command may follow.
    fn result_over(&mut self, status: StatusFlags, more: bool) {
        let several = self.answering().is_some_and(|command| answer::to(command) == Answer::Results);
        if several && (more || status.has(StatusFlags::MORE_RESULTS_EXISTS)) {
            self.phase = Phase::Results;
        } else {
            self.finish();
        }
    }

    fn begin_result(&mut self, message: Message<'_>, seen: &mut Seen<'_>) -> Option<()> {
        match message.payload {
            [0x00, ..] => self.end(message, seen).map(|status| self.result_over(status, false)),
            [0xfb, name @ ..] => {
                self.tell(Event::LocalInfile(name), seen);
                self.phase = Phase::Upload;
                // The server takes for the file what the client has said ahead as commands.
                (self.asked.len() == 1 && self.up.at_boundary()).then_some(())
            }
            payload => self.columns(payload, seen),
        }
    }

    fn columns(&mut self, payload: &[u8], seen: &mut Seen<'_>) -> Option<()> {
        let mut reader = Reader::new(payload);
        let count = reader.lenenc()?;
        // MySQL's manual puts the flag first; MySQL itself puts it last, like MariaDB.
        let optional = Capabilities::MARIADB_CACHE_METADATA | Capabilities::OPTIONAL_RESULTSET_METADATA;
        let told = (self.capabilities & optional) != Capabilities::NONE;
        let defined = if told { reader.u8()? != 0 } else { true };
        reader.end()?;
        self.tell(Event::Columns { count, defined }, seen);
        let left = if defined { count } else { 0 };
        self.define(Definitions { role: ColumnRole::Result, left, behind: None });
        Some(())
    }

    fn prepared(&mut self, message: Message<'_>, seen: &mut Seen<'_>) -> Option<()> {
        let mut reader = Reader::new(message.payload);
        reader.u8().filter(|header| *header == 0)?;
        let (statement, columns, parameters) = (reader.u32()?, reader.u16()?, reader.u16()?);
        reader.take(3)?;
        let optional = self.capabilities.has(Capabilities::OPTIONAL_RESULTSET_METADATA);
        let defined = if optional && !reader.rest().is_empty() { reader.u8()? != 0 } else { true };
        reader.end()?;
        self.tell(Event::Prepared { statement, columns, parameters }, seen);
        let of = |count: u16| (count > 0).then_some(if defined { u64::from(count) } else { 0 });
        let (first, behind) = (of(parameters), of(columns));
        match (first, behind) {
            (Some(left), _) => self.define(Definitions { role: ColumnRole::Parameter, left, behind }),
            (None, Some(left)) => self.define(Definitions { role: ColumnRole::Prepared, left, behind: None }),
            (None, None) => self.finish(),
        }
        Some(())
    }

    fn define(&mut self, definitions: Definitions) {
        if definitions.left > 0 {
            self.phase = Phase::Definitions(definitions);
        } else if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.defined(definitions);
        } else {
            self.phase = Phase::DefinitionsEnd(definitions);
        }
    }

    fn definition(
        &mut self,
        definitions: Definitions,
        message: Message<'_>,
        seen: &mut Seen<'_>,
    ) -> Option<()> {
        self.tell_column(definitions.role, message, seen)?;
        self.define(Definitions { left: definitions.left.saturating_sub(1), ..definitions });
        Some(())
    }

    /// A definition begins with the catalog's name, and no other packet looks like that.
    fn tell_column(&self, role: ColumnRole, message: Message<'_>, seen: &mut Seen<'_>) -> Option<()> {
        message.payload.first().filter(|length| (1..=0xfa).contains(*length))?;
        self.tell(if message.too_long { Event::TooLong } else { Event::Column(role, message.payload) }, seen);
        Some(())
    }

    fn definitions_end(
        &mut self,
        definitions: Definitions,
        payload: &[u8],
        seen: &mut Seen<'_>,
    ) -> Option<()> {
        let eof = EofPacket::decode(payload).ok()?;
        let (status, more) = (eof.status, StatusFlags::MORE_RESULTS_EXISTS);
        if definitions.role != ColumnRole::Result {
            self.defined(definitions);
        } else if status.has(StatusFlags::CURSOR_EXISTS) {
            self.tell(Event::Eof(eof), seen);
            self.result_over(status, false);
        } else {
            self.phase = Phase::Rows { more: status.has(StatusFlags::PS_OUT_PARAMS) && status.has(more) };
        }
        Some(())
    }

    /// Nothing more is to be said about these.
    fn defined(&mut self, definitions: Definitions) {
        match (definitions.role, definitions.behind) {
            (ColumnRole::Result, _) => self.phase = Phase::Rows { more: false },
            (ColumnRole::Parameter, Some(left)) => {
                self.define(Definitions { role: ColumnRole::Prepared, left, behind: None });
            }
            (ColumnRole::Parameter | ColumnRole::Prepared | ColumnRole::Listed, _) => self.finish(),
        }
    }

    fn authentication(&mut self, message: Message<'_>, seen: &mut Seen<'_>) -> Option<()> {
        if message.payload.first() == Some(&0x00) {
            return self.end(message, seen).map(|_| self.finish());
        }
        self.tell(
            if message.too_long { Event::TooLong } else { Event::Authentication(message.payload) },
            seen,
        );
        Some(())
    }
}

/// Whether a message that begins so, and whose first packet is so long, is one that has to be read.
fn is_interesting(phase: Phase, first: u8, length: u32, capabilities: Capabilities) -> bool {
    match phase {
        Phase::Rows { .. } if first == 0xfe => {
            // As the first byte of a row it announces a value of 16 MiB and more.
            let longest = if capabilities.has(Capabilities::DEPRECATE_EOF) { MAX_PACKET - 1 } else { 8 };
            length as usize <= longest
        }
        Phase::Rows { .. } | Phase::Line => first == 0xff,
        Phase::Dump => first != 0x00,
        Phase::Verdict
        | Phase::Results
        | Phase::Prepared
        | Phase::Definitions(_)
        | Phase::DefinitionsEnd(_)
        | Phase::Listing
        | Phase::Authentication
        | Phase::Upload => true,
    }
}

//! The way down: what the server may say in a limited session.
//!
//! Rows and data of a COPY stream through: which columns they hold was settled by the verdict. The description of a
//! result is compared with the grant once more; what does not fit ends the session.

use bytes::BytesMut;
use postern_protocol::postgres::{self, Header, InvalidMessage, parameter_status, result_columns};

use super::{
    Breach, Guard, Pace, Waiting,
    inbox::{Need, Piece},
    scrub,
};

/// The longest message that is looked at.
const LONGEST: u32 = 16 * 1024 * 1024;

impl From<InvalidMessage> for Breach {
    fn from(error: InvalidMessage) -> Self {
        Self::Violation(error.to_string())
    }
}

/// Messages that go on unseen.
const fn streams(kind: u8) -> bool {
    matches!(kind, b'D' | b'd')
}

fn need(header: Header, _: usize) -> Result<Need, Breach> {
    match header.kind {
        kind if streams(kind) => Ok(Need::Header),
        _ if header.body <= LONGEST => Ok(Need::Whole),
        kind => Err(Breach::Violation(format!("the server's message '{}' is too long", kind.escape_ascii()))),
    }
}

impl Guard {
    /// How many of these bytes of the server go on as they are. The others have to be looked at.
    pub(crate) fn streaming(&mut self, bytes: &[u8]) -> Result<usize, Breach> {
        if self.waiting_down.is_some() {
            return Ok(0);
        }
        let mut rows = 0;
        let length = self.down.take_streaming(bytes, |kind| {
            rows += u64::from(streams(kind));
            streams(kind)
        })?;
        self.count_rows(rows)?;
        Ok(length)
    }

    fn count_rows(&mut self, rows: u64) -> Result<(), Breach> {
        let limits = self.ground.limits.terms.limits;
        let before = limits.max_rows.map_or(0, |_| self.replies.rows_before());
        self.quota.rows(before, rows, limits).map_err(Breach::Exceeded)
    }

    /// Takes bytes of the server and puts what goes to the client into `out`.
    pub(crate) fn take_from_server(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<Pace, Breach> {
        self.down.take(bytes, out);
        self.server_messages(out)
    }

    /// Decides about everything that is here.
    pub(super) fn server_messages(&mut self, out: &mut BytesMut) -> Result<Pace, Breach> {
        if self.waiting_down.is_some() {
            return Ok(Pace::Going);
        }
        while let Some(piece) = self.down.next(need)? {
            match self.server_message(piece, out)? {
                Pace::Going => {}
                waiting => return Ok(waiting),
            }
        }
        Ok(Pace::Going)
    }

    /// Decides about one message.
    pub(super) fn server_message(&mut self, piece: Piece, out: &mut BytesMut) -> Result<Pace, Breach> {
        match piece.kind {
            b'D' | b'd' => self.count_rows(1)?,
            b'c' => {}
            b'T' if !self.may_show(piece.body())? => {
                self.waiting_down = Some(Waiting { piece, asked: true });
                return Ok(Pace::WantsCatalog);
            }
            b'S' => self.check_parameter(piece.body())?,
            b'E' => {
                let error = self.error(&piece);
                self.replies.answered(b'E', None)?;
                out.extend_from_slice(&error);
                return Ok(Pace::Going);
            }
            b'N' => {
                let notice = scrub::notice(piece.body(), |table| self.is_open(table));
                out.extend_from_slice(&notice.unwrap_or_default());
                return Ok(Pace::Going);
            }
            b'A' => return Ok(Pace::Going),
            b'Z' => {
                self.quota.answered();
                self.replies.answered(b'Z', piece.body().first().copied())?;
            }
            b's' | b'C' => {
                self.replies.gave(self.quota.answered());
                self.replies.answered(piece.kind, None)?;
            }
            b'1' | b'2' | b'3' | b'G' | b'H' | b'I' | b'T' | b'n' | b't' => {
                self.replies.answered(piece.kind, None)?;
            }
            other => {
                let kind = other.escape_ascii();
                return Err(Breach::Violation(format!("unexpected message '{kind}' of the server")));
            }
        }
        self.down.pass(&piece, out);
        Ok(Pace::Going)
    }

    /// Whether a result may have these columns. False when a newer catalog may know better; an alarm when not even
    /// that.
    fn may_show(&mut self, body: &[u8]) -> Result<bool, Breach> {
        if self.shown.find(|(epoch, shown)| *epoch == self.epoch && **shown == *body).is_some() {
            return Ok(true);
        }
        let hidden = |column: &postgres::ResultColumn| !self.ground.may_show(column.table, column.number);
        match result_columns(body)?.iter().find(|column| hidden(column)) {
            None => {
                self.shown.keep((self.epoch, body.into()), body.len());
                Ok(true)
            }
            Some(_) if !self.asked => Ok(false),
            Some(column) => {
                let postgres::ResultColumn { table, number } = column;
                Err(Breach::Tripwire(format!("a result holds column {number} of the table with OID {table}")))
            }
        }
    }

    /// The settings that give statements their meaning stay as they were.
    fn check_parameter(&self, body: &[u8]) -> Result<(), Breach> {
        let (name, value) = parameter_status(body)?;
        let as_pinned = match name {
            "standard_conforming_strings" => value == "on",
            "client_encoding" => value == "UTF8",
            "search_path" => value == self.pinned.search_path || self.ground.keeps_path(value),
            "session_authorization" => value == self.pinned.session_user,
            _ => true,
        };
        if as_pinned { Ok(()) } else { Err(Breach::Tripwire(format!("{name} has become \"{value}\""))) }
    }

    /// Whether the grant covers all columns of this table.
    fn is_open(&self, (schema, table): (&str, &str)) -> bool {
        let (catalog, limits) = (&self.ground.catalog, &self.ground.limits);
        let (Some(relation), Some(limits)) = (catalog.relation(schema, table), limits.table(schema, table))
        else {
            return false;
        };
        relation.columns.iter().all(|column| limits.select.covers(&column.name))
    }

    /// The denial that an error stands for, or what the session may know of an error of the server's own.
    fn error(&mut self, piece: &Piece) -> bytes::Bytes {
        if let Some(denial) = self.replies.denial(piece.body()) {
            return postgres::error(&denial.told());
        }
        let failing = self.replies.failing();
        let rewritten =
            failing.is_some_and(|texts| texts.iter().any(|text| text.judgement.instead.is_some()));
        scrub::error(piece.body(), rewritten, |table| self.is_open(table))
    }
}

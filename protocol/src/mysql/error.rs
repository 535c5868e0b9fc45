//! ERR packets, both ways.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html>

use bytes::Bytes;

use super::{Malformed, Reader, packet};

/// The code with which MariaDB marks what is no error but a report of progress.
const PROGRESS: u16 = 0xffff;

/// An ERR packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorPacket<'a> {
    /// The error's number.
    pub code: u16,
    /// SQLSTATE; none before the greeting, when the server does not yet know what the client understands.
    pub sqlstate: Option<[u8; 5]>,
    /// In the session's character set.
    pub message: &'a [u8],
}

impl<'a> ErrorPacket<'a> {
    /// Decodes a payload that begins with 0xFF. A report of progress is none.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(payload).ok_or(Malformed("ERR packet"))
    }

    fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (header, code) = (reader.u8()?, reader.u16()?);
        if header != 0xff || code == PROGRESS {
            return None;
        }
        let Some((b"#", marked)) = reader.rest().split_first_chunk::<1>() else {
            return Some(Self { code, sqlstate: None, message: reader.rest() });
        };
        let (sqlstate, message) = marked.split_first_chunk::<5>()?;
        Some(Self { code, sqlstate: Some(*sqlstate), message })
    }

    /// The finished packet with this sequence id.
    #[must_use]
    pub fn packet(&self, sequence: u8) -> Bytes {
        let mut payload = vec![0xff];
        payload.extend_from_slice(&self.code.to_le_bytes());
        if let Some(sqlstate) = self.sqlstate {
            payload.push(b'#');
            payload.extend_from_slice(&sqlstate);
        }
        payload.extend_from_slice(self.message);
        packet(sequence, &payload)
    }
}

/// Whether this payload, of which perhaps only the beginning is here, is MariaDB's report of progress: it answers
/// nothing, and the answer is still to come.
pub(super) fn is_progress(payload: &[u8]) -> bool {
    payload.starts_with(&[0xff, 0xff, 0xff])
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorText {
    /// The error's number, such as 1142.
    pub code: u16,
    /// SQLSTATE, five characters.
    pub sqlstate: &'static str,
    /// One line.
    pub message: String,
}

impl ErrorText {
    /// Puts one together.
    #[must_use]
    pub fn new(code: u16, sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { code, sqlstate, message: message.into() }
    }

    fn as_packet(&self) -> ErrorPacket<'_> {
        let sqlstate = self.sqlstate.as_bytes().first_chunk::<5>().unwrap_or(b"HY000");
        ErrorPacket { code: self.code, sqlstate: Some(*sqlstate), message: self.message.as_bytes() }
    }

    /// The finished packet with this sequence id.
    #[must_use]
    pub fn packet(&self, sequence: u8) -> Bytes {
        self.as_packet().packet(sequence)
    }

    /// The finished packet in the place of a greeting: no SQLSTATE, and sequence id 0.
    #[must_use]
    pub fn instead_of_greeting(&self) -> Bytes {
        ErrorPacket { sqlstate: None, ..self.as_packet() }.packet(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_back_with_and_without_its_state() {
        let text = ErrorText::new(1142, "42000", "SELECT command denied");
        let bytes = text.packet(3);
        assert_eq!(&bytes[..], b"\x1e\0\0\x03\xff\x76\x04#42000SELECT command denied");
        let read = ErrorPacket::decode(&bytes[4..]).unwrap();
        assert_eq!((read.code, read.sqlstate), (1142, Some(*b"42000")));
        assert_eq!(read.message, b"SELECT command denied");
        let early = ErrorText::new(1040, "08004", "Too many connections").instead_of_greeting();
        assert_eq!(&early[..], b"\x17\0\0\0\xff\x10\x04Too many connections");
        let read = ErrorPacket::decode(&early[4..]).unwrap();
        assert_eq!((read.code, read.sqlstate, read.message), (1040, None, &b"Too many connections"[..]));
    }

    #[test]
    fn what_is_no_error_is_not_taken_for_one() {
        for payload in
            [&b""[..], b"\xff", b"\xff\x76", b"\xff\x76\x04#420", b"\0\0\0", b"\xff\xff\xff\x01\x02\x01"]
        {
            assert_eq!(ErrorPacket::decode(payload), Err(Malformed("ERR packet")), "{payload:?}");
        }
        assert!(is_progress(b"\xff\xff\xff\x01\x02\x01\0\0\0\x07copying"));
    }
}

//! OK and EOF packets: how a statement went, and what it changed in the session.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html>

use bytes::Bytes;

use super::{
    Capabilities, Malformed, Reader, SessionChange, StatusFlags, packet, put_lenenc, put_lenenc_bytes,
};

/// An OK packet. Under `DEPRECATE_EOF` one with the header 0xFE ends the rows of a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// How many rows were changed, or with `FOUND_ROWS` found.
    pub affected_rows: u64,
    /// The last number that an `AUTO_INCREMENT` column was given.
    pub last_insert_id: u64,
    /// The session's state.
    pub status: StatusFlags,
    /// How many warnings there are.
    pub warnings: u16,
    /// A human-readable line, such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: &'a [u8],
    /// Changes of the session's state, not yet decoded.
    changes: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Decodes a payload that begins with 0x00 or 0xFE, as it is sent where these capabilities were agreed upon.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let ok = Self::read(&mut reader, capabilities);
        ok.filter(|_| reader.end().is_some()).ok_or(Malformed("OK packet"))
    }

    fn read(reader: &mut Reader<'a>, capabilities: Capabilities) -> Option<Self> {
        if !matches!(reader.u8()?, 0x00 | 0xfe) {
            return None;
        }
        let (affected_rows, last_insert_id) = (reader.lenenc()?, reader.lenenc()?);
        let (status, warnings) = (StatusFlags(reader.u16()?), reader.u16()?);
        let ok = Self { affected_rows, last_insert_id, status, warnings, ..Self::default() };
        if !capabilities.has(Capabilities::SESSION_TRACK) {
            return Some(Self { info: plain_info(reader), ..ok });
        }
        if reader.rest().is_empty() {
            // Servers leave the whole rest out when there is nothing to say.
            return Some(ok);
        }
        let info = reader.lenenc_bytes()?;
        let tells = status.has(StatusFlags::SESSION_STATE_CHANGED);
        let changes = if tells { reader.lenenc_bytes()? } else { b"" };
        Some(Self { info, changes, ..ok })
    }

    /// The session's state in the beginning of an OK packet.
    pub(super) fn status_of(payload: &'a [u8]) -> Option<StatusFlags> {
        let mut reader = Reader::new(payload);
        Self::read(&mut reader, Capabilities::NONE).map(|ok| ok.status)
    }

    /// What changed in the session; none if that part is malformed. Empty unless `SESSION_TRACK` was agreed upon.
    pub fn changes(&self) -> Result<Vec<SessionChange<'a>>, Malformed> {
        SessionChange::decode_all(self.changes)
    }

    /// The finished packet with this sequence id, for a client with these capabilities. Tells no session changes.
    #[must_use]
    pub fn packet(&self, sequence: u8, capabilities: Capabilities) -> Bytes {
        let status = StatusFlags(self.status.0 & !StatusFlags::SESSION_STATE_CHANGED.0);
        let mut payload = vec![0];
        put_lenenc(&mut payload, self.affected_rows);
        put_lenenc(&mut payload, self.last_insert_id);
        payload.extend_from_slice(&status.0.to_le_bytes());
        payload.extend_from_slice(&self.warnings.to_le_bytes());
        if capabilities.has(Capabilities::SESSION_TRACK) || !self.info.is_empty() {
            put_lenenc_bytes(&mut payload, self.info);
        }
        packet(sequence, &payload)
    }
}

/// The manual says that the info is the rest of the packet; servers put its length before it nevertheless.
fn plain_info<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let rest = reader.take_rest();
    let mut inner = Reader::new(rest);
    inner.lenenc_bytes().filter(|_| inner.end().is_some()).unwrap_or(rest)
}

/// An EOF packet: column definitions or rows are over. There are none under `DEPRECATE_EOF`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EofPacket {
    /// How many warnings there are.
    pub warnings: u16,
    /// The session's state.
    pub status: StatusFlags,
}

impl EofPacket {
    /// Decodes a payload of five bytes that begins with 0xFE.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        match payload {
            [0xfe, a, b, c, d] => Ok(Self {
                warnings: u16::from_le_bytes([*a, *b]),
                status: StatusFlags(u16::from_le_bytes([*c, *d])),
            }),
            _ => Err(Malformed("EOF packet")),
        }
    }

    /// The finished packet with this sequence id.
    #[must_use]
    pub fn packet(&self, sequence: u8) -> Bytes {
        let ([a, b], [c, d]) = (self.warnings.to_le_bytes(), self.status.0.to_le_bytes());
        packet(sequence, &[0xfe, a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACK: Capabilities = Capabilities::SESSION_TRACK;

    #[test]
    fn an_ok_without_anything_to_say_is_understood_with_and_without_session_tracking() {
        let payload = b"\0\x01\xfc\x00\x01\x02\0\x03\0";
        for capabilities in [Capabilities::NONE, TRACK] {
            let ok = OkPacket::decode(payload, capabilities).unwrap();
            assert_eq!((ok.affected_rows, ok.last_insert_id, ok.warnings), (1, 256, 3));
            assert_eq!((ok.status, ok.info), (StatusFlags::AUTOCOMMIT, &b""[..]));
            assert_eq!(ok.changes(), Ok(Vec::new()));
        }
    }

    #[test]
    fn the_info_is_found_whether_or_not_its_length_stands_before_it() {
        for rest in [&b"\x05hello"[..], b"hello"] {
            let payload = [&b"\0\0\0\x02\0\0\0"[..], rest].concat();
            assert_eq!(OkPacket::decode(&payload, Capabilities::NONE).unwrap().info, b"hello");
        }
    }

    #[test]
    fn session_changes_are_told_by_the_status() {
        let payload = b"\0\0\0\x02\x40\0\0\0\x07\x01\x05\x04shop";
        let ok = OkPacket::decode(payload, TRACK).unwrap();
        assert_eq!(ok.changes(), Ok(vec![SessionChange::Schema(b"shop")]));
    }

    #[test]
    fn malformed_packets_are_refused() {
        let whole = b"\0\0\0\x02\x40\0\0\0\x07\x01\x05\x04shop";
        for cut in (0..7).chain(8..whole.len()) {
            assert_eq!(OkPacket::decode(&whole[..cut], TRACK), Err(Malformed("OK packet")), "{cut}");
        }
        assert!(OkPacket::decode(&[&whole[..], b"x"].concat(), TRACK).is_err());
        assert!(OkPacket::decode(b"\x01\0\0\x02\0\0\0", TRACK).is_err());
        for payload in [&b""[..], b"\xfe", b"\xfe\0\0\0", b"\xfe\0\0\0\0\0", b"\0\0\0\0\0"] {
            assert_eq!(EofPacket::decode(payload), Err(Malformed("EOF packet")));
        }
    }

    #[test]
    fn what_we_say_reads_back() {
        let said = OkPacket {
            affected_rows: 300,
            status: StatusFlags::IN_TRANS,
            info: b"well",
            ..OkPacket::default()
        };
        for capabilities in [Capabilities::NONE, TRACK] {
            let bytes = said.packet(1, capabilities);
            assert_eq!(OkPacket::decode(&bytes[4..], capabilities), Ok(said));
        }
        let eof = EofPacket { warnings: 1, status: StatusFlags::AUTOCOMMIT };
        assert_eq!(&eof.packet(5)[..], b"\x05\0\0\x05\xfe\x01\0\x02\0");
        assert_eq!(EofPacket::decode(&eof.packet(5)[4..]), Ok(eof));
    }
}

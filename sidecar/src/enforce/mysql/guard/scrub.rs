//! Errors without the values that they quote.
//!
//! A key may hold columns that the session may not read beside one that it may write; the error about a duplicate
//! quotes all of them. A generated column may be computed from such a column, and be computed anew by a write to
//! another, or by a read; a view's column may be. The error about a value that does not fit quotes it.

use bytes::BytesMut;
use postern_protocol::mysql::{ErrorPacket, HEADER_LEN, Header};

/// Those that quote values of rows that are there already: `ER_DUP_ENTRY`, `ER_DUP_UNIQUE`,
/// `ER_DUP_ENTRY_WITH_KEY_NAME`, `ER_DUP_ENTRY_AUTOINCREMENT_CASE`, `ER_FOREIGN_DUPLICATE_KEY…`.
const QUOTING: [u16; 8] = [1022, 1062, 1169, 1557, 1569, 1586, 1761, 1762];

/// Those that describe a foreign key, and with that a table of which the grant may cover nothing:
/// `ER_ROW_IS_REFERENCED_2`, `ER_NO_REFERENCED_ROW_2`.
const DESCRIBING: [u16; 2] = [1451, 1452];

/// Those that quote a value behind a colon: `ER_UNKNOWN_ERROR` about an `XPath`, `ER_TRUNCATED_WRONG_VALUE`,
/// `ER_TRUNCATED_WRONG_VALUE_FOR_FIELD`, `ER_WRONG_VALUE_FOR_TYPE`, `ER_WRONG_VALUE`, and `ER_DATA_OUT_OF_RANGE` with
/// what was computed.
const CONVERTING: [u16; 6] = [1105, 1292, 1366, 1411, 1525, 1690];

/// `ER_NO_PARTITION_FOR_GIVEN_VALUE`, which ends with that value.
const UNPLACED: u16 = 1526;

/// Looks at the answer to one command.
#[derive(Debug, Default)]
pub(super) struct Scrubber {
    /// So much of the current packet goes as it is.
    passing: usize,
    /// The current packet is continued by the next.
    continued: bool,
    /// Of a packet that is looked at.
    held: Vec<u8>,
}

impl Scrubber {
    /// Takes bytes of the answer, and puts what the client gets into `down`.
    pub(super) fn take(&mut self, bytes: &[u8], down: &mut BytesMut) {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        loop {
            let (part, behind) = rest.split_at(rest.len().min(self.passing));
            down.extend_from_slice(part);
            self.passing -= part.len();
            rest = behind;
            let Some((header, payload)) = rest.split_first_chunk::<HEADER_LEN>() else { break };
            let header = Header::decode(*header);
            let (length, first) = (header.length as usize, payload.first());
            if length > 0 && first.is_none() && !self.continued {
                break;
            }
            if self.continued || first != Some(&0xff) || header.continues() {
                self.passing = HEADER_LEN + length;
                self.continued = header.continues();
                continue;
            }
            let Some((payload, behind)) = payload.split_at_checked(length) else { break };
            let packet = rest.get(..HEADER_LEN + length).unwrap_or_default();
            match scrubbed(payload, header.sequence) {
                Some(scrubbed) => down.extend_from_slice(&scrubbed),
                None => down.extend_from_slice(packet),
            }
            rest = behind;
        }
        self.held = rest.to_vec();
    }
}

fn scrubbed(payload: &[u8], sequence: u8) -> Option<bytes::Bytes> {
    let error = ErrorPacket::decode(payload).ok()?;
    let message = if QUOTING.contains(&error.code) {
        b"Duplicate entry for a unique key".to_vec()
    } else if DESCRIBING.contains(&error.code) {
        error.message.split(|byte| *byte == b'(').next()?.trim_ascii_end().to_vec()
    } else if error.code == UNPLACED {
        b"Table has no partition for this value".to_vec()
    } else if CONVERTING.contains(&error.code) {
        without_value(error.message)
    } else {
        return None;
    };
    let message = message.as_slice();
    Some(ErrorPacket { message, ..error }.packet(sequence))
}

/// `Incorrect integer value for column …`: without what stands between the first quote and the last that ends a value.
fn without_value(message: &[u8]) -> Vec<u8> {
    const BEHIND: &[u8] = b"' for ";
    let before = message.split(|byte| *byte == b'\'').next().unwrap_or_default();
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b":").unwrap_or(before);
    let behind = message.windows(BEHIND.len()).rposition(|part| part == BEHIND);
    let behind = behind.and_then(|at| message.get(at + 1..)).unwrap_or_default();
    [before, behind].concat()
}

#[cfg(test)]
mod tests {
    use postern_protocol::mysql::{ErrorText, packet};

    use super::*;

    #[test]
    fn values_of_duplicates_do_not_come_through_in_whatever_pieces() {
        let secret = ErrorText::new(1062, "23000", "Duplicate entry '7-SECRET' for key 'sales.uk'").packet(2);
        let other = ErrorText::new(1048, "23000", "Column 'id' cannot be null").packet(3);
        let key = "a foreign key constraint fails (`hr`.`SECRET`, CONSTRAINT `k` FOREIGN KEY (`a`))";
        let key = ErrorText::new(1452, "23000", key).packet(4);
        let stream = [&packet(1, b"\x05\xfftext")[..], &secret, &other, &key].concat();
        for size in 1..=stream.len() {
            let (mut scrubber, mut down) = (Scrubber::default(), BytesMut::new());
            for chunk in stream.chunks(size) {
                scrubber.take(chunk, &mut down);
            }
            let text = String::from_utf8_lossy(&down).into_owned();
            assert!(!text.contains("SECRET") && text.contains("cannot be null"), "{size}: {text}");
            assert!(text.contains("#23000Duplicate entry for a unique key"), "{size}: {text}");
            assert!(text.ends_with("a foreign key constraint fails"), "{size}: {text}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_not_quoted() {
        for (message, left) in [
            ("Truncated incorrect INTEGER value: 'S'", "Truncated incorrect INTEGER value"),
            (
                "Incorrect integer value: 'S' for T' for column `a`.`b` at row 1",
                "Incorrect integer value for column `a`.`b` at row 1",
            ),
            ("BIGINT value is out of range in '(S + 1)'", "BIGINT value is out of range in"),
            ("Division by 0", "Division by 0"),
        ] {
            assert_eq!(String::from_utf8(without_value(message.as_bytes())).unwrap(), left);
        }
    }
}

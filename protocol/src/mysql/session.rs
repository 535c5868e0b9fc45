//! Changes of the session's state, as OK packets tell them under `SESSION_TRACK`.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#sect_protocol_basic_ok_packet_sessinfo>

use super::{Malformed, Reader};

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionChange<'a> {
    /// A system variable of the session has this value now; none if the server tells it as NULL.
    SystemVariable {
        /// Its name.
        name: &'a [u8],
        /// Its value as text.
        value: Option<&'a [u8]>,
    },
    /// The current database.
    Schema(&'a [u8]),
    /// Whether anything of the session's state has changed that would not survive a change of connection.
    State(bool),
    /// GTIDs, and how they are written.
    Gtids {
        /// The only one known is 0: text.
        encoding: u8,
        /// The GTIDs.
        gtids: &'a [u8],
    },
    /// Statements that would begin a transaction like the one that is open.
    TransactionCharacteristics(&'a [u8]),
    /// Eight characters about the open transaction.
    TransactionState(&'a [u8]),
    /// Something newer.
    Unknown {
        /// Its number.
        kind: u8,
        /// What is told.
        data: &'a [u8],
    },
}

impl<'a> SessionChange<'a> {
    pub(super) fn decode_all(changes: &'a [u8]) -> Result<Vec<Self>, Malformed> {
        let (mut reader, mut all) = (Reader::new(changes), Vec::new());
        while reader.end().is_none() {
            Self::read(&mut reader, &mut all).ok_or(Malformed("session state change"))?;
        }
        Ok(all)
    }

    fn read(reader: &mut Reader<'a>, into: &mut Vec<Self>) -> Option<()> {
        let (kind, data) = (reader.u8()?, reader.lenenc_bytes()?);
        let mut inner = Reader::new(data);
        let change = match kind {
            0 => return system_variables(inner, into),
            1 => Self::Schema(inner.lenenc_bytes()?),
            2 => Self::State(inner.lenenc_bytes()? == b"1"),
            3 => Self::Gtids { encoding: inner.u8()?, gtids: inner.lenenc_bytes()? },
            4 => Self::TransactionCharacteristics(inner.lenenc_bytes()?),
            5 => Self::TransactionState(inner.lenenc_bytes()?),
            kind => Self::Unknown { kind, data: inner.take_rest() },
        };
        into.push(change);
        inner.end()
    }
}

/// MySQL tells each variable by itself, MariaDB puts several into one entry.
fn system_variables<'a>(mut pairs: Reader<'a>, into: &mut Vec<SessionChange<'a>>) -> Option<()> {
    while pairs.end().is_none() {
        let (name, value) = (pairs.lenenc_bytes()?, pairs.nullable_bytes()?);
        into.push(SessionChange::SystemVariable { name, value });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_change_is_told() {
        let changes = b"\x00\x06\x02ab\x02on\
            \x00\x07\x01x\x011\x01y\xfb\
            \x01\x05\x04shop\x02\x02\x011\x03\x05\0\x03u:1\x04\x01\0\x05\x09\x08T_______\x09\x02hi";
        let variable = |name, value| SessionChange::SystemVariable { name, value };
        let expected = [
            variable(&b"ab"[..], Some(&b"on"[..])),
            variable(b"x", Some(b"1")),
            variable(b"y", None),
            SessionChange::Schema(b"shop"),
            SessionChange::State(true),
            SessionChange::Gtids { encoding: 0, gtids: b"u:1" },
            SessionChange::TransactionCharacteristics(b""),
            SessionChange::TransactionState(b"T_______"),
            SessionChange::Unknown { kind: 9, data: b"hi" },
        ];
        assert_eq!(SessionChange::decode_all(changes), Ok(expected.to_vec()));
    }

    #[test]
    fn malformed_changes_are_refused() {
        for bad in [
            &b"\x01"[..],
            b"\x01\x05\x04sho",
            b"\x01\x05\x03shop",
            b"\x00\x02\x01a",
            b"\x02\0",
            b"\x03\x01\0",
        ] {
            assert_eq!(SessionChange::decode_all(bad), Err(Malformed("session state change")), "{bad:?}");
        }
    }
}

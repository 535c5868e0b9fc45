//! What a server says, taken apart.

use super::{login::DEPRECATE_EOF, wire::Packet};

/// An error of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Its number, such as 1045.
    pub code: u16,
    /// Its SQLSTATE, empty before the handshake is through.
    pub state: String,
    /// Its text.
    pub message: String,
}

impl Refusal {
    /// The error in this payload, if it is one.
    pub fn of(body: &[u8]) -> Option<Self> {
        let rest = body.strip_prefix(&[0xff])?;
        let (code, rest) = rest.split_first_chunk()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (state, message) = match rest.strip_prefix(b"#").and_then(|rest| rest.split_at_checked(5)) {
            Some((state, message)) => (text(state), text(message)),
            None => (String::new(), text(rest)),
        };
        Some(Self { code: u16::from_le_bytes(*code), state, message })
    }

    /// Stands for a connection that ended without an answer.
    pub(super) fn silence(to: &str) -> Self {
        Self { code: 0, state: String::new(), message: format!("no answer to {to}") }
    }
}

/// An integer in the protocol's own packing and what follows it; `None` for NULL (`0xfb`) and for what is none.
pub fn lenenc(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let width = match first {
        0xfb | 0xff => return None,
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        small => return Some((u64::from(*small), rest)),
    };
    let (number, rest) = rest.split_at_checked(width)?;
    let mut wide = [0; 8];
    wide.get_mut(..width)?.copy_from_slice(number);
    Some((u64::from_le_bytes(wide), rest))
}

/// Text behind its length, and what follows it.
pub fn lenenc_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = lenenc(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// The first result of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows, as text; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows a statement without a result has changed.
    pub affected: u64,
    /// How many warnings there are.
    pub warnings: u16,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

impl Answer {
    /// The status and the number of warnings in an OK packet.
    fn flags_of_ok(body: &[u8]) -> Option<(u64, u16, u16)> {
        let (affected, rest) = lenenc(body.get(1..)?)?;
        let (_, rest) = lenenc(rest)?;
        Some((affected, u16_at(rest, 0)?, u16_at(rest, 2)?))
    }

    /// The server's status in an OK packet.
    pub fn status_of_ok(body: &[u8]) -> Option<u16> {
        Self::flags_of_ok(body).map(|(_, status, _)| status)
    }

    /// The server's status in an EOF packet.
    pub fn status_of_eof(body: &[u8]) -> Option<u16> {
        u16_at(body, 3)
    }

    /// The first result in these packets, in the text protocol.
    pub fn of(packets: &[Packet], capabilities: u32) -> Option<Self> {
        let (first, rest) = packets.split_first()?;
        if first.kind() == 0 {
            let (affected, _, warnings) = Self::flags_of_ok(&first.body)?;
            return Some(Self { affected, warnings, ..Self::default() });
        }
        let deprecated = capabilities & DEPRECATE_EOF != 0;
        let count = usize::try_from(lenenc(&first.body)?.0).ok()?;
        let (definitions, rest) = rest.split_at_checked(count)?;
        let rows = if deprecated { rest } else { rest.get(1..)? };
        let end = rows.iter().position(|packet| packet.kind() == 0xfe && packet.body.len() < 0x00ff_ffff)?;
        let last = &rows.get(end)?.body;
        let warnings = if deprecated { Self::flags_of_ok(last)?.2 } else { u16_at(last, 1)? };
        let rows = rows.get(..end)?.iter().map(|packet| row(&packet.body)).collect::<Option<_>>()?;
        let columns = definitions.iter().map(|packet| column(&packet.body)).collect::<Option<_>>()?;
        Some(Self { columns, rows, affected: 0, warnings })
    }
}

/// The name in a column definition: the fifth text in it.
fn column(body: &[u8]) -> Option<String> {
    let (mut name, mut rest) = (&body[..0], body);
    for _ in 0..5 {
        (name, rest) = lenenc_text(rest)?;
    }
    Some(String::from_utf8_lossy(name).into_owned())
}

fn row(mut body: &[u8]) -> Option<Vec<Option<String>>> {
    let mut values = Vec::new();
    while let Some(first) = body.first() {
        if *first == 0xfb {
            values.push(None);
            body = body.get(1..)?;
        } else {
            let (value, rest) = lenenc_text(body)?;
            values.push(Some(String::from_utf8_lossy(value).into_owned()));
            body = rest;
        }
    }
    Some(values)
}

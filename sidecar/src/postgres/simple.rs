//! Statements of our own, on a connection of our own, in the simple protocol.
//!
//! Sessions of clients are relayed and never come by here.

use std::{borrow::Cow, str::FromStr, time::Duration};

use bytes::Buf;
use postern_protocol::postgres::{self, HEADER_LEN, InvalidMessage};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    back::{BackError, Backend},
    frames::{Frame, FrameReader},
};
use crate::net::Stream;

/// The longest message that an answer of ours may have.
const LIMIT: u32 = 64 * 1024;
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// Start-up options that stand above what the account's owner may have set for it.
pub(crate) const OPTIONS: &str =
    "-c local_preload_libraries= -c role=none -c lock_timeout=0 -c search_path=pg_catalog";

/// The start-up parameters of our own connections, with options on top of [`OPTIONS`].
pub(crate) fn parameters(options: &str) -> Vec<(String, String)> {
    let options = format!("{OPTIONS} {options}");
    [("application_name", "postern"), ("client_encoding", "UTF8"), ("options", &options)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A connection for statements of our own, one at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    frames: FrameReader,
    failed: Option<BackError>,
}

impl Connection {
    /// On a database that waits for its first statement; `room` is what is read at a time, in bytes.
    pub(crate) fn new(backend: Backend, room: usize) -> Self {
        let Backend { stream, ready: mut rest, .. } = backend;
        // Behind `ReadyForQuery`, whose body is one byte.
        rest.advance(rest.len().min(HEADER_LEN + 1));
        Self { stream, frames: FrameReader::beginning(rest, room), failed: None }
    }

    /// Sends a text of one or more statements. Its rows have to be read to the end before the next one.
    pub(crate) async fn ask(&mut self, text: &str) -> Result<(), BackError> {
        let query = postgres::query(text);
        self.stream.write_all(&query).await.map_err(BackError::Unreachable)?;
        self.stream.flush().await.map_err(BackError::Unreachable)
    }

    /// The next row of the answer. After the last one, or the server's error, the connection is free again; after
    /// any other error it is of no use.
    pub(crate) async fn row(&mut self) -> Result<Option<Row>, BackError> {
        loop {
            let frame = self.frames.next(&mut self.stream, LIMIT).await?;
            match frame.kind {
                b'D' => return Ok(Some(Row(frame))),
                b'E' => self.failed = Some(BackError::Refused(frame.bytes)),
                b'Z' => return self.failed.take().map_or(Ok(None), Err),
                b'T' | b'C' | b'N' | b'S' | b'A' => {}
                other => return Err(BackError::Unexpected(other)),
            }
        }
    }

    /// Runs statements for their effect.
    pub(crate) async fn run(&mut self, text: &str) -> Result<(), BackError> {
        self.ask(text).await?;
        while self.row().await?.is_some() {}
        Ok(())
    }

    /// Waits for a message that comes unasked: a setting, a notice; or an error, when the connection is over. What was
    /// read of a message stays when the wait is given up.
    pub(crate) async fn unasked(&mut self) -> Result<(), BackError> {
        let frame = self.frames.next(&mut self.stream, LIMIT).await?;
        match frame.kind {
            b'S' | b'N' | b'A' => Ok(()),
            b'E' => Err(BackError::Refused(frame.bytes)),
            other => Err(BackError::Unexpected(other)),
        }
    }

    /// A polite end; the server closes an abandoned connection just as well.
    pub(crate) async fn close(mut self) {
        let _ = timeout(GOODBYE, self.stream.write_all(&postgres::terminate())).await;
    }
}

/// A row, in text.
#[derive(Debug)]
pub(crate) struct Row(Frame);

impl Row {
    /// Its fields, which must be exactly so many.
    pub(crate) fn fields<const N: usize>(&self) -> Result<[Field<'_>; N], InvalidMessage> {
        let invalid = InvalidMessage(b'D');
        let (count, mut rest) = self.0.body().split_first_chunk::<2>().ok_or(invalid)?;
        if usize::from(u16::from_be_bytes(*count)) != N {
            return Err(invalid);
        }
        let mut fields = [Field(None); N];
        for field in &mut fields {
            let (length, behind) = rest.split_first_chunk::<4>().ok_or(invalid)?;
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                rest = behind;
                continue;
            };
            let (text, behind) = behind.split_at_checked(length).ok_or(invalid)?;
            (*field, rest) = (Field(Some(text)), behind);
        }
        if rest.is_empty() { Ok(fields) } else { Err(invalid) }
    }
}

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a>(Option<&'a [u8]>);

impl<'a> Field<'a> {
    /// As text; empty for NULL. In a database without an encoding, what is no UTF-8 becomes a name that no statement
    /// can hold.
    pub(crate) fn text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0.unwrap_or_default())
    }

    /// As text, if it is not NULL.
    pub(crate) fn optional(self) -> Option<String> {
        self.0.map(|_| self.text().into_owned())
    }

    /// As a number.
    pub(crate) fn parse<T: FromStr>(self) -> Result<T, InvalidMessage> {
        let text = self.0.and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.parse().ok()).ok_or(InvalidMessage(b'D'))
    }

    /// As a `"char"`.
    pub(crate) fn letter(self) -> Result<u8, InvalidMessage> {
        self.0.and_then(|text| text.first().copied()).ok_or(InvalidMessage(b'D'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(body: &[u8]) -> Row {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        Row(Frame { kind: b'D', bytes: [b"D", &length[..], body].concat().into() })
    }

    #[test]
    fn a_row_gives_its_fields() {
        let row = row(b"\0\x03\0\0\0\x0242\xff\xff\xff\xff\0\0\0\0");
        let [number, null, empty] = row.fields().unwrap();
        assert_eq!(number.parse(), Ok(42_u32));
        assert_eq!(null.parse::<u32>(), Err(InvalidMessage(b'D')));
        assert_eq!((&*null.text(), &*empty.text()), ("", ""));
    }

    #[test]
    fn a_row_of_another_shape_is_refused() {
        for body in [&b""[..], b"\0", b"\0\x02\0\0\0\x01a", b"\0\x01\0\0\0\x02a", b"\0\x01\0\0\0\x01ab"] {
            assert!(row(body).fields::<1>().is_err(), "{body:?}");
        }
    }

    #[test]
    fn letters_that_are_no_utf_8_do_not_pass_for_others() {
        let row = row(b"\0\x01\0\0\0\x02\xc3\x28");
        assert_eq!(row.fields::<1>().unwrap()[0].text(), "\u{fffd}(");
    }
}

//! Statements of our own, on a connection of our own.
//!
//! Sessions of clients are relayed and never come by here.

use std::{borrow::Cow, net::SocketAddr, str::FromStr, time::Duration};

use postern_protocol::{
    gate::AccountName,
    mysql::{Capabilities, ErrorPacket, Malformed, Reader, packet},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    time::timeout,
};
use zeroize::Zeroizing;

use super::{
    back::{BackError, Refused, Wishes},
    packets,
    target::Target,
};
use crate::net::Stream;

/// The longest message that an answer of ours may have.
const LIMIT: usize = 1024 * 1024;
/// How long saying good-bye may take.
const GOODBYE: Duration = Duration::from_millis(200);
/// `utf8mb4_general_ci`, which both families know.
const UTF8MB4: u8 = 45;
const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;

/// A connection for statements of our own, one at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufStream<Stream>,
    sequence: u8,
}

impl Connection {
    /// Logs in as `account`.
    pub(crate) async fn open(
        target: &Target,
        peer: Option<SocketAddr>,
        account: &AccountName,
    ) -> Result<Self, BackError> {
        let wishes = Wishes {
            capabilities: Capabilities::LONG_FLAG | Capabilities::TRANSACTIONS,
            max_packet: 1 << 24,
            charset: UTF8MB4,
            database: None,
            attributes: Some(vec![(b"program_name".to_vec(), b"postern".to_vec())]),
        };
        let backend = target.connect(peer, account, &wishes).await?;
        Ok(Self { stream: BufStream::new(backend.stream), sequence: 0 })
    }

    /// Sends statements, each as a command of its own, before the first is answered.
    pub(crate) async fn ask(&mut self, texts: impl IntoIterator<Item = String>) -> Result<(), BackError> {
        for text in texts {
            let command = packet(0, &[&[COM_QUERY], text.as_bytes()].concat());
            self.stream.write_all(&command).await.map_err(BackError::Unreachable)?;
        }
        self.stream.flush().await.map_err(BackError::Unreachable)
    }

    async fn next(&mut self) -> Result<Zeroizing<Vec<u8>>, BackError> {
        Ok(packets::read(&mut self.stream, &mut self.sequence, LIMIT).await?)
    }

    /// The answer to one statement: whether it has rows, or the server's error.
    async fn head(&mut self) -> Result<bool, BackError> {
        self.sequence = 1;
        let head = self.next().await?;
        match head.first() {
            Some(0x00) => Ok(false),
            Some(0xff) => Err(BackError::Refused(Refused::new(ErrorPacket::decode(&head)?))),
            // A file of ours is nobody's business.
            Some(0xfb) | None => Err(Malformed("answer").into()),
            Some(_) => Ok(true),
        }
    }

    /// The answer to a statement that has no rows.
    pub(crate) async fn done(&mut self) -> Result<(), BackError> {
        if self.head().await? { Err(Malformed("answer").into()) } else { Ok(()) }
    }

    /// The rows that answer one statement, one after another. Where one is not what it should be the connection is of
    /// no use any more.
    pub(crate) async fn rows(
        &mut self,
        mut each: impl FnMut(Row<'_>) -> Result<(), Malformed>,
    ) -> Result<(), BackError> {
        if !self.head().await? {
            return Ok(());
        }
        while !is_eof(&self.next().await?) {}
        loop {
            let row = self.next().await?;
            if is_eof(&row) {
                return Ok(());
            }
            if row.first() == Some(&0xff) {
                return Err(BackError::Refused(Refused::new(ErrorPacket::decode(&row)?)));
            }
            each(Row(&row))?;
        }
    }

    /// Returns when the server hangs up, or says something that nobody asked for.
    pub(crate) async fn lost(&mut self) {
        // Whatever comes unasked is the end.
        let _ = self.stream.fill_buf().await;
    }

    /// Says good-bye.
    pub(crate) async fn close(mut self) {
        // A server that does not take it is not waited for.
        let _ = timeout(GOODBYE, async {
            self.stream.write_all(&packet(0, &[COM_QUIT])).await?;
            self.stream.flush().await?;
            self.stream.shutdown().await
        })
        .await;
    }
}

fn is_eof(payload: &[u8]) -> bool {
    payload.first() == Some(&0xfe) && payload.len() < 9
}

/// A row, in text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    /// From a packet's payload.
    pub(crate) const fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// Its fields, which must be exactly so many.
    pub(crate) fn fields<const N: usize>(self) -> Result<[Field<'a>; N], Malformed> {
        let (mut reader, mut fields) = (Reader::new(self.0), [Field(None); N]);
        for field in &mut fields {
            *field = Field(reader.nullable_bytes().ok_or(Malformed("row"))?);
        }
        reader.end().map(|()| fields).ok_or(Malformed("row"))
    }
}

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a>(Option<&'a [u8]>);

impl<'a> Field<'a> {
    /// As text; empty for NULL.
    pub(crate) fn text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0.unwrap_or_default())
    }

    /// As a number.
    pub(crate) fn parse<T: FromStr>(self) -> Result<T, Malformed> {
        let text = self.0.and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.parse().ok()).ok_or(Malformed("number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_its_fields() {
        let [number, null, empty] = Row(b"\x0242\xfb\0").fields().unwrap();
        assert_eq!(number.parse(), Ok(42_u32));
        assert_eq!(null.parse::<u32>(), Err(Malformed("number")));
        assert_eq!((&*null.text(), &*empty.text()), ("", ""));
    }

    #[test]
    fn a_row_of_another_shape_is_refused() {
        for body in [&b""[..], b"\x02a", b"\x01a\x01b"] {
            assert!(Row(body).fields::<1>().is_err(), "{body:?}");
        }
    }
}

//! Whole messages from a stream, while a session is set up. The relay does not come by here.

use std::io;

use bytes::{Bytes, BytesMut};
use postern_protocol::postgres::{FrameError, HEADER_LEN, Header};
use tokio::io::{AsyncRead, AsyncReadExt};

/// One message with its header.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    /// Header and body, as they came.
    pub(crate) bytes: Bytes,
}

impl Frame {
    /// Behind the header.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// Why there is no next message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The stream ended or broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream is no sequence of messages.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message is longer than anything that belongs here.
    #[error("message of kind '{}' is too long: {length} bytes", .kind.escape_ascii())]
    TooLong {
        /// Its kind.
        kind: u8,
        /// Its length.
        length: u32,
    },
}

/// The least room that a read is given.
const ROOM: usize = 2048;

/// Reads messages and keeps what was read beyond them.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
    room: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::beginning(BytesMut::new(), ROOM)
    }
}

impl FrameReader {
    /// One that has read this already, and reads at least `room` bytes at a time if they are there.
    pub(crate) fn beginning(buffer: BytesMut, room: usize) -> Self {
        Self { buffer, room }
    }

    /// The next message, whose body may have at most `limit` bytes; the length is checked before anything is
    /// allocated for it.
    pub(crate) async fn next<S>(&mut self, from: &mut S, limit: u32) -> Result<Frame, ReadError>
    where
        S: AsyncRead + Unpin,
    {
        let header = loop {
            if let Some(header) = self.buffer.first_chunk::<HEADER_LEN>() {
                break Header::decode(*header)?;
            }
            self.fill(from).await?;
        };
        if header.body > limit {
            return Err(ReadError::TooLong { kind: header.kind, length: header.body });
        }
        let whole = HEADER_LEN + header.body as usize;
        while self.buffer.len() < whole {
            self.fill(from).await?;
        }
        Ok(Frame { kind: header.kind, bytes: self.buffer.split_to(whole).freeze() })
    }

    async fn fill<S: AsyncRead + Unpin>(&mut self, from: &mut S) -> Result<(), io::Error> {
        self.buffer.reserve(self.room);
        if from.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Whether something was read and not asked for.
    pub(crate) fn has_rest(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// What was read and not asked for.
    pub(crate) fn into_rest(self) -> BytesMut {
        self.buffer
    }
}

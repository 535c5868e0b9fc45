//! Whole messages from a stream, while a session is set up. The relay does not come by here.

use std::io;

use postern_protocol::mysql::{HEADER_LEN, Header};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::Zeroizing;

/// Why there is no next message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The stream ended or broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A packet has another number than the one that is due.
    #[error("packets out of order: number {got} came where {due} was due")]
    OutOfOrder {
        /// The number that came.
        got: u8,
        /// The number that should have come.
        due: u8,
    },
    /// A message is longer than anything that belongs here.
    #[error("a message of {0} bytes or more is too long")]
    TooLong(usize),
}

/// Reads one message and nothing beyond it. It may have at most `limit` bytes, and its packets must be numbered from
/// `sequence`, which then is the number that is due next. It may hold a password, so it is wiped when it goes.
pub(crate) async fn read<S>(
    from: &mut S,
    sequence: &mut u8,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, ReadError>
where
    S: AsyncRead + Unpin,
{
    let mut message = Zeroizing::new(Vec::new());
    loop {
        let mut header = [0; HEADER_LEN];
        from.read_exact(&mut header).await?;
        let header = Header::decode(header);
        if header.sequence != *sequence {
            return Err(ReadError::OutOfOrder { got: header.sequence, due: *sequence });
        }
        *sequence = sequence.wrapping_add(1);
        let (before, whole) = (message.len(), message.len() + header.length as usize);
        if whole > limit {
            return Err(ReadError::TooLong(whole));
        }
        message.resize(whole, 0);
        from.read_exact(message.get_mut(before..).unwrap_or_default()).await?;
        if !header.continues() {
            return Ok(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use postern_protocol::mysql::packet;

    use super::*;

    async fn read_all(bytes: &[u8], limit: usize) -> Result<(Vec<u8>, u8), ReadError> {
        let (mut from, mut sequence) = (bytes, 0);
        read(&mut from, &mut sequence, limit).await.map(|message| (message.to_vec(), sequence))
    }

    #[tokio::test]
    async fn a_message_is_read_to_its_end_and_no_further() {
        let bytes = [packet(0, b"one"), packet(1, b"two")].concat();
        assert_eq!(read_all(&bytes, 3).await.unwrap(), (b"one".to_vec(), 1));
    }

    #[tokio::test]
    async fn what_is_too_long_or_out_of_order_is_refused_before_it_is_read() {
        assert!(matches!(read_all(&packet(0, b"four"), 3).await, Err(ReadError::TooLong(4))));
        let wrong = read_all(&packet(2, b"one"), 3).await;
        assert!(matches!(wrong, Err(ReadError::OutOfOrder { got: 2, due: 0 })));
        assert!(matches!(read_all(b"\x03\0\0\0on", 3).await, Err(ReadError::Io(_))));
    }
}

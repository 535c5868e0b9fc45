//! The last word to a client, and the end of its connection.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};

use super::Wire;
use crate::net::Stream;

/// How long a client may take to accept its last message.
const LAST_WORD: Duration = Duration::from_millis(250);
/// How long it is listened to behind that at least.
const HEARING: Duration = Duration::from_millis(100);

/// Tells the client and closes its socket. The message is asked for when the one that the client is in the middle of
/// has been completed from `unsent`, which was read from the server before the gate fell, and behind that from zeros.
pub(crate) async fn tell<W: Wire>(
    mut client: Stream,
    wire: &mut W,
    unsent: BytesMut,
    last_word: impl FnOnce(&W) -> Bytes,
) {
    let deadline = Instant::now() + LAST_WORD;
    let said = timeout_at(deadline, say(&mut client, wire, unsent, last_word)).await;
    if matches!(said, Ok(Ok(()))) {
        hear_out(&client, deadline.max(Instant::now() + HEARING)).await;
    } else {
        // It does not read. What lies in the socket's buffers is thrown away with the connection.
        client.reset();
    }
}

async fn say<W: Wire>(
    client: &mut Stream,
    wire: &mut W,
    unsent: BytesMut,
    last_word: impl FnOnce(&W) -> Bytes,
) -> io::Result<()> {
    finish_message(client, wire, unsent).await?;
    client.write_all(&last_word(wire)).await?;
    client.flush().await?;
    client.shutdown().await
}

/// Completes the message that the client is in the middle of, so that the next one is understood.
async fn finish_message<W: Wire>(client: &mut Stream, wire: &mut W, mut unsent: BytesMut) -> io::Result<()> {
    loop {
        let needs = match wire.client_needs() {
            Some(0) => return Ok(()),
            Some(needs) => needs,
            None => 1,
        };
        if unsent.is_empty() {
            if wire.client_needs().is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            unsent.resize(needs.min(16 * 1024), 0);
        }
        let part = unsent.split_to(needs.min(unsent.len()));
        client.write_all(&part).await?;
        wire.delivered(&part).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    }
}

/// Takes in what the client is still sending, for a moment: closing a socket with unread bytes resets the connection,
/// and a reset may overtake the last word.
async fn hear_out(client: &Stream, deadline: Instant) {
    let Some(tcp) = client.tcp() else { return };
    let mut nowhere = [0; 4096];
    let mut heard = false;
    loop {
        match tcp.try_read(&mut nowhere) {
            Ok(0) => return,
            Ok(_) => heard = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && heard => {
                let wait = timeout_at(deadline, tcp.readable()).await;
                if !matches!(wait, Ok(Ok(()))) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

//! The relay on real sockets, with a toy protocol: a length byte, then so many bytes.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use metrics::Counter;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};

use super::{Direction, Ending, Finish, Leash, Passing, Relay, Violation, Watch, Wire};
use crate::net::Stream;

/// Says where its messages end, and refuses those of 255 bytes.
#[derive(Debug, Default)]
struct Toy {
    left: usize,
}

const WARNING: &[u8] = b"\x07warning";

impl Wire for Toy {
    fn forwarding(&mut self, bytes: &[u8], _: &mut BytesMut) -> Result<Passing, Violation> {
        if bytes.contains(&255) { Err(Violation("255".to_owned())) } else { Ok(Passing::AsTheyAre) }
    }

    fn returning(&mut self, _: &[u8], _: &mut BytesMut) -> Result<Passing, Violation> {
        Ok(Passing::AsTheyAre)
    }

    fn poll_decided(
        &mut self,
        _: Direction,
        _: &mut Context<'_>,
        _: &mut BytesMut,
    ) -> Poll<Result<(), Violation>> {
        Poll::Ready(Ok(()))
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn look_around(&mut self, _: &mut Context<'_>) {}

    fn delivered(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        for byte in bytes {
            self.left = if self.left == 0 { usize::from(*byte) } else { self.left - 1 };
        }
        Ok(())
    }

    fn client_needs(&self) -> Option<usize> {
        Some(self.left)
    }

    fn warning(&self, _: Duration) -> Bytes {
        Bytes::from_static(WARNING)
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// A relay between two sockets whose other ends the test holds.
struct Scene {
    client: TcpStream,
    server: TcpStream,
    leash: &'static Leash,
    relay: JoinHandle<Finish>,
}

async fn scene(deadline: Instant) -> Scene {
    let ((client, near_client), (server, near_server)) = (pair().await, pair().await);
    let leash: &'static Leash = Box::leak(Box::new(Leash::new(deadline, &Arc::default())));
    let relay = tokio::spawn(async move {
        let (mut client, mut server) = (Stream::Plain(near_client), Stream::Plain(near_server));
        let (mut toy, mut watch) = (Toy::default(), Watch::new(leash));
        let counters = [Counter::noop(), Counter::noop()];
        let relay = Relay::new(&mut client, &mut server, &mut toy, BytesMut::new(), counters);
        relay.run(&mut watch).await.finish
    });
    Scene { client, server, leash, relay }
}

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

/// Messages of every length, some megabytes of them.
fn messages() -> Vec<u8> {
    (0..20_000_usize).flat_map(|n| vec![u8::try_from(n % 250).unwrap(); n % 250 + 1]).collect()
}

#[tokio::test]
async fn every_byte_passes_unchanged_in_both_directions_at_once() {
    let Scene { client, server, relay, .. } = scene(in_an_hour()).await;
    let stream = messages();
    let ends = [client, server].map(|socket| {
        let stream = stream.clone();
        tokio::spawn(async move {
            let (mut reader, mut writer) = socket.into_split();
            let expected = stream.clone();
            let writing = tokio::spawn(async move {
                writer.write_all(&stream).await.unwrap();
                writer
            });
            let mut read = vec![0; expected.len()];
            reader.read_exact(&mut read).await.unwrap();
            assert!(read == expected);
            writing.await.unwrap()
        })
    });
    for end in ends {
        drop(end.await.unwrap());
    }
    assert!(matches!(relay.await.unwrap(), Finish::Server | Finish::Client));
}

#[tokio::test]
async fn what_the_client_sent_before_it_hung_up_still_arrives() {
    let Scene { mut client, mut server, relay, .. } = scene(in_an_hour()).await;
    client.write_all(b"\x04last").await.unwrap();
    client.shutdown().await.unwrap();
    let mut read = Vec::new();
    server.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"\x04last");
    server.write_all(b"\x06answer").await.unwrap();
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"\x06answer");
    assert!(matches!(relay.await.unwrap(), Finish::Server));
}

#[tokio::test]
async fn nothing_passes_once_the_gate_has_fallen_though_nobody_reads() {
    let Scene { mut client, mut server, leash, relay } = scene(in_an_hour()).await;
    // The client does not read: the relay is stuck in the middle of a write.
    let block = vec![0; 65_536];
    let flood = tokio::spawn(async move { while server.write_all(&block).await.is_ok() {} });
    tokio::time::sleep(Duration::from_millis(200)).await;
    leash.fall(Ending::LeaseRanOut);
    assert!(matches!(relay.await.unwrap(), Finish::Fallen));
    client.write_all(b"\x04late").await.unwrap();
    flood.await.unwrap();
}

#[tokio::test]
async fn a_warning_stands_between_two_messages_of_a_busy_stream() {
    let soon = Instant::now() + Duration::from_mins(1) + Duration::from_millis(300);
    let Scene { mut client, mut server, relay, .. } = scene(soon).await;
    let writing = tokio::spawn(async move {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(600) {
            // Cut at odd places, so that the relay's reads end in the middle of messages.
            server.write_all(&messages()[..4_999_999 / 2]).await.unwrap();
            server.write_all(&messages()[4_999_999 / 2..]).await.unwrap();
        }
    });
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    writing.await.unwrap();
    let (mut rest, mut warnings) = (read.as_slice(), 0);
    while let Some((length, after)) = rest.split_first() {
        let (body, next) = after.split_at(usize::from(*length));
        if body == &WARNING[1..] {
            warnings += 1;
        } else {
            assert!(body.iter().all(|byte| byte == length), "a message was torn apart");
        }
        rest = next;
    }
    assert_eq!(warnings, 1);
    assert!(matches!(relay.await.unwrap(), Finish::Server));
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_gets_nothing_through() {
    let Scene { mut client, mut server, relay, .. } = scene(in_an_hour()).await;
    client.write_all(&[255; 10]).await.unwrap();
    assert!(matches!(relay.await.unwrap(), Finish::Violation(_)));
    let mut read = Vec::new();
    server.read_to_end(&mut read).await.unwrap();
    assert!(read.is_empty());
}

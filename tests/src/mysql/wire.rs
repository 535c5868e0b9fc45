//! A MySQL client that sends exactly the bytes it is told to, for tests that must know every one of them.
//!
//! This file has packets and commands, [`super::login`] the handshake, [`super::answer`] what is said in reply.

use std::{mem, net::Ipv4Addr, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    answer::{Answer, Refusal, lenenc},
    login::DEPRECATE_EOF,
};
use crate::wait::patiently;

/// `COM_QUIT`.
pub const QUIT: u8 = 1;
/// `COM_INIT_DB`.
pub const INIT_DB: u8 = 2;
/// `COM_QUERY`.
pub const QUERY: u8 = 3;
/// `COM_FIELD_LIST`.
pub const FIELD_LIST: u8 = 4;
/// `COM_STATISTICS`.
pub const STATISTICS: u8 = 9;
/// `COM_PING`.
pub const PING: u8 = 14;
/// `COM_CHANGE_USER`.
pub const CHANGE_USER: u8 = 17;
/// `COM_STMT_PREPARE`.
pub const STMT_PREPARE: u8 = 22;
/// `COM_STMT_EXECUTE`.
pub const STMT_EXECUTE: u8 = 23;
/// `COM_STMT_SEND_LONG_DATA`.
pub const STMT_SEND_LONG_DATA: u8 = 24;
/// `COM_STMT_CLOSE`.
pub const STMT_CLOSE: u8 = 25;
/// `COM_STMT_RESET`.
pub const STMT_RESET: u8 = 26;
/// `COM_SET_OPTION`.
pub const SET_OPTION: u8 = 27;
/// `COM_STMT_FETCH`.
pub const STMT_FETCH: u8 = 28;
/// `COM_RESET_CONNECTION`.
pub const RESET_CONNECTION: u8 = 31;

/// The longest payload of one frame. A payload of this length is followed by another frame.
const FULL: usize = 0x00ff_ffff;
const MORE_RESULTS: u16 = 8;
const CURSOR_EXISTS: u16 = 64;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection.
pub struct Raw {
    stream: Box<dyn Stream>,
    /// The number that the next packet gets.
    pub sequence: u8,
    /// What this client has said it can do.
    pub capabilities: u32,
}

/// One packet, put together from its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The number of its last frame.
    pub sequence: u8,
    /// Its payload.
    pub body: Vec<u8>,
}

impl Packet {
    /// Its first byte; 0 when it is empty.
    pub fn kind(&self) -> u8 {
        self.body.first().copied().unwrap_or_default()
    }

    /// The error that it is, if it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        Refusal::of(&self.body)
    }
}

/// The bytes of a packet whose first frame has this number.
pub fn packet(mut sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    let mut frame = |sequence: u8, chunk: &[u8]| {
        let length = u32::try_from(chunk.len()).expect("a frame is small").to_le_bytes();
        bytes.extend([&length[..3], &[sequence], chunk].concat());
    };
    let chunks = payload.chunks_exact(FULL);
    let rest = chunks.remainder();
    for chunk in chunks {
        frame(sequence, chunk);
        sequence = sequence.wrapping_add(1);
    }
    frame(sequence, rest);
    bytes
}

/// The bytes of a command.
pub fn command(kind: u8, body: &[u8]) -> Vec<u8> {
    packet(0, &[&[kind], body].concat())
}

/// The bytes of a `COM_QUERY`.
pub fn query(sql: &str) -> Vec<u8> {
    command(QUERY, sql.as_bytes())
}

impl Raw {
    /// Opens a TCP connection to a port of 127.0.0.1 and says nothing.
    pub async fn connect(port: u16) -> Self {
        let stream = patiently("a connection", TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await;
        Self::over(stream.expect("the port answers"))
    }

    /// The same over a stream that is already open.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket has this option");
        Self::from_stream(stream)
    }

    fn from_stream(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream), sequence: 0, capabilities: 0 }
    }

    /// Wraps the connection in TLS.
    pub async fn start_tls(&mut self, config: Arc<ClientConfig>) -> io::Result<()> {
        let name = ServerName::try_from("localhost").expect("a host name");
        let bare = mem::replace(&mut self.stream, Box::new(io::join(io::empty(), io::sink())));
        self.stream = Box::new(TlsConnector::from(config).connect(name, bare).await?);
        Ok(())
    }

    /// One end that sends and one that receives, for use at the same time.
    pub fn split(self) -> (Self, Self) {
        let Self { stream, sequence, capabilities } = self;
        let (reader, writer) = io::split(stream);
        let half = |stream| Self { stream, sequence, capabilities };
        let sends = half(Box::new(io::join(io::empty(), writer)));
        (sends, half(Box::new(io::join(reader, io::sink()))))
    }

    /// Sends bytes; it does not matter here whether the other end still takes them.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.try_send(bytes).await;
    }

    /// Sends bytes.
    pub async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Sends a packet with the number that is due.
    pub async fn reply(&mut self, payload: &[u8]) {
        self.send(&packet(self.sequence, payload)).await;
    }

    /// Sends a command.
    pub async fn command(&mut self, kind: u8, body: &[u8]) {
        self.send(&command(kind, body)).await;
    }

    /// The next packet, or `None` when the connection is closed or broken.
    pub async fn next(&mut self) -> Option<Packet> {
        patiently("a packet from the server", self.read()).await.ok()
    }

    /// One byte, for connections that may say anything.
    pub async fn next_byte(&mut self) -> Option<u8> {
        self.stream.read_u8().await.ok()
    }

    async fn read(&mut self) -> io::Result<Packet> {
        let mut body = Vec::new();
        loop {
            let header = self.stream.read_u32_le().await?;
            let length = usize::try_from(header & 0x00ff_ffff).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + length, 0);
            self.stream.read_exact(body.get_mut(start..).unwrap_or_default()).await?;
            let sequence = header.to_le_bytes()[3];
            self.sequence = sequence.wrapping_add(1);
            if length < FULL {
                return Ok(Packet { sequence, body });
            }
        }
    }

    /// The packets that still come before the connection is closed.
    pub async fn rest(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(packet) = self.next().await {
            packets.push(packet);
        }
        packets
    }

    /// The error with which the server closes the connection. Whatever comes before it is thrown away.
    pub async fn last_error(&mut self) -> Option<Refusal> {
        let mut last = None;
        while let Some(packet) = self.next().await {
            last = packet.refusal().or(last);
        }
        last
    }

    /// Every packet that answers one command which returns results, `COM_STMT_EXECUTE` and `COM_STMT_FETCH` included.
    pub async fn response(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while self.one_result(&mut packets).await.is_some_and(|status| status & MORE_RESULTS != 0) {}
        packets
    }

    /// Reads one result and returns the server's status; `None` when there can be no further one.
    async fn one_result(&mut self, packets: &mut Vec<Packet>) -> Option<u16> {
        let first = self.keep(packets).await?;
        match first.kind() {
            0xff | 0xfb => return None,
            0 => return Answer::status_of_ok(&first.body),
            0xfe if first.body.len() < 9 => return Answer::status_of_eof(&first.body),
            _ => {}
        }
        let (columns, _) = lenenc(&first.body)?;
        for _ in 0..columns {
            self.keep(packets).await?;
        }
        if self.capabilities & DEPRECATE_EOF == 0 {
            let status = Answer::status_of_eof(&self.keep(packets).await?.body)?;
            if status & CURSOR_EXISTS != 0 {
                return None;
            }
        }
        self.rows(packets).await
    }

    /// Reads rows up to the packet that ends them.
    pub async fn rows(&mut self, packets: &mut Vec<Packet>) -> Option<u16> {
        loop {
            let next = self.keep(packets).await?;
            match (next.kind(), self.capabilities & DEPRECATE_EOF != 0) {
                (0xff, _) => return None,
                (0xfe, true) if next.body.len() < FULL => return Answer::status_of_ok(&next.body),
                (0xfe, false) if next.body.len() < 9 => return Answer::status_of_eof(&next.body),
                _ => {}
            }
        }
    }

    async fn keep(&mut self, packets: &mut Vec<Packet>) -> Option<Packet> {
        let packet = self.next().await?;
        packets.push(packet.clone());
        Some(packet)
    }

    /// Sends a statement and returns its first result.
    pub async fn ask(&mut self, sql: &str) -> Result<Answer, Refusal> {
        self.command(QUERY, sql.as_bytes()).await;
        let packets = self.response().await;
        if let Some(refusal) = packets.iter().find_map(|packet| {
            let is_error = packet.kind() == 0xff;
            is_error.then(|| packet.refusal()).flatten()
        }) {
            return Err(refusal);
        }
        Answer::of(&packets, self.capabilities).ok_or_else(|| Refusal::silence(sql))
    }

    /// Runs statements, separated by semicolons; any error fails the test.
    pub async fn run(&mut self, statements: &str) {
        for sql in statements.split(';').map(str::trim).filter(|sql| !sql.is_empty()) {
            let outcome = self.ask(sql).await;
            assert!(outcome.is_ok(), "{sql}: {:?}", outcome.err());
        }
    }

    /// The only value of a result, as text; an error fails the test.
    pub async fn value(&mut self, sql: &str) -> String {
        let answer = self.ask(sql).await.unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
        answer.rows.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default()
    }
}

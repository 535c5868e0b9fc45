//! A PostgreSQL client that sends exactly the bytes it is told to, for tests that must know every one of them.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{certs::Pair, rest::install_tls, wait::patiently};

/// The `SSLRequest` message.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The `GSSENCRequest` message.
pub const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];
/// Protocol 3.0.
pub const PROTOCOL_3_0: u32 = 0x0003_0000;
/// Protocol 3.2.
pub const PROTOCOL_3_2: u32 = 0x0003_0002;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection.
pub struct Raw {
    stream: Box<dyn Stream>,
}

/// One message from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type byte.
    pub kind: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

/// The fields of an `ErrorResponse` or `NoticeResponse` by their letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<char, String>);

impl Fields {
    /// A field, empty when it is missing.
    pub fn get(&self, letter: char) -> &str {
        self.0.get(&letter).map_or("", String::as_str)
    }

    /// The SQLSTATE.
    pub fn code(&self) -> &str {
        self.get('C')
    }

    /// The message.
    pub fn message(&self) -> &str {
        self.get('M')
    }
}

impl Message {
    /// The fields of an error or notice.
    pub fn fields(&self) -> Fields {
        let fields = self.body.split(|byte| *byte == 0).filter_map(|field| {
            let (letter, text) = field.split_first()?;
            Some((char::from(*letter), String::from_utf8_lossy(text).into_owned()))
        });
        Fields(fields.collect())
    }

    /// The names in a `RowDescription`.
    pub fn columns(&self) -> Vec<String> {
        let mut rest = self.body.get(2..).unwrap_or_default();
        let mut names = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
            rest = rest.get(end + 19..).unwrap_or_default();
        }
        names
    }

    /// The first column of a `DataRow` as text.
    pub fn first_column(&self) -> Option<String> {
        let length = i32::from_be_bytes(self.body.get(2..6)?.try_into().ok()?);
        let end = 6 + usize::try_from(length).ok()?;
        Some(String::from_utf8_lossy(self.body.get(6..end)?).into_owned())
    }
}

/// A typed message: its letter, its length, its body.
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a test's message is small");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A start-up message.
pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).expect("a test's message is small");
    [&length.to_be_bytes()[..], &body].concat()
}

/// A text that ends in a zero byte, as the protocol writes them.
pub fn zero_terminated(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// A Query message.
pub fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &zero_terminated(sql))
}

/// Parse (unnamed), Bind, Execute for a statement without parameters. No Sync.
pub fn extended(sql: &str) -> Vec<u8> {
    let parse = [b"\0", &zero_terminated(sql)[..], &[0, 0]].concat();
    let bind = [0, 0, 0, 0, 0, 0, 0, 0];
    [frame(b'P', &parse), frame(b'B', &bind), frame(b'E', &[0, 0, 0, 0, 0])].concat()
}

/// A Sync message.
pub fn sync() -> Vec<u8> {
    frame(b'S', &[])
}

fn trusting(ca: &str) -> RootCertStore {
    install_tls();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.expect("PEM")).expect("an authority");
    }
    roots
}

/// A TLS client configuration that trusts the authority in `ca` (PEM) and shows a certificate.
pub fn tls_config_as(ca: &str, pair: &Pair) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder().with_root_certificates(trusting(ca));
    let chain = CertificateDer::pem_slice_iter(pair.cert.as_bytes()).collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key in PEM");
    Arc::new(builder.with_client_auth_cert(chain, key).expect("they belong together"))
}

/// A TLS client configuration that trusts the authority in `ca` (PEM) and offers these application protocols.
pub fn tls_config(ca: &str, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder().with_root_certificates(trusting(ca));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
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
        Self { stream: Box::new(stream) }
    }

    /// Wraps the connection in TLS at once.
    pub async fn into_tls(self, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").expect("a host name");
        let stream = TlsConnector::from(config).connect(name, self.stream).await?;
        Ok(Self { stream: Box::new(stream) })
    }

    /// Asks for TLS with an `SSLRequest` and wraps the connection in it.
    pub async fn request_tls(mut self, config: Arc<ClientConfig>) -> io::Result<Self> {
        self.send(&SSL_REQUEST).await;
        assert_eq!(self.byte().await, Some(b'S'), "the server takes TLS");
        self.into_tls(config).await
    }

    /// One end that sends and one that receives, for use at the same time.
    pub fn split(self) -> (Self, Self) {
        let (reader, writer) = io::split(self.stream);
        let sends = Self { stream: Box::new(io::join(io::empty(), writer)) };
        (sends, Self { stream: Box::new(io::join(reader, io::sink())) })
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

    /// One byte, or `None` at the end.
    pub async fn byte(&mut self) -> Option<u8> {
        patiently("a byte from the server", self.stream.read_u8()).await.ok()
    }

    /// The next message, or `None` when the connection is closed or broken.
    pub async fn next(&mut self) -> Option<Message> {
        patiently("a message from the server", self.read()).await.ok()
    }

    async fn read(&mut self) -> io::Result<Message> {
        let kind = self.stream.read_u8().await?;
        let length = self.stream.read_u32().await?.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
        let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.stream.read_exact(&mut body).await?;
        Ok(Message { kind, body })
    }

    /// Like [`Raw::next`], for connections that may say anything.
    pub async fn next_or_nonsense(&mut self) -> Option<u8> {
        self.stream.read_u8().await.ok()
    }

    /// The messages up to and including the next one of this kind; all of them if the connection ends first.
    pub async fn until(&mut self, kind: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            let last = message.kind == kind;
            messages.push(message);
            if last {
                break;
            }
        }
        messages
    }

    /// The messages that still come before the connection is closed.
    pub async fn rest(&mut self) -> Vec<Message> {
        self.until(0).await
    }

    /// The fields of the error with which the server closes the connection.
    pub async fn last_error(&mut self) -> Option<Fields> {
        self.rest().await.iter().rev().find(|message| message.kind == b'E').map(Message::fields)
    }

    /// Start-up with a cleartext password, up to `ReadyForQuery`. The error's fields when it is refused.
    pub async fn log_in(
        &mut self,
        parameters: &[(&str, &str)],
        password: &str,
    ) -> Result<Vec<Message>, Fields> {
        self.send(&startup(PROTOCOL_3_0, parameters)).await;
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            match message.kind {
                b'E' => return Err(message.fields()),
                b'R' if message.body == [0, 0, 0, 3] => {
                    self.send(&frame(b'p', &zero_terminated(password))).await;
                }
                b'Z' => {
                    messages.push(message);
                    return Ok(messages);
                }
                _ => messages.push(message),
            }
        }
        Err(Fields::default())
    }

    /// Sends a Query and collects the answer up to `ReadyForQuery`.
    pub async fn ask(&mut self, sql: &str) -> Vec<Message> {
        self.send(&query(sql)).await;
        self.until(b'Z').await
    }
}

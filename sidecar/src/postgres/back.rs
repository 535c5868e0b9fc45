//! A connection to the database, from TCP to its first `ReadyForQuery`.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use postern_protocol::{
    gate::AccountName,
    postgres::{self, BackendKeyData, CancelKey, HEADER_LEN, InvalidMessage, error_field, is_error},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    auth::{AuthError, Proof},
    frames::{FrameReader, ReadError},
    target::Target,
};
use crate::net::{Stream, prepare};

/// How long a database may take to let us in.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest message that a database sends before it is ready.
const LIMIT: u32 = 1024 * 1024;

/// Why there is no connection to the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackError {
    /// Nobody answers at its address.
    #[error("cannot reach the database: {0}")]
    Unreachable(#[source] io::Error),
    /// It does not finish the start-up in time.
    #[error("the database did not answer in time")]
    Timeout,
    /// It has no TLS, and the configuration demands it.
    #[error("the database does not offer TLS")]
    NoTls,
    /// The TLS handshake failed; the certificate is not one that is believed.
    #[error("TLS with the database failed: {0}")]
    Tls(#[source] io::Error),
    /// It does not accept the account.
    #[error("the database refused the account: {0}")]
    Account(String),
    /// Proving the account failed on our side.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// It refused the session with an error of its own, kept whole.
    #[error("the database refused the session: {}", foreign(.0))]
    Refused(Bytes),
    /// It speaks no PostgreSQL.
    #[error("the database answers nonsense: {0}")]
    Nonsense(#[from] ReadError),
    /// A message is malformed.
    #[error("the database answers nonsense: {0}")]
    Invalid(#[from] InvalidMessage),
    /// The session could not be ended for certain, so it does not begin.
    #[error("there is no connection to end the account's backends with")]
    NoTerminator,
    /// Its catalog cannot be read, so nothing is known of its names.
    #[error("cannot read the database's catalog: {0}")]
    Catalog(#[source] Arc<BackError>),
    /// A message that has no place where it came.
    #[error("the database answers nonsense: unexpected message '{}'", .0.escape_ascii())]
    Unexpected(u8),
}

impl BackError {
    /// The label of `postern_upstream_errors_total{kind}`.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Catalog(cause) => cause.label(),
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::NoTls | Self::Tls(_) => "tls",
            Self::Account(_) | Self::Auth(_) => "auth",
            Self::Refused(_) => "refused",
            Self::NoTerminator => "terminator",
            Self::Nonsense(_) | Self::Invalid(_) | Self::Unexpected(_) => "protocol",
        }
    }
}

/// The text of another program's error, safe for a line of our log.
fn foreign(error: &[u8]) -> String {
    let body = error.get(HEADER_LEN..).unwrap_or_default();
    error_field(body, b'M').unwrap_or_default().escape_debug().to_string()
}

/// A database that waits for its first statement.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) stream: Stream,
    /// `ParameterStatus` and notices, to be passed on.
    pub(crate) greeting: Bytes,
    pub(crate) key: Option<CancelKey>,
    /// The first `ReadyForQuery`, and whatever came behind it.
    pub(crate) ready: BytesMut,
    /// The address that the database sees us at.
    pub(crate) local: Option<SocketAddr>,
    /// The address that it was reached at.
    pub(crate) peer: Option<SocketAddr>,
}

impl Target {
    /// Opens a connection as `account` with these session defaults.
    pub(crate) async fn connect(
        &self,
        account: &AccountName,
        parameters: &[(String, String)],
    ) -> Result<Backend, BackError> {
        self.connect_to(None, account, parameters).await
    }

    /// The same to exactly this server, where a name stands for several.
    pub(crate) async fn connect_to(
        &self,
        peer: Option<SocketAddr>,
        account: &AccountName,
        parameters: &[(String, String)],
    ) -> Result<Backend, BackError> {
        let connecting = self.connect_patiently(peer, account, parameters);
        timeout(CONNECT, connecting).await.map_err(|_| BackError::Timeout)?
    }

    /// A TCP connection to the database.
    pub(crate) async fn dial(&self, peer: Option<SocketAddr>) -> Result<TcpStream, BackError> {
        self.server.dial(peer).await.map_err(BackError::Unreachable)
    }

    async fn connect_patiently(
        &self,
        peer: Option<SocketAddr>,
        account: &AccountName,
        parameters: &[(String, String)],
    ) -> Result<Backend, BackError> {
        let login =
            self.login(account).ok_or_else(|| BackError::Account("it is not configured".to_owned()))?;
        let tcp = self.dial(peer).await?;
        let mut stream = self.encrypt(tcp, login.tls.as_ref()).await?;
        let defaults = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let who = [("user", account.as_str()), ("database", self.database.as_str())];
        let startup = postgres::startup_message(who.into_iter().chain(defaults));
        stream.write_all(&startup).await.map_err(BackError::Unreachable)?;
        stream.flush().await.map_err(BackError::Unreachable)?;
        let private = login.verified
            || stream.tcp().and_then(|tcp| tcp.peer_addr().ok()).is_some_and(|peer| peer.ip().is_loopback());
        let proof = Proof::new(account, login.password.as_ref(), private);
        await_ready(stream, proof).await
    }

    /// TLS on a fresh connection, by `SSLRequest`.
    pub(crate) async fn encrypt(
        &self,
        mut tcp: TcpStream,
        tls: Option<&TlsConnector>,
    ) -> Result<Stream, BackError> {
        prepare(&tcp).map_err(BackError::Unreachable)?;
        let Some(tls) = tls else { return Ok(Stream::Plain(tcp)) };
        tcp.write_all(&postgres::ssl_request()).await.map_err(BackError::Unreachable)?;
        let mut answer = [0];
        // Exactly one byte: whatever somebody in between stuffed behind it goes into the handshake and breaks it.
        tcp.read_exact(&mut answer).await.map_err(BackError::Unreachable)?;
        match &answer {
            b"S" => {
                let stream = tls.connect(self.server.name.clone(), tcp).await.map_err(BackError::Tls)?;
                Ok(Stream::Connected(Box::new(stream)))
            }
            b"N" => Err(BackError::NoTls),
            [other] => Err(BackError::Unexpected(*other)),
        }
    }
}

async fn await_ready(mut stream: Stream, mut proof: Proof<'_>) -> Result<Backend, BackError> {
    let (mut frames, mut proved) = (FrameReader::default(), false);
    let (mut greeting, mut key) = (BytesMut::new(), None);
    loop {
        let frame = frames.next(&mut stream, LIMIT).await?;
        match (frame.kind, proved) {
            (b'R', false) => proved = proof.answer(&mut stream, frame.body()).await?,
            (b'E', _) if is_error(frame.body()) => return Err(refused(&frame.bytes, frame.body())),
            (b'S' | b'N', true) => greeting.extend_from_slice(&frame.bytes),
            (b'N', false) => {}
            (b'K', true) => key = Some(BackendKeyData::decode(frame.body())?.0),
            (b'Z', true) => {
                let mut ready = BytesMut::from(&frame.bytes[..]);
                ready.unsplit(frames.into_rest());
                let (local, peer) =
                    stream.tcp().map(|tcp| (tcp.local_addr().ok(), tcp.peer_addr().ok())).unwrap_or_default();
                return Ok(Backend { stream, greeting: greeting.freeze(), key, ready, local, peer });
            }
            (other, _) => return Err(BackError::Unexpected(other)),
        }
    }
}

/// A refusal of the account is our operator's business and not the client's; any other error is the client's own.
fn refused(bytes: &Bytes, body: &[u8]) -> BackError {
    let sqlstate = error_field(body, b'C').unwrap_or_default();
    if sqlstate.starts_with("28") {
        BackError::Account(foreign(bytes))
    } else {
        BackError::Refused(bytes.clone())
    }
}

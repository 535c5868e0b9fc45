//! A connection to the database, from TCP to the OK of its login.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use postern_protocol::{
    gate::AccountName,
    mysql::{
        AuthRequest, AuthResponse, Capabilities, ErrorPacket, Greeting, LoginRequest, Malformed, ServerHello,
        SslRequest, packet,
    },
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    auth::{AuthError, Proof},
    packets::{self, ReadError},
    profile::{Profile, settled_by_each},
    target::Target,
};
use crate::{
    net::{Stream, prepare},
    server::Login,
};

/// How long a database may take to let us in.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest message that a database sends before the session begins.
const LIMIT: usize = 64 * 1024;

/// Why there is no connection to the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackError {
    /// Nobody answers at its address, or it hung up.
    #[error("cannot reach the database: {0}")]
    Unreachable(#[source] io::Error),
    /// It does not finish the login in time.
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
    /// It refused the session, or a statement, with an error of its own.
    #[error("the database refused: {}", .0.told())]
    Refused(Refused),
    /// It cannot do what was agreed upon with the client.
    #[error("the database has become another one: it lacks capabilities that the client was promised")]
    Changed,
    /// It speaks no MySQL.
    #[error("the database answers nonsense: {0}")]
    Nonsense(#[from] ReadError),
    /// A message is malformed.
    #[error("the database answers nonsense: {0}")]
    Invalid(#[from] Malformed),
    /// The session could not be ended for certain, so it does not begin.
    #[error("there is no connection to end the account's sessions with")]
    NoTerminator,
    /// Its catalog cannot be read, so nothing is known of its names.
    #[error("cannot read the database's catalog: {0}")]
    Catalog(#[source] Arc<BackError>),
}

/// A server's own error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) sqlstate: Option<[u8; 5]>,
    pub(crate) message: Vec<u8>,
}

impl Refused {
    pub(super) fn new(error: ErrorPacket<'_>) -> Self {
        Self { code: error.code, sqlstate: error.sqlstate, message: error.message.to_vec() }
    }

    /// The packet, for a client that gets it as the server's word.
    pub(crate) fn packet(&self, sequence: u8) -> Bytes {
        let sqlstate = self.sqlstate.or(Some(*b"HY000"));
        ErrorPacket { code: self.code, sqlstate, message: &self.message }.packet(sequence)
    }

    /// Safe for a line of our log.
    fn told(&self) -> String {
        format!("{} {}", self.code, String::from_utf8_lossy(&self.message).escape_debug())
    }

    /// Whether it is about the account, which is our operator's business and not the client's.
    fn is_about_the_account(&self) -> bool {
        const ACCESS_DENIED: u16 = 1045;
        const NO_PASSWORD_ERROR: u16 = 1698;
        const MUST_CHANGE_PASSWORD: u16 = 1862;
        const ACCOUNT_LOCKED: u16 = 3118;
        const MARIADB_ACCOUNT_LOCKED: u16 = 4151;
        matches!(
            self.code,
            ACCESS_DENIED
                | NO_PASSWORD_ERROR
                | MUST_CHANGE_PASSWORD
                | ACCOUNT_LOCKED
                | MARIADB_ACCOUNT_LOCKED
        )
    }
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
            Self::Nonsense(_) | Self::Invalid(_) | Self::Changed => "protocol",
        }
    }
}

/// What a session begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// What client and server do with each other.
    pub(crate) capabilities: Capabilities,
    pub(crate) max_packet: u32,
    pub(crate) charset: u8,
    pub(crate) database: Option<String>,
    /// What the client says of itself, if it says anything.
    pub(crate) attributes: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// A database that waits for its first command.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) stream: Stream,
    /// Its own number for the connection.
    pub(crate) number: u32,
    /// The payload of the OK that ended the login.
    pub(crate) ok: Vec<u8>,
    /// The address that it was reached at.
    pub(crate) peer: Option<SocketAddr>,
}

impl Target {
    /// Opens a connection as `account`, to exactly this server where the name stands for several.
    pub(crate) async fn connect(
        &self,
        peer: Option<SocketAddr>,
        account: &AccountName,
        wishes: &Wishes,
    ) -> Result<Backend, BackError> {
        let connecting = self.connect_patiently(peer, account, wishes);
        timeout(CONNECT, connecting).await.map_err(|_| BackError::Timeout)?
    }

    async fn connect_patiently(
        &self,
        peer: Option<SocketAddr>,
        account: &AccountName,
        wishes: &Wishes,
    ) -> Result<Backend, BackError> {
        let login =
            self.login(account).ok_or_else(|| BackError::Account("it is not configured".to_owned()))?;
        let mut tcp = self.server.dial(peer).await.map_err(BackError::Unreachable)?;
        prepare(&tcp).map_err(BackError::Unreachable)?;
        let (mut sequence, peer) = (0, tcp.peer_addr().ok());
        let hello = packets::read(&mut tcp, &mut sequence, LIMIT).await?;
        let greeting = match ServerHello::decode(&hello)? {
            ServerHello::Greeting(greeting) => greeting,
            ServerHello::Error(error) => return Err(BackError::Refused(Refused::new(error))),
        };
        self.describe(Profile::new(&greeting));
        let request = request(account, &greeting, wishes, login)?;
        let stream = self.encrypt(tcp, &mut sequence, &request, login.tls.as_ref()).await?;
        let private = login.verified || peer.is_some_and(|peer| peer.ip().is_loopback());
        let encrypted = stream.is_encrypted();
        let proof = Proof::new(login.password.as_ref(), encrypted, private);
        let mut applicant = Applicant { stream, sequence, proof };
        let ok = applicant.log_in(request, &greeting).await?;
        Ok(Backend { stream: applicant.stream, number: greeting.connection_id, ok, peer })
    }

    /// TLS on a fresh connection: asked for by the beginning of the login.
    async fn encrypt(
        &self,
        mut tcp: TcpStream,
        sequence: &mut u8,
        request: &LoginRequest,
        tls: Option<&TlsConnector>,
    ) -> Result<Stream, BackError> {
        let Some(tls) = tls else { return Ok(Stream::Plain(tcp)) };
        let LoginRequest { capabilities, max_packet, charset, .. } = *request;
        let ask = SslRequest { capabilities, max_packet, charset };
        tcp.write_all(&ask.packet(*sequence)).await.map_err(BackError::Unreachable)?;
        *sequence = sequence.wrapping_add(1);
        let stream = tls.connect(self.server.name.clone(), tcp).await.map_err(BackError::Tls)?;
        Ok(Stream::Connected(Box::new(stream)))
    }
}

/// The login, but for its proof.
fn request(
    account: &AccountName,
    greeting: &Greeting,
    wishes: &Wishes,
    login: &Login,
) -> Result<LoginRequest, BackError> {
    let carried = wishes.capabilities - settled_by_each();
    if !greeting.capabilities.has(carried | Capabilities::PROTOCOL_41) {
        return Err(BackError::Changed);
    }
    let mut capabilities = carried | Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION;
    capabilities = capabilities
        | greeting.capabilities & (Capabilities::PLUGIN_AUTH | Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA);
    if wishes.database.is_some() {
        capabilities = capabilities | Capabilities::CONNECT_WITH_DB;
    }
    if wishes.attributes.is_some() {
        capabilities = capabilities | greeting.capabilities & Capabilities::CONNECT_ATTRS;
    }
    if login.tls.is_some() {
        if !greeting.capabilities.has(Capabilities::SSL) {
            return Err(BackError::NoTls);
        }
        capabilities = capabilities | Capabilities::SSL;
    }
    Ok(LoginRequest {
        capabilities,
        max_packet: wishes.max_packet,
        charset: wishes.charset,
        user: account.to_string(),
        auth_response: AuthResponse::default(),
        database: wishes.database.clone(),
        plugin: None,
        attributes: wishes.attributes.clone().unwrap_or_default(),
        zstd_level: None,
    })
}

/// One account in front of one server.
struct Applicant<'a> {
    stream: Stream,
    sequence: u8,
    proof: Proof<'a>,
}

impl Applicant<'_> {
    /// Proves the account. Returns the payload of the server's OK.
    async fn log_in(&mut self, request: LoginRequest, greeting: &Greeting) -> Result<Vec<u8>, BackError> {
        let capabilities = request.capabilities;
        let (plugin, answer) = self.proof.begin(&greeting.plugin, &greeting.scramble)?;
        let request = LoginRequest { auth_response: answer, plugin: Some(plugin), ..request };
        self.send(&request.packet(self.sequence)).await?;
        loop {
            let payload = packets::read(&mut self.stream, &mut self.sequence, LIMIT).await?;
            let answer = match AuthRequest::decode(&payload, capabilities)? {
                AuthRequest::Ok(_) => return Ok(payload.to_vec()),
                AuthRequest::Error(error) => return Err(refused(error)),
                AuthRequest::Switch { plugin, data } => Some(self.proof.switch(&plugin, data)?),
                AuthRequest::MoreData(data) => self.proof.go_on(data)?,
                AuthRequest::NextFactor { .. } => return Err(AuthError::SecondFactor.into()),
            };
            if let Some(answer) = answer {
                self.send(&packet(self.sequence, answer.reveal())).await?;
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), BackError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(bytes).await.map_err(BackError::Unreachable)?;
        self.stream.flush().await.map_err(BackError::Unreachable)
    }
}

fn refused(error: ErrorPacket<'_>) -> BackError {
    let refused = Refused::new(error);
    if refused.is_about_the_account() {
        BackError::Account(refused.told())
    } else {
        BackError::Refused(refused)
    }
}

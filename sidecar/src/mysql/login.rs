//! A client's login: greeting, TLS, who it says it is, and its credential.
//!
//! Stock clients carry a token without a flag: asked for `caching_sha2_password`'s full authentication, they send the
//! password itself inside TLS. Others are asked for `mysql_clear_password`. No hash of a token is ever asked for: what
//! can be proved by a hash can be proved by whoever has stolen the hash.

use std::{io, sync::Arc};

use bytes::Bytes;
use postern_protocol::mysql::{
    AuthResponse, Capabilities, Greeting, InitialPacket, LoginRequest, SCRAMBLE_LEN, auth_more_data,
    auth_switch,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::{
    packets::{self, ReadError},
    profile::CACHING_SHA2,
    refusal::Refusal,
};
use crate::{listener::ClientTls, net::Stream};

const CLEAR_PASSWORD: &str = "mysql_clear_password";
/// `caching_sha2_password`: "I want the password itself".
const FULL_AUTHENTICATION: &[u8] = &[4];
/// The longest message of a client that has not logged in: a password can be a JWT, and there may be attributes.
const LIMIT: usize = 10_000;

/// A client that is being talked to before its session begins.
pub(crate) struct Talk {
    pub(crate) stream: Stream,
    /// The number of the next packet, whoever sends it.
    pub(crate) sequence: u8,
}

/// Why there is no login.
pub(crate) enum NoLogin {
    /// The client went away, or asked for nothing.
    Silently,
    /// It is refused, and can be told.
    Refused(Box<Talk>, Refusal),
}

impl From<io::Error> for NoLogin {
    fn from(_: io::Error) -> Self {
        Self::Silently
    }
}

impl Talk {
    /// Says something.
    pub(crate) async fn say(&mut self, packet: impl FnOnce(u8) -> Bytes) -> io::Result<()> {
        let bytes = packet(self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    async fn hear(&mut self) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        packets::read(&mut self.stream, &mut self.sequence, LIMIT).await
    }
}

/// Greets, begins TLS if the client wants it, and hears who it is.
pub(crate) async fn welcome(
    tcp: TcpStream,
    greeting: &Greeting,
    tls: Option<&ClientTls>,
) -> Result<(Talk, LoginRequest), NoLogin> {
    let mut talk = Talk { stream: Stream::Plain(tcp), sequence: 1 };
    talk.stream.write_all(&greeting.packet()).await?;
    let first = match initial(&mut talk).await? {
        Ok(first) => first,
        Err(refusal) => return Err(NoLogin::Refused(Box::new(talk), refusal)),
    };
    match (first, tls) {
        (InitialPacket::SslRequest(_), Some(tls)) => {
            let Stream::Plain(tcp) = talk.stream else { return Err(NoLogin::Silently) };
            // What a client sends in clear behind its request goes into the handshake and breaks it: not a byte of it
            // has been read.
            let stream = TlsAcceptor::from(Arc::clone(&tls.server)).accept(tcp).await?;
            talk.stream = Stream::Accepted(Box::new(stream));
            match initial(&mut talk).await? {
                Ok(InitialPacket::Login(login)) => Ok((talk, *login)),
                Ok(InitialPacket::SslRequest(_)) => Err(NoLogin::Silently),
                Err(refusal) => Err(NoLogin::Refused(Box::new(talk), refusal)),
            }
        }
        (InitialPacket::SslRequest(_), None) => Err(NoLogin::Refused(Box::new(talk), Refusal::NotOffered)),
        (InitialPacket::Login(login), _) if login.capabilities.has(Capabilities::SSL) => {
            Err(NoLogin::Refused(
                Box::new(talk),
                Refusal::Handshake("TLS was announced and not begun".to_owned()),
            ))
        }
        (InitialPacket::Login(login), _) => Ok((talk, *login)),
    }
}

async fn initial(talk: &mut Talk) -> Result<Result<InitialPacket, Refusal>, NoLogin> {
    match talk.hear().await {
        Ok(payload) => Ok(InitialPacket::decode(&payload).map_err(Refusal::from)),
        Err(ReadError::Io(_)) => Err(NoLogin::Silently),
        Err(error) => Ok(Err(error.into())),
    }
}

/// What a client answers the greeting with.
pub(crate) struct Answer<'a> {
    /// Whether the client knows authentication plugins at all.
    pub(crate) knows_plugins: bool,
    /// Whether it is one of MariaDB's libraries, which carry a password in clear without being told to, but do not all
    /// know MySQL's plugins.
    pub(crate) is_of_mariadb: bool,
    pub(crate) plugin: Option<&'a str>,
    pub(crate) response: &'a AuthResponse,
}

/// Hears the client's credential, over a line on which a password may go. Nothing when the client went away.
pub(crate) async fn credential(
    talk: &mut Talk,
    scramble: &[u8; SCRAMBLE_LEN],
    answer: Answer<'_>,
) -> Result<Option<Zeroizing<String>>, Refusal> {
    if answer.plugin == Some(CLEAR_PASSWORD) {
        return password(answer.response.reveal()).map(Some);
    }
    if answer.plugin == Some(CACHING_SHA2) && matches!(answer.response.reveal(), [] | [0]) {
        // A client without a password considers itself done.
        return Err(Refusal::NoPassword);
    }
    if !answer.knows_plugins {
        return Err(Refusal::NoPlugins);
    }
    match carry(talk, scramble, &answer).await {
        Ok(payload) => password(&payload).map(Some),
        // A client whose user has to be asked for the password hangs up here and comes back.
        Err(ReadError::Io(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Has the client send its password.
async fn carry(
    talk: &mut Talk,
    scramble: &[u8; SCRAMBLE_LEN],
    answer: &Answer<'_>,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    if !talk.stream.is_encrypted() || (answer.is_of_mariadb && answer.plugin != Some(CACHING_SHA2)) {
        talk.say(|sequence| auth_switch(sequence, CLEAR_PASSWORD, b"")).await?;
        return talk.hear().await;
    }
    if answer.plugin != Some(CACHING_SHA2) {
        let data = [&scramble[..], &[0]].concat();
        talk.say(|sequence| auth_switch(sequence, CACHING_SHA2, &data)).await?;
        drop(talk.hear().await?);
    }
    talk.say(|sequence| auth_more_data(sequence, FULL_AUTHENTICATION)).await?;
    talk.hear().await
}

/// A password ends with a NUL, or with the message.
fn password(payload: &[u8]) -> Result<Zeroizing<String>, Refusal> {
    let bytes = payload.strip_suffix(b"\0").unwrap_or(payload);
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::NoPassword)?;
    if text.is_empty() || text.contains('\0') {
        return Err(Refusal::NoPassword);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

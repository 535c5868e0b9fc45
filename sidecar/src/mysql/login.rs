//! A client's login: greeting, TLS, who it says it is, and its credential.
//!
//! Stock clients carry a token without a flag: asked for `caching_sha2_password`'s full authentication, they send the
//! password itself inside TLS. Others are asked for `mysql_clear_password`. No hash of a token is ever asked for: what
//! can be proved by a hash can be proved by whoever has stolen the hash.

use std::io;

use bytes::Bytes;
use postern_protocol::mysql::{
    AuthResponse, Capabilities, Greeting, InitialPacket, LoginRequest, SCRAMBLE_LEN, auth_more_data,
    auth_switch, openid_connect_token,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use zeroize::Zeroizing;

use super::{
    packets::{self, ReadError},
    profile::CACHING_SHA2,
    refusal::Refusal,
};
use crate::{identity::Credential, listener::ClientTls, net::Stream};

const CLEAR_PASSWORD: &str = "mysql_clear_password";
/// Clients of MySQL 9 that have a token of an SSO provider in a file.
const OPENID_CONNECT: &str = "authentication_openid_connect_client";
/// Needs no plugin library, and asks for nothing that could be used.
const NATIVE_PASSWORD: &str = "mysql_native_password";
/// `caching_sha2_password`: "the hash was good".
const FAST_AUTHENTICATION: &[u8] = &[3];
/// `caching_sha2_password`: "I want the password itself".
const FULL_AUTHENTICATION: &[u8] = &[4];
/// The longest message of a client that has not logged in: a password can be a JWT, and there may be attributes.
const LIMIT: usize = 24 * 1024;

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
            let stream = tls.acceptor().accept(tcp).await?;
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
    /// Whether it answers in the middle of a connection, to a scramble that is used up.
    pub(crate) is_renewed: bool,
}

impl Answer<'_> {
    /// Whether a client that expected to be asked for its password has none, and considers itself done.
    fn has_no_password(&self) -> bool {
        self.plugin == Some(CACHING_SHA2) && matches!(self.response.reveal(), [] | [0])
    }
}

/// Hears the client's credential, over a line on which a password may go; `has_issuer` says whether there is an SSO
/// provider whose tokens count. Nothing when the client went away.
pub(crate) async fn credential(
    talk: &mut Talk,
    scramble: &[u8; SCRAMBLE_LEN],
    answer: Answer<'_>,
    has_issuer: bool,
) -> Result<Option<Credential>, Refusal> {
    if let Some(certificate) = talk.stream.peer_certificate() {
        let passed = pass_over(talk, scramble, &answer).await;
        return unless_gone(passed).map(|passed| passed.map(|()| Credential::Certificate(certificate)));
    }
    if answer.plugin == Some(CLEAR_PASSWORD) {
        return password(answer.response.reveal()).map(Some);
    }
    if answer.plugin == Some(OPENID_CONNECT) {
        return token(answer.response.reveal()).map(Some);
    }
    if answer.has_no_password() {
        if !has_issuer || !talk.stream.is_encrypted() {
            return Err(Refusal::NoPassword);
        }
        // It would be turned away; with a token in a file it has another chance.
        let said = ask(talk, OPENID_CONNECT, b"").await;
        return unless_gone(said)?.map(|payload| token(&payload)).transpose();
    }
    if !answer.knows_plugins {
        return Err(Refusal::NoPlugins);
    }
    let said = carry(talk, scramble, &answer).await;
    unless_gone(said)?.map(|payload| password(&payload)).transpose()
}

/// A client whose user has to be asked for the password hangs up here and comes back.
fn unless_gone<T>(heard: Result<T, ReadError>) -> Result<Option<T>, Refusal> {
    match heard {
        Ok(heard) => Ok(Some(heard)),
        Err(ReadError::Io(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn ask(talk: &mut Talk, plugin: &str, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    talk.say(|sequence| auth_switch(sequence, plugin, data)).await?;
    talk.hear().await
}

/// Brings the client to where it waits for word on its login, whatever it has said or will say for a password: its
/// certificate counts.
async fn pass_over(
    talk: &mut Talk,
    scramble: &[u8; SCRAMBLE_LEN],
    answer: &Answer<'_>,
) -> Result<(), ReadError> {
    let asked;
    let (plugin, response) = if answer.is_renewed {
        let plugin = if answer.is_of_mariadb { NATIVE_PASSWORD } else { CACHING_SHA2 };
        asked = ask(talk, plugin, &[&scramble[..], &[0]].concat()).await?;
        (Some(plugin), &asked[..])
    } else {
        (answer.plugin, answer.response.reveal())
    };
    if plugin == Some(CACHING_SHA2) && !matches!(response, [] | [0]) {
        talk.say(|sequence| auth_more_data(sequence, FAST_AUTHENTICATION)).await?;
    }
    Ok(())
}

/// Has the client send its password.
async fn carry(
    talk: &mut Talk,
    scramble: &[u8; SCRAMBLE_LEN],
    answer: &Answer<'_>,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    if !talk.stream.is_encrypted() || (answer.is_of_mariadb && answer.plugin != Some(CACHING_SHA2)) {
        return ask(talk, CLEAR_PASSWORD, b"").await;
    }
    if answer.plugin != Some(CACHING_SHA2) {
        drop(ask(talk, CACHING_SHA2, &[&scramble[..], &[0]].concat()).await?);
    }
    talk.say(|sequence| auth_more_data(sequence, FULL_AUTHENTICATION)).await?;
    talk.hear().await
}

/// A password ends with a NUL, or with the message.
fn password(payload: &[u8]) -> Result<Credential, Refusal> {
    text(payload.strip_suffix(b"\0").unwrap_or(payload))
}

/// What `authentication_openid_connect_client` sends: its version, and the token with its length.
fn token(payload: &[u8]) -> Result<Credential, Refusal> {
    text(openid_connect_token(payload).ok_or(Refusal::NoPassword)?)
}

fn text(bytes: &[u8]) -> Result<Credential, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::NoPassword)?;
    if text.is_empty() || text.contains('\0') {
        return Err(Refusal::NoPassword);
    }
    Ok(Credential::Token(Zeroizing::new(text.to_owned())))
}

//! Proving an account to its database: cleartext, md5, SCRAM-SHA-256 with channel binding when it is offered.

use std::io;

use aws_lc_rs::digest::{self, digest};
use postern_protocol::{
    gate::AccountName,
    postgres::{self, AuthenticationRequest, InvalidMessage},
};
use postern_service::secret::Secret;
use postgres_protocol::authentication::{
    md5_hash,
    sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::net::Stream;

/// Why the database does not get what it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// It wants a password and none is configured.
    #[error("the database asks for a password, and the account has none configured")]
    NoPassword,
    /// It wants the password itself, over a line that others may read or to somebody who has not proved who they are.
    #[error(
        "the database asks for the password in cleartext: that needs tls = \"verify-ca\" or \"verify-full\""
    )]
    Cleartext,
    /// Kerberos, GSSAPI, SSPI or unknown SASL mechanisms.
    #[error("the database asks for an authentication method that is not supported ({0})")]
    Unsupported(String),
    /// The exchange does not follow the protocol, or the server could not prove that it knows the password.
    #[error("the database did not prove itself: {0}")]
    Exchange(io::Error),
    /// A message is malformed.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// The connection broke.
    #[error(transparent)]
    Io(io::Error),
}

/// One account's proof, step by step.
pub(crate) struct Proof<'a> {
    account: &'a AccountName,
    password: Option<&'a Secret>,
    /// Whether the line is one over which the password itself may go.
    private: bool,
    scram: Option<ScramSha256>,
    /// A SCRAM exchange was begun and the server has not yet proved itself.
    unproved: bool,
}

impl<'a> Proof<'a> {
    /// Nothing asked yet.
    pub(crate) const fn new(account: &'a AccountName, password: Option<&'a Secret>, private: bool) -> Self {
        Self { account, password, private, scram: None, unproved: false }
    }

    fn password(&self) -> Result<&'a str, AuthError> {
        self.password.map(Secret::reveal).ok_or(AuthError::NoPassword)
    }

    /// Answers one request of the server. True when it is satisfied.
    pub(crate) async fn answer(&mut self, stream: &mut Stream, body: &[u8]) -> Result<bool, AuthError> {
        let answer = match AuthenticationRequest::decode(body)? {
            AuthenticationRequest::Ok if self.unproved => {
                return Err(AuthError::Exchange(io::Error::other(
                    "it skipped the end of the SCRAM exchange",
                )));
            }
            AuthenticationRequest::Ok => return Ok(true),
            AuthenticationRequest::CleartextPassword if !self.private => return Err(AuthError::Cleartext),
            AuthenticationRequest::CleartextPassword => postgres::password(self.password()?),
            AuthenticationRequest::Md5Password(salt) => {
                let hash = md5_hash(self.account.as_str().as_bytes(), self.password()?.as_bytes(), salt);
                postgres::password(&hash)
            }
            AuthenticationRequest::Sasl(mechanisms) => self.begin_scram(stream, &mechanisms)?,
            AuthenticationRequest::SaslContinue(data) => {
                let scram = self.scram.as_mut().ok_or(InvalidMessage(b'R'))?;
                scram.update(data).map_err(AuthError::Exchange)?;
                postgres::sasl_response(scram.message())
            }
            AuthenticationRequest::SaslFinal(data) => {
                let mut scram = self.scram.take().ok_or(InvalidMessage(b'R'))?;
                scram.finish(data).map_err(AuthError::Exchange)?;
                self.unproved = false;
                return Ok(false);
            }
            AuthenticationRequest::Unsupported(code) => {
                return Err(AuthError::Unsupported(format!("authentication request {code}")));
            }
        };
        send(stream, &answer).await?;
        Ok(false)
    }

    fn begin_scram(&mut self, stream: &Stream, mechanisms: &[&str]) -> Result<bytes::Bytes, AuthError> {
        let end_point = server_end_point(stream);
        let offers_plus = mechanisms.contains(&SCRAM_SHA_256_PLUS);
        let (mechanism, binding) = match end_point {
            Some(hash) if offers_plus => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash)),
            // Says that we could have: a man in the middle who struck the offer out is found by that.
            Some(_) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            None => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        };
        if !mechanisms.contains(&mechanism) {
            return Err(AuthError::Unsupported(format!("SASL {}", mechanisms.join(", "))));
        }
        let scram = ScramSha256::new(self.password()?.as_bytes(), binding);
        let first = postgres::sasl_initial_response(mechanism, scram.message());
        self.scram = Some(scram);
        self.unproved = true;
        Ok(first)
    }
}

async fn send(stream: &mut Stream, bytes: &[u8]) -> Result<(), AuthError> {
    async fn all<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await?;
        stream.flush().await
    }
    all(stream, bytes).await.map_err(AuthError::Io)
}

/// `tls-server-end-point` of RFC 5929 §4.1: the server's certificate, hashed with the hash of its own signature, but
/// with SHA-256 in place of MD5 and SHA-1.
fn server_end_point(stream: &Stream) -> Option<Vec<u8>> {
    let Stream::Connected(tls) = stream else { return None };
    let certificate = tls.get_ref().1.peer_certificates()?.first()?;
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        // md5/sha1/sha256 with RSA, ecdsa with SHA-1/SHA-256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        // RSA-PSS names its hash in parameters, Ed25519 has none: channel binding is undefined, as for libpq.
        _ => return None,
    };
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

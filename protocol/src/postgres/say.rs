//! Messages that Postern says itself, as finished bytes.
//!
//! Towards clients they are built by `pgwire`'s message types; texts lose their NUL bytes first, because a NUL would
//! end the field early and let the rest pass for another one.

use bytes::{Bytes, BytesMut};
use pgwire::messages::{
    Message,
    response::{ErrorResponse, NoticeResponse},
    simplequery::Query,
    startup::{self, Authentication, NegotiateProtocolVersion, Password, SASLInitialResponse, SASLResponse},
    terminate::Terminate,
};

use super::startup::{CancelKey, ProtocolVersion};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The session is over.
    Fatal,
    /// Nothing failed.
    Notice,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Notice => "NOTICE",
        }
    }
}

/// What a client is told. Empty texts are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorText {
    /// SQLSTATE, five characters.
    pub sqlstate: &'static str,
    /// One line.
    pub message: String,
    /// More about it.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
}

impl ErrorText {
    /// Just a message.
    #[must_use]
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), ..Self::default() }
    }

    /// With a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// With a detail.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    fn fields(&self, severity: Severity) -> Vec<(u8, String)> {
        let all = [
            (b'S', severity.as_str()),
            (b'V', severity.as_str()),
            (b'C', self.sqlstate),
            (b'M', &self.message),
            (b'D', &self.detail),
            (b'H', &self.hint),
        ];
        all.into_iter()
            .filter(|(code, text)| *code == b'M' || !text.is_empty())
            .map(|(code, text)| (code, text.replace('\0', "")))
            .collect()
    }
}

fn encode(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(message.message_length() + 1);
    // Encoding fails for cancel keys of impossible length only; those are written by hand below.
    let encoded = message.encode(&mut bytes);
    debug_assert!(encoded.is_ok());
    bytes.freeze()
}

/// `ErrorResponse` that ends the session.
#[must_use]
pub fn fatal(text: &ErrorText) -> Bytes {
    encode(&ErrorResponse::new(text.fields(Severity::Fatal)))
}

/// `ErrorResponse` of a statement that failed.
#[must_use]
pub fn error(text: &ErrorText) -> Bytes {
    encode(&ErrorResponse::new(text.fields(Severity::Error)))
}

/// `NoticeResponse`
#[must_use]
pub fn notice(text: &ErrorText) -> Bytes {
    encode(&NoticeResponse::new(text.fields(Severity::Notice)))
}

/// `AuthenticationOk`
#[must_use]
pub fn authentication_ok() -> Bytes {
    encode(&Authentication::Ok)
}

/// `AuthenticationSASL`: the mechanisms that are offered.
#[must_use]
pub fn authentication_sasl(mechanisms: &[&str]) -> Bytes {
    encode(&Authentication::SASL(mechanisms.iter().map(|&name| name.to_owned()).collect()))
}

/// `AuthenticationSASLContinue`
#[must_use]
pub fn authentication_sasl_continue(data: &[u8]) -> Bytes {
    encode(&Authentication::SASLContinue(Bytes::copy_from_slice(data)))
}

/// `AuthenticationCleartextPassword`
#[must_use]
pub fn cleartext_password() -> Bytes {
    encode(&Authentication::CleartextPassword)
}

/// `NegotiateProtocolVersion`: the version that is spoken instead, and the options that are not known.
#[must_use]
pub fn negotiate_protocol_version(spoken: ProtocolVersion, unknown: &[String]) -> Bytes {
    let version = i32::try_from(spoken.code()).unwrap_or_default();
    encode(&NegotiateProtocolVersion::new(
        version,
        unknown.iter().map(|name| name.replace('\0', "")).collect(),
    ))
}

fn frame(kind: &[u8], body: &[&[u8]]) -> Bytes {
    let body = body.concat();
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
    [kind, &length, &body].concat().into()
}

/// `BackendKeyData`
#[must_use]
pub fn backend_key_data(key: &CancelKey) -> Bytes {
    frame(b"K", &[&key.pid.to_be_bytes(), &key.secret])
}

/// `CancelRequest`
#[must_use]
pub fn cancel_request(key: &CancelKey) -> Bytes {
    frame(b"", &[&80_877_102_u32.to_be_bytes(), &key.pid.to_be_bytes(), &key.secret])
}

/// `SSLRequest`
#[must_use]
pub fn ssl_request() -> Bytes {
    encode(&startup::SslRequest::new())
}

/// `StartupMessage` of protocol 3.0. A parameter that holds a NUL is left out: it could not be sent whole.
#[must_use]
pub fn startup_message<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut body = ProtocolVersion::V3_0.code().to_be_bytes().to_vec();
    for (name, value) in
        parameters.into_iter().filter(|(name, value)| !name.contains('\0') && !value.contains('\0'))
    {
        for text in [name, value] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    frame(b"", &[&body])
}

/// `PasswordMessage`. A NUL ends the text, as it would in any C client.
#[must_use]
pub fn password(text: &str) -> Bytes {
    encode(&Password::new(text.replace('\0', "")))
}

/// `SASLInitialResponse`
#[must_use]
pub fn sasl_initial_response(mechanism: &str, data: &[u8]) -> Bytes {
    encode(&SASLInitialResponse::new(mechanism.to_owned(), Some(Bytes::copy_from_slice(data))))
}

/// `SASLResponse`
#[must_use]
pub fn sasl_response(data: &[u8]) -> Bytes {
    encode(&SASLResponse::new(Bytes::copy_from_slice(data)))
}

/// `Query`
#[must_use]
pub fn query(text: &str) -> Bytes {
    encode(&Query::new(text.replace('\0', "")))
}

/// An `ErrorResponse` (`b'E'`) or `NoticeResponse` (`b'N'`) of fields as another server wrote them.
#[must_use]
pub fn fields<'a>(kind: u8, fields: impl IntoIterator<Item = (u8, &'a [u8])>) -> Bytes {
    let mut body = Vec::new();
    for (code, text) in fields {
        body.push(code);
        body.extend_from_slice(text);
        body.push(0);
    }
    body.push(0);
    frame(&[kind], &[&body])
}

/// `Parse` with these parameter types.
#[must_use]
pub fn parse(name: &[u8], text: &str, types: impl ExactSizeIterator<Item = u32>) -> Bytes {
    let count = u16::try_from(types.len()).unwrap_or(u16::MAX).to_be_bytes();
    let types: Vec<u8> = types.flat_map(u32::to_be_bytes).collect();
    frame(b"P", &[name, b"\0", text.replace('\0', "").as_bytes(), b"\0", &count, &types])
}

/// `Terminate`
#[must_use]
pub fn terminate() -> Bytes {
    encode(&Terminate::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{Header, error_field};

    fn parts(message: &[u8]) -> (u8, &[u8]) {
        let (header, body) = message.split_first_chunk::<5>().unwrap();
        let header = Header::decode(*header).unwrap();
        assert_eq!(header.body as usize, body.len());
        (header.kind, body)
    }

    #[test]
    fn an_error_keeps_its_fields_apart_whatever_they_hold() {
        let text = ErrorText::new("57P01", "revoked by bob\0C00000").hint("ask again");
        let bytes = fatal(&text);
        let (kind, body) = parts(&bytes);
        assert_eq!(kind, b'E');
        assert_eq!(error_field(body, b'C').as_deref(), Some("57P01"));
        assert_eq!(error_field(body, b'M').as_deref(), Some("revoked by bobC00000"));
        assert_eq!(error_field(body, b'S').as_deref(), Some("FATAL"));
        assert_eq!(error_field(body, b'H').as_deref(), Some("ask again"));
        assert_eq!(error_field(body, b'D'), None);
    }

    #[test]
    fn fixed_messages_are_the_published_bytes() {
        assert_eq!(&authentication_ok()[..], b"R\0\0\0\x08\0\0\0\0");
        assert_eq!(&cleartext_password()[..], b"R\0\0\0\x08\0\0\0\x03");
        let sasl = b"R\0\0\0\x15\0\0\0\nOAUTHBEARER\0\0";
        assert_eq!(&authentication_sasl(&["OAUTHBEARER"])[..], sasl);
        assert_eq!(&authentication_sasl_continue(b"{}")[..], b"R\0\0\0\n\0\0\0\x0b{}");
        assert_eq!(&ssl_request()[..], b"\0\0\0\x08\x04\xd2\x16\x2f");
        assert_eq!(&terminate()[..], b"X\0\0\0\x04");
        assert_eq!(
            &negotiate_protocol_version(ProtocolVersion::V3_2, &[])[..],
            b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0"
        );
        assert_eq!(
            &sasl_initial_response("SCRAM-SHA-256", b"n,,")[..],
            b"p\0\0\0\x19SCRAM-SHA-256\0\0\0\0\x03n,,"
        );
        let key = CancelKey { pid: 1, secret: [1, 2, 3, 4].into() };
        assert_eq!(&cancel_request(&key)[..], b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\x01\x02\x03\x04");
        assert_eq!(&backend_key_data(&key)[..], b"K\0\0\0\x0c\0\0\0\x01\x01\x02\x03\x04");
    }

    #[test]
    fn our_start_up_packet_reads_back() {
        let packet = startup_message([("user", "app_ro"), ("database", "sales"), ("bad", "a\0b")]);
        assert_eq!(&packet[..4], u32::try_from(packet.len()).unwrap().to_be_bytes());
        let read = super::super::initial_packet(&packet[4..]).unwrap();
        let super::super::InitialPacket::Startup(message) = read else { panic!("{read:?}") };
        assert_eq!((message.user.as_str(), message.database.as_str()), ("app_ro", "sales"));
        assert!(message.parameters.is_empty());
    }
}

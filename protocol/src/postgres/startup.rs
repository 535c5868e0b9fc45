//! The packet with which a client begins: `SSLRequest`, `GSSENCRequest`, `CancelRequest` or `StartupMessage`.
//!
//! It has no kind byte: a length, then a code that is either a protocol version or one of three magic numbers.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::fmt;

/// The longest start-up packet that PostgreSQL accepts (`MAX_STARTUP_PACKET_LENGTH`), with its length field.
pub const MAX_STARTUP_LEN: usize = 10_000;

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Why a packet begins no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStartup {
    /// Shorter than its own header, or longer than [`MAX_STARTUP_LEN`].
    #[error("invalid length of startup packet")]
    Length,
    /// A major version other than 3.
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2")]
    Version {
        /// Major version asked for.
        major: u16,
        /// Minor version asked for.
        minor: u16,
    },
    /// Names and values do not come in pairs, or something stands behind the terminator.
    #[error("invalid startup packet layout: expected terminator as last byte")]
    Layout,
    /// The mandatory `user` is missing.
    #[error("no PostgreSQL user name specified in startup packet")]
    NoUser,
    /// A name or value is not UTF-8, or comes twice.
    #[error("invalid startup packet: parameter \"{0}\" is repeated or not UTF-8")]
    Parameter(String),
    /// A cancel key of a length that no server gives out.
    #[error("invalid length of query cancel packet")]
    CancelKey,
}

/// A version of the frontend/backend protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtocolVersion {
    /// 3 since PostgreSQL 7.4.
    pub major: u16,
    /// 0, or 2 since PostgreSQL 18.
    pub minor: u16,
}

impl ProtocolVersion {
    /// What every client speaks.
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// The newest that is spoken here: cancel keys longer than four bytes.
    pub const V3_2: Self = Self { major: 3, minor: 2 };

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        ((self.major as u32) << 16) | self.minor as u32
    }
}

/// What a server hands out so that a client can have its statement cancelled.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CancelKey {
    /// The backend's process id.
    pub pid: i32,
    /// 4 bytes with protocol 3.0, up to 256 with 3.2. Secret.
    pub secret: Box<[u8]>,
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CancelKey").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// A decoded `StartupMessage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupMessage {
    /// What the client asks for; always major version 3.
    pub version: ProtocolVersion,
    /// The account, or `identity:account`.
    pub user: String,
    /// The database; PostgreSQL takes the user's name where it is missing.
    pub database: String,
    /// Everything else but protocol options, in the order sent: session defaults such as `application_name`.
    pub parameters: Vec<(String, String)>,
    /// Names of protocol options (`_pq_.…`), none of which is known yet.
    pub protocol_options: Vec<String>,
}

impl StartupMessage {
    /// A parameter's value.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The version that is spoken from here on.
    #[must_use]
    pub fn spoken(&self) -> ProtocolVersion {
        self.version.min(ProtocolVersion::V3_2)
    }

    /// Whether the client has to be told (`NegotiateProtocolVersion`) that it does not get all it asked for.
    #[must_use]
    pub fn needs_negotiation(&self) -> bool {
        self.spoken() != self.version || !self.protocol_options.is_empty()
    }
}

/// The first packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitialPacket {
    /// The client would like TLS.
    SslRequest,
    /// The client would like GSSAPI encryption.
    GssencRequest,
    /// The client wants a statement of another connection cancelled.
    CancelRequest(CancelKey),
    /// The client wants a session.
    Startup(StartupMessage),
}

/// How long a packet that begins with these four bytes is in all.
pub fn initial_packet_len(length: [u8; 4]) -> Result<usize, InvalidStartup> {
    usize::try_from(u32::from_be_bytes(length))
        .ok()
        .filter(|length| (8..=MAX_STARTUP_LEN).contains(length))
        .ok_or(InvalidStartup::Length)
}

/// Decodes a packet without its length field.
pub fn initial_packet(packet: &[u8]) -> Result<InitialPacket, InvalidStartup> {
    let (code, body) = packet.split_first_chunk::<4>().ok_or(InvalidStartup::Length)?;
    match u32::from_be_bytes(*code) {
        SSL_REQUEST if body.is_empty() => Ok(InitialPacket::SslRequest),
        GSSENC_REQUEST if body.is_empty() => Ok(InitialPacket::GssencRequest),
        SSL_REQUEST | GSSENC_REQUEST => Err(InvalidStartup::Length),
        CANCEL_REQUEST => cancel_key(body).map(InitialPacket::CancelRequest),
        version => {
            let major = u16::try_from(version >> 16).unwrap_or_default();
            let minor = u16::try_from(version & 0xffff).unwrap_or_default();
            if major != 3 {
                return Err(InvalidStartup::Version { major, minor });
            }
            startup_message(ProtocolVersion { major, minor }, body).map(InitialPacket::Startup)
        }
    }
}

fn cancel_key(body: &[u8]) -> Result<CancelKey, InvalidStartup> {
    let (pid, secret) = body.split_first_chunk::<4>().ok_or(InvalidStartup::CancelKey)?;
    if !(4..=256).contains(&secret.len()) {
        return Err(InvalidStartup::CancelKey);
    }
    Ok(CancelKey { pid: i32::from_be_bytes(*pid), secret: secret.into() })
}

/// Splits off a C string.
fn c_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn startup_message(version: ProtocolVersion, mut rest: &[u8]) -> Result<StartupMessage, InvalidStartup> {
    let (mut user, mut database) = (None, None);
    let (mut parameters, mut protocol_options) = (Vec::<(String, String)>::new(), Vec::new());
    loop {
        let (name, after_name) = c_string(rest).ok_or(InvalidStartup::Layout)?;
        if name.is_empty() {
            if !after_name.is_empty() {
                return Err(InvalidStartup::Layout);
            }
            break;
        }
        let (value, after) = c_string(after_name).ok_or(InvalidStartup::Layout)?;
        rest = after;
        let text = |bytes: &[u8]| {
            let invalid = || InvalidStartup::Parameter(String::from_utf8_lossy(name).into_owned());
            String::from_utf8(bytes.to_vec()).map_err(|_| invalid())
        };
        let (name, value) = (text(name)?, text(value)?);
        let repeated = match name.as_str() {
            "user" => user.replace(value).is_some(),
            "database" => database.replace(value).is_some(),
            option if option.starts_with("_pq_.") => {
                protocol_options.push(name.clone());
                false
            }
            other => {
                let repeated = parameters.iter().any(|(known, _)| known == other);
                parameters.push((name.clone(), value));
                repeated
            }
        };
        if repeated {
            return Err(InvalidStartup::Parameter(name));
        }
    }
    let user = user.filter(|user| !user.is_empty()).ok_or(InvalidStartup::NoUser)?;
    let database = database.filter(|database| !database.is_empty()).unwrap_or_else(|| user.clone());
    Ok(StartupMessage { version, user, database, parameters, protocol_options })
}

/// The text in the body of a `PasswordMessage`: exactly one C string of UTF-8.
#[must_use]
pub fn password_text(body: &[u8]) -> Option<&str> {
    match c_string(body)? {
        (text, []) => std::str::from_utf8(text).ok(),
        (_, [_, ..]) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn startup(version: u32, pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut packet = version.to_be_bytes().to_vec();
        for (name, value) in pairs {
            packet.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        packet.push(0);
        packet
    }

    fn decoded(packet: &[u8]) -> StartupMessage {
        match initial_packet(packet) {
            Ok(InitialPacket::Startup(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_packet_of_psql_is_understood() {
        let packet =
            startup(196_608, &[("user", "app_ro"), ("database", "sales"), ("application_name", "psql")]);
        let message = decoded(&packet);
        assert_eq!((message.user.as_str(), message.database.as_str()), ("app_ro", "sales"));
        assert_eq!(message.parameter("application_name"), Some("psql"));
        assert!(!message.needs_negotiation());
    }

    #[test]
    fn a_newer_protocol_and_unknown_options_are_negotiated_down() {
        let message = decoded(&startup(0x0003_270f, &[("user", "u"), ("_pq_.test", "1")]));
        assert!(message.needs_negotiation());
        assert_eq!(message.spoken(), ProtocolVersion::V3_2);
        assert_eq!(message.protocol_options, ["_pq_.test"]);
        assert!(message.parameters.is_empty());
    }

    #[test]
    fn the_database_defaults_to_the_user() {
        assert_eq!(decoded(&startup(196_608, &[("user", "app_ro")])).database, "app_ro");
    }

    #[test]
    fn hostile_packets_are_refused() {
        let good = startup(196_608, &[("user", "u")]);
        let mut behind = good.clone();
        behind.push(b'x');
        let cut = &good[..good.len() - 2];
        let cases: [(&[u8], InvalidStartup); 8] = [
            (&[], InvalidStartup::Length),
            (&[0, 3], InvalidStartup::Length),
            (&behind, InvalidStartup::Layout),
            (cut, InvalidStartup::Layout),
            (&startup(196_608, &[]), InvalidStartup::NoUser),
            (
                &startup(196_608, &[("user", "a"), ("user", "b")]),
                InvalidStartup::Parameter("user".to_owned()),
            ),
            (&startup(131_072, &[("user", "u")]), InvalidStartup::Version { major: 2, minor: 0 }),
            (&[0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1], InvalidStartup::CancelKey),
        ];
        for (packet, expected) in cases {
            assert_eq!(initial_packet(packet), Err(expected), "{packet:?}");
        }
    }

    #[test]
    fn lengths_outside_the_limits_are_refused_before_anything_is_read() {
        for length in [0_u32, 3, 7, 10_001, 0x7fff_ffff, u32::MAX] {
            assert_eq!(initial_packet_len(length.to_be_bytes()), Err(InvalidStartup::Length), "{length}");
        }
        assert_eq!(initial_packet_len(10_000_u32.to_be_bytes()), Ok(10_000));
    }

    #[test]
    fn a_password_is_one_terminated_text() {
        assert_eq!(password_text(b"pst_x\0"), Some("pst_x"));
        for body in [&b""[..], b"no end", b"two\0texts\0", b"\xff\0"] {
            assert_eq!(password_text(body), None);
        }
    }
}

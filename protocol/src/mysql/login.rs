//! What a client says first: a request for TLS, and who it is.
//!
//! Both begin alike; a request for TLS ends where the name would begin.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Capabilities, Malformed, Reader, greeting::with_extended, packet, put_lenenc, put_lenenc_bytes,
    reader::put_c_string,
};

/// Length of an [`SslRequest`]'s payload.
pub const SSL_REQUEST_LEN: usize = 32;

/// The longest login that is read: client libraries send at most 64 KiB of attributes.
pub const LOGIN_MAX: usize = 72 * 1024;

/// Why a packet begins no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// The client speaks the protocol from before MySQL 4.1; answer with 1251 (`ER_NOT_SUPPORTED_AUTH_MODE`).
    #[error("the client does not speak the protocol of MySQL 4.1 or later")]
    TooOld,
    /// The layout is wrong; answer with 1043 (`ER_HANDSHAKE_ERROR`).
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// The first packet of a client, or the first inside TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitialPacket {
    /// It wants TLS. Anything that it sends behind this in clear is an attack.
    SslRequest(SslRequest),
    /// It logs in. Where TLS was not begun, [`Capabilities::SSL`] among its flags is a contradiction.
    Login(Box<LoginRequest>),
}

impl InitialPacket {
    /// Decodes a payload.
    pub fn decode(payload: &[u8]) -> Result<Self, InvalidLogin> {
        let mut reader = Reader::new(payload);
        let base = SslRequest::read(&mut reader)?;
        if reader.end().is_none() {
            return LoginRequest::read(base, &mut reader).map(Box::new).map(Self::Login);
        }
        if base.capabilities.has(Capabilities::SSL) {
            return Ok(Self::SslRequest(base));
        }
        Err(Malformed("login request").into())
    }
}

/// `Protocol::SSLRequest`, and with that the beginning of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SslRequest {
    /// What the client can do.
    pub capabilities: Capabilities,
    /// The longest packet that it takes.
    pub max_packet: u32,
    /// Number of its collation, the lower eight bits.
    pub charset: u8,
}

impl SslRequest {
    fn read(reader: &mut Reader<'_>) -> Result<Self, InvalidLogin> {
        // Clients from before 4.1 send two bytes of flags, the same lower ones.
        let low = Reader::new(reader.rest()).u16().ok_or(Malformed("login request"))?;
        if !Capabilities::new(u32::from(low), 0).has(Capabilities::PROTOCOL_41) {
            return Err(InvalidLogin::TooOld);
        }
        Self::read_41(reader).ok_or(Malformed("login request").into())
    }

    fn read_41(reader: &mut Reader<'_>) -> Option<Self> {
        let (flags, max_packet, charset) = (reader.u32()?, reader.u32()?, reader.u8()?);
        reader.take(19)?;
        Some(Self { capabilities: with_extended(flags, reader.u32()?), max_packet, charset })
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = self.capabilities.flags().to_le_bytes().to_vec();
        payload.extend_from_slice(&self.max_packet.to_le_bytes());
        payload.push(self.charset);
        payload.extend_from_slice(&[0; 19]);
        payload.extend_from_slice(&self.capabilities.extended().to_le_bytes());
        payload
    }

    /// The finished packet. Towards a server it has sequence id 1.
    #[must_use]
    pub fn packet(&self, sequence: u8) -> Bytes {
        packet(sequence, &self.payload())
    }
}

/// A client's answer to the question of an authentication plugin: a hash, a token, or a password itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthResponse(Zeroizing<Vec<u8>>);

impl AuthResponse {
    /// The bytes. Whoever calls this answers for where they go.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for AuthResponse {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl fmt::Debug for AuthResponse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AuthResponse(…)")
    }
}

/// `Protocol::HandshakeResponse41`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// What the client can do.
    pub capabilities: Capabilities,
    /// The longest packet that it takes.
    pub max_packet: u32,
    /// Number of its collation, the lower eight bits.
    pub charset: u8,
    /// The account, or `identity:account`; UTF-8.
    pub user: String,
    /// The answer to the greeting's scramble, made by `plugin`.
    pub auth_response: AuthResponse,
    /// The database to begin in; UTF-8.
    pub database: Option<String>,
    /// The plugin that made the answer; none from a client that knows no plugins.
    pub plugin: Option<String>,
    /// Names and values that describe the client, in the order sent.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Level of compression, if zstd was chosen.
    pub zstd_level: Option<u8>,
}

impl LoginRequest {
    fn read(base: SslRequest, reader: &mut Reader<'_>) -> Result<Self, InvalidLogin> {
        let login = Self::read_fields(base, reader).filter(|_| reader.end().is_some());
        login.ok_or(Malformed("login request").into())
    }

    fn read_fields(base: SslRequest, reader: &mut Reader<'_>) -> Option<Self> {
        let SslRequest { capabilities, max_packet, charset } = base;
        let has = |flag| capabilities.has(flag);
        let user = text(reader.c_string()?)?;
        let auth_response = auth_response(capabilities, reader)?.into();
        let database =
            if has(Capabilities::CONNECT_WITH_DB) { Some(text(reader.c_string()?)?) } else { None };
        let plugin = if has(Capabilities::PLUGIN_AUTH) { Some(text(reader.c_string()?)?) } else { None };
        let attributes =
            if has(Capabilities::CONNECT_ATTRS) { attributes(reader.lenenc_bytes()?)? } else { Vec::new() };
        let zstd = has(Capabilities::ZSTD_COMPRESSION_ALGORITHM);
        let zstd_level = if zstd { Some(reader.u8()?) } else { None };
        let database = database.filter(|name| !name.is_empty());
        Some(Self {
            capabilities,
            max_packet,
            charset,
            user,
            auth_response,
            database,
            plugin,
            attributes,
            zstd_level,
        })
    }

    /// The value of an attribute, such as `program_name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&[u8]> {
        let found = self.attributes.iter().find(|(key, _)| key == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    /// The finished packet. Towards a server it has sequence id 1, or 2 inside TLS. Which of the optional fields it
    /// holds follows from the capabilities; a name ends at its first NUL.
    #[must_use]
    pub fn packet(&self, sequence: u8) -> Bytes {
        let Self { capabilities, max_packet, charset, .. } = *self;
        let has = |flag| capabilities.has(flag);
        let mut payload = SslRequest { capabilities, max_packet, charset }.payload();
        put_c_string(&mut payload, self.user.as_bytes());
        put_auth_response(&mut payload, capabilities, self.auth_response.reveal());
        if has(Capabilities::CONNECT_WITH_DB) {
            put_c_string(&mut payload, self.database.as_deref().unwrap_or_default().as_bytes());
        }
        if has(Capabilities::PLUGIN_AUTH) {
            put_c_string(&mut payload, self.plugin.as_deref().unwrap_or_default().as_bytes());
        }
        if has(Capabilities::CONNECT_ATTRS) {
            put_attributes(&mut payload, &self.attributes);
        }
        if has(Capabilities::ZSTD_COMPRESSION_ALGORITHM) {
            payload.push(self.zstd_level.unwrap_or_default());
        }
        packet(sequence, &payload)
    }
}

pub(super) fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn auth_response<'a>(capabilities: Capabilities, reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        return reader.lenenc_bytes();
    }
    if capabilities.has(Capabilities::SECURE_CONNECTION) { reader.short_bytes() } else { reader.c_string() }
}

fn put_auth_response(into: &mut Vec<u8>, capabilities: Capabilities, response: &[u8]) {
    if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        return put_lenenc_bytes(into, response);
    }
    if !capabilities.has(Capabilities::SECURE_CONNECTION) {
        return put_c_string(into, response);
    }
    put_short_bytes(into, response);
}

/// No plugin's first answer is longer than 255 bytes; one that were would be cut, and so refused by the server.
pub(super) fn put_short_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    into.push(length);
    into.extend(bytes.iter().take(usize::from(length)));
}

pub(super) fn attributes(block: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut reader, mut all) = (Reader::new(block), Vec::new());
    while reader.end().is_none() {
        all.push((reader.lenenc_bytes()?.to_vec(), reader.lenenc_bytes()?.to_vec()));
    }
    Some(all)
}

pub(super) fn put_attributes(into: &mut Vec<u8>, attributes: &[(Vec<u8>, Vec<u8>)]) {
    let mut block = Vec::new();
    for text in attributes.iter().flat_map(|(name, value)| [name, value]) {
        put_lenenc_bytes(&mut block, text);
    }
    put_lenenc(into, block.len() as u64);
    into.extend_from_slice(&block);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mariadb` 10.11.
    const MARIADB: &[u8] =
        b"\x8c\xa2\xbf\0\0\0\0\x01!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1d\0\0\0app_ro\0\
        \x14\xfb^\x19\x05&\xc5\x9f\x8e\xa5{H\x8a,\xb5\xe8\xd6\xcf\x99\xf2\xa9shop\0mysql_native_password\0~\
        \x03_os\x05Linux\x0c_client_name\nlibmariadb\x04_pid\x041453\x0f_client_version\x063.3.17\
        \t_platform\x06x86_64\x0cprogram_name\x05mysql\x0c_server_host\t127.0.0.1";
    /// `mysql` 9.7, which leaves the proof to the switch to another plugin.
    const MYSQL: &[u8] =
        b"\x8d\xa2\xbf\x19\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app_ro\0\
        \0shop\0caching_sha2_password\0q\x04_pid\x041457\t_platform\x06x86_64\x03_os\x05Linux\
        \x0c_client_name\x08libmysql\x07os_user\x04root\x0f_client_version\x059.7.4\x0cprogram_name\x05mysql";
    /// MySQL's connector for Python, without a database.
    const PYTHON: &[u8] = b"\r\xa2;\0\0\0\0@-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app_ro\0\
        \x14\xfb^\x19\x05&\xc5\x9f\x8e\xa5{H\x8a,\xb5\xe8\xd6\xcf\x99\xf2\xa9\0mysql_native_password\0\x8d\
        \x04_pid\x041445\t_platform\x06x86_64\x0c_source_host\x02vm\x0c_client_name\x16mysql-connector-python\
        \x0f_client_license\x07GPL-2.0\x0f_client_version\x0726.10.0\x03_os\tDebian-12";

    fn login(payload: &[u8]) -> LoginRequest {
        match InitialPacket::decode(payload).unwrap() {
            InitialPacket::Login(login) => *login,
            InitialPacket::SslRequest(request) => panic!("{request:?}"),
        }
    }

    #[test]
    fn the_logins_of_real_clients_are_understood() {
        for (payload, database, plugin, answer, client) in [
            (MARIADB, Some("shop"), "mysql_native_password", 20, &b"libmariadb"[..]),
            (MYSQL, Some("shop"), "caching_sha2_password", 0, b"libmysql"),
            (PYTHON, None, "mysql_native_password", 20, b"mysql-connector-python"),
        ] {
            let login = login(payload);
            assert_eq!((login.user.as_str(), login.database.as_deref()), ("app_ro", database));
            assert_eq!((login.plugin.as_deref(), login.auth_response.reveal().len()), (Some(plugin), answer));
            assert_eq!((login.attribute("_client_name"), login.zstd_level), (Some(client), None));
        }
        assert_eq!(login(MARIADB).capabilities.extended(), 0x1d);
        assert_eq!(login(MYSQL).capabilities.extended(), 0);
    }

    #[test]
    fn a_login_is_said_as_it_was_heard() {
        for payload in [MARIADB, MYSQL, PYTHON] {
            assert_eq!(&login(payload).packet(1)[4..], payload);
        }
    }

    #[test]
    fn each_form_of_the_answer_and_each_optional_field_reads_back() {
        let base = login(MARIADB);
        let optional = [
            Capabilities::NONE,
            Capabilities::SECURE_CONNECTION,
            Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA,
            Capabilities::CONNECT_WITH_DB,
            Capabilities::PLUGIN_AUTH,
            Capabilities::CONNECT_ATTRS,
            Capabilities::ZSTD_COMPRESSION_ALGORITHM,
        ];
        for one in optional {
            for other in optional {
                let capabilities = Capabilities::PROTOCOL_41 | one | other;
                let has = |flag| capabilities.has(flag);
                let sent = LoginRequest {
                    capabilities,
                    auth_response: (&b"answer"[..]).into(),
                    database: base.database.clone().filter(|_| has(Capabilities::CONNECT_WITH_DB)),
                    plugin: base.plugin.clone().filter(|_| has(Capabilities::PLUGIN_AUTH)),
                    attributes: if has(Capabilities::CONNECT_ATTRS) {
                        base.attributes.clone()
                    } else {
                        Vec::new()
                    },
                    zstd_level: has(Capabilities::ZSTD_COMPRESSION_ALGORITHM).then_some(3),
                    ..base.clone()
                };
                assert_eq!(login(&sent.packet(1)[4..]), sent);
            }
        }
    }

    #[test]
    fn a_request_for_tls_is_a_login_that_ends_before_the_name() {
        let capabilities = Capabilities::PROTOCOL_41 | Capabilities::SSL;
        let request = SslRequest { capabilities, max_packet: 0x0100_0000, charset: 45 };
        let bytes = request.packet(1);
        assert_eq!(bytes.len(), 4 + SSL_REQUEST_LEN);
        assert_eq!(InitialPacket::decode(&bytes[4..]), Ok(InitialPacket::SslRequest(request)));
        let without = SslRequest { capabilities: Capabilities::PROTOCOL_41, ..request };
        assert!(InitialPacket::decode(&without.packet(1)[4..]).is_err());
    }

    #[test]
    fn a_client_from_before_4_1_is_too_old() {
        assert_eq!(InitialPacket::decode(b"\x85\x24\0\0\0old\0password\0"), Err(InvalidLogin::TooOld));
    }

    #[test]
    fn malformed_logins_are_refused() {
        let malformed = Err(Malformed("login request").into());
        for cut in 0..MARIADB.len() {
            assert_eq!(InitialPacket::decode(&MARIADB[..cut]), malformed, "{cut}");
        }
        assert_eq!(InitialPacket::decode(&[MARIADB, b"x"].concat()), malformed);
        let mut not_utf8 = MARIADB.to_vec();
        not_utf8[SSL_REQUEST_LEN] = 0xff;
        assert_eq!(InitialPacket::decode(&not_utf8), malformed);
    }

    #[test]
    fn an_answer_is_not_shown() {
        assert!(!format!("{:?}", login(MARIADB)).contains("251"));
        assert_eq!(format!("{:?}", AuthResponse::from(&b"secret"[..])), "AuthResponse(…)");
    }
}

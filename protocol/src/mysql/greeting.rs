//! What a server says first: its greeting (protocol version 10), or an error in its place.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use bytes::Bytes;

use super::{
    Capabilities, ErrorPacket, Malformed, Reader, SCRAMBLE_LEN, StatusFlags, packet, reader::put_c_string,
};

const PROTOCOL_VERSION: u8 = 10;
/// A server without `PLUGIN_AUTH` knows this one only.
const DEFAULT_PLUGIN: &str = "mysql_native_password";

/// The first packet of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerHello<'a> {
    /// It is ready for a login.
    Greeting(Greeting),
    /// It takes no connection (1040, 1129, 1130, …).
    Error(ErrorPacket<'a>),
}

impl<'a> ServerHello<'a> {
    /// Decodes the payload of the first packet.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        match payload.first() {
            Some(0xff) => ErrorPacket::decode(payload).map(Self::Error),
            _ => Greeting::decode(payload).map(Self::Greeting),
        }
    }
}

/// `Protocol::HandshakeV10`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Such as `8.4.3` or `5.5.5-10.11.14-MariaDB`.
    pub server_version: String,
    /// The server's number for this connection, as `KILL` takes it.
    pub connection_id: u32,
    /// What the first answer to the password's question is computed from. Public.
    pub scramble: [u8; SCRAMBLE_LEN],
    /// What the server can do; MariaDB's extended flags count only without `LONG_PASSWORD`.
    pub capabilities: Capabilities,
    /// Number of the default collation, its lower eight bits.
    pub charset: u8,
    /// The session's state.
    pub status: StatusFlags,
    /// The plugin that the server expects most accounts to use.
    pub plugin: String,
}

impl Greeting {
    /// Decodes a payload that begins with the protocol's version.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let greeting = Self::read(&mut reader);
        greeting.filter(|_| reader.end().is_some()).ok_or(Malformed("server greeting"))
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.u8()? != PROTOCOL_VERSION {
            return None;
        }
        let server_version = text(reader.c_string()?)?;
        let connection_id = reader.u32()?;
        let begin = reader.take(8)?;
        reader.take(1)?;
        let low = reader.u16()?;
        let (charset, status) = (reader.u8()?, StatusFlags(reader.u16()?));
        let flags = u32::from(low) | u32::from(reader.u16()?) << 16;
        let scramble_length = usize::from(reader.u8()?);
        reader.take(6)?;
        let capabilities = with_extended(flags, reader.u32()?);
        // Its length counts a NUL at the end; thirteen bytes are there even if it says less.
        let end = reader.take(scramble_length.saturating_sub(8).max(13))?;
        let scramble = [begin, end.get(..12)?].concat().try_into().ok()?;
        let plugin =
            if capabilities.has(Capabilities::PLUGIN_AUTH) { plugin(reader)? } else { DEFAULT_PLUGIN.into() };
        Some(Self { server_version, connection_id, scramble, capabilities, charset, status, plugin })
    }

    /// The finished packet, with sequence id 0.
    #[must_use]
    pub fn packet(&self) -> Bytes {
        let ([a, b, c, d], extended) =
            (self.capabilities.flags().to_le_bytes(), self.capabilities.extended());
        let (begin, end) = self.scramble.split_at(8);
        let named = self.capabilities.has(Capabilities::PLUGIN_AUTH);
        let mut payload = vec![PROTOCOL_VERSION];
        put_c_string(&mut payload, self.server_version.as_bytes());
        payload.extend_from_slice(&self.connection_id.to_le_bytes());
        payload.extend_from_slice(begin);
        payload.extend_from_slice(&[0, a, b, self.charset]);
        payload.extend_from_slice(&self.status.0.to_le_bytes());
        payload.extend_from_slice(&[c, d, if named { 21 } else { 0 }]);
        payload.extend_from_slice(&[0; 6]);
        payload.extend_from_slice(&extended.to_le_bytes());
        payload.extend_from_slice(end);
        payload.push(0);
        if named {
            put_c_string(&mut payload, self.plugin.as_bytes());
        }
        packet(0, &payload)
    }
}

/// MariaDB's flags lie where MySQL leaves zeros, and count only if the flag that MySQL always sets is missing.
pub(super) const fn with_extended(flags: u32, extended: u32) -> Capabilities {
    let plain = Capabilities::new(flags, 0);
    if plain.has(Capabilities::LONG_PASSWORD) { plain } else { Capabilities::new(flags, extended) }
}

/// The NUL behind the name is missing in some old servers.
fn plugin(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.take_rest();
    text(name.strip_suffix(b"\0").unwrap_or(name)).filter(|name| !name.contains('\0'))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: &[u8] =
        b"\n5.5.5-10.11.14-MariaDB-0+deb12u2-log\0!\0\0\0C0d*COGT\0\xfe\xf7-\x02\0\xff\x81\x15\
        \0\0\0\0\0\0\x1d\0\0\0Pu{.lZZ9KN%m\0mysql_native_password\0";
    const MYSQL: &[u8] = b"\n9.7.4-2\0\xbc\x01\0\0p%3w E\\m\0\xff\xff\xff\x02\0\xff\xdf\x15\
        \0\0\0\0\0\0\0\0\0\0r';\x1ef\\[L-\x02N\x0f\0caching_sha2_password\0";

    #[test]
    fn the_greeting_of_mariadb_is_understood() {
        let greeting = Greeting::decode(MARIADB).unwrap();
        assert_eq!(greeting.server_version, "5.5.5-10.11.14-MariaDB-0+deb12u2-log");
        assert_eq!((greeting.connection_id, &greeting.scramble), (33, b"C0d*COGTPu{.lZZ9KN%m"));
        assert_eq!(greeting.capabilities, Capabilities::new(0x81ff_f7fe, 0x1d));
        assert!(greeting.capabilities.has(Capabilities::MARIADB_CACHE_METADATA));
        assert_eq!((greeting.charset, greeting.status), (45, StatusFlags::AUTOCOMMIT));
        assert_eq!(greeting.plugin, "mysql_native_password");
    }

    #[test]
    fn the_greeting_of_mysql_is_understood() {
        let greeting = Greeting::decode(MYSQL).unwrap();
        assert_eq!((greeting.server_version.as_str(), greeting.connection_id), ("9.7.4-2", 444));
        assert_eq!(&greeting.scramble, b"p%3w E\\mr';\x1ef\\[L-\x02N\x0f");
        assert_eq!(greeting.capabilities, Capabilities::new(0xdfff_ffff, 0));
        assert_eq!(greeting.plugin, "caching_sha2_password");
    }

    #[test]
    fn a_greeting_is_said_as_it_was_heard() {
        for payload in [MARIADB, MYSQL] {
            assert_eq!(&Greeting::decode(payload).unwrap().packet()[4..], payload);
        }
    }

    #[test]
    fn a_server_of_mysql_is_believed_no_flags_of_mariadb() {
        let mut payload = MYSQL.to_vec();
        let extended = payload.windows(10).position(|bytes| bytes == [0; 10]).unwrap() + 6;
        payload[extended] = 0x1d;
        assert_eq!(Greeting::decode(&payload).unwrap().capabilities.extended(), 0);
    }

    #[test]
    fn an_error_in_the_place_of_a_greeting_is_told() {
        let hello = ServerHello::decode(b"\xff\x6a\x04Host '10.0.0.7' is not allowed to connect").unwrap();
        let ServerHello::Error(error) = hello else { panic!("{hello:?}") };
        assert_eq!((error.code, error.sqlstate), (1130, None));
    }

    #[test]
    fn malformed_greetings_are_refused() {
        // The NUL behind the plugin's name may be missing, and so may a part of the name.
        for cut in (0..MARIADB.len() - 22).chain([MARIADB.len() + 1]) {
            let payload = [MARIADB, b"\0"].concat();
            assert!(ServerHello::decode(&payload[..cut]).is_err(), "{cut}");
        }
        assert!(ServerHello::decode(b"\x09anything").is_err());
    }
}

//! What a server asks for between a login and its verdict.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use bytes::Bytes;

use super::{
    Capabilities, ErrorPacket, Malformed, OkPacket, Reader, login::text, packet, reader::put_c_string,
};

/// Length of a scramble, without the NUL behind it.
pub const SCRAMBLE_LEN: usize = 20;

/// A packet of the server during authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthRequest<'a> {
    /// It is satisfied.
    Ok(OkPacket<'a>),
    /// It is not.
    Error(ErrorPacket<'a>),
    /// `AuthSwitchRequest`: it wants the proof by another plugin.
    Switch {
        /// The plugin.
        plugin: String,
        /// What that plugin on the server's side begins with, most often a scramble and a NUL.
        data: &'a [u8],
    },
    /// `AuthMoreData`: the plugin goes on. MariaDB leaves out the mark of its kind where nothing can be confused.
    MoreData(&'a [u8]),
    /// `AuthNextFactor`: the proof was good, and now another one by this plugin.
    NextFactor {
        /// The plugin.
        plugin: String,
        /// What it begins with.
        data: &'a [u8],
    },
}

impl<'a> AuthRequest<'a> {
    /// Decodes a payload, as it is sent where these capabilities were agreed upon. The request for a password hash of
    /// MySQL 4.0, a single 0xFE, is refused: that hash is as good as the password.
    pub fn decode(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let multi_factor = capabilities.has(Capabilities::MULTI_FACTOR_AUTHENTICATION);
        match payload {
            [0x00, ..] => OkPacket::decode(payload, capabilities).map(Self::Ok),
            [0xff, ..] => ErrorPacket::decode(payload).map(Self::Error),
            [0xfe, rest @ ..] => {
                let (plugin, data) = plugin_and_data(rest).ok_or(Malformed("AuthSwitchRequest"))?;
                Ok(Self::Switch { plugin, data })
            }
            [0x02, rest @ ..] if multi_factor => {
                let (plugin, data) = plugin_and_data(rest).ok_or(Malformed("AuthNextFactor"))?;
                Ok(Self::NextFactor { plugin, data })
            }
            [0x01, data @ ..] | data @ [_, ..] => Ok(Self::MoreData(data)),
            [] => Err(Malformed("AuthMoreData")),
        }
    }
}

fn plugin_and_data(rest: &[u8]) -> Option<(String, &[u8])> {
    let mut reader = Reader::new(rest);
    let plugin = text(reader.c_string()?).filter(|plugin| !plugin.is_empty())?;
    Some((plugin, reader.rest()))
}

/// The scramble in the data of a [`AuthRequest::Switch`] to one of the plugins that work with one.
#[must_use]
pub fn scramble(data: &[u8]) -> Option<[u8; SCRAMBLE_LEN]> {
    data.strip_suffix(b"\0").filter(|bytes| bytes.len() == SCRAMBLE_LEN).unwrap_or(data).try_into().ok()
}

fn plugin_packet(sequence: u8, kind: u8, plugin: &str, data: &[u8]) -> Bytes {
    let mut payload = vec![kind];
    put_c_string(&mut payload, plugin.as_bytes());
    payload.extend_from_slice(data);
    packet(sequence, &payload)
}

/// `AuthSwitchRequest`. Data that is a scramble ends with a NUL.
#[must_use]
pub fn auth_switch(sequence: u8, plugin: &str, data: &[u8]) -> Bytes {
    plugin_packet(sequence, 0xfe, plugin, data)
}

/// `AuthNextFactor`
#[must_use]
pub fn auth_next_factor(sequence: u8, plugin: &str, data: &[u8]) -> Bytes {
    plugin_packet(sequence, 0x02, plugin, data)
}

/// `AuthMoreData`; `caching_sha2_password` says 3 when the hash was good, and 4 when it wants the password itself.
#[must_use]
pub fn auth_more_data(sequence: u8, data: &[u8]) -> Bytes {
    packet(sequence, &[&[0x01], data].concat())
}

/// The token that a client's `authentication_openid_connect_client` sends: the plugin's version, and the token with its
/// length.
#[must_use]
pub fn openid_connect_token(payload: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(payload);
    let version = reader.u8()?;
    let token = reader.lenenc_bytes()?;
    reader.end()?;
    (version == 1).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: &[u8; 20] = b"abcdefghijklmnopqrst";

    fn decoded(packet: &Bytes) -> AuthRequest<'_> {
        AuthRequest::decode(&packet[4..], Capabilities::MULTI_FACTOR_AUTHENTICATION).unwrap()
    }

    #[test]
    fn what_we_say_reads_back() {
        let data = [&SCRAMBLE[..], b"\0"].concat();
        let plugin = || "caching_sha2_password".to_owned();
        let switch = auth_switch(2, "caching_sha2_password", &data);
        assert_eq!(decoded(&switch), AuthRequest::Switch { plugin: plugin(), data: &data });
        let next = auth_next_factor(2, "caching_sha2_password", &data);
        assert_eq!(decoded(&next), AuthRequest::NextFactor { plugin: plugin(), data: &data });
        assert_eq!(&auth_more_data(4, b"\x04")[..], b"\x02\0\0\x04\x01\x04");
        assert_eq!(decoded(&auth_more_data(4, b"\x04")), AuthRequest::MoreData(b"\x04"));
        assert_eq!(scramble(&data), Some(*SCRAMBLE));
        assert_eq!(scramble(SCRAMBLE), Some(*SCRAMBLE));
        assert_eq!(scramble(b"short\0"), None);
    }

    #[test]
    fn a_plugin_of_mariadb_goes_on_without_a_mark() {
        assert_eq!(
            AuthRequest::decode(b"P\x00salt", Capabilities::NONE),
            Ok(AuthRequest::MoreData(b"P\x00salt"))
        );
        let unmarked = AuthRequest::decode(b"\x02x\0", Capabilities::NONE);
        assert_eq!(unmarked, Ok(AuthRequest::MoreData(b"\x02x\0")));
    }

    #[test]
    fn the_verdict_is_told() {
        let ok = AuthRequest::decode(b"\0\0\0\x02\0\0\0", Capabilities::NONE).unwrap();
        assert!(matches!(ok, AuthRequest::Ok(_)));
        let error = AuthRequest::decode(b"\xff\x15\x04#28000Access denied", Capabilities::NONE).unwrap();
        assert!(matches!(error, AuthRequest::Error(ErrorPacket { code: 1045, .. })));
    }

    #[test]
    fn the_hash_of_mysql_4_0_and_nameless_plugins_are_refused() {
        for payload in [&b"\xfe"[..], b"\xfe\0", b"\xfeno end", b"\xfe\0abcdefghijklmnopqrst\0", b""] {
            assert!(AuthRequest::decode(payload, Capabilities::NONE).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn a_token_of_an_sso_provider_is_as_long_as_it_says() {
        assert_eq!(openid_connect_token(b"\x01\x05a.b.c"), Some(&b"a.b.c"[..]));
        assert_eq!(openid_connect_token(b"\x01\xfc\x05\x00a.b.c"), Some(&b"a.b.c"[..]));
        for payload in [&b""[..], b"\x01", b"\x02\x05a.b.c", b"\x01\x06a.b.c", b"\x01\x04a.b.c"] {
            assert_eq!(openid_connect_token(payload), None, "{payload:?}");
        }
    }
}

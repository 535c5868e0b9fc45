//! What a server says of itself before anybody has logged in, which is what we must say in its place.

use postern_protocol::mysql::{Capabilities, Greeting, SCRAMBLE_LEN, StatusFlags};

/// The plugin that carries a token: its full authentication, inside TLS, sends the password itself.
pub(crate) const CACHING_SHA2: &str = "caching_sha2_password";

/// What client and sidecar settle between themselves, and sidecar and server anew.
pub(crate) fn settled_by_each() -> Capabilities {
    Capabilities::CONNECT_WITH_DB
        | Capabilities::SSL
        | Capabilities::SECURE_CONNECTION
        | Capabilities::PROTOCOL_41
        | Capabilities::PLUGIN_AUTH
        | Capabilities::CONNECT_ATTRS
        | Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA
}

/// What is never agreed upon: framing that hides the messages, and proofs that are not ours to ask for.
fn never_agreed() -> Capabilities {
    Capabilities::COMPRESS
        | Capabilities::ZSTD_COMPRESSION_ALGORITHM
        | Capabilities::MULTI_FACTOR_AUTHENTICATION
        | Capabilities::MARIADB_COM_MULTI
        | Capabilities::CAPABILITY_EXTENSION
}

/// A server's own description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    version: String,
    capabilities: Capabilities,
    charset: u8,
    status: StatusFlags,
}

impl Profile {
    /// From its greeting.
    pub(crate) fn new(greeting: &Greeting) -> Self {
        let Greeting { server_version, capabilities, charset, status, .. } = greeting;
        Self {
            version: server_version.clone(),
            capabilities: *capabilities,
            charset: *charset,
            status: *status,
        }
    }

    /// What passes between client and server as they agree upon it.
    pub(crate) fn carried(&self) -> Capabilities {
        self.capabilities - settled_by_each() - never_agreed()
    }

    /// The greeting that a client gets.
    pub(crate) fn greeting(&self, connection_id: u32, scramble: [u8; SCRAMBLE_LEN], tls: bool) -> Greeting {
        let ours = if tls { settled_by_each() } else { settled_by_each() - Capabilities::SSL };
        Greeting {
            server_version: self.version.clone(),
            connection_id,
            scramble,
            capabilities: self.carried() | ours,
            charset: self.charset,
            status: self.status,
            plugin: CACHING_SHA2.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(capabilities: Capabilities) -> Profile {
        Profile::new(&Greeting {
            server_version: "8.4.3".to_owned(),
            connection_id: 7,
            scramble: [1; SCRAMBLE_LEN],
            capabilities,
            charset: 255,
            status: StatusFlags::AUTOCOMMIT,
            plugin: "sha256_password".to_owned(),
        })
    }

    #[test]
    fn a_client_is_greeted_as_the_server_would_but_for_what_is_ours() {
        let theirs = Capabilities::DEPRECATE_EOF | Capabilities::COMPRESS | Capabilities::SSL;
        let greeting = profile(theirs).greeting(9, [2; SCRAMBLE_LEN], false);
        assert_eq!((greeting.server_version.as_str(), greeting.connection_id), ("8.4.3", 9));
        assert_eq!((greeting.charset, greeting.plugin.as_str()), (255, CACHING_SHA2));
        assert!(greeting.capabilities.has(Capabilities::DEPRECATE_EOF | Capabilities::PLUGIN_AUTH));
        assert!(!greeting.capabilities.has(Capabilities::COMPRESS));
        assert!(!greeting.capabilities.has(Capabilities::SSL));
        assert!(profile(theirs).greeting(9, [2; SCRAMBLE_LEN], true).capabilities.has(Capabilities::SSL));
    }
}

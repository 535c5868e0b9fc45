//! The handshake: what the server greets with, and every way to answer that a test needs.
//!
//! A test's client hands its password to whatever asks for it, in clear text too: that is for the test to judge.

use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use rustls::ClientConfig;
use tokio::io;

use super::{answer::Refusal, wire::Raw};

/// `CLIENT_CONNECT_WITH_DB`.
pub const CONNECT_WITH_DB: u32 = 1 << 3;
/// `CLIENT_COMPRESS`.
pub const COMPRESS: u32 = 1 << 5;
/// `CLIENT_LOCAL_FILES`.
pub const LOCAL_FILES: u32 = 1 << 7;
/// `CLIENT_SSL`.
pub const SSL: u32 = 1 << 11;
/// `CLIENT_MULTI_STATEMENTS`.
pub const MULTI_STATEMENTS: u32 = 1 << 16;
/// `CLIENT_PLUGIN_AUTH`.
pub const PLUGIN_AUTH: u32 = 1 << 19;
/// `CLIENT_CONNECT_ATTRS`.
pub const CONNECT_ATTRS: u32 = 1 << 20;
/// `CLIENT_SESSION_TRACK`.
pub const SESSION_TRACK: u32 = 1 << 23;
/// `CLIENT_DEPRECATE_EOF`.
pub const DEPRECATE_EOF: u32 = 1 << 24;
/// `CLIENT_QUERY_ATTRIBUTES`.
pub const QUERY_ATTRIBUTES: u32 = 1 << 27;

const LENENC_AUTH: u32 = 1 << 21;
/// `LONG_PASSWORD`, `LONG_FLAG`, `PROTOCOL_41`, `TRANSACTIONS`, `SECURE_CONNECTION`, `MULTI_RESULTS`,
/// `PS_MULTI_RESULTS`, `PLUGIN_AUTH`, `PLUGIN_AUTH_LENENC_CLIENT_DATA`.
pub const ORDINARY: u32 =
    1 | 1 << 2 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 17 | 1 << 18 | PLUGIN_AUTH | LENENC_AUTH;

/// `utf8mb4_general_ci`, which every server knows.
pub const UTF8MB4: u8 = 45;

/// What the server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its version.
    pub version: String,
    /// The number of this connection.
    pub connection: u32,
    /// What it can do.
    pub capabilities: u32,
    /// What a MariaDB can do besides; 0 for others.
    pub extended: u32,
    /// Its character set and order.
    pub collation: u8,
    /// Its state.
    pub status: u16,
    /// The challenge.
    pub challenge: Vec<u8>,
    /// The authentication plugin that it proposes.
    pub plugin: String,
}

/// How to log in.
#[derive(Clone, Debug)]
pub struct LogIn<'a> {
    /// As whom.
    pub user: &'a str,
    /// With what.
    pub password: &'a str,
    /// Where to; empty for nowhere.
    pub database: &'a str,
    /// What this client can do.
    pub capabilities: u32,
    /// The character set and order to ask for.
    pub collation: u8,
    /// The plugin to name; empty for the one that the server proposes.
    pub plugin: &'a str,
    /// Connection attributes.
    pub attributes: &'a [(&'a str, &'a str)],
    /// Whether to ask for TLS, and whom to trust.
    pub tls: Option<Arc<ClientConfig>>,
}

impl<'a> LogIn<'a> {
    /// The ordinary way.
    pub fn new(user: &'a str, password: &'a str) -> Self {
        let capabilities = ORDINARY | DEPRECATE_EOF | MULTI_STATEMENTS | LOCAL_FILES;
        let (database, plugin, attributes) = ("", "", &[][..]);
        Self { user, password, database, capabilities, collation: UTF8MB4, plugin, attributes, tls: None }
    }

    /// The flags, character set and filler that begin an `SSLRequest` as well as a `HandshakeResponse41`.
    pub fn head(&self) -> Vec<u8> {
        let mut flags = self.capabilities;
        flags |= if self.database.is_empty() { 0 } else { CONNECT_WITH_DB };
        flags |= if self.attributes.is_empty() { 0 } else { CONNECT_ATTRS };
        flags |= if self.tls.is_some() { SSL } else { 0 };
        let largest = (1_u32 << 30).to_le_bytes();
        [&flags.to_le_bytes()[..], &largest, &[self.collation], &[0; 23]].concat()
    }

    /// The payload of a `HandshakeResponse41` to this greeting.
    pub fn response(&self, greeting: &Greeting) -> Vec<u8> {
        let plugin = if self.plugin.is_empty() { greeting.plugin.as_str() } else { self.plugin };
        let proof = proof(plugin, self.password, &greeting.challenge, self.tls.is_some());
        let mut payload = self.head();
        payload.extend([self.user.as_bytes(), b"\0", &with_length(&proof)].concat());
        if !self.database.is_empty() {
            payload.extend([self.database.as_bytes(), b"\0"].concat());
        }
        payload.extend([plugin.as_bytes(), b"\0"].concat());
        if !self.attributes.is_empty() {
            let texts = self.attributes.iter().flat_map(|(name, value)| [name, value]);
            payload.extend(with_length(
                &texts.flat_map(|text| with_length(text.as_bytes())).collect::<Vec<_>>(),
            ));
        }
        payload
    }
}

/// Bytes behind their length.
pub fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a test's text is small");
    let head = if let Ok(small @ 0..0xfb) = u8::try_from(length) {
        vec![small]
    } else {
        [&[0xfd], &length.to_le_bytes()[..3]].concat()
    };
    [head.as_slice(), bytes].concat()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

/// The first answer of a plugin to a challenge.
pub(super) fn proof(plugin: &str, password: &str, challenge: &[u8], tls: bool) -> Vec<u8> {
    let password = password.as_bytes();
    let hash = |algorithm, parts: &[&[u8]]| digest::digest(algorithm, &parts.concat()).as_ref().to_vec();
    match plugin {
        _ if password.is_empty() && !["mysql_clear_password", "sha256_password"].contains(&plugin) => {
            Vec::new()
        }
        "mysql_native_password" => {
            let once = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
            let twice = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
            xor(&once, &hash(&SHA1_FOR_LEGACY_USE_ONLY, &[challenge, &twice]))
        }
        "caching_sha2_password" => {
            let once = hash(&SHA256, &[password]);
            let twice = hash(&SHA256, &[&once]);
            xor(&once, &hash(&SHA256, &[&twice, challenge]))
        }
        "sha256_password" if !tls => vec![1],
        "sha256_password" | "mysql_clear_password" => [password, b"\0"].concat(),
        _ => Vec::new(),
    }
}

fn zero_terminated(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest.get(1..)?))
}

impl Greeting {
    /// A greeting of protocol 10.
    fn of(body: &[u8]) -> Option<Self> {
        let (version, rest) = zero_terminated(body.strip_prefix(&[10])?)?;
        let (connection, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_at_checked(8)?;
        let [_, low0, low1, collation, status0, status1, high0, high1, length] = *rest.first_chunk()?;
        let (reserved, rest) = rest.get(9..)?.split_at_checked(10)?;
        let second = usize::from(length).checked_sub(9).filter(|length| *length > 0).unwrap_or(12);
        let (second, rest) = rest.split_at_checked(second)?;
        let plugin = rest.get(1..).and_then(zero_terminated).map_or_else(String::new, |(plugin, _)| plugin);
        let extended = u32::from_le_bytes(*reserved.last_chunk()?);
        Some(Self {
            version,
            connection: u32::from_le_bytes(*connection),
            capabilities: u32::from_le_bytes([low0, low1, high0, high1]),
            extended,
            collation,
            status: u16::from_le_bytes([status0, status1]),
            challenge: [first, second].concat(),
            plugin,
        })
    }
}

impl Raw {
    /// The server's greeting, or the error in its place.
    pub async fn greeting(&mut self) -> Result<Greeting, Refusal> {
        let Some(first) = self.next().await else { return Err(Refusal::silence("the connection")) };
        first.refusal().map_or_else(|| Ok(Greeting::of(&first.body).expect("a greeting")), Err)
    }

    /// Logs in, over TLS if that is wished. The error when it is refused.
    pub async fn log_in(&mut self, how: &LogIn<'_>) -> Result<Greeting, Refusal> {
        let greeting = self.greeting().await?;
        self.answer_greeting(how, &greeting).await?;
        Ok(greeting)
    }

    /// Logs in on a connection that has been greeted.
    pub async fn answer_greeting(&mut self, how: &LogIn<'_>, greeting: &Greeting) -> Result<(), Refusal> {
        self.capabilities = how.capabilities & greeting.capabilities;
        if let Some(tls) = &how.tls {
            self.secure(how, Arc::clone(tls))
                .await
                .map_err(|error| Refusal { message: format!("TLS: {error}"), ..Refusal::default() })?;
        }
        self.reply(&how.response(greeting)).await;
        self.be_admitted(how, greeting).await
    }

    async fn secure(&mut self, how: &LogIn<'_>, tls: Arc<ClientConfig>) -> io::Result<()> {
        self.reply(&how.head()).await;
        self.sequence += 1;
        self.start_tls(tls).await
    }

    /// Answers what is still asked, up to OK.
    pub async fn be_admitted(&mut self, how: &LogIn<'_>, greeting: &Greeting) -> Result<(), Refusal> {
        let clear = [how.password.as_bytes(), b"\0"].concat();
        while let Some(packet) = self.next().await {
            match (packet.kind(), packet.body.get(1)) {
                (0, _) => return Ok(()),
                (0xff, _) => return Err(packet.refusal().unwrap_or_default()),
                (1, Some(3)) => {}
                (1, Some(4)) if how.tls.is_some() => self.reply(&clear).await,
                (0xfe, _) => {
                    let (plugin, challenge) = asked_for(&packet.body, greeting);
                    self.reply(&proof(&plugin, how.password, &challenge, how.tls.is_some())).await;
                }
                other => panic!("a log-in that this client does not know: {other:?}"),
            }
        }
        Err(Refusal::silence("the log-in"))
    }
}

/// The plugin and the challenge of an `AuthSwitchRequest`.
fn asked_for(body: &[u8], greeting: &Greeting) -> (String, Vec<u8>) {
    let (plugin, challenge) = body.get(1..).and_then(zero_terminated).expect("a plugin has a name");
    let challenge = challenge.strip_suffix(&[0]).unwrap_or(challenge);
    let fresh = if challenge.is_empty() { greeting.challenge.clone() } else { challenge.to_vec() };
    (plugin, fresh)
}

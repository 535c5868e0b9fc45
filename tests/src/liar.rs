//! A control plane that says whatever a test wants, with the right key or without.
//!
//! The wire is the one of `postern_protocol::gate` (`feed`, `report`). A test takes a [`Stream`] from
//! [`Liar::next_stream`] each time that the sidecar opens the feed, and speaks on it.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::stream;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use postern_protocol::gate::{
    AccessToken, Ack, Change, Envelope, FEED_EVENT, Grant, Message, Position, Scope, SidecarName,
    SidecarToken, Snapshot, Welcome,
};
use postern_service::random;
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{
        Mutex as AsyncMutex,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
    task::JoinHandle,
};

use crate::{port, wait::patiently};

/// A signing key.
pub struct Key {
    encoding: EncodingKey,
    public: String,
}

impl Key {
    /// A new one.
    pub fn new() -> Self {
        let pair = Ed25519KeyPair::generate().expect("keys can be made");
        let document = pair.to_pkcs8().expect("a key can be written down");
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        Self { encoding: EncodingKey::from_ed_der(document.as_ref()), public }
    }

    /// The public half, base64url without padding.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Signs a message, or whatever a test passes off as one.
    pub fn sign(&self, envelope: &impl Serialize) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), envelope, &self.encoding)
            .expect("it can be signed")
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

/// One opening of the feed by the sidecar. Dropping it closes the feed.
pub struct Stream {
    /// What the sidecar sent as nonce.
    pub nonce: String,
    /// The position that it wants to go on from.
    pub after: Option<Position>,
    voice: Arc<Mutex<Voice>>,
    beats: Option<JoinHandle<()>>,
}

/// What is shared by a stream and its beats: they count in one sequence.
struct Voice {
    nonce: String,
    seq: u64,
    bytes: UnboundedSender<Bytes>,
    key: Arc<Key>,
}

impl Voice {
    fn envelope(&self, message: Message) -> Envelope {
        let aud = SidecarName::from("edge-1");
        Envelope { aud, nonce: self.nonce.clone(), seq: self.seq, now: now(), message }
    }

    fn say(&mut self, message: Message) {
        let jws = self.key.sign(&self.envelope(message));
        self.seq += 1;
        self.say_signed(&jws);
    }

    fn say_signed(&self, jws: &str) {
        let _ = self.bytes.send(format!("event: {FEED_EVENT}\nid: 1\ndata: {jws}\n\n").into());
    }
}

#[derive(Deserialize)]
struct Opening {
    nonce: String,
    after: Option<Position>,
}

struct Shared {
    key: Arc<Key>,
    streams: UnboundedSender<Stream>,
    acks: Mutex<Vec<Ack>>,
}

/// A control plane of the test's own.
pub struct Liar {
    /// The enrolment token that makes a sidecar trust it.
    pub token: String,
    port: u16,
    shared: Arc<Shared>,
    streams: AsyncMutex<UnboundedReceiver<Stream>>,
    server: JoinHandle<()>,
}

/// Now, in milliseconds since the Unix epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("the clock is not that far ahead")
}

/// A whole grant for Alice on `sales` that holds for an hour.
pub fn grant(id: &str, account: &str, revision: u64) -> Grant {
    Grant {
        id: id.into(),
        revision,
        identity: crate::stage::ALICE.into(),
        repo: crate::stage::REPO.into(),
        account: account.into(),
        scope: Scope::Whole,
        terms: postern_protocol::gate::Terms::default(),
        session: postern_protocol::gate::SessionTerms::default(),
        not_before: now() - 1000,
        expires_at: now() + 3_600_000,
    }
}

/// Alice's access token: its text, and what the feed says about it.
pub fn access_token() -> (String, AccessToken) {
    let text = format!("pst_{}", random::token().expect("randomness"));
    let token = AccessToken {
        id: "t_1".into(),
        sha256: random::sha256_hex(text.as_bytes()),
        identity: crate::stage::ALICE.into(),
        expires_at: now() + 3_600_000,
    };
    (text, token)
}

async fn open_feed(State(shared): State<Arc<Shared>>, Query(opening): Query<Opening>) -> Response {
    let (bytes, incoming) = mpsc::unbounded_channel();
    let Opening { nonce, after } = opening;
    let voice = Voice { nonce: nonce.clone(), seq: 0, bytes, key: Arc::clone(&shared.key) };
    let _ = shared.streams.send(Stream { nonce, after, voice: Arc::new(Mutex::new(voice)), beats: None });
    let body = stream::unfold(incoming, async |mut incoming: UnboundedReceiver<Bytes>| {
        let bytes = incoming.recv().await?;
        Some((Ok::<_, Infallible>(bytes), incoming))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

async fn hello() -> Json<Welcome> {
    Json(Welcome { version: "0.1.0".to_owned(), public_url: "http://liar.example".to_owned() })
}

async fn ack(State(shared): State<Arc<Shared>>, Json(ack): Json<Ack>) -> StatusCode {
    shared.acks.lock().expect("nobody panics with the lock").push(ack);
    StatusCode::NO_CONTENT
}

impl Liar {
    /// Starts one.
    pub async fn start() -> Self {
        let key = Arc::new(Key::new());
        let (sender, streams) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { key: Arc::clone(&key), streams: sender, acks: Mutex::default() });
        let swallow = || async { StatusCode::NO_CONTENT };
        let router = Router::new()
            .route("/v1/sidecar/hello", post(hello))
            .route("/v1/sidecar/feed", get(open_feed))
            .route("/v1/sidecar/acks", post(ack))
            .route("/v1/sidecar/sessions", post(swallow))
            .route("/v1/sidecar/pulse", post(swallow))
            .route("/v1/sidecar/audit", post(swallow))
            .with_state(Arc::clone(&shared));
        let port = port::free();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the port is free");
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        let token = SidecarToken::new(&random::token().expect("randomness"), &key.public).reveal().to_owned();
        Self { token, port, shared, streams: AsyncMutex::new(streams), server }
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next time that the sidecar opens the feed.
    pub async fn next_stream(&self) -> Stream {
        let mut streams = self.streams.lock().await;
        patiently("the sidecar to open the feed", streams.recv()).await.expect("the server runs")
    }

    /// Its key.
    pub fn key(&self) -> &Key {
        &self.shared.key
    }

    /// Acknowledgements so far.
    pub fn acks(&self) -> Vec<Ack> {
        self.shared.acks.lock().expect("nobody panics with the lock").clone()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stream {
    fn voice(&self) -> MutexGuard<'_, Voice> {
        self.voice.lock().expect("nobody panics with the lock")
    }

    /// The envelope that an honest control plane would put around its next message.
    pub fn envelope(&self, message: Message) -> Envelope {
        self.voice().envelope(message)
    }

    /// Says something honestly.
    pub fn say(&self, message: Message) {
        self.voice().say(message);
    }

    /// Says honestly what changed.
    pub fn say_changes(&self, position: Position, changes: Vec<Change>) {
        self.say(Message::Changes { position, changes });
    }

    /// Says honestly that these grants and tokens are all that holds.
    pub fn say_snapshot(&self, position: Position, grants: &[Grant], tokens: &[AccessToken]) {
        self.say(Message::Snapshot(snapshot(position, true, grants, tokens)));
    }

    /// Says what is in `envelope`, signed with the right key, whatever it is.
    pub fn say_envelope(&self, envelope: &Envelope) {
        let voice = self.voice();
        voice.say_signed(&voice.key.sign(envelope));
    }

    /// Says something that is signed already.
    pub fn say_signed(&self, jws: &str) {
        self.voice().say_signed(jws);
    }

    /// Puts bytes on the stream.
    pub fn say_bytes(&self, bytes: impl Into<Bytes>) {
        let _ = self.voice().bytes.send(bytes.into());
    }

    /// From now on says honestly, a few times a second, that nothing has changed since `position`.
    pub fn beat(&mut self, position: Position) {
        self.hush();
        let voice = Arc::clone(&self.voice);
        self.beats = Some(tokio::spawn(async move {
            loop {
                voice.lock().expect("nobody panics with the lock").say(Message::Beat { position });
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }));
    }

    /// Says nothing more by itself.
    pub fn hush(&mut self) {
        if let Some(beats) = self.beats.take() {
            beats.abort();
        }
    }

    /// Whether the sidecar still listens.
    pub fn is_open(&self) -> bool {
        !self.voice().bytes.is_closed()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hush();
    }
}

/// A part of a snapshot with these grants and tokens and nothing else.
pub fn snapshot(position: Position, last: bool, grants: &[Grant], tokens: &[AccessToken]) -> Snapshot {
    Snapshot { position, last, grants: grants.to_vec(), tokens: tokens.to_vec(), ..Snapshot::default() }
}

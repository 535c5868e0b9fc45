//! The feed client: keeps a stream to the control plane open and writes what it says into the book.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use postern_protocol::gate::{
    Ack, Change, Drain, Envelope, Hello, Message, Position, SidecarToken, Snapshot, Welcome,
};
use postern_service::{random, sso::Issuers};
use reqwest::StatusCode;
use tokio::time::{Instant, timeout};

use super::{
    Book, Draining, Lease, Reports,
    apply::{self, Ended},
    clock::ControlClock,
    picture::Draft,
    sse::{EventReader, NoEvents},
    verify::{StreamCheck, Untrusted},
};
use crate::session::{Ending, Registry};

/// The control plane speaks once a second; after so long a silence the stream is taken for dead.
const SILENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a stream ended. All of them are followed by another try.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// Nobody answers, or not in HTTP.
    #[error("cannot reach the control plane: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// It answers with an error.
    #[error("the control plane refuses this sidecar: {0} {1}")]
    Refused(StatusCode, String),
    /// Nothing came for a while, or the stream was closed.
    #[error("the control plane stopped speaking")]
    Silent,
    /// A message is not to be believed.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The stream is no stream of events.
    #[error(transparent)]
    NoEvents(#[from] NoEvents),
    /// Changes came before there was a picture to change.
    #[error("the feed does not begin with a snapshot")]
    NoSnapshot,
    /// The sidecar's token was revoked.
    #[error("this sidecar's token was revoked")]
    Retired,
    /// The system has no randomness for a nonce.
    #[error(transparent)]
    NoRandomness(#[from] random::NoRandomness),
}

/// Where the feed stands, for readiness, metrics and hints.
#[derive(Debug)]
pub(crate) struct FeedState {
    connected: AtomicBool,
    synced: AtomicBool,
    applied: AtomicU64,
    newest: AtomicU64,
    public_url: ArcSwap<Box<str>>,
}

impl FeedState {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            connected: AtomicBool::new(false),
            synced: AtomicBool::new(false),
            applied: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            public_url: ArcSwap::from_pointee(url.into()),
        }
    }

    /// Whether a stream is open and believed.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Whether there ever was a complete picture.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// The newest position in the book.
    pub(crate) fn applied(&self) -> Position {
        self.applied.load(Ordering::Acquire)
    }

    /// Where people ask for access.
    pub(crate) fn public_url(&self) -> String {
        self.public_url.load().trim_end_matches('/').to_owned()
    }
}

/// The feed client.
pub(crate) struct Feed {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: SidecarToken,
    pub(crate) hello: Hello,
    pub(crate) book: Arc<Book>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) draining: Arc<Draining>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) reports: Reports,
    pub(crate) state: Arc<FeedState>,
    pub(crate) issuers: Arc<Issuers>,
}

/// What is known of one open stream.
struct Stream {
    check: StreamCheck,
    asked: Instant,
    clock: Option<ControlClock>,
    parts: Option<Parts>,
}

/// What the parts of a snapshot have said so far.
struct Parts {
    draft: Draft,
    /// Sessions of ours that are to end.
    kills: Vec<Change>,
    drain: Option<Drain>,
}

impl Feed {
    /// Keeps the feed going. Runs for ever.
    pub(crate) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let Err(error) = self.stream().await;
            self.state.connected.store(false, Ordering::Release);
            tracing::warn!(%error, "the feed broke off");
            pause =
                if begun.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(jittered(pause)).await;
        }
    }

    async fn stream(&self) -> Result<std::convert::Infallible, FeedError> {
        let welcome = self.greet().await?;
        self.state.public_url.store(Arc::new(welcome.public_url.into()));
        let nonce = random::token()?;
        let mut stream = Stream {
            check: StreamCheck::new(&self.token, self.hello.name.clone(), nonce.clone())?,
            asked: Instant::now(),
            clock: None,
            parts: None,
        };
        let mut query = vec![("instance", self.hello.instance.clone()), ("nonce", nonce)];
        if self.state.is_synced() {
            query.push(("after", self.state.applied().to_string()));
        }
        let request = self.http.get(format!("{}/v1/sidecar/feed", self.url)).query(&query);
        let response = timeout(SILENCE, request.bearer_auth(self.token.reveal()).send());
        let mut response = accepted(response.await.map_err(|_| FeedError::Silent)??).await?;
        let mut events = EventReader::default();
        loop {
            let chunk = timeout(SILENCE, response.chunk()).await.map_err(|_| FeedError::Silent)??;
            let chunk = chunk.ok_or(FeedError::Silent)?;
            for data in events.push(&chunk)? {
                if let Some(envelope) = stream.check.open(&data)? {
                    self.take(&mut stream, envelope)?;
                }
            }
        }
    }

    async fn greet(&self) -> Result<Welcome, FeedError> {
        let request = self.http.post(format!("{}/v1/sidecar/hello", self.url)).json(&self.hello);
        let response = request.bearer_auth(self.token.reveal()).timeout(SILENCE).send().await?;
        Ok(accepted(response).await?.json().await?)
    }

    fn take(&self, stream: &mut Stream, envelope: Envelope) -> Result<(), FeedError> {
        let arrived = Instant::now();
        let clock = stream.clock.get_or_insert_with(|| ControlClock::begin(envelope.now, stream.asked));
        clock.hear(envelope.now, arrived);
        let clock = *clock;
        match envelope.message {
            Message::Issuers(issuers) => self.issuers.trust(issuers),
            Message::Snapshot(part) => self.collect(stream, part, &clock, arrived),
            Message::Changes { position, changes } => self.change(position, &changes, &clock, arrived)?,
            Message::Beat { position } => self.state.newest.store(position, Ordering::Release),
            Message::Retire { by, reason } => {
                self.lease.surrender();
                self.registry.end_all(&Ending::Retired { by, reason });
                self.state.synced.store(false, Ordering::Release);
                return Err(FeedError::Retired);
            }
        }
        if self.state.is_synced() && stream.parts.is_none() {
            self.lease.renew(clock.instant(envelope.now));
            self.state.connected.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn collect(&self, stream: &mut Stream, mut part: Snapshot, clock: &ControlClock, arrived: Instant) {
        let (position, last) = (part.position, part.last);
        let parts = stream.parts.get_or_insert_with(|| Parts {
            draft: self.book.draft(),
            kills: Vec::new(),
            drain: None,
        });
        parts.kills.append(&mut part.kills);
        parts.drain = parts.drain.take().or(part.drain.take());
        parts.draft.add(part, clock);
        if !last {
            return;
        }
        let Some(Parts { draft, kills, drain }) = stream.parts.take() else { return };
        self.draining.set(drain.as_ref(), clock);
        self.book.publish(draft);
        self.arrived_at(position);
        self.state.synced.store(true, Ordering::Release);
        let mut ended = apply::reconsider(&self.book, self.registry.pick(|_| true));
        for kill in &kills {
            ended.and(apply::follow(kill, &self.book, &self.registry));
        }
        self.acknowledge(position, true, ended, arrived);
    }

    fn change(
        &self,
        position: Position,
        changes: &[Change],
        clock: &ControlClock,
        arrived: Instant,
    ) -> Result<(), FeedError> {
        if !self.state.is_synced() {
            return Err(FeedError::NoSnapshot);
        }
        let mut ended = Ended::default();
        // What is already in the book is written again without harm; only the newest position counts.
        for change in changes {
            if let Change::Drain(drain) = change {
                self.draining.set(drain.as_ref(), clock);
            }
            self.book.write(change, clock);
            ended.and(apply::follow(change, &self.book, &self.registry));
        }
        self.arrived_at(position);
        self.acknowledge(position, false, ended, arrived);
        Ok(())
    }

    fn arrived_at(&self, position: Position) {
        self.state.applied.store(position, Ordering::Release);
        self.state.newest.fetch_max(position, Ordering::AcqRel);
    }

    /// Tells the control plane once the last of these sessions is dead.
    fn acknowledge(&self, position: Position, snapshot: bool, ended: Ended, arrived: Instant) {
        let (reports, instance) = (self.reports.clone(), self.hello.instance.clone());
        tokio::spawn(async move {
            for session in &ended.dying {
                session.dead().await;
            }
            let milliseconds = arrived.elapsed().as_secs_f64() * 1_000.0;
            reports
                .ack(&Ack { instance, position, snapshot, sessions_ended: ended.count, milliseconds })
                .await;
        });
    }
}

async fn accepted(mut response: reqwest::Response) -> Result<reqwest::Response, FeedError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // The reason is short; what comes after its first part is not waited for.
    let part = timeout(SILENCE, response.chunk()).await.map_err(|_| FeedError::Silent)??.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&part).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or_default().escape_debug().to_string();
    Err(FeedError::Refused(status, detail))
}

/// Between half of a pause and the whole of it, so that many sidecars do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let [byte] = random::bytes::<1>().unwrap_or([255]);
    pause.mul_f64(0.5 + f64::from(byte) / 510.0)
}

//! One open feed: the messages to one process of one sidecar, in order, signed, until it goes.

use std::{sync::Arc, time::Duration};

use postern_protocol::{
    duration::Span,
    gate::{Change, Envelope, FEED_EVENT, Issuer, Message, Position, Snapshot},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at, timeout},
};

use super::{
    hub::{FeedKey, Seat},
    snapshot::{Parts, snapshot},
};
use crate::{
    actions::Failure,
    domain::{Moment, Process, Sidecar},
    plane::ControlPlane,
    store::{StoreError, load},
    work::{Logged, Retirement, Told, Work},
};

const BEAT: Duration = Duration::from_secs(1);

/// A control plane that has looked into the store so lately speaks for this moment.
const FRESH: Span = Span::from_secs(1);

/// A comment, in the language of server-sent events.
const COMMENT: &str = ": the snapshot is on its way\n\n";

/// How long a sidecar may leave what it was sent unread before its feed is closed.
const STUCK: Duration = Duration::from_secs(15);

/// Messages under way to the socket.
const QUEUE: usize = 16;

/// How a sidecar opens its feed.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// Which process.
    pub key: FeedKey,
    /// Of the token that it showed.
    pub token_sha256: String,
    /// Its nonce for this stream.
    pub nonce: String,
    /// What it has applied already.
    pub after: Option<Position>,
}

/// Why a feed ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the sidecar went away")]
    Gone,
    #[error("the sidecar does not read")]
    Stuck,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a message could not be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
    #[error("the change log holds something unreadable: {0}")]
    Log(String),
    #[error("the control plane ends")]
    Stopping,
    #[error("the sidecar's token was revoked")]
    Retired,
    #[error("the store was out of reach for too long")]
    Blind,
    #[error("a newer feed of this process took its place")]
    Replaced,
}

/// Parts of a snapshot that is being read.
type Coming = mpsc::UnboundedReceiver<Snapshot>;

/// Waits until it is so, or nobody can say it any more.
pub(crate) async fn is_true(watched: &mut watch::Receiver<bool>) {
    let _ = watched.wait_for(|value| *value).await;
}

/// Starts a feed; the receiver gets the bytes of the event stream. `None` when the process never said hello, whichever
/// control plane it was to.
pub(crate) async fn open(
    plane: &Arc<ControlPlane>,
    opening: Opening,
) -> Result<Option<mpsc::Receiver<String>>, Failure> {
    let mut work = Work::begin(plane).await?;
    let Some(mut process) = work.load::<Process>(&opening.key.record()).await? else { return Ok(None) };
    process.feed_at = Some(plane.id.clone());
    process.heard_at = work.now();
    work.save(&process).await?;
    work.commit().await?;
    let seat = plane.hub.sit(&process, &opening.token_sha256);
    let (events, receiver) = mpsc::channel(QUEUE);
    let feed = Feed { plane: Arc::clone(plane), seat, opening, events, seq: 0, sent: 0 };
    tokio::spawn(feed.run());
    Ok(Some(receiver))
}

struct Feed {
    plane: Arc<ControlPlane>,
    seat: Seat,
    opening: Opening,
    events: mpsc::Sender<String>,
    seq: u64,
    sent: Position,
}

impl Feed {
    async fn run(mut self) {
        let Err(end) = self.serve().await;
        let FeedKey { name, instance } = &self.opening.key;
        match end {
            End::Blind | End::Store(_) | End::Sign(_) | End::Log(_) | End::Stuck => {
                tracing::warn!(sidecar = %name, instance, error = %end, "a feed was closed");
            }
            End::Gone | End::Stopping | End::Retired | End::Replaced => {
                tracing::info!(sidecar = %name, instance, why = %end, "a feed ended");
            }
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let mut newest = self.plane.hub.newest();
        let mut stopping = self.plane.hub.stopping();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trusted = self.plane.trusted();
        self.tell_issuers(&mut trusted).await?;
        self.begin().await?;
        loop {
            let mut beat_due = false;
            tokio::select! {
                () = self.events.closed() => return Err(End::Gone),
                () = is_true(&mut stopping) => return Err(End::Stopping),
                changed = trusted.changed() => {
                    changed.map_err(|_| End::Stopping)?;
                    self.tell_issuers(&mut trusted).await?;
                }
                // The hub lets go of the sender when another feed of this process takes the seat.
                _ = self.seat.replaced.changed() => return Err(End::Replaced),
                changed = newest.changed() => changed.map_err(|_| End::Stopping)?,
                _ = beat.tick() => beat_due = true,
            }
            let current = self.plane.hub.current();
            let reach = *newest.borrow_and_update();
            if reach > self.sent {
                self.catch_up(reach).await?;
            }
            if beat_due {
                self.beat(current).await?;
            }
        }
    }

    async fn tell_issuers(&mut self, trusted: &mut watch::Receiver<Vec<Issuer>>) -> Result<(), End> {
        let issuers = trusted.borrow_and_update().clone();
        self.send(Message::Issuers(issuers), self.sent).await
    }

    /// Says that nothing else was committed before `current`. The sidecar's lease counts from there, so that a control
    /// plane which no longer sees the store does not keep it going.
    async fn beat(&mut self, current: Moment) -> Result<(), End> {
        let now = self.plane.clock.now();
        if self.plane.hub.is_blind(now) {
            return Err(End::Blind);
        }
        let at = if current < now.minus(FRESH) { current } else { now };
        self.send_at(Message::Beat { position: self.sent }, self.sent, at).await
    }

    /// Says everything, or what the sidecar missed when the log still has it.
    async fn begin(&mut self) -> Result<(), End> {
        let mut tx = self.plane.store.read().await?;
        let reach = tx.log_reach().await?;
        let earliest = self.seat.resumable_from.map(|from| from.max(reach.pruned));
        match (self.opening.after, earliest) {
            (Some(after), Some(earliest)) if (earliest..=reach.newest).contains(&after) => self.sent = after,
            (Some(_) | None, Some(_) | None) => {
                let (now, position) = (self.plane.clock.now(), reach.newest);
                let (name, repos) = (self.opening.key.name.clone(), Arc::clone(&self.seat.repos));
                if load::<Sidecar>(&mut *tx, name.as_str()).await?.is_none() {
                    return Err(End::Retired);
                }
                self.seat.show(position);
                let (parts, made) = Parts::new(position);
                let making = async { Ok(snapshot(tx, &name, &repos, now, parts).await?) };
                tokio::try_join!(making, self.show(made, position))?;
                self.sent = position;
            }
        }
        let reach = *self.plane.hub.newest().borrow();
        self.catch_up(reach).await
    }

    /// Sends the parts of a snapshot as they come, and lets the sidecar see that it is not forgotten.
    async fn show(&mut self, mut parts: Coming, position: Position) -> Result<(), End> {
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        loop {
            let part = tokio::select! {
                part = parts.recv() => part,
                () = self.events.closed() => return Err(End::Gone),
                _ = beat.tick() => {
                    // One that does not get through is followed by another.
                    let _ = self.events.try_send(COMMENT.to_owned());
                    continue;
                }
            };
            let Some(part) = part else { return Ok(()) };
            self.send(Message::Snapshot(part), position).await?;
        }
    }

    /// Says what was committed up to this place.
    async fn catch_up(&mut self, reach: Position) -> Result<(), End> {
        loop {
            let plane = Arc::clone(&self.plane);
            let entries = plane.tail.after(&*plane.store, self.sent, reach).await?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                let position = entry.position;
                let logged = entry.says.as_ref().map_err(|error| End::Log(error.clone()))?;
                let (changes, retirement) = self.concerning(logged);
                if !changes.is_empty() {
                    self.send(Message::Changes { position, changes }, position).await?;
                }
                self.sent = position;
                if let Some(Retirement { by, reason }) = retirement {
                    self.send(Message::Retire { by, reason }, position).await?;
                    return Err(End::Retired);
                }
            }
        }
    }

    fn concerning(&self, logged: &[Logged]) -> (Vec<Change>, Option<Retirement>) {
        let name = &self.opening.key.name;
        let (mut changes, mut retirement) = (Vec::new(), None);
        for Logged { to, change } in logged {
            match change {
                _ if !to.includes(name, &self.seat.repos) => {}
                Told::Change(change) => changes.push(change.clone()),
                Told::Retire { retire } => retirement = Some(retire.clone()),
            }
        }
        (changes, retirement)
    }

    async fn send(&mut self, message: Message, position: Position) -> Result<(), End> {
        let now = self.plane.clock.now();
        self.send_at(message, position, now).await
    }

    async fn send_at(&mut self, message: Message, position: Position, at: Moment) -> Result<(), End> {
        let envelope = Envelope {
            aud: self.opening.key.name.clone(),
            nonce: self.opening.nonce.clone(),
            seq: self.seq,
            now: at.as_millis(),
            message,
        };
        let signed = self.plane.signer.sign(&envelope)?;
        let event = format!("event: {FEED_EVENT}\nid: {position}\ndata: {signed}\n\n");
        match timeout(STUCK, self.events.send(event)).await {
            Ok(Ok(())) => {
                self.seq += 1;
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Stuck),
        }
    }
}

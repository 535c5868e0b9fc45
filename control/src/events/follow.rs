//! A stream of server-sent events for one reader: what it missed, then what comes, until it goes.
//!
//! Nothing waits for a reader. What it has not taken stays in the store; one that takes nothing for a while is
//! disconnected and may come back with the id of the last event that it saw.

use std::{convert::Infallible, sync::Arc, time::Duration};

use postern_service::secret::Secret;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Event, EventFilter, after};
use crate::{
    actions::{Failure, oauth},
    feed::is_true,
    plane::ControlPlane,
    store::{AuditReach, StoreError},
};

/// How often a silent stream says that it is still there, and looks whether its reader may still read.
const BEAT: Duration = Duration::from_secs(10);
const BATCH: u32 = 256;

/// How long a reader may leave what it was sent unread.
const STUCK: Duration = Duration::from_secs(15);

/// Events under way to the socket.
const QUEUE: usize = 64;

/// Who reads what.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The token that the reader came with; the stream ends with it.
    pub token: Secret,
    /// What is wanted.
    pub filter: EventFilter,
    /// The last event that the reader knows; absent: only what comes.
    pub after: Option<i64>,
    /// Its place among the readers.
    pub place: OwnedSemaphorePermit,
}

/// Why a stream does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// What came after that event is no longer all there.
    #[error(
        "events are kept from {} on: read what there is now, then follow without Last-Event-ID",
        .0.pruned.saturating_add(1)
    )]
    Pruned(AuditReach),
    /// No such event has been yet: the reader's id is from another store, or from one that was restored.
    #[error(
        "the newest event is {}: read what there is now, then follow without Last-Event-ID", .0.newest
    )]
    Ahead(AuditReach),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

enum End {
    Gone,
    Stuck,
    Stopping,
    /// The token has run out or is void.
    SignedOut,
    /// The reader is so far behind that the trail was cut before it.
    Overtaken,
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Starts a stream; the receiver gets its bytes.
pub(crate) async fn follow(
    plane: &Arc<ControlPlane>,
    opening: Opening,
) -> Result<mpsc::Receiver<String>, Lost> {
    let rung = plane.bell.listen();
    let reach = plane.store.read().await?.audit_reach().await?;
    let sent = opening.after.unwrap_or(reach.newest);
    if sent < reach.pruned {
        return Err(Lost::Pruned(reach));
    }
    if sent > reach.newest {
        return Err(Lost::Ahead(reach));
    }
    let (out, receiver) = mpsc::channel(QUEUE);
    let Opening { token, filter, place, .. } = opening;
    let follower = Follower { plane: Arc::clone(plane), token, filter, sent, out, _place: place };
    tokio::spawn(follower.run(rung));
    Ok(receiver)
}

struct Follower {
    plane: Arc<ControlPlane>,
    token: Secret,
    filter: EventFilter,
    sent: i64,
    out: mpsc::Sender<String>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    async fn run(mut self, rung: watch::Receiver<u64>) {
        let Err(end) = self.serve(rung).await;
        match end {
            End::Gone | End::Stopping | End::SignedOut => {}
            End::Stuck => {
                tracing::info!("a reader of events took nothing for a while: its stream was closed");
            }
            End::Overtaken => tracing::info!("a reader of events fell behind what is kept"),
            End::Failed(error) => tracing::error!(%error, "events could not be read: a stream was closed"),
        }
    }

    async fn serve(&mut self, mut rung: watch::Receiver<u64>) -> Result<Infallible, End> {
        let mut stopping = self.plane.hub.stopping();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.catch_up().await?;
            tokio::select! {
                () = self.out.closed() => return Err(End::Gone),
                () = is_true(&mut stopping) => return Err(End::Stopping),
                rung = rung.changed() => rung.map_err(|_| End::Stopping)?,
                _ = beat.tick() => {
                    if oauth::caller(&self.plane, self.token.reveal()).await?.is_none() {
                        return Err(End::SignedOut);
                    }
                    self.send(": beat\n\n".to_owned()).await?;
                }
            }
        }
    }

    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let mut tx = self.plane.store.read().await?;
            if tx.audit_reach().await?.pruned > self.sent {
                return Err(End::Overtaken);
            }
            let stretch = after(&mut *tx, self.sent, BATCH).await?;
            drop(tx);
            for event in stretch.events.iter().filter(|event| self.filter.wants(event)) {
                self.send(frame(event)?).await?;
            }
            match stretch.reached {
                Some(reached) => self.sent = reached,
                None => return Ok(()),
            }
        }
    }

    async fn send(&self, text: String) -> Result<(), End> {
        match timeout(STUCK, self.out.send(text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Stuck),
        }
    }
}

/// As the HTML standard's "server-sent events" has it. JSON has no line ends.
fn frame(event: &Event) -> Result<String, StoreError> {
    let data = serde_json::to_string(event)?;
    Ok(format!("id: {}\nevent: {}\ndata: {data}\n\n", event.id, one_line(&event.kind)))
}

/// A sidecar's word may hold anything, and a line end would begin another field.
fn one_line(kind: &str) -> String {
    kind.chars().filter(|letter| !letter.is_control()).collect()
}

//! Waiting until the sidecars have done what they were told.

use std::{collections::BTreeMap, time::Duration};

use postern_protocol::gate::{Ack, Position, SidecarName};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{sync::mpsc, time::timeout_at};

use super::{
    hub::{FeedKey, Hub},
    presence::Concerned,
};

/// How long a caller waits at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// An acknowledgement and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// Whose.
    pub key: FeedKey,
    /// What.
    pub ack: Ack,
}

/// What one sidecar made of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SidecarOutcome")]
pub(crate) struct Outcome {
    /// The sidecar.
    #[schemars(with = "String")]
    pub name: SidecarName,
    /// Whether it said, in time, that everything that had to end is dead.
    pub acknowledged: bool,
    /// How many sessions it ended.
    pub sessions_ended: u64,
    /// How long that took it, from the message's arrival to the last session being dead.
    pub milliseconds: f64,
}

/// Collects acknowledgements from the moment it was made.
pub(crate) struct Waiter {
    hub: Hub,
    id: u64,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Waiter {
    pub(super) fn new(hub: Hub, id: u64, heard: mpsc::UnboundedReceiver<Heard>) -> Self {
        Self { hub, id, heard }
    }

    /// Waits until each of the connected has acknowledged the position, or patience ends. True when those have and
    /// the absent too; the absent are not waited for.
    pub(crate) async fn settle(mut self, position: Position, to: Concerned) -> (bool, Vec<Outcome>) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let (mut connected, mut absent) = (unheard(to.connected), unheard(to.absent));
        while connected.values().any(Option::is_none) {
            let Ok(Some(Heard { key, ack })) = timeout_at(deadline, self.heard.recv()).await else { break };
            let slot = connected.get_mut(&key).or_else(|| absent.get_mut(&key));
            if let (true, Some(slot)) = (settles(&ack, position), slot) {
                slot.get_or_insert(ack);
            }
        }
        let all = connected.values().chain(absent.values()).all(Option::is_some);
        (all, connected.into_iter().chain(absent).map(|(key, ack)| outcome(key, ack)).collect())
    }
}

fn unheard(keys: Vec<FeedKey>) -> BTreeMap<FeedKey, Option<Ack>> {
    keys.into_iter().map(|key| (key, None)).collect()
}

/// Whether an acknowledgement says that this position is done: its own, or a snapshot that shows it.
fn settles(ack: &Ack, position: Position) -> bool {
    if ack.snapshot { ack.position >= position } else { ack.position == position }
}

fn outcome(key: FeedKey, ack: Option<Ack>) -> Outcome {
    Outcome {
        name: key.name,
        acknowledged: ack.is_some(),
        sessions_ended: ack.as_ref().map_or(0, |ack| ack.sessions_ended),
        milliseconds: ack.map_or(0.0, |ack| ack.milliseconds),
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.hub.forget_waiter(self.id);
    }
}

//! What control planes on one store tell each other without keeping it: how far the change log reaches, which
//! acknowledgements came in, who gave wrong secrets, that the audit trail has grown.
//!
//! A notice may be lost. The log is looked at once a second all the same, and an acknowledgement that nobody heard is
//! one that is not reported as given.

use std::{net::IpAddr, sync::Arc, time::Duration};

use postern_protocol::gate::{Ack, Position, SidecarName};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::sleep};

use super::hub::FeedKey;
use crate::{
    plane::ControlPlane,
    store::{Listen, StoreError},
};

/// Notices that wait to be sent; what is more is lost.
const QUEUE: usize = 10_000;
const BATCH: usize = 500;

/// PostgreSQL takes less than 8,000 bytes in one go.
const LONGEST: usize = 7_000;
const PAUSE: Duration = Duration::from_millis(200);

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// A process of this sidecar has acknowledged something.
    Ack(SidecarName, Ack),
    /// Somebody at this address gave a wrong secret for this client.
    SignInFailed(IpAddr, String),
    /// The audit trail has grown.
    Recorded,
}

/// What is sent in one go.
#[derive(Debug, Serialize, Deserialize)]
struct Letter<'a> {
    from: &'a str,
    notices: Vec<Notice>,
}

/// Where notices are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Bus(mpsc::Sender<Notice>);

/// Notices on their way out.
#[derive(Debug)]
pub(crate) struct Outbox(mpsc::Receiver<Notice>);

impl Bus {
    /// A new one.
    pub(crate) fn new() -> (Self, Outbox) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), Outbox(receiver))
    }

    /// Tells it to the other control planes. Returns at once.
    pub(crate) fn tell(&self, notice: Notice) {
        let _ = self.0.try_send(notice);
    }
}

/// Sends notices and listens for those of others. Runs until the program ends.
pub(crate) async fn run(plane: Arc<ControlPlane>, outbox: Outbox) {
    tokio::join!(send(&plane, outbox), listen(&plane));
}

async fn send(plane: &ControlPlane, mut outbox: Outbox) {
    let mut notices = Vec::new();
    while outbox.0.recv_many(&mut notices, BATCH).await > 0 {
        let letters = letters(&plane.id, std::mem::take(&mut notices));
        if let Err(error) = plane.store.announce(letters).await {
            tracing::warn!(%error, "the other control planes could not be told of acknowledgements");
        }
    }
}

/// Puts notices into as few letters as will hold them.
fn letters(from: &str, notices: Vec<Notice>) -> Vec<String> {
    let mut letters = Vec::new();
    let mut some = Vec::new();
    let mut length = 0;
    for notice in notices {
        let more = serde_json::to_string(&notice).map_or(0, |text| text.len() + 1);
        if more > LONGEST {
            // Nobody who means well has such names.
            continue;
        }
        if length + more > LONGEST {
            letters.push(Letter { from, notices: std::mem::take(&mut some) });
            length = 0;
        }
        length += more;
        some.push(notice);
    }
    letters.push(Letter { from, notices: some });
    letters.iter().filter_map(|letter| serde_json::to_string(letter).ok()).collect()
}

async fn listen(plane: &ControlPlane) {
    loop {
        match plane.store.listen().await {
            Ok(None) => return,
            Ok(Some(mut ear)) => {
                let Err(error) = hear(plane, &mut *ear).await;
                tracing::warn!(%error, "news of the other control planes is looked for once a second only");
            }
            Err(error) => {
                tracing::warn!(%error, "news of the other control planes is looked for once a second only");
            }
        }
        sleep(PAUSE).await;
    }
}

async fn hear(plane: &ControlPlane, ear: &mut dyn Listen) -> Result<std::convert::Infallible, StoreError> {
    // Something may have been said before anybody listened.
    plane.hub.publish(plane.store.read().await?.log_reach().await?.newest);
    loop {
        take(plane, &ear.next().await?);
    }
}

fn take(plane: &ControlPlane, text: &str) {
    if let Ok(position) = text.parse::<Position>() {
        plane.hub.publish(position);
        return;
    }
    // A newer version may say more than this one understands.
    let Ok(letter) = serde_json::from_str::<Letter<'_>>(text) else { return };
    if letter.from == plane.id {
        return;
    }
    for notice in letter.notices {
        match notice {
            Notice::Ack(name, ack) => {
                let key = FeedKey { name, instance: ack.instance.clone() };
                plane.hub.heard(key, &ack);
            }
            Notice::SignInFailed(address, client) => plane.sign_ins.failed(address, &client),
            Notice::Recorded => plane.bell.ring(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(position: Position) -> Notice {
        let instance = "i".repeat(100);
        let ack = Ack { instance, position, snapshot: false, sessions_ended: 0, milliseconds: 0.5 };
        Notice::Ack("edge-1".into(), ack)
    }

    #[test]
    fn many_notices_go_into_letters_that_are_not_too_long() {
        let notices: Vec<Notice> = (0..500).map(notice).collect();
        let letters = letters("cp_1", notices.clone());
        assert!(letters.iter().all(|letter| letter.len() < 8_000));
        let read = |letter: &String| serde_json::from_str::<Letter<'_>>(letter).unwrap().notices;
        assert_eq!(letters.iter().flat_map(read).collect::<Vec<_>>(), notices);
    }
}

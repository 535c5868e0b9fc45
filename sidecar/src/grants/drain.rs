//! Draining: the sidecar takes no new sessions, and those that are open go on, for ever or until a given moment.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::Drain;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::clock::ControlClock;
use crate::session::{Ending, Registry};

/// How often sessions are looked for that began while the order came in.
const AGAIN: Duration = Duration::from_millis(100);

/// What the control plane has ordered last.
#[derive(Debug)]
pub(crate) struct Draining(watch::Sender<Option<Order>>);

#[derive(Clone, Debug)]
struct Order {
    ending: Ending,
    until: Option<Instant>,
}

impl Default for Draining {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Draining {
    /// The control plane orders it, or takes the order back.
    pub(crate) fn set(&self, drain: Option<&Drain>, clock: &ControlClock) {
        let order = drain.map(|Drain { until, by, reason }| Order {
            ending: Ending::Drained { by: by.clone(), reason: reason.clone() },
            until: until.map(|until| clock.instant(until)),
        });
        self.0.send_replace(order);
    }

    /// Whether no new sessions are taken.
    pub(crate) fn is_on(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Ends what is still open when the given moment comes. Runs for ever.
    pub(crate) async fn enforce(self: Arc<Self>, registry: Arc<Registry>) {
        let mut orders = self.0.subscribe();
        loop {
            let order = orders.borrow_and_update().clone();
            tokio::select! {
                changed = orders.changed() => if changed.is_err() { return },
                () = carry_out(order, &registry) => {}
            }
        }
    }
}

async fn carry_out(order: Option<Order>, registry: &Registry) {
    let Some(Order { ending, until: Some(until) }) = order else { return std::future::pending().await };
    sleep_until(until).await;
    loop {
        registry.end_all(&ending);
        sleep(AGAIN).await;
    }
}

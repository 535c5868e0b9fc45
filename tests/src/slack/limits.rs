//! Slack's own count of how often an app calls.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Counts calls, by method and channel. One that goes on for long may be as fast as Slack's pages say, times `haste`,
/// and a burst of some is let through.
#[derive(Debug)]
pub(super) struct Limits {
    pub haste: u32,
    lanes: HashMap<String, Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { haste: 1, lanes: HashMap::new() }
    }
}

/// How many calls may come together, beyond which the long run counts.
const BURST: u32 = 60;

fn each(method: &str) -> Duration {
    match method {
        "chat.postMessage" => Duration::from_secs(1),
        "conversations.history" | "conversations.open" | "chat.update" | "bots.info" => {
            Duration::from_millis(1_200)
        }
        "apps.connections.open" => Duration::from_millis(100),
        _ => Duration::from_millis(600),
    }
}

impl Limits {
    /// Whether a call may be made now.
    pub(super) fn admit(&mut self, method: &str, channel: &str) -> bool {
        let (now, each) = (Instant::now(), each(method) / self.haste);
        let busy_until = self.lanes.entry(format!("{method} {channel}")).or_insert(now);
        if busy_until.saturating_duration_since(now) > each * BURST {
            return false;
        }
        *busy_until = (*busy_until).max(now) + each;
        true
    }
}

//! How fast Slack lets an app call: so many at once, then one after the other, method by method and channel by channel.
//!
//! <https://docs.slack.dev/apis/web-api/rate-limits>

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Lanes that nobody waits in any more are forgotten beyond so many.
const MOST_LANES: usize = 1_024;

/// The speed of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speed {
    /// How many may go at once.
    pub burst: u32,
    /// The time that each takes in the long run.
    pub each: Duration,
}

/// Hands out turns.
#[derive(Debug, Default)]
pub(super) struct Pace {
    lanes: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    /// Takes a turn: how long to wait for it. A lane is full when its turns reach further ahead than a burst does.
    pub(super) fn take(&self, lane: &str, speed: Speed, now: Instant) -> Duration {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= MOST_LANES {
            lanes.retain(|_, busy_until| *busy_until > now);
        }
        let busy_until = lanes.entry(lane.to_owned()).or_insert(now);
        let ahead = speed.each.saturating_mul(speed.burst.saturating_sub(1));
        let begin = (*busy_until).max(now);
        *busy_until = begin + speed.each;
        begin.saturating_duration_since(now + ahead)
    }

    /// Slack said to wait: nobody of this lane goes before that.
    pub(super) fn hold(&self, lane: &str, speed: Speed, wait: Duration, now: Instant) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = speed.each.saturating_mul(speed.burst.saturating_sub(1));
        let busy_until = lanes.entry(lane.to_owned()).or_insert(now);
        *busy_until = (*busy_until).max(now + wait + ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: Speed = Speed { burst: 3, each: Duration::from_secs(1) };

    #[test]
    fn a_burst_goes_at_once_and_the_rest_one_by_one() {
        let (pace, now) = (Pace::default(), Instant::now());
        let waits: Vec<u64> = (0..6).map(|_| pace.take("C1", SPEED, now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 3]);
        assert_eq!(pace.take("C2", SPEED, now), Duration::ZERO);
        assert_eq!(pace.take("C1", SPEED, now + Duration::from_secs(10)), Duration::ZERO);
    }

    #[test]
    fn what_slack_says_about_waiting_holds_for_everybody_in_the_lane() {
        let (pace, now) = (Pace::default(), Instant::now());
        pace.hold("C1", SPEED, Duration::from_secs(30), now);
        assert_eq!(pace.take("C1", SPEED, now), Duration::from_secs(30));
        assert_eq!(pace.take("C1", SPEED, now), Duration::from_secs(31));
        assert_eq!(pace.take("C2", SPEED, now), Duration::ZERO);
    }
}

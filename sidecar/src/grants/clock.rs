//! The control plane's clock, told in instants of our own monotonic one.
//!
//! Every signed message carries the control plane's time. Grants name their ends in that time, so the sidecar's own
//! wall clock is never asked and may step as it likes. A message can only arrive late, never early: the mapping
//! therefore keeps the earliest estimate, and follows a drifting clock no faster than clocks drift.

use std::time::Duration;

use tokio::time::Instant;

/// Clocks that are further apart than this in a second are broken, or somebody delays our messages.
const DRIFT_PER_SECOND: Duration = Duration::from_micros(500);

/// Maps the control plane's milliseconds to instants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ControlClock {
    /// The control plane's time at `at`, as far as is known.
    now: i64,
    at: Instant,
}

impl ControlClock {
    /// A new stream began: we asked at `asked`, and the answer to that said `now`. The truth lies behind `asked`.
    pub(crate) const fn begin(now: i64, asked: Instant) -> Self {
        Self { now, at: asked }
    }

    /// A message that says `now` arrived at `arrived`.
    pub(crate) fn hear(&mut self, now: i64, arrived: Instant) {
        let expected = self.instant(now);
        let elapsed = arrived.saturating_duration_since(self.at);
        let allowance = DRIFT_PER_SECOND.mul_f64(elapsed.as_secs_f64());
        // Later than expected: delayed, or the other clock is slow; follow it as far as drift explains.
        // Earlier than expected: the messages before were delayed; take the better estimate whole.
        self.at = arrived.min(expected + allowance);
        self.now = now;
    }

    /// When the control plane's clock shows `then`.
    pub(crate) fn instant(&self, then: i64) -> Instant {
        let ahead = Duration::from_millis(then.saturating_sub(self.now).unsigned_abs());
        if then >= self.now {
            // Ten years are as good as never; a deadline that overflows the clock must still be a deadline.
            self.at + ahead.min(Duration::from_hours(10 * 365 * 24))
        } else {
            self.at.checked_sub(ahead).unwrap_or(self.at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_delayed_message_moves_nothing() {
        let start = Instant::now();
        let mut clock = ControlClock::begin(1_000_000, start);
        clock.hear(1_001_000, start + SECOND * 31);
        let shift = clock.instant(1_010_000) - (start + SECOND * 10);
        assert!(shift < SECOND / 10, "{shift:?}");
    }

    #[test]
    fn a_faster_message_corrects_a_slow_beginning() {
        let start = Instant::now();
        let mut clock = ControlClock::begin(1_000_000, start + SECOND * 5);
        clock.hear(1_010_000, start + SECOND * 10);
        assert_eq!(clock.instant(1_020_000), start + SECOND * 20);
    }

    #[test]
    fn a_slow_clock_is_followed() {
        let start = Instant::now();
        let mut clock = ControlClock::begin(0, start);
        for beat in 1..=100_000_u32 {
            // 100 parts per million slow: every beat comes 100 microseconds later than it says.
            clock.hear(i64::from(beat) * 1_000, start + (SECOND + Duration::from_micros(100)) * beat);
        }
        let expected = start + (SECOND + Duration::from_micros(100)) * 100_000;
        assert!(expected - clock.instant(100_000_000) < SECOND / 100);
    }

    #[test]
    fn the_past_stays_the_past() {
        let start = Instant::now();
        let clock = ControlClock::begin(5_000, start);
        assert!(clock.instant(0) <= start);
        assert!(clock.instant(i64::MAX) > start);
        assert!(clock.instant(i64::MIN) <= start);
    }
}

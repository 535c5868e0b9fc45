//! What the store keeps of the control planes' clock: what it said at some moment of another clock that goes on while
//! no control plane runs.

use std::{fs, time::Duration};

use crate::domain::Moment;

/// No control plane tells a time that lies further ahead of the newest mark.
pub(crate) const AHEAD: Duration = Duration::from_secs(4);

/// A mark as it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockMark {
    /// What the clock said.
    pub at: Moment,
    /// How long ago that was, if that can be told.
    pub elapsed: Option<Duration>,
}

/// A moment of another clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Which clock. It has no space.
    clock: String,
    at: Duration,
    /// No more than this is believed to have passed.
    most: Duration,
}

impl Reference {
    /// Now, on the clock that counts from this machine's start; nothing where the system does not tell.
    pub(super) fn uptime() -> Option<Self> {
        let clock = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        Some(Self { clock, at: Duration::try_from_secs_f64(seconds).ok()?, most: Duration::MAX })
    }

    /// A moment of the database server's clock, in milliseconds since the Unix epoch. It may be set, so that it is
    /// believed no further than is needed.
    pub(super) fn server(millis: u64) -> Self {
        Self { clock: "server".to_owned(), at: Duration::from_millis(millis), most: AHEAD }
    }
}

/// As the store keeps it.
pub(super) fn text(at: Moment, reference: Option<&Reference>) -> String {
    let at = at.as_millis();
    reference.map_or_else(
        || at.to_string(),
        |reference| format!("{at} {} {}", reference.clock, reference.at.as_millis()),
    )
}

/// What the store kept, and what has passed since.
pub(super) fn read(text: &str, now: Option<&Reference>) -> Option<ClockMark> {
    let mut parts = text.split(' ');
    let at = Moment::from_millis(parts.next()?.parse().ok()?);
    let then = parts.next().zip(parts.next().and_then(|millis| millis.parse().ok()));
    let elapsed = match (then, now) {
        (Some((clock, millis)), Some(now)) if clock == now.clock => {
            now.at.checked_sub(Duration::from_millis(millis)).map(|elapsed| elapsed.min(now.most))
        }
        (None | Some(_), None | Some(_)) => None,
    };
    Some(ClockMark { at, elapsed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uptime(clock: &str, seconds: u64) -> Reference {
        Reference { clock: clock.to_owned(), at: Duration::from_secs(seconds), most: Duration::MAX }
    }

    #[test]
    fn what_has_passed_is_told_by_the_same_clock_alone() {
        let at = Moment::from_millis(1_000_000);
        let kept = text(at, Some(&uptime("a", 100)));
        for (now, elapsed) in [
            (Some(uptime("a", 160)), Some(Duration::from_mins(1))),
            (Some(uptime("a", 99)), None),
            (Some(uptime("b", 500)), None),
            (None, None),
        ] {
            assert_eq!(read(&kept, now.as_ref()), Some(ClockMark { at, elapsed }), "{now:?}");
        }
        assert_eq!(read(&text(at, None), Some(&uptime("a", 1))), Some(ClockMark { at, elapsed: None }));
    }

    #[test]
    fn a_clock_that_may_be_set_is_believed_no_further_than_is_needed() {
        let at = Moment::from_millis(1_000_000);
        let kept = text(at, Some(&Reference::server(5_000)));
        for (now, elapsed) in [(6_000, Some(Duration::from_secs(1))), (5_000_000, Some(AHEAD)), (4_000, None)]
        {
            assert_eq!(read(&kept, Some(&Reference::server(now))), Some(ClockMark { at, elapsed }), "{now}");
        }
    }
}

//! A moment on the control plane's clock.

use jiff::Timestamp;
use postern_protocol::duration::Span;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, as [`crate::clock::Clock`] tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moment(i64);

impl Moment {
    /// From milliseconds since the Unix epoch.
    pub(crate) const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) const fn as_millis(self) -> i64 {
        self.0
    }

    /// This much later.
    #[must_use]
    pub(crate) fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This much earlier.
    #[must_use]
    pub(crate) fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Seconds from `earlier` to here; 0 when `earlier` is later.
    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        let millis = u32::try_from(self.0.saturating_sub(earlier.0).max(0)).unwrap_or(u32::MAX);
        f64::from(millis) / 1_000.0
    }

    /// As RFC 3339 prints it.
    pub(crate) fn timestamp(self) -> Timestamp {
        let outside = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(outside)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}

fn millis(span: Span) -> i64 {
    i64::try_from(span.duration().as_millis()).unwrap_or(i64::MAX)
}

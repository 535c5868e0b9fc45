//! A grant with its times on our own clock.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::{GrantId, SessionTerms};
use tokio::time::Instant;

use super::{Access, clock::ControlClock};
use crate::{enforce::Limits, session::Deadline};

/// A grant that is held now.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: GrantId,
    /// Who, where, as whom; one for all grants that agree in it.
    pub(super) access: Arc<Access>,
    pub(super) limits: Option<Arc<Limits>>,
    told: Told,
    starts: Instant,
    ends: Instant,
    hours: Option<Box<[Stretch]>>,
}

/// What the control plane said of a grant's revision and times, on its own clock.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    revision: u64,
    not_before: i64,
    expires_at: i64,
    /// Absent where it asks for nothing.
    session: Option<Box<SessionTerms>>,
}

impl Told {
    /// As a grant has it.
    pub(super) fn new(revision: u64, not_before: i64, expires_at: i64, session: SessionTerms) -> Self {
        let session = (!session.are_none()).then(|| Box::new(session));
        Self { revision, not_before, expires_at, session }
    }
}

/// Sessions live from then until then.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Instant,
    to: Instant,
}

/// What a grant says of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hour {
    /// Sessions may live, until then.
    Open(Deadline),
    /// The grant begins in so much time.
    NotYet(Duration),
    /// Outside of its hours; so much time before they begin again, if they do.
    Closed(Option<Duration>),
    /// The grant is over.
    Over,
}

impl Held {
    /// Puts a grant on our clock.
    pub(super) fn new(
        id: GrantId,
        access: Arc<Access>,
        limits: Option<Arc<Limits>>,
        told: Told,
        clock: &ControlClock,
    ) -> Self {
        let (starts, ends) = (clock.instant(told.not_before), clock.instant(told.expires_at));
        let stretch = |stretch: &postern_protocol::gate::Stretch| Stretch {
            from: clock.instant(stretch.from),
            to: clock.instant(stretch.to),
        };
        let hours = told.session.as_ref().and_then(|session| session.hours.as_ref());
        let hours = hours.map(|hours| hours.iter().map(stretch).collect());
        Self { id, access, limits, told, starts, ends, hours }
    }

    /// The same revision never lasts longer than it did before, however the control plane's clock was set since.
    pub(super) fn no_longer_than(mut self, before: &Self) -> Self {
        let same = self.told == before.told && self.access == before.access && self.limits == before.limits;
        if !same {
            return self;
        }
        (self.starts, self.ends) = (self.starts.max(before.starts), self.ends.min(before.ends));
        for (stretch, earlier) in self.hours.iter_mut().flatten().zip(before.hours.iter().flatten()) {
            stretch.from = stretch.from.max(earlier.from);
            stretch.to = stretch.to.min(earlier.to);
        }
        self
    }

    /// Grows with every change of the grant.
    pub(super) const fn revision(&self) -> u64 {
        self.told.revision
    }

    /// When it is over.
    pub(super) const fn ends(&self) -> Instant {
        self.ends
    }

    /// Whether sessions may live at this moment.
    pub(super) fn at(&self, now: Instant) -> Hour {
        if now >= self.ends {
            return Hour::Over;
        }
        if now < self.starts {
            return Hour::NotYet(self.starts - now);
        }
        let Some(hours) = &self.hours else { return Hour::Open(Deadline::Grant(self.ends)) };
        match hours.iter().find(|stretch| now < stretch.to) {
            Some(stretch) if now < stretch.from && stretch.from < self.ends => {
                Hour::Closed(Some(stretch.from - now))
            }
            Some(stretch) if now < stretch.from => Hour::Closed(None),
            Some(stretch) if stretch.to < self.ends => Hour::Open(Deadline::Hours(stretch.to)),
            Some(_) => Hour::Open(Deadline::Grant(self.ends)),
            None => Hour::Closed(None),
        }
    }

    /// How long a session may be idle.
    pub(super) fn max_idle(&self) -> Option<Duration> {
        self.told.session.as_ref()?.max_idle.map(Duration::from)
    }

    /// How many sessions there may be here at once.
    pub(super) fn max_sessions(&self) -> Option<u32> {
        self.told.session.as_ref()?.max_sessions
    }

    /// The higher, the better.
    pub(super) fn rank(&self, until: Deadline) -> (bool, Instant) {
        (self.limits.is_none(), until.at())
    }
}

#[cfg(test)]
mod tests {
    use postern_protocol::gate::Stretch;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn held(hours: &[(i64, i64)], clock: &ControlClock, before: Option<&Held>) -> Held {
        let hours = hours.iter().map(|(from, to)| Stretch { from: from * 1_000, to: to * 1_000 }).collect();
        let session = SessionTerms { hours: Some(hours), ..SessionTerms::default() };
        let access = Access { identity: "alice".into(), repo: "sales".into(), account: "app_ro".into() };
        let held = Held::new("g_1".into(), Arc::new(access), None, Told::new(1, 0, 100_000, session), clock);
        if let Some(before) = before { held.no_longer_than(before) } else { held }
    }

    #[test]
    fn sessions_live_inside_the_hours_and_inside_the_grant() {
        let start = Instant::now();
        let held = held(&[(10, 20), (30, 40), (90, 120)], &ControlClock::begin(0, start), None);
        let at = |second: u32| start + SECOND * second;
        for (second, expected) in [
            (0, Hour::Closed(Some(SECOND * 10))),
            (10, Hour::Open(Deadline::Hours(at(20)))),
            (19, Hour::Open(Deadline::Hours(at(20)))),
            (20, Hour::Closed(Some(SECOND * 10))),
            (35, Hour::Open(Deadline::Hours(at(40)))),
            (95, Hour::Open(Deadline::Grant(at(100)))),
            (100, Hour::Over),
        ] {
            assert_eq!(held.at(at(second)), expected, "{second}");
        }
    }

    #[test]
    fn hours_that_are_over_do_not_begin_again_and_none_at_all_never_begin() {
        let start = Instant::now();
        let clock = ControlClock::begin(0, start);
        assert_eq!(held(&[(10, 20)], &clock, None).at(start + SECOND * 50), Hour::Closed(None));
        assert_eq!(held(&[], &clock, None).at(start + SECOND * 50), Hour::Closed(None));
        assert_eq!(held(&[(200, 300)], &clock, None).at(start + SECOND * 50), Hour::Closed(None));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lengthen_the_hours() {
        let start = Instant::now();
        let first = held(&[(10, 20)], &ControlClock::begin(0, start), None);
        let set_back = ControlClock::begin(0, start + SECOND * 5);
        let second = held(&[(10, 20)], &set_back, Some(&first));
        assert_eq!(second.at(start + SECOND * 16), Hour::Open(Deadline::Hours(start + SECOND * 20)));
        assert_eq!(second.at(start + SECOND * 20), Hour::Closed(None));
    }
}

//! A grant with its times on our own clock.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::Grant;
use tokio::time::Instant;

use super::clock::ControlClock;
use crate::{
    enforce::{Limits, Tally},
    session::Deadline,
};

/// A grant that is held now.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) grant: Grant,
    pub(super) limits: Option<Arc<Limits>>,
    /// What its sessions have moved, whatever its revision.
    pub(super) tally: Arc<Tally>,
    starts: Instant,
    ends: Instant,
    hours: Option<Box<[Stretch]>>,
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
    /// Puts a grant on our clock. The same revision never lasts longer than it did before, however the control plane's
    /// clock was set since.
    pub(super) fn new(
        grant: Grant,
        limits: Option<Arc<Limits>>,
        clock: &ControlClock,
        before: Option<&Self>,
    ) -> Self {
        let tally = before.map(|before| Arc::clone(&before.tally)).unwrap_or_default();
        let (mut starts, mut ends) = (clock.instant(grant.not_before), clock.instant(grant.expires_at));
        let stretch = |stretch: &postern_protocol::gate::Stretch| Stretch {
            from: clock.instant(stretch.from),
            to: clock.instant(stretch.to),
        };
        let mut hours: Option<Box<[Stretch]>> =
            grant.session.hours.as_ref().map(|hours| hours.iter().map(stretch).collect());
        if let Some(before) = before.filter(|before| before.grant == grant) {
            (starts, ends) = (starts.max(before.starts), ends.min(before.ends));
            let earlier = before.hours.iter().flatten();
            for (stretch, earlier) in hours.iter_mut().flatten().zip(earlier) {
                stretch.from = stretch.from.max(earlier.from);
                stretch.to = stretch.to.min(earlier.to);
            }
        }
        Self { grant, limits, tally, starts, ends, hours }
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
        self.grant.session.max_idle.map(Duration::from)
    }

    /// The higher, the better.
    pub(super) fn rank(&self, until: Deadline) -> (bool, Instant) {
        (self.limits.is_none(), until.at())
    }
}

#[cfg(test)]
mod tests {
    use postern_protocol::gate::{Scope, SessionTerms, Stretch, Terms};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn held(hours: &[(i64, i64)], clock: &ControlClock, before: Option<&Held>) -> Held {
        let hours = hours.iter().map(|(from, to)| Stretch { from: from * 1_000, to: to * 1_000 }).collect();
        let grant = Grant {
            id: "g_1".into(),
            revision: 1,
            identity: "alice".into(),
            repo: "sales".into(),
            account: "app_ro".into(),
            scope: Scope::Whole,
            terms: Terms::default(),
            session: SessionTerms { hours: Some(hours), ..SessionTerms::default() },
            not_before: 0,
            expires_at: 100_000,
        };
        Held::new(grant, None, clock, before)
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

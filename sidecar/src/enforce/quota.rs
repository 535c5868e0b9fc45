//! How much a session moves: rows in one answer, rows and statements in a minute; and which tables. The minutes are the
//! grant's: all of its sessions here share one [`Tally`].
//!
//! A statement too many is refused, and the session goes on. Rows too many are not there to be refused any more: the
//! answer is cut off, and the session ends with it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use postern_protocol::gate::MovementLimits;

use super::{
    Denial, Reason,
    uses::{Ledger, Met, Uses},
};

const MINUTE: Duration = Duration::from_mins(1);

/// What was counted since a minute began.
#[derive(Debug, Default)]
struct Window {
    begun: Option<Instant>,
    count: u64,
}

impl Window {
    /// Counts; how long until the next minute if that was more than `most`.
    fn add(&mut self, count: u64, most: u64, now: Instant) -> Option<Duration> {
        let begun = self.begun.filter(|begun| now.duration_since(*begun) < MINUTE);
        if begun.is_none() {
            *self = Self { begun: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(count);
        let age = begun.map_or(Duration::ZERO, |begun| now.duration_since(begun));
        (self.count > most).then(|| MINUTE.saturating_sub(age))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.duration_since(begun) >= MINUTE)
    }
}

/// What all sessions of a grant have moved in the minutes that run, and what they have used.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    statements: Mutex<Window>,
    rows: Mutex<Window>,
    ledger: Ledger,
}

impl Tally {
    /// Whether nothing that it counted counts any more, and all of it is told.
    pub(crate) fn is_over(&self) -> bool {
        let now = Instant::now();
        let over = [&self.statements, &self.rows]
            .iter()
            .all(|window| window.lock().unwrap_or_else(PoisonError::into_inner).is_over(now));
        over && self.ledger.is_told()
    }

    /// What was used.
    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn add(window: &Mutex<Window>, count: u64, most: u64) -> Option<Duration> {
    window.lock().unwrap_or_else(PoisonError::into_inner).add(count, most, Instant::now())
}

/// The counts of one session.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    tally: Arc<Tally>,
    in_answer: u64,
    met: Met,
}

impl Quota {
    /// Of a session that adds to this tally.
    pub(crate) fn new(tally: Arc<Tally>) -> Self {
        Self { tally, in_answer: 0, met: Met::default() }
    }

    /// A statement that uses this is let through.
    pub(crate) fn uses(&mut self, uses: &Arc<Uses>) {
        self.met.meet(uses, &self.tally.ledger);
    }

    /// Leave to run so many statements more.
    pub(crate) fn statements(&self, count: u64, limits: MovementLimits) -> Result<(), Denial> {
        let Some(most) = limits.statements_per_minute else { return Ok(()) };
        add(&self.tally.statements, count, most).map_or(Ok(()), |wait| {
            let message = format!("the grant allows {most} statements a minute");
            let hint = format!("Go on in {} s.", wait.as_secs() + 1);
            Err(Denial::in_words(Reason::Rate, "53400", message, "").with_hint(hint))
        })
    }

    /// Counts rows on their way to the client, where so many of the same answer came `before`; what was exceeded, if
    /// anything was.
    pub(crate) fn rows(&mut self, before: u64, count: u64, limits: MovementLimits) -> Result<(), String> {
        self.in_answer = self.in_answer.saturating_add(count);
        let in_answer = self.in_answer.saturating_add(before);
        if let Some(most) = limits.max_rows.filter(|most| in_answer > *most) {
            return Err(format!("the grant allows {most} rows in one answer"));
        }
        match limits.rows_per_minute {
            Some(most) if count > 0 && add(&self.tally.rows, count, most).is_some() => {
                Err(format!("the grant allows {most} rows a minute"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// An answer is over, or will be continued; how many rows it had.
    pub(crate) const fn answered(&mut self) -> u64 {
        std::mem::replace(&mut self.in_answer, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_so_many_statements() {
        let limits = MovementLimits { statements_per_minute: Some(2), ..MovementLimits::default() };
        let quota = Quota::default();
        assert!(quota.statements(2, limits).is_ok());
        let denial = quota.statements(1, limits).unwrap_err();
        assert_eq!((denial.sqlstate, &*denial.message), ("53400", "the grant allows 2 statements a minute"));
        let mut window = Window::default();
        let now = Instant::now();
        assert!(window.add(3, 2, now).is_some());
        assert!(!window.is_over(now) && window.is_over(now + MINUTE));
        assert!(window.add(2, 2, now + MINUTE).is_none());
    }

    #[test]
    fn a_grants_sessions_share_its_minutes_and_each_answer_stands_alone() {
        let limits =
            MovementLimits { max_rows: Some(2), rows_per_minute: Some(3), statements_per_minute: Some(3) };
        let tally = Arc::new(Tally::default());
        let (mut one, mut other) = (Quota::new(Arc::clone(&tally)), Quota::new(tally));
        assert!(one.statements(2, limits).is_ok() && other.statements(1, limits).is_ok());
        assert!(one.statements(1, limits).is_err() && other.statements(1, limits).is_err());
        assert!(one.rows(0, 2, limits).is_ok() && other.rows(0, 1, limits).is_ok());
        assert_eq!(other.rows(0, 1, limits).unwrap_err(), "the grant allows 3 rows a minute");
        assert!(Quota::default().statements(3, limits).is_ok(), "another grant's minute is its own");
    }

    #[test]
    fn rows_are_counted_by_the_answer_and_by_the_minute() {
        let limits =
            MovementLimits { max_rows: Some(2), rows_per_minute: Some(3), ..MovementLimits::default() };
        let mut quota = Quota::default();
        assert!(quota.rows(0, 2, limits).is_ok());
        quota.answered();
        assert!(quota.rows(0, 1, limits).is_ok());
        assert_eq!(quota.rows(0, 1, limits).unwrap_err(), "the grant allows 3 rows a minute");
        assert_eq!(quota.rows(0, 1, limits).unwrap_err(), "the grant allows 2 rows in one answer");
        let mut quota = Quota::default();
        assert!(quota.rows(1, 1, limits).is_ok());
        assert_eq!(quota.answered(), 1);
        assert_eq!(quota.rows(2, 1, limits).unwrap_err(), "the grant allows 2 rows in one answer");
    }
}

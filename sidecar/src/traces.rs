//! The traces that verdicts leave: in the audit, in the metrics, in the log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::metrics::Counter;
use postern_service::audit::Event;

use crate::{
    enforce::{Breach, Denial, News},
    gatehouse::Gatehouse,
    metrics::{self, Decisions},
    session::{Ending, Session, Violation},
};

/// So many denials of one session are recorded one by one within [`WINDOW`]; the others are counted in the next
/// record. Whoever asks for too much at will must not fill the audit for all.
const EACH: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);

/// Where one session's traces go.
pub(crate) struct Traces {
    house: Arc<Gatehouse>,
    session: Arc<Session>,
    /// Takes the literals out of a text.
    redact: fn(&str) -> String,
    window: Instant,
    recorded: u32,
    unrecorded: u64,
    allowed: Counter,
    decisions: Decisions,
}

impl Traces {
    pub(crate) fn new(house: &Arc<Gatehouse>, session: &Arc<Session>, redact: fn(&str) -> String) -> Self {
        let (house, session) = (Arc::clone(house), Arc::clone(session));
        let (allowed, decisions) = (metrics::allowed(&session.repo), Decisions::new());
        Self {
            house,
            session,
            redact,
            window: Instant::now(),
            recorded: 0,
            unrecorded: 0,
            allowed,
            decisions,
        }
    }

    /// Takes down what a guard has to tell.
    pub(crate) fn leave(&mut self, news: Option<News>) {
        let Some(News { allowed, denied, judged }) = news else { return };
        self.allowed.increment(allowed);
        for (hit, took) in judged {
            self.decisions.record(hit, took);
        }
        for (text, denial) in denied {
            metrics::denied(&self.session.repo, denial.reason.label());
            self.record(&text, &denial);
        }
    }

    fn record(&mut self, text: &str, denial: &Denial) {
        if self.window.elapsed() > WINDOW {
            (self.window, self.recorded) = (Instant::now(), 0);
        }
        if self.recorded >= EACH {
            self.unrecorded += 1;
            return;
        }
        self.recorded += 1;
        let mut event = Event::new("statement.denied")
            .with("statement", (self.redact)(text))
            .with("reason", denial.reason.label())
            .with("identifier", denial.culprit.as_str())
            .with("sqlstate", denial.sqlstate);
        if self.unrecorded > 0 {
            event = event.with("unrecorded", std::mem::take(&mut self.unrecorded));
        }
        self.house.record(&self.session, event);
    }

    /// Ends the session for what it does not survive; a breach of the protocol is its relay's to end.
    pub(crate) fn breach(&self, breach: Breach) -> Result<(), Violation> {
        match breach {
            Breach::Violation(violation) => return Err(Violation(violation)),
            Breach::Tripwire(what) => self.tripwire(&what),
            Breach::Exceeded(what) => drop(self.session.leash.fall(Ending::Exceeded(what))),
        }
        Ok(())
    }

    /// A result, or a setting, is not what the verdict said it would be: the session ends, and its operator is told.
    pub(crate) fn tripwire(&self, what: &str) {
        if !self.session.leash.fall(Ending::Tripwire) {
            return;
        }
        metrics::tripwire(&self.session.repo);
        tracing::error!(session = %self.session.id, repo = %self.session.repo, what, "a verdict was wrong: the session was ended");
        self.house.record(&self.session, Event::new("session.tripwire").with("message", what));
    }
}

//! Holds one session to its grant, command by command.
//!
//! In: the bytes of client and server, in any division. Out: the bytes that go on, and errors in the place of answers.
//! One command is with the server at a time, for what a statement means depends on those before it; what a client sends
//! meanwhile waits here. A statement is judged when it is prepared or sent, and again when it is used on other ground.
//! There is no socket here and nothing to wait for: where a newer catalog might decide otherwise the guard says so and
//! is asked again.

mod client;
mod listing;
mod redact;
mod scrub;
mod server;
mod statements;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;
use postern_protocol::mysql::{Capabilities, ChangeUser, Conversation, ErrorText};

pub(crate) use self::redact::redact;
use self::{
    listing::Listing,
    scrub::Scrubber,
    statements::{Statements, Text},
};
use super::{Change, Ground, Judgement, SqlMode, judge, told};
use crate::enforce::{Breach, Denial, News, Quota, Reason, Remedy, Verdict, Verdicts};

/// Longer statements are no statements for limited sessions.
const LONGEST: usize = 8 * 1024 * 1024;
/// Longer texts are judged where nobody waits for them.
const LONG: usize = 16 * 1024;

/// Whether a text is too large to be kept for others.
const fn is_large(instead: &[u8]) -> bool {
    instead.len() > LONG
}

/// How a guard goes on.
#[derive(Debug)]
pub(crate) enum Pace {
    /// It takes more bytes.
    Going,
    /// It has some, and will look at them when the server has answered.
    Waiting,
    /// It takes none until the database was asked for a newer catalog, and [`Guard::resume`] was called.
    WantsCatalog,
    /// It takes none until [`Guard::long_text`] was judged elsewhere, and [`Guard::resume`] was called.
    WantsVerdict,
    /// The session is over, and another one begins in the same connection.
    Over(Over),
}

/// What a client begins anew with. The number is that of the answer's first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Over {
    /// As somebody else, perhaps.
    Login(u8, Box<ChangeUser>),
    /// As the same, with everything as it was at the beginning.
    Reset(u8),
}

/// A text that takes its time to be judged, and what it is to be judged on.
#[derive(Clone, Debug)]
pub(crate) struct LongText {
    text: Arc<[u8]>,
    ground: Ground,
}

impl LongText {
    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Judges it.
    pub(crate) fn judged(self) -> Judged {
        let verdict = judge(&self.text, &self.ground).map(Arc::new);
        Judged { text: self.text, ground: self.ground, verdict }
    }

    /// It could not be judged.
    pub(crate) fn failed(self) -> Judged {
        let denial = told::unclear(Reason::Statement, "", "the statement could not be judged");
        Judged { text: self.text, ground: self.ground, verdict: Err(denial) }
    }
}

/// What was found about a long text.
#[derive(Debug)]
pub(crate) struct Judged {
    text: Arc<[u8]>,
    ground: Ground,
    verdict: Verdict<Judgement>,
}

/// Why a command is not passed.
#[derive(Debug)]
enum Objection {
    Denied(Denial),
    /// A newer catalog may know better.
    Stale,
    /// The verdict takes too long to be waited for here.
    Long,
}

impl From<Denial> for Objection {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What outlives a session in whose connection another one begins for the same client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The current database.
    pub(crate) database: Option<Arc<str>>,
    /// What the client has said already and nobody has looked at.
    pub(crate) said: BytesMut,
}

/// What of a session does not change while it lives.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// What client and server have agreed upon.
    pub(crate) capabilities: Capabilities,
    /// The session's character set agrees with UTF-8 in ASCII only, so texts have to be ASCII.
    pub(crate) ascii_only: bool,
    pub(crate) remedy: Remedy,
}

/// What the server is doing.
#[derive(Clone, Debug, Default)]
enum Running {
    /// Nothing that was judged.
    #[default]
    Nothing,
    /// Statements, of which so many are done.
    Text(Text, usize),
    /// It prepares one.
    Preparing(Text),
    /// It executes or fetches from the prepared statement with this id.
    Prepared(u32),
    /// It changes the database.
    Change(Change),
    /// It lists the columns of a table, of which the client sees these.
    Listing(Box<[Box<str>]>),
}

/// Says which of the server's own connections a client means, if it is one of its own.
pub(crate) type OwnConnections = Box<dyn Fn(u32) -> Option<u32> + Send>;

/// The guard of one session.
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(crate) struct Guard {
    session: Session,
    ground: Ground,
    /// Counts grounds.
    epoch: u64,
    verdicts: Arc<Verdicts<Ground>>,
    own_connections: OwnConnections,
    conversation: Conversation,
    /// Of the client's, not yet decided about.
    waiting: BytesMut,
    /// So much of the current packet of the client's goes as it is, or goes nowhere.
    passing: usize,
    dropping: bool,
    /// The packet that passes is continued by the next.
    continued: bool,
    running: Running,
    /// Looks at errors that may quote what the session may not read.
    scrubber: Option<Scrubber>,
    /// Looks at a list of columns.
    listing: Option<Listing>,
    /// The last statement left warnings or an error behind, which may quote what the session may not read.
    quotes: bool,
    statements: Statements,
    /// Errors for the client, in the place of answers.
    answers: BytesMut,
    long: Option<LongText>,
    judged: Option<Judged>,
    /// The catalog is as new as can be for the command at hand.
    asked: bool,
    /// Long texts are judged here and now.
    patient: bool,
    quota: Quota,
    rows: u64,
    news: News,
}

impl Guard {
    /// A guard on this ground.
    pub(crate) fn new(
        session: Session,
        ground: Ground,
        verdicts: Arc<Verdicts<Ground>>,
        own_connections: OwnConnections,
        quota: Quota,
    ) -> Self {
        Self {
            conversation: Conversation::new(session.capabilities),
            session,
            ground,
            epoch: 1,
            verdicts,
            own_connections,
            waiting: BytesMut::new(),
            passing: 0,
            dropping: false,
            continued: false,
            running: Running::Nothing,
            scrubber: None,
            listing: None,
            quotes: false,
            statements: Statements::default(),
            answers: BytesMut::new(),
            long: None,
            judged: None,
            asked: false,
            patient: false,
            quota,
            rows: 0,
            news: News::default(),
        }
    }

    /// The ground that it stands on.
    pub(crate) const fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Puts it on other ground; everything is judged again when it is used next.
    pub(crate) fn stand_on(&mut self, ground: Ground) {
        self.ground = ground;
        self.epoch += 1;
    }

    /// Whether all that is being executed or lies open is covered by the ground it stands on.
    pub(crate) fn still_covers(&mut self) -> bool {
        let mut open: Vec<Text> = self.statements.open().cloned().collect();
        match &self.running {
            Running::Text(text, _) | Running::Preparing(text) => open.push(text.clone()),
            Running::Prepared(id) => open.extend(self.statements.get(*id).cloned()),
            Running::Nothing | Running::Change(_) | Running::Listing(_) => {}
        }
        (self.asked, self.patient) = (true, true);
        let covered = open.iter().all(|text| self.covered(text).is_ok());
        (self.asked, self.patient) = (false, false);
        covered
    }

    /// The text that has to be judged elsewhere.
    pub(crate) fn long_text(&mut self) -> Option<LongText> {
        self.long.take()
    }

    /// It was.
    pub(crate) fn take_judged(&mut self, judged: Judged) {
        self.judged = Some(judged);
    }

    /// What the command waited for has come.
    pub(crate) fn resume(&mut self, up: &mut BytesMut) -> Result<Pace, Breach> {
        self.asked = true;
        let pace = self.commands(up);
        self.asked = false;
        pace
    }

    /// What the next session in this connection begins with.
    pub(crate) fn into_kept(self) -> Kept {
        Kept { database: self.ground.database, said: self.waiting }
    }

    /// What the client said to the session before, and is for this one.
    pub(crate) fn has_heard(&mut self, said: BytesMut) {
        self.waiting = said;
    }

    /// Whether there is something of the client's that has not been decided about.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Errors that answer commands which never reached the server.
    pub(crate) fn take_answers(&mut self) -> BytesMut {
        std::mem::take(&mut self.answers)
    }

    /// What has happened since this was called last.
    pub(crate) fn news(&mut self) -> Option<News> {
        (!self.news.is_empty()).then(|| std::mem::take(&mut self.news))
    }

    /// Judges a text on this ground, or remembers how it was judged.
    fn judge(&mut self, text: &[u8], ground: &Ground) -> Result<Arc<Judgement>, Objection> {
        if self.session.ascii_only && !text.is_ascii() {
            let why = "letters beyond ASCII need a connection in utf8mb4";
            return Err(told::unclear(Reason::Syntax, "", why).into());
        }
        let begun = Instant::now();
        let known = self.known(text, ground);
        let hit = known.is_some();
        if !hit && text.len() > LONG && !self.patient {
            self.long = Some(LongText { text: text.into(), ground: ground.clone() });
            return Err(Objection::Long);
        }
        let verdict = known.unwrap_or_else(|| {
            let verdict = judge(text, ground).map(Arc::new);
            if !matches!(&verdict, Ok(judgement) if judgement.instead.as_deref().is_some_and(is_large)) {
                self.verdicts.keep(text, ground, &verdict);
            }
            verdict
        });
        self.news.judged.push((hit, begun.elapsed()));
        match verdict {
            Err(denial) if denial.stale && !self.asked => Err(Objection::Stale),
            verdict => Ok(verdict?),
        }
    }

    fn known(&self, text: &[u8], ground: &Ground) -> Option<Verdict<Judgement>> {
        let same = |judged: &&Judged| {
            *judged.text == *text
                && Arc::ptr_eq(&judged.ground.limits, &ground.limits)
                && judged.ground.catalog.version() == ground.catalog.version()
                && judged.ground.database == ground.database
                && judged.ground.mode == ground.mode
        };
        let judged = self.judged.as_ref().filter(same);
        judged.map_or_else(|| self.verdicts.find(text, ground), |judged| Some(judged.verdict.clone()))
    }

    /// Whether a text that was judged before is good on the ground that is held now, and goes as it went.
    fn covered(&mut self, text: &Text) -> Result<(), Objection> {
        let other_mode = text.mode != self.ground.mode;
        if text.epoch == self.epoch && !other_mode {
            return Ok(());
        }
        self.still_good(text, text.mode)?;
        // Some servers read a prepared text anew when its parameters or tables change, and under the mode of then.
        if other_mode { self.still_good(text, self.ground.mode) } else { Ok(()) }
    }

    /// Whether a text is judged under a mode as it was before.
    fn still_good(&mut self, text: &Text, mode: SqlMode) -> Result<(), Objection> {
        let ground =
            Ground { database: text.database.clone(), mode, several: text.several, ..self.ground.clone() };
        let judgement = self.judge(&text.text, &ground)?;
        if !judgement.does_the_same(&text.judgement) {
            let why = "the grant, the catalog or the sql_mode has changed since the statement was prepared";
            return Err(told::unclear(Reason::Statement, "", why).into());
        }
        self.uses(&judgement)
    }

    /// Whether what a text executes by name was prepared by the session itself and is covered.
    fn uses(&mut self, judgement: &Judgement) -> Result<(), Objection> {
        for step in &judgement.steps {
            match &step.change {
                Change::Execute(name) => {
                    let Some(text) = self.statements.named(name).cloned() else {
                        return Err(no_statement(name).into());
                    };
                    self.covered(&text)?;
                }
                Change::Kill(number, _) => {
                    if u32::try_from(*number).ok().and_then(&self.own_connections).is_none() {
                        return Err(no_thread(*number).into());
                    }
                }
                Change::Nothing
                | Change::Database(_)
                | Change::Mode(_)
                | Change::Prepare(..)
                | Change::Deallocate(_) => {}
            }
        }
        Ok(())
    }

    /// What the server is going to do.
    fn run(&mut self, running: Running) {
        let quotes = match &running {
            Running::Text(text, _) => text.may_quote(),
            Running::Prepared(number) => self.statements.get(*number).is_some_and(Text::may_quote),
            Running::Nothing | Running::Preparing(_) | Running::Change(_) | Running::Listing(_) => false,
        };
        self.scrubber = quotes.then(Scrubber::default);
        if let Running::Listing(shown) = &running {
            self.listing = Some(Listing::new(shown.clone(), self.session.capabilities));
        }
        self.running = running;
    }

    /// The error that a denial is told by.
    fn error(&self, denial: &Denial) -> ErrorText {
        let hint = self.session.remedy.hint(denial, &self.ground.limits);
        let denial = match hint {
            Some(hint) if denial.hint.is_empty() => &denial.clone().with_hint(hint),
            Some(_) | None => denial,
        };
        let told = told(denial);
        ErrorText::new(told.number, told.sqlstate, told.message)
    }
}

/// A name that the session has prepared nothing under, in the server's own words.
fn no_statement(name: &str) -> Denial {
    let message = format!("Unknown prepared statement handler ({name}) given to EXECUTE");
    Denial::in_words(Reason::Name, "HY000", message, name).numbered(1243)
}

/// A connection that is not the client's own.
fn no_thread(number: u64) -> Denial {
    let message = format!("You are not owner of thread {number}");
    Denial::in_words(Reason::Statement, "HY000", message, "").numbered(1095)
}

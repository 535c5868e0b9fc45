//! Holds one session to its grant, message by message.
//!
//! In: the bytes of client and server, in any division. Out: the bytes that go on in their place. A statement is
//! judged when it is prepared or sent, and again when it is used on other ground. In the place of one that is denied
//! the server gets one that fails there and then, so that transaction, pipeline and `Sync` follow by themselves; its
//! error is swapped for the denial on the way back. There is no socket here, no clock and nothing to wait for: where
//! a newer catalog might decide otherwise the guard says so and is asked again.

mod client;
mod inbox;
mod names;
mod quota;
mod redact;
mod remedy;
mod replies;
mod scrub;
mod server;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use inbox::{Inbox, Piece};
use names::{Text, Texts, name};
use postern_protocol::postgres::FrameError;
use quota::Quota;
pub(crate) use redact::redact;
pub(crate) use remedy::Remedy;
use replies::{Replies, Space};

use super::{
    Ground, Judgement, Step,
    verdicts::{Verdict, Verdicts},
};
use crate::enforce::{Denial, Reason};

/// So many bytes of texts one session may hold at the server.
const ROOM: usize = 64 * 1024 * 1024;
/// Longer texts are judged where nobody waits for them.
const LONG: usize = 4 * 1024;
/// So deep may one prepared statement execute another.
const DEPTH: usize = 8;

/// The judge of texts.
pub(crate) type Judge = fn(&str, &Ground) -> Result<Judgement, Denial>;

/// How a guard goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It takes more bytes.
    Going,
    /// It takes none in this direction until the database was asked for a newer catalog, and [`Guard::resume`] was
    /// called.
    WantsCatalog,
    /// It takes none in this direction until [`Guard::long_text`] was judged elsewhere, and [`Guard::resume`] was called.
    WantsVerdict,
}

/// A text that takes its time to be judged, and what it is to be judged on.
#[derive(Clone, Debug)]
pub(crate) struct LongText {
    text: Arc<str>,
    ground: Ground,
    epoch: u64,
    judge: Judge,
}

impl LongText {
    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Judges it, in about ten nanoseconds for each byte.
    pub(crate) fn judged(self) -> Judged {
        let verdict = (self.judge)(&self.text, &self.ground).map(Arc::new);
        Judged { text: self.text, epoch: self.epoch, verdict }
    }

    /// It could not be judged.
    pub(crate) fn failed(self) -> Judged {
        let why = "the statement could not be judged";
        Judged {
            text: self.text,
            epoch: self.epoch,
            verdict: Err(Denial::unclear(Reason::Statement, "", why)),
        }
    }
}

/// What was found about a long text.
#[derive(Debug)]
pub(crate) struct Judged {
    text: Arc<str>,
    epoch: u64,
    verdict: Verdict,
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    piece: Piece,
    /// Whether the catalog will be as new as can be when it is looked at again.
    asked: bool,
}

/// What a session does not survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// One side does not follow the protocol.
    Violation(String),
    /// A result, or the server's state, is not what the verdict said it would be.
    Tripwire(String),
    /// More than the grant allows in number.
    Exceeded(String),
}

impl From<FrameError> for Breach {
    fn from(error: FrameError) -> Self {
        Self::Violation(error.to_string())
    }
}

/// Why a message is not passed.
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

/// What has happened since it was asked for last.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Statements that were let through.
    pub(crate) allowed: u64,
    /// Those that were not, with the text where there is one.
    pub(crate) denied: Vec<(Box<str>, Denial)>,
    /// Whether a verdict was known already, and how long it took.
    pub(crate) judged: Vec<(bool, Duration)>,
}

/// The server's state as it was when the session began, and has to stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// `search_path`, which is reported from version 18 on.
    pub(crate) search_path: String,
    /// `session_authorization`
    pub(crate) session_user: String,
}

/// The guard of one session.
#[derive(Debug)]
pub(crate) struct Guard {
    judge: Judge,
    ground: Ground,
    /// Counts grounds.
    epoch: u64,
    verdicts: Arc<Verdicts>,
    pinned: Pinned,
    up: Inbox,
    down: Inbox,
    /// Messages that wait for a newer catalog.
    waiting_up: Option<Waiting>,
    waiting_down: Option<Waiting>,
    /// The long text that a message waits for, and what was found about it.
    long: Option<LongText>,
    judged: Option<Judged>,
    /// The catalog is as new as can be for the message at hand.
    asked: bool,
    /// Long texts are judged here and now.
    patient: bool,
    replies: Replies,
    /// What denials are known by at the server: nobody else knows the word.
    key: Box<str>,
    serial: u64,
    denials: VecDeque<(u64, Denial)>,
    remedy: Remedy,
    room: Arc<AtomicUsize>,
    quota: Quota,
    news: News,
}

impl Guard {
    /// A guard on this ground. `key` is random; what it is like, nobody else must know.
    pub(crate) fn new(
        judge: Judge,
        ground: Ground,
        verdicts: Arc<Verdicts>,
        pinned: Pinned,
        key: &str,
        remedy: Remedy,
    ) -> Self {
        Self {
            judge,
            ground,
            epoch: 1,
            verdicts,
            pinned,
            up: Inbox::default(),
            down: Inbox::default(),
            waiting_up: None,
            waiting_down: None,
            long: None,
            judged: None,
            asked: false,
            patient: false,
            replies: Replies::default(),
            key: key.into(),
            serial: 0,
            denials: VecDeque::new(),
            remedy,
            room: Arc::default(),
            quota: Quota::default(),
            news: News::default(),
        }
    }

    /// The server's state that has to stay.
    pub(crate) const fn pinned(&self) -> &Pinned {
        &self.pinned
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
        let open = self.replies.open();
        (self.asked, self.patient) = (true, true);
        let covered = open.iter().all(|texts| self.covered(texts, 0).is_ok());
        (self.asked, self.patient) = (false, false);
        covered
    }

    /// The text that has to be judged elsewhere.
    pub(crate) fn long_text(&mut self) -> Option<LongText> {
        self.long.take()
    }

    /// It was.
    pub(crate) fn take_judged(&mut self, judged: Judged) {
        if judged.epoch == self.epoch {
            self.verdicts.keep(&judged.text, &self.ground, &judged.verdict);
        }
        self.judged = Some(judged);
    }

    /// What they waited for has come: decides about the client's messages.
    pub(crate) fn resume(&mut self, up: &mut BytesMut) -> Result<Pace, Breach> {
        if let Some(Waiting { piece, asked }) = self.waiting_up.take() {
            self.asked = asked;
            let pace = self.client_message(piece, up);
            self.asked = false;
            match pace? {
                Pace::Going => self.judged = None,
                waiting => return Ok(waiting),
            }
        }
        self.client_messages(up)
    }

    /// The same for messages of the server.
    pub(crate) fn resume_down(&mut self, down: &mut BytesMut) -> Result<Pace, Breach> {
        if let Some(Waiting { piece, asked }) = self.waiting_down.take() {
            self.asked = asked;
            let pace = self.server_message(piece, down);
            self.asked = false;
            if pace? != Pace::Going {
                return Ok(Pace::WantsCatalog);
            }
        }
        self.server_messages(down)
    }

    /// What has happened since this was called last.
    pub(crate) fn news(&mut self) -> Option<News> {
        let none = self.news.allowed == 0 && self.news.denied.is_empty() && self.news.judged.is_empty();
        (!none).then(|| std::mem::take(&mut self.news))
    }

    /// Judges a text, or remembers how it was judged.
    fn judge(&mut self, text: &str) -> Result<Arc<Judgement>, Objection> {
        let begun = Instant::now();
        let known = self.known(text);
        let hit = known.is_some();
        if !hit && text.len() > LONG && !self.patient {
            let (judge, ground, epoch) = (self.judge, self.ground.clone(), self.epoch);
            self.long = Some(LongText { text: text.into(), ground, epoch, judge });
            return Err(Objection::Long);
        }
        let verdict = known.unwrap_or_else(|| {
            let verdict = (self.judge)(text, &self.ground).map(Arc::new);
            self.verdicts.keep(text, &self.ground, &verdict);
            verdict
        });
        self.news.judged.push((hit, begun.elapsed()));
        match verdict {
            Err(denial) if denial.stale && !self.asked => Err(Objection::Stale),
            verdict => Ok(verdict?),
        }
    }

    fn known(&self, text: &str) -> Option<Verdict> {
        let judged =
            self.judged.as_ref().filter(|judged| judged.epoch == self.epoch && *judged.text == *text);
        judged.map_or_else(|| self.verdicts.find(text, &self.ground), |judged| Some(judged.verdict.clone()))
    }

    /// Judges a text that is to lie at the server.
    fn admit(&mut self, text: &str) -> Result<Arc<Text>, Objection> {
        let judgement = self.judge(text)?;
        if self.room.load(std::sync::atomic::Ordering::Relaxed) + text.len() > ROOM {
            let why = "the prepared statements of this session take too much room";
            return Err(Denial::in_words(Reason::Statement, "53200", why, "").into());
        }
        let text = Arc::new(Text::new(text, judgement, self.epoch, &self.room));
        self.uses(&text, 0)?;
        Ok(text)
    }

    /// Whether all of these texts are good on the ground that is held now, and so is whatever they use.
    fn covered(&mut self, texts: &Texts, depth: usize) -> Result<(), Objection> {
        for text in texts.iter() {
            if !text.is_judged(self.epoch) {
                let judgement = self.judge(&text.sent)?;
                if judgement.instead != text.judgement.instead {
                    return Err(changed().into());
                }
                text.set_judged(self.epoch);
            }
            self.uses(text, depth)?;
        }
        Ok(())
    }

    /// Whether every name that a text uses is one that the session itself made, and what is under it is covered.
    fn uses(&mut self, text: &Text, depth: usize) -> Result<(), Objection> {
        if depth > DEPTH {
            let why = "prepared statements execute one another too deeply";
            return Err(Denial::unclear(Reason::Statement, "", why).into());
        }
        for (at, step) in text.steps().iter().enumerate() {
            let (space, used) = match step {
                Step::Execute(used) => (Space::Statements, used),
                Step::Fetch(used) | Step::Through(used) => (Space::Portals, used),
                Step::Plain
                | Step::Prepare(_)
                | Step::Deallocate(_)
                | Step::DeallocateAll
                | Step::Declare(_)
                | Step::Close(_)
                | Step::CloseAll
                | Step::DiscardAll
                | Step::Copy => continue,
            };
            let made_here = text.steps().iter().take(at).any(|made| match (made, space) {
                (Step::Prepare(made), Space::Statements) | (Step::Declare(made), Space::Portals) => {
                    made == used
                }
                _ => false,
            });
            match self.replies.find(space, &name(used.as_bytes())) {
                Some(texts) => self.covered(&texts, depth + 1)?,
                None if made_here => {}
                None => return Err(unknown(space, used, true).into()),
            }
        }
        Ok(())
    }
}

/// A plan that would no longer be made like this. Drivers know the text, and prepare again.
fn changed() -> Denial {
    Denial::in_words(Reason::Statement, "0A000", "cached plan must not change result type", "")
        .with_detail("What the grant covers, or the catalog, has changed since the statement was prepared.")
}

/// A name that the session has not made, in the server's own words.
fn unknown(space: Space, name: &str, in_sql: bool) -> Denial {
    let (sqlstate, message) = match (space, name) {
        (Space::Statements, "") => ("26000", "unnamed prepared statement does not exist".to_owned()),
        (Space::Statements, name) => ("26000", format!("prepared statement \"{name}\" does not exist")),
        (Space::Portals, name) if in_sql => ("34000", format!("cursor \"{name}\" does not exist")),
        (Space::Portals, name) => ("34000", format!("portal \"{name}\" does not exist")),
    };
    Denial::in_words(Reason::Name, sqlstate, message, name)
}

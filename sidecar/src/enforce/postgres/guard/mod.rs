//! Holds one session to its grant, message by message.
//!
//! In: the bytes of client and server, in any division. Out: the bytes that go on in their place. A statement is
//! judged when it is prepared or sent, and again when it is used on other ground. In the place of one that is denied
//! the server gets one that fails there and then, so that transaction, pipeline and `Sync` follow by themselves; its
//! error is swapped for the denial on the way back. The statements that stand before a denied one in the same text go
//! to the server, as it would execute them. There is no socket here, no clock and nothing to wait for: where
//! a newer catalog might decide otherwise the guard says so and is asked again.

mod client;
mod inbox;
mod names;
mod recent;
mod redact;
mod replies;
mod scrub;
mod server;
mod stand_in;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::BytesMut;
use inbox::{Inbox, Piece};
use names::{Text, TooMany, Used};
use postern_protocol::postgres::FrameError;
use recent::Recent;
pub(crate) use redact::redact;
use replies::{Replies, Space};

use super::{
    Ground, Judgement, Step,
    shape::{known, remember},
};
use crate::enforce::{Breach, Denial, News, Quota, Reason, Remedy, Verdict, Verdicts};

/// So many bytes of texts one session may hold at the server.
const ROOM: usize = 64 * 1024 * 1024;
/// Longer texts are judged where nobody waits for them.
const LONG: usize = 4 * 1024;
/// So many bytes of texts are judged at once where nobody can wait.
const PATIENCE: usize = 4 * 1024 * 1024;
/// What is sent in the place of a text may be so much longer.
const EXPANSION: usize = 256 * 1024;

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
    /// It takes none in this direction until [`Guard::has_room`], and [`Guard::resume`] was called.
    WantsReplies,
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
        Judged { text: self.text, epoch: self.epoch, verdict: Err(unjudged()) }
    }
}

/// What was found about a long text.
#[derive(Debug)]
pub(crate) struct Judged {
    text: Arc<str>,
    epoch: u64,
    verdict: Verdict<Judgement>,
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    piece: Piece,
    /// Whether the catalog will be as new as can be when it is looked at again.
    asked: bool,
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

impl From<TooMany> for Objection {
    fn from(_: TooMany) -> Self {
        let why = "too many statements may be meant; wait for the answers to those that were sent";
        Denial::in_words(Reason::Statement, "54000", why, "").into()
    }
}

impl Objection {
    /// The same about the statement behind so many bytes of the text.
    fn behind(self, bytes: usize) -> Self {
        match self {
            Self::Denied(denial) => Self::Denied(denial.behind(bytes)),
            Self::Stale | Self::Long => self,
        }
    }
}

impl From<Denial> for Objection {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
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
    verdicts: Arc<Verdicts<Ground>>,
    pinned: Pinned,
    /// A statement was let through that returns every setting to its default: from then on they follow the server's
    /// configuration.
    reset: bool,
    up: Inbox,
    down: Inbox,
    /// Messages that wait for a newer catalog.
    waiting_up: Option<Waiting>,
    waiting_down: Option<Waiting>,
    /// The long text that the message at hand waits for, and what was found about those that it has waited for.
    long: Option<LongText>,
    judged: Vec<Judged>,
    /// The catalog is as new as can be for the message at hand.
    asked: bool,
    /// Long texts are judged here and now, up to so many bytes.
    patience: Option<usize>,
    replies: Replies,
    /// What the words are made of that stand-ins are known by at the server. Nobody else knows it.
    key: Box<str>,
    serial: u64,
    remedy: Remedy,
    room: Arc<AtomicUsize>,
    quota: Quota,
    news: News,
    /// Texts that the client has sent, and descriptions of results that were found good on the ground of a number.
    texts: Recent<Arc<Text>>,
    shown: Recent<(u64, Box<[u8]>)>,
}

impl Guard {
    /// A guard on this ground. `key` is random; what it is like, nobody else must know.
    pub(crate) fn new(
        judge: Judge,
        ground: Ground,
        verdicts: Arc<Verdicts<Ground>>,
        pinned: Pinned,
        key: &str,
        remedy: Remedy,
        quota: Quota,
    ) -> Self {
        Self {
            judge,
            ground,
            epoch: 1,
            verdicts,
            pinned,
            reset: false,
            up: Inbox::default(),
            down: Inbox::default(),
            waiting_up: None,
            waiting_down: None,
            long: None,
            judged: Vec::new(),
            asked: false,
            patience: None,
            replies: Replies::default(),
            key: key.into(),
            serial: 0,
            remedy,
            room: Arc::default(),
            quota,
            news: News::default(),
            texts: Recent::default(),
            shown: Recent::default(),
        }
    }

    /// The server's state that has to stay.
    pub(crate) const fn pinned(&self) -> &Pinned {
        &self.pinned
    }

    /// Whether the search path may have become another one without a word of the server.
    pub(crate) fn is_adrift(&self) -> bool {
        self.reset && self.ground.has_moved()
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
        let Ok(open) = self.replies.open() else { return false };
        (self.asked, self.patience) = (true, Some(PATIENCE));
        let covered = open.iter().all(|texts| self.covered(texts).is_ok());
        (self.asked, self.patience) = (false, None);
        covered
    }

    /// Whether it takes more from the client, as far as that depends on answers to what it has sent.
    pub(crate) fn has_room(&self) -> bool {
        self.replies.has_room()
    }

    /// The text that has to be judged elsewhere.
    pub(crate) fn long_text(&mut self) -> Option<LongText> {
        self.long.take()
    }

    /// It was.
    pub(crate) fn take_judged(&mut self, judged: Judged) {
        if judged.epoch == self.epoch {
            remember(&self.verdicts, &judged.text, &self.ground, &judged.verdict);
        }
        self.judged.push(judged);
    }

    /// What they waited for has come: decides about the client's messages.
    pub(crate) fn resume(&mut self, up: &mut BytesMut) -> Result<Pace, Breach> {
        if let Some(Waiting { piece, asked }) = self.waiting_up.take() {
            self.asked = asked;
            let pace = self.client_message(piece, up);
            self.asked = false;
            match pace? {
                Pace::Going => self.judged = Vec::new(),
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
        (!self.news.is_empty()).then(|| std::mem::take(&mut self.news))
    }

    /// Judges a text, or remembers how it was judged.
    fn judge(&mut self, text: &str) -> Result<Arc<Judgement>, Objection> {
        let begun = Instant::now();
        let known = self.known(text);
        let hit = known.is_some();
        if let Some(left) = self.patience.filter(|_| !hit) {
            let left = left.checked_sub(text.len()).ok_or_else(unjudged)?;
            self.patience = Some(left);
        } else if !hit && text.len() > LONG {
            let (judge, ground, epoch) = (self.judge, self.ground.clone(), self.epoch);
            self.long = Some(LongText { text: text.into(), ground, epoch, judge });
            return Err(Objection::Long);
        }
        let verdict = known.unwrap_or_else(|| {
            let verdict = (self.judge)(text, &self.ground).map(Arc::new);
            remember(&self.verdicts, text, &self.ground, &verdict);
            verdict
        });
        self.news.judged.push((hit, begun.elapsed()));
        let judgement = match verdict {
            Err(denial) if denial.stale && !self.asked => return Err(Objection::Stale),
            verdict => verdict?,
        };
        self.reset |= judgement.steps.iter().any(|step| matches!(step, Step::ResetAll | Step::DiscardAll));
        Ok(judgement)
    }

    fn known(&self, text: &str) -> Option<Verdict<Judgement>> {
        let mut all = self.judged.iter();
        let judged = all.find(|judged| judged.epoch == self.epoch && *judged.text == *text);
        judged
            .map_or_else(|| known(&self.verdicts, text, &self.ground), |judged| Some(judged.verdict.clone()))
    }

    /// Judges a text that is to lie at the server.
    fn admit(&mut self, text: &str) -> Result<(Arc<Text>, Used), Objection> {
        self.room_for_names()?;
        let begun = Instant::now();
        let known = self.texts.find(|known| *known.sent == *text && known.is_judged(self.epoch));
        let text = if let Some(known) = known.map(Arc::clone) {
            self.news.judged.push((true, begun.elapsed()));
            known
        } else {
            self.admit_new(text)?
        };
        let mut used = Used::default();
        self.uses(&text, &mut used)?;
        Ok((text, used))
    }

    fn admit_new(&mut self, text: &str) -> Result<Arc<Text>, Objection> {
        let judgement = self.judge(text)?;
        let instead = judgement.instead.as_deref().map_or(0, str::len);
        if instead > text.len() + EXPANSION {
            let why = "the statement becomes too long where its stars are expanded";
            return Err(Denial::in_words(Reason::Statement, "54000", why, "").into());
        }
        if self.room.load(Ordering::Relaxed) + names::room(text, &judgement) > ROOM {
            return Err(crowded("the prepared statements of this session take too much room").into());
        }
        let text = Arc::new(Text::new(text, judgement, self.epoch, &self.room));
        self.texts.keep(Arc::clone(&text), text.sent.len() + instead);
        Ok(text)
    }

    /// Whether one more name may be given.
    fn room_for_names(&self) -> Result<(), Objection> {
        if self.replies.is_crowded() {
            return Err(crowded("this session has too many prepared statements or portals").into());
        }
        Ok(())
    }

    /// Whether all of these texts are good on the ground that is held now, and so is whatever they use, which is
    /// returned.
    fn covered(&mut self, texts: &[Arc<Text>]) -> Result<Used, Objection> {
        let mut used = Used::default();
        texts.iter().try_for_each(|text| self.is_covered(text, &mut used))?;
        Ok(used)
    }

    fn is_covered(&mut self, text: &Text, used: &mut Used) -> Result<(), Objection> {
        if !text.is_judged(self.epoch) {
            let judgement = self.judge(&text.sent)?;
            if judgement.instead != text.judgement.instead {
                return Err(changed().into());
            }
            text.set_judged(self.epoch);
        }
        self.uses(text, used)
    }

    /// Whether every name that a text uses is one that the session itself made, and what is under it is covered. Each
    /// text is looked at once, however often and deeply statements execute one another.
    fn uses(&mut self, text: &Text, used: &mut Used) -> Result<(), Objection> {
        // What has been looked at, and what the text itself makes.
        let (mut known, mut made) = (HashSet::new(), HashSet::new());
        for (at, step) in text.steps().iter().enumerate() {
            let (space, name) = match step {
                Step::Execute(name) => (Space::Statements, name),
                Step::Fetch(name) | Step::Through(name) => (Space::Portals, name),
                Step::Prepare(name) => {
                    made.insert((Space::Statements, name));
                    continue;
                }
                Step::Declare(name) => {
                    made.insert((Space::Portals, name));
                    continue;
                }
                Step::Plain
                | Step::Reads(_)
                | Step::Deallocate(_)
                | Step::DeallocateAll
                | Step::Close(_)
                | Step::CloseAll
                | Step::ResetAll
                | Step::DiscardAll
                | Step::Copy => continue,
            };
            if known.contains(&(space, name)) {
                continue;
            }
            let made = made.contains(&(space, name));
            self.uses_name(space, name, made, used)
                .map_err(|objection| objection.behind(text.judgement.behind(at)))?;
            known.insert((space, name));
        }
        Ok(())
    }

    /// The same for one name, which the text itself may have made.
    fn uses_name(&mut self, space: Space, name: &str, made: bool, used: &mut Used) -> Result<(), Objection> {
        let Some(texts) = self.replies.find(space, name.as_bytes())? else {
            return if made { Ok(()) } else { Err(unknown(space, name, true).into()) };
        };
        for text in texts.iter() {
            if space == Space::Statements && !text.makes_query(name) {
                let why = "EXECUTE runs queries and changes only";
                return Err(Denial::unclear(Reason::Statement, name, why).into());
            }
            if used.add(text)? {
                self.is_covered(text, used)?;
            }
        }
        if space == Space::Portals {
            used.read_by(name.as_bytes())?;
        }
        Ok(())
    }
}

fn crowded(why: &str) -> Denial {
    Denial::in_words(Reason::Statement, "53200", why, "")
}

fn unjudged() -> Denial {
    Denial::unclear(Reason::Statement, "", "the statement could not be judged")
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

//! What lies under the names that a session holds at the server.
//!
//! Prepared statements are one space of names, portals and cursors another, whether the protocol or SQL made them. A
//! client need not wait for replies, so what is under a name may be uncertain for a while: what the replies have shown
//! to be there, or anything that was sent since. All of it is judged when the name is used.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::enforce::postgres::{Judgement, Step};

/// The server keeps so much of a name (`NAMEDATALEN - 1`).
const NAME_LEN: usize = 63;

/// So many different texts may be under one name, or be used by one message.
const MANY: usize = 64;
/// So many unanswered messages that put something under a name are looked through.
const UNANSWERED: usize = 256;
/// What a text takes besides its letters.
const OVERHEAD: usize = 256;

/// A name as the server keeps it.
pub(super) type Name = Box<[u8]>;

/// Cuts a name as the server does.
pub(super) fn cut(bytes: &[u8]) -> &[u8] {
    bytes.get(..NAME_LEN).unwrap_or(bytes)
}

/// The same, to keep.
pub(super) fn name(bytes: &[u8]) -> Name {
    cut(bytes).into()
}

/// A text that lies at the server, under a name or in execution.
#[derive(Debug)]
pub(super) struct Text {
    /// As the client sent it.
    pub(super) sent: Box<str>,
    /// What was found about it.
    pub(super) judgement: Arc<Judgement>,
    /// On which ground it was found good last.
    judged: AtomicU64,
    taken: Arc<AtomicUsize>,
    /// What it is told from others by at a glance.
    hash: u64,
    /// Whether what it opens may outlast its transaction.
    may_hold: bool,
    /// Whether it is queries and changes only; and else the names that it prepares such under.
    queries: bool,
    prepares: HashSet<Name>,
}

/// What makes hashes of texts: nobody can find two texts with the same.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// How much room a text takes, with what is sent in its place.
pub(super) fn room(text: &str, judgement: &Judgement) -> usize {
    OVERHEAD + text.len() + judgement.instead.as_deref().map_or(0, str::len)
}

impl Text {
    /// A text that was judged on the ground of this number; it takes `taken` while it exists.
    pub(super) fn new(text: &str, judgement: Arc<Judgement>, epoch: u64, taken: &Arc<AtomicUsize>) -> Self {
        taken.fetch_add(room(text, &judgement), Ordering::Relaxed);
        let steps = &judgement.steps;
        let prepared =
            |step: &Step| if let Step::Prepare(made) = step { Some(name(made.as_bytes())) } else { None };
        Self {
            hash: HASHES.hash_one(text),
            // The word cannot be written in any other way.
            may_hold: steps.iter().any(|step| matches!(step, Step::Declare(_)))
                && text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"hold")),
            queries: steps.iter().all(|step| matches!(step, Step::Plain | Step::Through(_))),
            prepares: steps.iter().filter_map(prepared).collect(),
            sent: text.into(),
            judgement,
            judged: AtomicU64::new(epoch),
            taken: Arc::clone(taken),
        }
    }

    /// Whether the server has the same of both.
    fn is_same(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.sent == other.sent
            && self.judgement.instead == other.judgement.instead
    }

    /// Whether it was found good on the ground of this number.
    pub(super) fn is_judged(&self, epoch: u64) -> bool {
        self.judged.load(Ordering::Relaxed) == epoch
    }

    /// It is found good on it.
    pub(super) fn set_judged(&self, epoch: u64) {
        self.judged.store(epoch, Ordering::Relaxed);
    }

    /// Its statements' effects on names.
    pub(super) fn steps(&self) -> &[Step] {
        &self.judgement.steps
    }

    /// Whether a query, or a change, is what this text puts under a name. What the protocol prepares may be any
    /// statement, such as one that changes what names stand for; executed by SQL it would do that unseen.
    pub(super) fn makes_query(&self, under: &str) -> bool {
        self.queries || self.prepares.contains(cut(under.as_bytes()))
    }

    /// How many statements it holds.
    pub(super) fn statements(&self) -> usize {
        self.steps().iter().filter(|step| step.is_statement()).count()
    }

    /// How many COPYs that the client feeds it may hold.
    pub(super) fn copies(&self) -> usize {
        self.steps().iter().filter(|step| matches!(step, Step::Copy)).count()
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.taken.fetch_sub(room(&self.sent, &self.judgement), Ordering::Relaxed);
    }
}

/// Texts of which any one may be under a name. Never none.
pub(super) type Texts = Arc<[Arc<Text>]>;

/// More texts may be under a name, or are used by a message, than are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// Different texts, few enough to look at each.
#[derive(Debug, Default)]
pub(super) struct Few(Vec<Arc<Text>>);

impl Few {
    /// Takes one more; false if it was among them.
    pub(super) fn add(&mut self, text: &Arc<Text>) -> Result<bool, TooMany> {
        let is_one = |known: &Arc<Text>| Arc::ptr_eq(known, text);
        if self.0.iter().any(is_one) || self.0.iter().any(|known| known.is_same(text)) {
            return Ok(false);
        }
        if self.0.len() == MANY {
            return Err(TooMany);
        }
        self.0.push(Arc::clone(text));
        Ok(true)
    }

    fn add_all<'a>(mut self, texts: impl IntoIterator<Item = &'a Arc<Text>>) -> Result<Self, TooMany> {
        for text in texts {
            self.add(text)?;
        }
        Ok(self)
    }
}

/// What a message uses, other than what it executes itself.
#[derive(Debug, Default)]
pub(super) struct Used {
    texts: Few,
    portals: Vec<Name>,
}

impl Used {
    /// Takes one more text; false if it was among them.
    pub(super) fn add(&mut self, text: &Arc<Text>) -> Result<bool, TooMany> {
        self.texts.add(text)
    }

    /// It is read through this portal, which goes on with what it has read when the names stand for something else.
    pub(super) fn read_by(&mut self, portal: &[u8]) -> Result<(), TooMany> {
        if self.texts.0.is_empty() || self.portals.iter().any(|known| **known == *cut(portal)) {
            return Ok(());
        }
        if self.portals.len() == MANY {
            return Err(TooMany);
        }
        self.portals.push(name(portal));
        Ok(())
    }
}

/// These and those, each once.
pub(super) fn union(texts: Texts, used: &Used) -> Result<Texts, TooMany> {
    if used.texts.0.is_empty() {
        return Ok(texts);
    }
    Ok(Few::default().add_all(texts.iter().chain(&used.texts.0))?.0.into())
}

/// Something that was sent and not yet answered.
#[derive(Debug)]
struct Promise {
    texts: Result<Texts, TooMany>,
    /// The pipeline in which it is certain for whatever comes behind it; 0 for none.
    pipeline: u64,
}

/// What one name stands for.
#[derive(Debug, Default)]
struct Held {
    certain: Option<Result<Texts, TooMany>>,
    promised: VecDeque<Promise>,
    /// So many rows of it were sent.
    rows: u64,
}

impl Held {
    /// Everything that may be there for a message that is sent now, in this pipeline.
    fn find(&self, pipeline: u64) -> Result<Option<Texts>, TooMany> {
        match self.promised.back() {
            None => self.certain.clone().transpose(),
            // Had that one failed, the server would skip this message as well.
            Some(last) if last.pipeline == pipeline => last.texts.clone().map(Some),
            Some(_) if self.promised.len() > UNANSWERED => Err(TooMany),
            Some(_) => {
                let mut all = Few::default();
                let promised = self.promised.iter().map(|promise| &promise.texts);
                for texts in self.certain.iter().chain(promised) {
                    all = all.add_all(texts.as_ref().map_err(|many| *many)?.iter())?;
                }
                Ok(Some(all.0.into()))
            }
        }
    }

    /// These texts may be there as well.
    fn merge(&mut self, texts: Result<Texts, TooMany>) {
        self.certain = Some(match (self.certain.take(), texts) {
            (None, texts) => texts,
            (Some(Ok(known)), Ok(texts)) => {
                Few::default().add_all(known.iter().chain(texts.iter())).map(|all| all.0.into())
            }
            (Some(_), _) => Err(TooMany),
        });
    }

    fn is_free(&self) -> bool {
        self.certain.is_none() && self.promised.is_empty()
    }

    fn may_outlast_a_transaction(&self) -> bool {
        match &self.certain {
            Some(Ok(texts)) => texts.iter().any(|text| text.may_hold),
            Some(Err(TooMany)) => true,
            None => false,
        }
    }
}

/// One space of names.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<Name, Held>);

impl Names {
    /// Everything that may be under a name when the server gets to a message that is sent now, in this pipeline.
    pub(super) fn find(&self, name: &[u8], pipeline: u64) -> Result<Option<Texts>, TooMany> {
        self.0.get(cut(name)).map_or(Ok(None), |held| held.find(pipeline))
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn held(&mut self, name: &[u8]) -> &mut Held {
        self.0.entry(name.into()).or_default()
    }

    /// Something was sent that puts these texts under a name, if it succeeds.
    pub(super) fn promise(&mut self, name: &[u8], texts: Texts, pipeline: u64) {
        self.held(name).promised.push_back(Promise { texts: Ok(texts), pipeline });
    }

    /// What is under the names of portals may go on with what it has read by these texts.
    pub(super) fn keep_used(&mut self, used: &Used) {
        for portal in &used.portals {
            let Some(held) = self.0.get_mut(portal) else { continue };
            let promised = held.promised.iter_mut().map(|promise| &mut promise.texts);
            for texts in held.certain.iter_mut().chain(promised) {
                *texts = texts.clone().and_then(|texts| union(texts, used));
            }
        }
    }

    /// The oldest promise came true, or came to nothing. Unless it is `sure` what exactly it did, what was there may
    /// still be there.
    pub(super) fn settle(&mut self, name: &[u8], came_true: bool, sure: bool) {
        let Some(held) = self.0.get_mut(name) else { return };
        let Some(Promise { texts, .. }) = held.promised.pop_front() else { return };
        match (came_true, sure) {
            (true, true) => (held.certain, held.rows) = (Some(texts), 0),
            (true, false) => held.merge(texts),
            (false, _) if held.is_free() => drop(self.0.remove(name)),
            (false, _) => {}
        }
    }

    /// Nothing is under the name any more, but for what was sent since.
    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Some(held) = self.0.get_mut(name) {
            held.certain = None;
            if held.is_free() {
                self.0.remove(name);
            }
        }
    }

    /// Nothing is under any name any more, but for what was sent since.
    pub(super) fn clear(&mut self) {
        self.free(|_| true);
    }

    /// A transaction has ended, and with it whatever cannot outlast one.
    pub(super) fn end_transaction(&mut self) {
        self.free(|held| !held.may_outlast_a_transaction());
    }

    fn free(&mut self, gone: impl Fn(&Held) -> bool) {
        self.0.retain(|_, held| {
            if gone(held) {
                held.certain = None;
            }
            !held.is_free()
        });
    }

    /// How many rows of what is under a name were sent.
    pub(super) fn rows(&self, name: &[u8]) -> u64 {
        self.0.get(name).map_or(0, |held| held.rows)
    }

    /// So many more were.
    pub(super) fn gave(&mut self, name: &[u8], rows: u64) {
        if let Some(held) = self.0.get_mut(name) {
            held.rows = held.rows.saturating_add(rows);
        }
    }

    /// Everything that may be under any name.
    pub(super) fn all(&self) -> impl Iterator<Item = Result<Texts, TooMany>> {
        self.0.values().flat_map(|held| {
            let promised = held.promised.iter().map(|promise| &promise.texts);
            held.certain.iter().chain(promised).cloned()
        })
    }
}

//! Which message of the client's the server is answering.
//!
//! The server answers in order, and after an error in the extended protocol ignores everything up to the next `Sync`.
//! So a queue of what was sent tells what each reply means for the session's names. Only one thing cannot be known:
//! whether a `Sync` that was sent behind a COPY was read while the server took data, and ignored, or after the COPY had
//! failed. What comes next shows it. A reply that fits nothing ends the session.

use std::collections::VecDeque;

use super::{
    Breach,
    names::{Name, Names, Texts, TooMany, Used},
    stand_in::StandIn,
};
use crate::enforce::Denial;

/// So many messages may wait for their answers. The server keeps answers back until there are 8 kB of them, which is
/// fewer than half as many.
const FULL: usize = 8192;
/// So many of them may be such as stand in for a denied one.
const DENIED: usize = 512;
/// So many names may be in use in each space.
const CROWDED: usize = 65_536;

/// One of the two spaces of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// Prepared statements.
    Statements,
    /// Portals and cursors.
    Portals,
}

/// What a message does to names if it succeeds.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Nothing; a statement among others in one message.
    None,
    /// These texts are under the name.
    Put {
        space: Space,
        name: Name,
        texts: Texts,
        /// Whether exactly this happens, and whatever comes behind it in the pipeline depends on it.
        sure: bool,
    },
    /// Nothing; its rows are those of this cursor.
    Fetch(Name),
    /// The name is free.
    Remove(Space, Name),
    /// All names of one space are free.
    Clear(Space),
    /// All names are free.
    ClearAll,
}

/// The kinds of messages that the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Query,
    Parse,
    Bind,
    Describe,
    Execute,
    Close,
    Sync,
    /// A `Sync` that is not answered if a COPY took it.
    PerhapsSync,
    /// `CopyDone` or `CopyFail`: not answered, but where a COPY that the client feeds ends.
    CopyEnd,
}

/// What the server makes of a message that is sent now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// It gets to it in turn.
    #[default]
    Answering,
    /// It takes data and ignores `Sync`; any other message is the end of the session.
    Copying,
    /// It ignores everything but `Sync`.
    Skipping,
    /// It either gets to it in turn or ignores everything but `Sync`.
    Unclear,
}

/// What stands in a place of the queue.
#[derive(Debug)]
struct Expected {
    sent: Sent,
    /// The effects, one for each statement of a `Query`; one or several of any other message that succeed together.
    first: Effect,
    more: VecDeque<Effect>,
    /// What it executes or opens.
    texts: Option<Texts>,
    /// The portal that it executes, where rows are counted.
    portal: Option<Name>,
    /// What stands in it, or at its end, in the place of something denied.
    stand_in: Option<StandIn>,
}

impl Expected {
    const fn new(sent: Sent) -> Self {
        Self { sent, first: Effect::None, more: VecDeque::new(), texts: None, portal: None, stand_in: None }
    }

    /// The portal and the cursor whose rows answer it, where they are counted.
    fn row_givers(&self) -> impl Iterator<Item = &Name> {
        let cursor = if let Effect::Fetch(cursor) = &self.first { Some(cursor) } else { None };
        self.portal.iter().chain(cursor)
    }

    fn next_effect(&mut self) -> Effect {
        std::mem::replace(&mut self.first, self.more.pop_front().unwrap_or(Effect::None))
    }
}

/// The queue, and the names that it keeps account of.
#[derive(Debug, Default)]
pub(super) struct Replies {
    queue: VecDeque<Expected>,
    statements: Names,
    portals: Names,
    /// Counts pipelines, which end with `Sync`.
    pipeline: u64,
    mode: Mode,
    /// How many more ends of COPYs the last message that executes something may have behind it.
    copies: usize,
    /// How many in the queue have a stand-in for something denied.
    denied: usize,
}

impl Replies {
    const fn names(&mut self, space: Space) -> &mut Names {
        match space {
            Space::Statements => &mut self.statements,
            Space::Portals => &mut self.portals,
        }
    }

    /// What the server makes of a message that is sent now.
    pub(super) const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether nothing more is to be sent before answers have come.
    pub(super) fn is_full(&self) -> bool {
        !self.has_to_hear() && (self.queue.len() >= FULL || self.denied >= DENIED)
    }

    /// Whether enough answers have come.
    pub(super) fn has_room(&self) -> bool {
        self.has_to_hear() || self.queue.len() <= FULL / 2 && self.denied <= DENIED / 2
    }

    /// Whether the server answers nothing before it has heard more: it takes data.
    const fn has_to_hear(&self) -> bool {
        matches!(self.mode, Mode::Copying)
    }

    /// Whether no further name may be used.
    pub(super) fn is_crowded(&self) -> bool {
        self.statements.len().max(self.portals.len()) >= CROWDED
    }

    /// Everything that may be under a name for a message that is sent now.
    pub(super) fn find(&self, space: Space, name: &[u8]) -> Result<Option<Texts>, TooMany> {
        // Pipeline 0 is nobody's.
        let pipeline = self.pipeline + 1;
        match space {
            Space::Statements => self.statements.find(name, pipeline),
            Space::Portals => self.portals.find(name, pipeline),
        }
    }

    /// What is under the names of portals may go on with what it has read by these texts.
    pub(super) fn keep_used(&mut self, used: &Used) {
        self.portals.keep_used(used);
    }

    /// A message goes to the server that executes or opens these texts.
    pub(super) fn expect(
        &mut self,
        sent: Sent,
        effects: impl IntoIterator<Item = Effect>,
        texts: Option<Texts>,
    ) {
        let mut effects = effects.into_iter();
        let first = effects.next().unwrap_or(Effect::None);
        let expected = Expected { first, more: effects.collect(), texts, ..Expected::new(sent) };
        for effect in std::iter::once(&expected.first).chain(&expected.more) {
            if let Effect::Put { space, name, texts, sure } = effect {
                let pipeline = if *sure && sent != Sent::Query { self.pipeline + 1 } else { 0 };
                let names = match space {
                    Space::Statements => &mut self.statements,
                    Space::Portals => &mut self.portals,
                };
                names.promise(name, Texts::clone(texts), pipeline);
            }
        }
        self.copies = match (&expected.texts, sent) {
            (Some(texts), Sent::Query | Sent::Execute) => {
                texts.iter().map(|text| text.copies()).max().unwrap_or_default()
            }
            _ => 0,
        };
        self.queue.push_back(expected);
    }

    /// The rows of the `Execute` that was sent last count for this portal.
    pub(super) fn count_for(&mut self, portal: Name) {
        if let Some(last) = self.queue.back_mut() {
            last.portal = Some(portal);
        }
    }

    /// A message goes to the server that fails there, in the place of one that is denied.
    pub(super) fn expect_denial(&mut self, sent: Sent, stand_in: StandIn) {
        self.copies = 0;
        self.queue.push_back(Expected::new(sent));
        self.expect_failure(stand_in);
    }

    /// The message that was sent last ends with a statement that fails there.
    pub(super) fn expect_failure(&mut self, stand_in: StandIn) {
        if let Some(last) = self.queue.back_mut() {
            self.denied += 1;
            last.stand_in = Some(stand_in);
        }
    }

    /// `Sync` goes to the server.
    pub(super) fn expect_sync(&mut self) {
        self.mode = Mode::Answering;
        self.pipeline += 1;
        self.queue.push_back(Expected::new(Sent::Sync));
    }

    /// `CopyDone` or `CopyFail` goes to the server, which ignores it where there is no COPY to end.
    pub(super) fn expect_copy_end(&mut self) {
        let Some(left) = self.copies.checked_sub(1) else { return };
        self.copies = left;
        match self.mode {
            Mode::Copying => self.mode = Mode::Answering,
            Mode::Answering => self.queue.push_back(Expected::new(Sent::CopyEnd)),
            Mode::Skipping | Mode::Unclear => {}
        }
    }

    /// Comes to what a message of this kind answers.
    fn reach(&mut self, kind: u8) {
        let passed = |expected: &Expected| match expected.sent {
            Sent::CopyEnd => true,
            Sent::PerhapsSync => kind != b'Z',
            Sent::Query
            | Sent::Parse
            | Sent::Bind
            | Sent::Describe
            | Sent::Execute
            | Sent::Close
            | Sent::Sync => false,
        };
        while self.queue.front().is_some_and(passed) {
            self.queue.pop_front();
        }
    }

    /// A message of the server's, other than rows and data of a COPY, and other than what it says unasked. `status` is
    /// that of a `ReadyForQuery`.
    pub(super) fn answered(&mut self, kind: u8, status: Option<u8>) -> Result<(), Breach> {
        self.reach(kind);
        match (kind, self.queue.front().map(|front| front.sent)) {
            (b'1', Some(Sent::Parse)) | (b'2', Some(Sent::Bind)) | (b'3', Some(Sent::Close)) => {
                self.pop(true);
            }
            (b'C', Some(Sent::Execute)) => {
                self.pop(true);
                self.end_copy(0);
            }
            (b'C', Some(Sent::Query)) => {
                self.one_succeeded()?;
                self.end_copy(1);
            }
            (b'T' | b'n', Some(Sent::Describe))
            | (b's' | b'I', Some(Sent::Execute))
            | (b'Z', Some(Sent::Sync)) => self.pop(false),
            (b'Z', Some(Sent::Query)) => {
                self.pop(false);
                // Whatever becomes of it, a query takes the place of what has no name.
                self.statements.remove(b"");
                self.portals.remove(b"");
            }
            (b'G', Some(Sent::Query | Sent::Execute)) => self.begin_copy(),
            (b'E', Some(Sent::Query | Sent::Sync)) => self.end_copy(usize::MAX),
            (b'E', Some(_)) => self.skip()?,
            (b'Z', Some(Sent::PerhapsSync)) => self.pop_sync(),
            (b't', Some(Sent::Describe))
            | (b'T' | b'I' | b'H', Some(Sent::Query))
            | (b'H', Some(Sent::Execute))
            // Nothing was asked: the last word of a server that ends the session.
            | (b'E', None) => {}
            _ => {
                let kind = kind.escape_ascii();
                return Err(Breach::Violation(format!("the server's message '{kind}' answers nothing")));
            }
        }
        // Those of what has been answered end nothing any more.
        while self.queue.front().is_some_and(|front| front.sent == Sent::CopyEnd) {
            self.queue.pop_front();
        }
        if kind == b'Z' && status == Some(b'I') {
            self.portals.end_transaction();
        }
        Ok(())
    }

    /// One statement of the `Query` in front has succeeded.
    fn one_succeeded(&mut self) -> Result<(), Breach> {
        let Some(front) = self.queue.front_mut() else { return Ok(()) };
        front.stand_in.as_mut().map_or(Ok(()), StandIn::succeeded)?;
        let effect = front.next_effect();
        self.settle(effect, true);
        Ok(())
    }

    /// The message in front is answered.
    fn pop(&mut self, succeeded: bool) {
        let Some(Expected { first, more, stand_in, .. }) = self.queue.pop_front() else { return };
        self.denied -= usize::from(stand_in.is_some());
        for effect in std::iter::once(first).chain(more) {
            self.settle(effect, succeeded);
        }
    }

    /// A `Sync` is answered, and the one in front is one that perhaps is not.
    fn pop_sync(&mut self) {
        let passed = |expected: &Expected| matches!(expected.sent, Sent::PerhapsSync | Sent::CopyEnd);
        let certain = self.queue.iter().position(|expected| !passed(expected));
        let certain = certain.filter(|at| self.queue.get(*at).is_some_and(|next| next.sent == Sent::Sync));
        self.queue.remove(certain.unwrap_or_default());
        self.mode = Mode::Answering;
    }

    fn settle(&mut self, effect: Effect, succeeded: bool) {
        match effect {
            Effect::Put { space, name, sure, .. } => self.names(space).settle(&name, succeeded, sure),
            Effect::Remove(space, name) if succeeded => self.names(space).remove(&name),
            Effect::Clear(space) if succeeded => self.names(space).clear(),
            Effect::ClearAll if succeeded => {
                self.statements.clear();
                self.portals.clear();
            }
            Effect::None | Effect::Fetch(_) | Effect::Remove(..) | Effect::Clear(_) | Effect::ClearAll => {}
        }
    }

    /// An error in a pipeline: what was sent before its `Sync` is ignored. If a COPY may have taken that one, nobody knows
    /// whether the server looks at what was sent between it and the next.
    fn skip(&mut self) -> Result<(), Breach> {
        let is_sync = |expected: &Expected| matches!(expected.sent, Sent::Sync | Sent::PerhapsSync);
        while self.queue.front().is_some_and(|front| !is_sync(front)) {
            self.pop(false);
        }
        self.mode = match self.queue.back().map(|last| last.sent) {
            None => Mode::Skipping,
            Some(Sent::PerhapsSync) => Mode::Unclear,
            Some(_) => Mode::Answering,
        };
        let mut behind =
            self.queue.iter().skip_while(|next| matches!(next.sent, Sent::PerhapsSync | Sent::CopyEnd));
        let front = self.queue.front().map(|front| front.sent);
        match behind.next() {
            Some(next) if front == Some(Sent::PerhapsSync) && next.sent != Sent::Sync => {
                Err(Breach::Violation("messages were sent behind a COPY that has failed".to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The server takes data from here on. Until they end it ignores every `Sync`, unless the COPY fails before.
    fn begin_copy(&mut self) {
        let mut at = 1;
        while let Some(next) = self.queue.get_mut(at) {
            match next.sent {
                Sent::Sync | Sent::PerhapsSync => next.sent = Sent::PerhapsSync,
                Sent::CopyEnd => {
                    self.queue.remove(at);
                    return;
                }
                // Either the COPY fails before the server reads this, or the session is over.
                Sent::Query | Sent::Parse | Sent::Bind | Sent::Describe | Sent::Execute | Sent::Close => {
                    return;
                }
            }
            at += 1;
        }
        self.mode = Mode::Copying;
    }

    /// A COPY is over, if this was one. What was sent before its end, from this place of the queue on, it has ignored.
    fn end_copy(&mut self, from: usize) {
        if self.mode == Mode::Copying {
            self.mode = Mode::Answering;
        }
        while self.queue.get(from).is_some_and(|next| next.sent == Sent::PerhapsSync) {
            self.queue.remove(from);
        }
    }

    /// Everything that is being executed or lies open.
    pub(super) fn open(&self) -> Result<Vec<Texts>, TooMany> {
        let executing = self.queue.iter().filter_map(|expected| expected.texts.clone().map(Ok));
        executing.chain(self.portals.all()).collect()
    }

    /// What an error that comes now is about.
    pub(super) fn failing(&mut self) -> Option<&Texts> {
        self.reach(b'E');
        self.queue.front()?.texts.as_ref()
    }

    /// The denial that an error stands for.
    pub(super) fn denial(&mut self, error: &[u8]) -> Option<Denial> {
        self.reach(b'E');
        let stand_in = &mut self.queue.front_mut()?.stand_in;
        let failed = stand_in.take_if(|stand_in| stand_in.has_failed_with(error))?;
        self.denied -= 1;
        Some(failed.into_denial())
    }

    /// How many rows of what is being executed were sent before, by its portal or from its cursor.
    pub(super) fn rows_before(&mut self) -> u64 {
        self.reach(b'D');
        let Some(front) = self.queue.front() else { return 0 };
        front.row_givers().map(|name| self.portals.rows(name)).max().unwrap_or_default()
    }

    /// What is being executed has given so many rows, and may give more of the same answer.
    pub(super) fn gave(&mut self, rows: u64) {
        self.reach(b'D');
        let Some(front) = self.queue.front() else { return };
        front.row_givers().for_each(|name| self.portals.gave(name, rows));
    }
}

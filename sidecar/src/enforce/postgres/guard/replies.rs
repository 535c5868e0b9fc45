//! Which message of the client's the server is answering.
//!
//! The server answers in order, and after an error in the extended protocol ignores everything up to the next `Sync`.
//! So a queue of what was sent tells what each reply means for the session's names. When a reply fits nothing in the
//! queue the account of what is under which name stops being exact, and from then on names keep all that ever was
//! under them: too much is judged again, never too little.

use std::collections::VecDeque;

use super::names::{Name, Names, Texts};

/// One of the two spaces of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The name is free.
    Remove(Space, Name),
    /// All names are free.
    Clear(Space),
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
    /// `CopyDone` or `CopyFail`: not answered, but where a COPY that the client feeds ends.
    CopyEnd,
}

/// A message without its (whole) answer.
#[derive(Debug)]
struct Expected {
    sent: Sent,
    /// One for each statement of a `Query`; one or several of any other message that succeed together.
    effects: VecDeque<Effect>,
    /// What it executes or opens.
    texts: Option<Texts>,
}

/// The queue, and the names that it keeps account of.
#[derive(Debug, Default)]
pub(super) struct Replies {
    queue: VecDeque<Expected>,
    statements: Names,
    portals: Names,
    /// Counts pipelines, which end with `Sync`.
    pipeline: u64,
    /// The server ignores what comes before the next `Sync`.
    skipping: bool,
    /// The server takes data and ignores `Sync`, and the client has not said yet that it has no more of them.
    copying: bool,
    lost: bool,
}

impl Replies {
    fn names(&mut self, space: Space) -> &mut Names {
        match space {
            Space::Statements => &mut self.statements,
            Space::Portals => &mut self.portals,
        }
    }

    /// Everything that may be under a name for a message that is sent now.
    pub(super) fn find(&self, space: Space, name: &[u8]) -> Option<Texts> {
        // Pipeline 0 is nobody's.
        let pipeline = self.pipeline + 1;
        match space {
            Space::Statements => self.statements.find(name, pipeline),
            Space::Portals => self.portals.find(name, pipeline),
        }
    }

    /// A message goes to the server.
    pub(super) fn expect(&mut self, sent: Sent, effects: Vec<Effect>, texts: Option<Texts>) {
        if self.lost {
            return effects.into_iter().for_each(|effect| self.may_have_happened(effect));
        }
        if self.skipping {
            return;
        }
        for effect in &effects {
            if let Effect::Put { space, name, texts, sure } = effect {
                let pipeline = if *sure && sent != Sent::Query { self.pipeline + 1 } else { 0 };
                self.names(*space).promise(name.clone(), Texts::clone(texts), pipeline);
            }
        }
        self.queue.push_back(Expected { sent, effects: effects.into(), texts });
    }

    fn may_have_happened(&mut self, effect: Effect) {
        if let Effect::Put { space, name, texts, .. } = effect {
            self.names(space).merge(&name, &texts);
        }
    }

    /// `Sync` goes to the server.
    pub(super) fn expect_sync(&mut self) {
        if !self.copying && !self.lost {
            self.skipping = false;
            self.pipeline += 1;
            self.queue.push_back(Expected { sent: Sent::Sync, effects: VecDeque::new(), texts: None });
        }
    }

    /// `CopyDone` or `CopyFail` goes to the server.
    pub(super) fn expect_copy_end(&mut self) {
        if self.copying {
            self.copying = false;
        } else if !self.queue.is_empty() {
            self.queue.push_back(Expected { sent: Sent::CopyEnd, effects: VecDeque::new(), texts: None });
        }
    }

    /// A message of the server's, other than rows and data of a COPY, and other than what it says unasked. `status` is
    /// that of a `ReadyForQuery`.
    pub(super) fn answered(&mut self, kind: u8, status: Option<u8>) {
        if self.lost {
            return;
        }
        while self.queue.front().is_some_and(|front| front.sent == Sent::CopyEnd) {
            self.queue.pop_front();
        }
        let Some(front) = self.queue.front().map(|front| front.sent) else { return self.lose() };
        match (kind, front) {
            (b'1', Sent::Parse) | (b'2', Sent::Bind) | (b'3', Sent::Close) | (b'C', Sent::Execute) => {
                self.copying = false;
                self.pop(true);
            }
            (b'T' | b'n', Sent::Describe) | (b's' | b'I', Sent::Execute) => self.pop(false),
            (b'C', Sent::Query) => {
                self.copying = false;
                let effect = self.queue.front_mut().and_then(|front| front.effects.pop_front());
                effect.into_iter().for_each(|effect| self.happened(effect));
            }
            (b'G', Sent::Query | Sent::Execute) => self.begin_copy(),
            (b'E', Sent::Query | Sent::Sync) => self.copying = false,
            (b'E', _) => self.skip(),
            (b'Z', Sent::Query | Sent::Sync) => {
                self.pop(false);
                if status == Some(b'I') {
                    self.portals.end_transaction();
                }
            }
            (b't', Sent::Describe) | (b'T' | b'I' | b'H', Sent::Query) | (b'H', Sent::Execute) => {}
            _ => self.lose(),
        }
    }

    /// The message in front is answered.
    fn pop(&mut self, succeeded: bool) {
        let effects = self.queue.pop_front().map(|front| front.effects).unwrap_or_default();
        for effect in effects {
            if succeeded {
                self.happened(effect);
            } else {
                self.came_to_nothing(effect);
            }
        }
    }

    fn happened(&mut self, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Put { space, name, sure, .. } => self.names(space).keep(&name, sure),
            Effect::Remove(space, name) => self.names(space).remove(&name),
            Effect::Clear(space) => self.names(space).clear(),
        }
    }

    fn came_to_nothing(&mut self, effect: Effect) {
        if let Effect::Put { space, name, .. } = effect {
            self.names(space).break_promise(&name);
        }
    }

    /// An error in a pipeline: what was sent before its `Sync` is ignored.
    fn skip(&mut self) {
        self.copying = false;
        while self.queue.front().is_some_and(|front| front.sent != Sent::Sync) {
            self.pop(false);
        }
        self.skipping = self.queue.is_empty();
    }

    /// The server takes data from here on. Until they end it ignores every `Sync`, those that were sent already too.
    fn begin_copy(&mut self) {
        let end = self.queue.iter().position(|expected| expected.sent == Sent::CopyEnd);
        self.copying = end.is_none();
        let mut at = 0;
        let end = end.unwrap_or(usize::MAX);
        self.queue.retain(|expected| {
            at += 1;
            expected.sent != Sent::Sync || at > end
        });
    }

    fn lose(&mut self) {
        self.lost = true;
        self.queue.clear();
        self.statements.lose_track();
        self.portals.lose_track();
    }

    /// Whether nothing is waiting for an answer, as far as that is known.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Everything that is being executed or lies open.
    pub(super) fn open(&self) -> Vec<Texts> {
        let executing = self.queue.iter().filter_map(|expected| expected.texts.clone());
        executing.chain(self.portals.all()).collect()
    }

    /// What the server is answering now.
    pub(super) fn current(&self) -> Option<&Texts> {
        self.queue.front()?.texts.as_ref()
    }
}

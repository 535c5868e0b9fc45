//! What lies under the names that a session holds at the server.
//!
//! Prepared statements are one space of names, portals and cursors another, whether the protocol or SQL made them. A
//! client need not wait for replies, so what is under a name may be uncertain for a while: what the replies have shown
//! to be there, or anything that was sent since. All of it is judged when the name is used.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::enforce::postgres::{Judgement, Step};

/// The server keeps so much of a name (`NAMEDATALEN - 1`).
const NAME_LEN: usize = 63;

/// A name as the server keeps it.
pub(super) type Name = Box<[u8]>;

/// Cuts a name as the server does.
pub(super) fn name(bytes: &[u8]) -> Name {
    bytes.get(..NAME_LEN).unwrap_or(bytes).into()
}

/// A text that lies at the server, under a name or in execution.
#[derive(Debug)]
pub(super) struct Text {
    /// As the client sent it.
    pub(super) text: Box<str>,
    /// What was found about it.
    pub(super) judgement: Arc<Judgement>,
    /// On which ground it was found good last.
    judged: AtomicU64,
    room: Arc<AtomicUsize>,
}

impl Text {
    /// A text that was judged on the ground of this number; it takes `room` while it exists.
    pub(super) fn new(text: &str, judgement: Arc<Judgement>, epoch: u64, room: &Arc<AtomicUsize>) -> Self {
        room.fetch_add(text.len(), Ordering::Relaxed);
        Self { text: text.into(), judgement, judged: AtomicU64::new(epoch), room: Arc::clone(room) }
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

    /// Whether what it opens may outlast its transaction. The word cannot be written in any other way.
    fn may_hold(&self) -> bool {
        self.text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"hold"))
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.room.fetch_sub(self.text.len(), Ordering::Relaxed);
    }
}

/// Texts of which any one may be under a name. Never none.
pub(super) type Texts = Arc<[Arc<Text>]>;

/// Something that was sent and not yet answered.
#[derive(Debug)]
struct Promise {
    texts: Texts,
    /// The pipeline in which it is certain for whatever comes behind it; 0 for none.
    pipeline: u64,
}

/// One space of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    certain: HashMap<Name, Texts>,
    promised: HashMap<Name, VecDeque<Promise>>,
}

impl Names {
    /// Everything that may be under a name when the server gets to a message that is sent now, in this pipeline.
    pub(super) fn find(&self, name: &[u8], pipeline: u64) -> Option<Texts> {
        let certain = self.certain.get(name);
        let Some(promised) = self.promised.get(name) else { return certain.cloned() };
        match promised.back() {
            // Had that one failed, the server would skip this message as well.
            Some(last) if last.pipeline == pipeline => Some(Arc::clone(&last.texts)),
            _ => {
                let all = certain.into_iter().chain(promised.iter().map(|promise| &promise.texts));
                Some(all.flat_map(|texts| texts.iter().cloned()).collect())
            }
        }
    }

    /// Something was sent that puts these texts under a name, if it succeeds.
    pub(super) fn promise(&mut self, name: Name, texts: Texts, pipeline: u64) {
        self.promised.entry(name).or_default().push_back(Promise { texts, pipeline });
    }

    fn oldest(&mut self, name: &[u8]) -> Option<Texts> {
        let promised = self.promised.get_mut(name)?;
        let oldest = promised.pop_front();
        if promised.is_empty() {
            self.promised.remove(name);
        }
        oldest.map(|promise| promise.texts)
    }

    /// The oldest promise came true. Unless it is `sure` what exactly it did, what was there may still be there.
    pub(super) fn keep(&mut self, name: &[u8], sure: bool) {
        if let Some(texts) = self.oldest(name) {
            if sure {
                self.certain.insert(name.into(), texts);
            } else {
                self.merge(name, &texts);
            }
        }
    }

    /// The oldest promise came to nothing.
    pub(super) fn break_promise(&mut self, name: &[u8]) {
        self.oldest(name);
    }

    /// These texts may be under the name as well.
    pub(super) fn merge(&mut self, name: &[u8], texts: &Texts) {
        match self.certain.get_mut(name) {
            Some(known) => {
                let fresh = texts.iter().filter(|text| !known.iter().any(|known| Arc::ptr_eq(known, text)));
                let all: Texts = known.iter().chain(fresh).cloned().collect();
                *known = all;
            }
            None => drop(self.certain.insert(name.into(), Arc::clone(texts))),
        }
    }

    /// Nothing is under the name any more, but for what was sent since.
    pub(super) fn remove(&mut self, name: &[u8]) {
        self.certain.remove(name);
    }

    /// Nothing is under any name any more, but for what was sent since.
    pub(super) fn clear(&mut self) {
        self.certain.clear();
    }

    /// A transaction has ended, and with it whatever cannot outlast one.
    pub(super) fn end_transaction(&mut self) {
        self.certain.retain(|_, texts| texts.iter().any(|text| text.may_hold()));
    }

    /// The replies can no longer be told apart: whatever was promised may have come true.
    pub(super) fn lose_track(&mut self) {
        for (name, promises) in std::mem::take(&mut self.promised) {
            for promise in promises {
                self.merge(&name, &promise.texts);
            }
        }
    }

    /// Everything that may be under any name.
    pub(super) fn all(&self) -> Vec<Texts> {
        let promised = self.promised.values().flatten().map(|promise| &promise.texts);
        self.certain.values().chain(promised).cloned().collect()
    }
}

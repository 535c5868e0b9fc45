//! Verdicts that were found already.
//!
//! Kept by everything that a verdict depends on: the text itself, the limits with their terms, the catalog, and what an
//! engine says that matters besides. Shared by all sessions of a repo and bounded: there are two generations, and when the younger
//! one is full the older one goes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Denial, Limits, Uses};

/// What statements are judged on, as far as it decides a verdict.
pub(crate) trait Footing {
    /// What is found about a statement that may be sent.
    type Judgement;
    /// What besides text, limits and catalog decides.
    type Rest: Eq + Hash;

    /// What the grant covers.
    fn limits(&self) -> &Arc<Limits>;
    /// The catalog's version.
    fn catalog(&self) -> u64;
    /// What besides decides.
    fn rest(&self) -> Self::Rest;
    /// How many bytes are sent in the place of the text.
    fn room(judgement: &Self::Judgement) -> usize;
    /// What it uses.
    fn uses(judgement: &Self::Judgement) -> &Uses;
}

/// What is found about a text.
pub(crate) type Verdict<J> = Result<Arc<J>, Denial>;

/// Longer texts are not kept, nor those in whose place something longer is sent.
pub(crate) const LONGEST_KEPT: usize = 8 * 1024;
/// So many bytes are kept in each generation of each part.
const ROOM: usize = 512 * 1024;
/// So many are kept in each generation of each part.
const GENERATION: usize = 256;
const PARTS: usize = 16;

struct Known<F: Footing> {
    text: Box<[u8]>,
    limits: Arc<Limits>,
    rest: F::Rest,
    catalog: u64,
    room: usize,
    verdict: Verdict<F::Judgement>,
}

impl<F: Footing> Known<F> {
    fn fits(&self, text: &[u8], footing: &F, rest: &F::Rest) -> bool {
        self.catalog == footing.catalog()
            && Arc::ptr_eq(&self.limits, footing.limits())
            && self.rest == *rest
            && &*self.text == text
    }
}

/// By the hash of the text. Of two texts with one hash the later one is kept.
struct Part<F: Footing> {
    young: HashMap<u64, Known<F>>,
    old: HashMap<u64, Known<F>>,
    /// How much room the young ones have taken.
    taken: usize,
}

/// A repo's verdicts.
pub(crate) struct Verdicts<F: Footing> {
    hasher: RandomState,
    parts: [Mutex<Part<F>>; PARTS],
}

impl<F: Footing> Default for Verdicts<F> {
    fn default() -> Self {
        let part = || Mutex::new(Part { young: HashMap::new(), old: HashMap::new(), taken: 0 });
        Self { hasher: RandomState::new(), parts: std::array::from_fn(|_| part()) }
    }
}

impl<F: Footing> std::fmt::Debug for Verdicts<F> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Verdicts(…)")
    }
}

impl<F: Footing> Verdicts<F> {
    fn hash(&self, text: &[u8], footing: &F, rest: &F::Rest) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        text.hash(&mut hasher);
        Arc::as_ptr(footing.limits()).addr().hash(&mut hasher);
        rest.hash(&mut hasher);
        hasher.finish()
    }

    fn part(&self, hash: u64) -> Option<&Mutex<Part<F>>> {
        self.parts.get(usize::try_from(hash % PARTS as u64).unwrap_or_default())
    }

    /// What was found about a text on this footing.
    pub(crate) fn find(&self, text: impl AsRef<[u8]>, footing: &F) -> Option<Verdict<F::Judgement>> {
        let (text, rest) = (text.as_ref(), footing.rest());
        if text.len() > LONGEST_KEPT {
            return None;
        }
        let hash = self.hash(text, footing, &rest);
        let mut part = self.part(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = part.young.get(&hash).filter(|known| known.fits(text, footing, &rest)) {
            return Some(known.verdict.clone());
        }
        let known = part.old.remove(&hash).filter(|known| known.fits(text, footing, &rest))?;
        let verdict = known.verdict.clone();
        part.keep(hash, known);
        Some(verdict)
    }

    /// Remembers what was found; not what another catalog may know better.
    pub(crate) fn keep(&self, text: impl AsRef<[u8]>, footing: &F, verdict: &Verdict<F::Judgement>) {
        let text = text.as_ref();
        let (told, used) = match verdict {
            Ok(judgement) => (F::room(judgement), F::uses(judgement).room()),
            Err(denial) if denial.stale => return,
            Err(denial) => {
                let parts = [&denial.message, &denial.detail, &denial.hint, &denial.culprit];
                (parts.map(String::len).iter().sum(), 0)
            }
        };
        if text.len() > LONGEST_KEPT || told > LONGEST_KEPT {
            return;
        }
        let (rest, room) = (footing.rest(), text.len() + told + used);
        let hash = self.hash(text, footing, &rest);
        let (limits, catalog) = (Arc::clone(footing.limits()), footing.catalog());
        let known = Known { text: text.into(), limits, rest, catalog, room, verdict: verdict.clone() };
        if let Some(part) = self.part(hash) {
            part.lock().unwrap_or_else(PoisonError::into_inner).keep(hash, known);
        }
    }
}

impl<F: Footing> Part<F> {
    fn keep(&mut self, hash: u64, known: Known<F>) {
        if self.young.len() >= GENERATION || self.taken > ROOM {
            self.old = std::mem::take(&mut self.young);
            self.taken = 0;
        }
        self.taken += known.room;
        self.young.insert(hash, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::postgres::{Ground, Judgement, Start};

    fn ground() -> Ground {
        Ground {
            catalog: Arc::default(),
            limits: Arc::default(),
            path: ["pg_catalog".into(), "public".into()].into(),
            user: "app_ro".into(),
            start: Arc::default(),
        }
    }

    fn good() -> Arc<Judgement> {
        Arc::new(Judgement::new(None, Box::default()))
    }

    #[test]
    fn a_verdict_holds_for_its_text_and_its_ground_only() {
        let (verdicts, here) = (Verdicts::default(), ground());
        verdicts.keep("select 1", &here, &Ok(good()));
        assert_eq!(verdicts.find("select 1", &here), Some(Ok(good())));
        assert_eq!(verdicts.find("select 2", &here), None);
        let others = [
            Ground { limits: Arc::default(), ..here.clone() },
            Ground { path: ["hr".into()].into(), ..here.clone() },
            Ground { user: "app_rw".into(), ..here.clone() },
            Ground { start: Arc::new(Start::new("public, hr", "", "")), ..here.clone() },
        ];
        for other in others {
            assert_eq!(verdicts.find("select 1", &other), None, "{other:?}");
        }
    }

    #[test]
    fn what_a_newer_catalog_may_know_is_not_remembered_and_nothing_is_for_ever() {
        let (verdicts, here) = (Verdicts::default(), ground());
        verdicts.keep("select x", &here, &Err(Denial::missing("42703", String::new(), "x")));
        assert_eq!(verdicts.find("select x", &here), None);
        for number in 0..100_000 {
            verdicts.keep(format!("select {number}"), &here, &Ok(good()));
        }
        assert_eq!(verdicts.find("select 0", &here), None);
        assert_eq!(verdicts.find("select 99999", &here), Some(Ok(good())));
    }

    #[test]
    fn what_takes_much_room_is_not_kept() {
        let (verdicts, here) = (Verdicts::default(), ground());
        let long = || Ok(Arc::new(Judgement::new(Some("x".repeat(10_000).into()), Box::default())));
        verdicts.keep("select *", &here, &long());
        assert_eq!(verdicts.find("select *", &here), None);
        for number in 0..8192 {
            verdicts.keep(format!("{number} {}", "x".repeat(8000)), &here, &Ok(good()));
        }
        let parts = verdicts.parts.iter().map(|part| part.lock().unwrap());
        let texts = parts.flat_map(|part| {
            part.young.values().chain(part.old.values()).map(|known| known.text.len()).collect::<Vec<_>>()
        });
        assert!(texts.sum::<usize>() < 20 * 1024 * 1024);
    }
}

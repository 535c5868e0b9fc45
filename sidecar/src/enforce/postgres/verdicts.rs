//! Verdicts that were found already.
//!
//! Kept by everything that a verdict depends on: the text itself, the limits, the catalog, the search path, the role and
//! what becomes of stars. Shared by all sessions of a repo and bounded: there are two generations, and when the younger
//! one is full the older one goes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Ground, Judgement, Start};
use crate::enforce::{Denial, Limits};

/// What is found about a text.
pub(crate) type Verdict = Result<Arc<Judgement>, Denial>;

/// Longer texts are not kept.
const LONGEST: usize = 8 * 1024;
/// So many are kept in each generation of each part.
const GENERATION: usize = 256;
const PARTS: usize = 16;

#[derive(Debug)]
struct Known {
    text: Box<str>,
    limits: Arc<Limits>,
    path: Arc<[Arc<str>]>,
    user: Arc<str>,
    start: Arc<Start>,
    catalog: u64,
    verdict: Verdict,
}

impl Known {
    fn fits(&self, text: &str, ground: &Ground) -> bool {
        self.catalog == ground.catalog.version()
            && Arc::ptr_eq(&self.limits, &ground.limits)
            && self.user == ground.user
            && self.path == ground.path
            && self.start.is_like(&ground.start)
            && &*self.text == text
    }
}

/// By the hash of the text. Of two texts with one hash the later one is kept.
#[derive(Debug, Default)]
struct Part {
    young: HashMap<u64, Known>,
    old: HashMap<u64, Known>,
}

/// A repo's verdicts.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    hasher: RandomState,
    parts: [Mutex<Part>; PARTS],
}

impl Verdicts {
    fn hash(&self, text: &str, ground: &Ground) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        text.hash(&mut hasher);
        Arc::as_ptr(&ground.limits).addr().hash(&mut hasher);
        ground.path.hash(&mut hasher);
        ground.start.search_path.hash(&mut hasher);
        hasher.finish()
    }

    fn part(&self, hash: u64) -> Option<&Mutex<Part>> {
        self.parts.get(usize::try_from(hash % PARTS as u64).unwrap_or_default())
    }

    /// What was found about a text on this ground.
    pub(crate) fn find(&self, text: &str, ground: &Ground) -> Option<Verdict> {
        if text.len() > LONGEST {
            return None;
        }
        let hash = self.hash(text, ground);
        let mut part = self.part(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = part.young.get(&hash).filter(|known| known.fits(text, ground)) {
            return Some(known.verdict.clone());
        }
        let known = part.old.remove(&hash).filter(|known| known.fits(text, ground))?;
        let verdict = known.verdict.clone();
        part.keep(hash, known);
        Some(verdict)
    }

    /// Remembers what was found; not what another catalog may know better.
    pub(crate) fn keep(&self, text: &str, ground: &Ground, verdict: &Verdict) {
        if text.len() > LONGEST || matches!(verdict, Err(denial) if denial.stale) || leaves_traces(text) {
            return;
        }
        let hash = self.hash(text, ground);
        let Ground { catalog, limits, path, user, start } = ground.clone();
        let catalog = catalog.version();
        let known = Known { text: text.into(), limits, path, user, start, catalog, verdict: verdict.clone() };
        if let Some(part) = self.part(hash) {
            part.lock().unwrap_or_else(PoisonError::into_inner).keep(hash, known);
        }
    }
}

/// Whether judging a text may leave traces in the session's ground: then each session's is judged.
fn leaves_traces(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("reset") || text.contains("discard")
}

impl Part {
    fn keep(&mut self, hash: u64, known: Known) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        Arc::new(Judgement { instead: None, steps: Box::default() })
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
            Ground { start: Arc::new(Start::new("public, hr", "")), ..here.clone() },
        ];
        for other in others {
            assert_eq!(verdicts.find("select 1", &other), None, "{other:?}");
        }
    }

    #[test]
    fn what_a_newer_catalog_may_know_is_not_remembered_and_nothing_is_for_ever() {
        let (verdicts, here) = (Verdicts::default(), ground());
        verdicts.keep("select x", &here, &Err(Denial::unknown("x", "")));
        assert_eq!(verdicts.find("select x", &here), None);
        verdicts.keep("Reset All", &here, &Ok(good()));
        assert_eq!(verdicts.find("Reset All", &here), None);
        for number in 0..100_000 {
            verdicts.keep(&format!("select {number}"), &here, &Ok(good()));
        }
        assert_eq!(verdicts.find("select 0", &here), None);
        assert_eq!(verdicts.find("select 99999", &here), Some(Ok(good())));
    }
}

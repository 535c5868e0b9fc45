//! What the sessions of limited grants have moved lately, and what they have used, whatever the grants' revisions.

use std::sync::Arc;

use dashmap::DashMap;
use postern_protocol::gate::GrantId;

use super::{Access, held::Held};
use crate::enforce::{Fresh, Tally};

/// The tallies by the grants that they belong to.
#[derive(Debug, Default)]
pub(super) struct Tallies(DashMap<GrantId, Counted>);

#[derive(Debug)]
struct Counted {
    access: Arc<Access>,
    tally: Arc<Tally>,
}

/// What a grant was used for and nobody has been told yet.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) grant: GrantId,
    pub(crate) access: Arc<Access>,
    pub(crate) fresh: Fresh,
}

impl Tallies {
    /// That of a grant.
    pub(super) fn of(&self, grant: &Held) -> Arc<Tally> {
        if let Some(known) = self.0.get(&grant.id).map(|known| Arc::clone(&known.tally)) {
            return known;
        }
        let counted = || Counted { access: Arc::clone(&grant.access), tally: Arc::default() };
        Arc::clone(&self.0.entry(grant.id.clone()).or_insert_with(counted).tally)
    }

    /// What has been used since this was asked last.
    pub(super) fn take_used(&self) -> Vec<Used> {
        let used = |(grant, Counted { access, tally }): (&GrantId, &Counted)| {
            let (grant, access) = (grant.clone(), Arc::clone(access));
            tally.ledger().take().map(|fresh| Used { grant, access, fresh })
        };
        self.0.iter().filter_map(|entry| used(entry.pair())).collect()
    }

    /// Forgets those that nobody adds to and that have nothing to say: a new one would say the same.
    pub(super) fn sweep(&self) {
        self.0.retain(|_, Counted { tally, .. }| Arc::strong_count(tally) > 1 || !tally.is_over());
    }

    /// Whether there is none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

//! What holds at one moment: grants, tokens, what is switched off.
//!
//! There can be very many grants, and most of what they say is said by others too. So equal things are there once: an
//! access with its names, and a list of resources with its terms. A grant's text is not kept.

use std::{
    hash::Hash,
    sync::{Arc, Weak},
    time::Duration,
};

use dashmap::{DashMap, DashSet};
use postern_protocol::gate::{
    AccessToken, AccountName, Change, EndCause, Grant, GrantId, Identity, RepoName, ResourceGrant, Scope,
    Snapshot, Terms, TokenId,
};
use tokio::time::Instant;

use super::{
    Access,
    clock::ControlClock,
    held::{Held, Told},
};
use crate::enforce::Limits;

/// How long the end of a grant is remembered, so that no old message revives it and its client can be told.
const MEMORY: Duration = Duration::from_hours(25);

/// How a grant ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    revision: u64,
    pub(super) cause: EndCause,
    pub(super) by: String,
    pub(super) reason: String,
    at: Instant,
}

impl Ended {
    fn is_remembered(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < MEMORY
    }
}

/// An access token that was issued.
#[derive(Debug, Clone)]
pub(super) struct Token {
    id: TokenId,
    pub(super) identity: Identity,
    pub(super) ends: Instant,
}

/// Who switched something off, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Off {
    pub(super) by: String,
    pub(super) reason: String,
}

/// One complete picture. A snapshot replaces it; changes are written into it.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) grants: DashMap<GrantId, Arc<Held>>,
    by_access: DashMap<Arc<Access>, Vec<GrantId>>,
    pub(super) ended: DashMap<GrantId, Ended>,
    /// By the token's hash.
    pub(super) tokens: DashMap<String, Token>,
    pub(super) repos_off: DashMap<RepoName, Off>,
    pub(super) identities_off: DashMap<Identity, Off>,
    /// There are as many as repos and accounts, which are few.
    repos: DashSet<RepoName>,
    accounts: DashSet<AccountName>,
    known_limits: Arc<KnownLimits>,
}

/// The limits of all grants, by what the grants list and their terms.
#[derive(Debug, Default)]
struct KnownLimits(DashMap<(Box<[ResourceGrant]>, Terms), Weak<Limits>>);

impl KnownLimits {
    fn of(&self, scope: Scope, terms: Terms) -> Option<Arc<Limits>> {
        let Scope::Limited(mut list) = scope else { return None };
        list.sort_unstable();
        let mut place = self.0.entry((list.into(), terms)).or_default();
        Some(place.upgrade().unwrap_or_else(|| {
            let (list, terms) = place.key();
            let limits = Arc::new(Limits::new(list, terms.clone()));
            *place = Arc::downgrade(&limits);
            limits
        }))
    }

    fn sweep(&self) {
        self.0.retain(|_, limits| limits.strong_count() > 0);
    }
}

/// The name that is known and equal, so that a text is there once.
fn known<T: Clone + Eq + Hash>(names: &DashSet<T>, name: T) -> T {
    if let Some(known) = names.get(&name).map(|known| known.clone()) {
        return known;
    }
    names.insert(name.clone());
    name
}

impl Picture {
    /// The grants of somebody at a repo and an account, whatever their hours.
    pub(super) fn of(&self, access: &Access) -> Vec<Arc<Held>> {
        let ids = self.by_access.get(access).map(|ids| ids.clone()).unwrap_or_default();
        ids.iter().filter_map(|id| self.grants.get(id).map(|held| Arc::clone(held.value()))).collect()
    }

    /// Writes one change. Repeated and outdated ones change nothing.
    pub(super) fn write(&self, change: &Change, clock: &ControlClock) {
        match change {
            Change::Grant(grant) => {
                let before = self.grants.get(&grant.id).map(|held| Arc::clone(held.value()));
                self.hold(grant.clone(), clock, before.as_deref());
            }
            Change::GrantEnded { grant, revision, cause, by, reason } => {
                let end = Ended {
                    revision: *revision,
                    cause: *cause,
                    by: by.clone(),
                    reason: reason.clone(),
                    at: Instant::now(),
                };
                self.end(grant, end);
            }
            Change::Token(token) => self.issue(token.clone(), clock),
            Change::TokenRevoked { token } => self.tokens.retain(|_, known| known.id != *token),
            Change::Repo { repo, enabled: true, .. } => drop(self.repos_off.remove(repo)),
            Change::Repo { repo, enabled: false, by, reason } => {
                self.repos_off.insert(repo.clone(), Off { by: by.clone(), reason: reason.clone() });
            }
            Change::Identity { identity, enabled: true, .. } => drop(self.identities_off.remove(identity)),
            Change::Identity { identity, enabled: false, by, reason } => {
                self.identities_off.insert(identity.clone(), Off { by: by.clone(), reason: reason.clone() });
            }
            // Concerns a session, or the sidecar, and not the book.
            Change::Kill { .. } | Change::Drain(_) => {}
        }
    }

    /// Holds a grant, unless a newer revision of it is known or it is over.
    fn hold(&self, grant: Grant, clock: &ControlClock, before: Option<&Held>) {
        if self.ended.get(&grant.id).is_some_and(|end| end.revision >= grant.revision) {
            return;
        }
        if before.is_some_and(|before| before.revision() > grant.revision) {
            return;
        }
        let Grant { id, revision, identity, repo, account, scope, terms, session, not_before, expires_at } =
            grant;
        let access = self.access(Access { identity, repo, account });
        let listed = self.grants.get(&id).map(|known| Arc::clone(&known.access));
        if let Some(other) = listed.as_ref().filter(|listed| **listed != access) {
            self.forget_access(other, &id);
        }
        let limits = self.known_limits.of(scope, terms);
        let told = Told::new(revision, not_before, expires_at, session);
        let held = Held::new(id.clone(), Arc::clone(&access), limits, told, clock);
        let held = if let Some(before) = before { held.no_longer_than(before) } else { held };
        self.grants.insert(id.clone(), Arc::new(held));
        if listed.as_ref() != Some(&access) {
            // Most have one.
            self.by_access.entry(access).or_insert_with(|| Vec::with_capacity(1)).push(id);
        }
    }

    fn access(&self, access: Access) -> Arc<Access> {
        if let Some(known) = self.by_access.get(&access).map(|known| Arc::clone(known.key())) {
            return known;
        }
        let Access { identity, repo, account } = access;
        Arc::new(Access { identity, repo: known(&self.repos, repo), account: known(&self.accounts, account) })
    }

    fn end(&self, id: &GrantId, end: Ended) {
        if self.ended.get(id).is_some_and(|known| known.revision >= end.revision) {
            return;
        }
        self.ended.insert(id.clone(), end);
        if let Some((_, held)) = self.grants.remove(id) {
            self.forget_access(&held.access, id);
        }
    }

    fn forget_access(&self, access: &Access, id: &GrantId) {
        if let Some(mut ids) = self.by_access.get_mut(access) {
            ids.retain(|known| known != id);
        }
        self.by_access.remove_if(access, |_, ids| ids.is_empty());
    }

    fn issue(&self, token: AccessToken, clock: &ControlClock) {
        let AccessToken { id, sha256, identity, expires_at } = token;
        self.tokens.insert(sha256, Token { id, identity, ends: clock.instant(expires_at) });
    }

    /// Forgets what is long over.
    pub(super) fn sweep(&self, now: Instant) {
        self.ended.retain(|_, end| end.is_remembered(now));
        self.tokens.retain(|_, token| now < token.ends);
        self.known_limits.sweep();
    }
}

/// A picture in the making, which takes a snapshot part by part so that no part is kept as it came.
#[derive(Debug)]
pub(super) struct Draft {
    old: Arc<Picture>,
    pub(super) new: Picture,
}

impl Draft {
    /// What is to replace `old`.
    pub(super) fn after(old: Arc<Picture>) -> Self {
        let new = Picture { known_limits: Arc::clone(&old.known_limits), ..Picture::default() };
        let now = Instant::now();
        for end in old.ended.iter().filter(|end| end.is_remembered(now)) {
            new.ended.insert(end.key().clone(), end.value().clone());
        }
        Self { old, new }
    }

    /// Takes what a part of the snapshot says of grants and tokens, and of what is switched off.
    pub(super) fn add(&self, part: Snapshot, clock: &ControlClock) {
        let Self { old, new } = self;
        for change in &part.ended {
            new.write(change, clock);
        }
        for grant in part.grants {
            let before = old.grants.get(&grant.id).map(|held| Arc::clone(held.value()));
            new.hold(grant, clock, before.as_deref());
        }
        for token in part.tokens {
            new.issue(token, clock);
        }
        for repo in part.disabled_repos {
            let off = old.repos_off.get(&repo).map(|off| off.clone()).unwrap_or_default();
            new.repos_off.insert(repo, off);
        }
        for identity in part.disabled_identities {
            let off = old.identities_off.get(&identity).map(|off| off.clone()).unwrap_or_default();
            new.identities_off.insert(identity, off);
        }
    }
}

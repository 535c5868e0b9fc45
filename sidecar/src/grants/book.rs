//! Who may do what now.
//!
//! There is one question about a person who wants in ([`Book::admit`]) and one about a session that is in
//! ([`Book::standing`]); nobody else decides. An [`Admission`] can be made here only. Grants that cover the same share
//! one [`Limits`], so that what is known of one session's statements holds for another's.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use postern_protocol::gate::{
    AccessToken, AccountName, Change, Drain, EndCause, Grant, GrantId, Identity, RepoName, ResourceGrant,
    Scope, Terms, TokenId,
};
use tokio::time::Instant;

use super::{
    clock::ControlClock,
    held::{Held, Hour},
};
use crate::{
    enforce::{Limits, Tally},
    session::{Deadline, Ending, Session},
};

/// How long the end of a grant is remembered, so that no old message revives it and its client can be told.
const MEMORY: Duration = Duration::from_hours(25);

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Access {
    pub(crate) identity: Identity,
    pub(crate) repo: RepoName,
    pub(crate) account: AccountName,
}

/// Proof that a grant covers an access at the moment it was made.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    grant: Arc<Held>,
    deadline: Deadline,
}

impl Admission {
    /// The grant that it stands on.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant.grant
    }

    /// Until when.
    pub(crate) const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// How many sessions the grant allows here at once.
    pub(crate) fn max_sessions(&self) -> Option<u32> {
        self.grant.grant.session.max_sessions
    }

    /// What the session is held to, and where what it moves is counted; nothing where the grant is whole.
    pub(crate) fn limits(&self) -> Option<(Arc<Limits>, Arc<Tally>)> {
        self.grant.limits.clone().map(|limits| (limits, Arc::clone(&self.grant.tally)))
    }
}

/// On what a session may go on.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Until when.
    pub(crate) deadline: Deadline,
    /// How long it may be idle.
    pub(crate) max_idle: Option<Duration>,
    /// What it is held to. A session that began within limits stays within its last ones when there are none any more.
    pub(crate) limits: Option<Arc<Limits>>,
}

/// Why somebody is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No grant covers it now.
    NoGrant,
    /// One will, later.
    NotYet(Duration),
    /// One does, but not at this hour; in so much time again, if ever.
    Closed(Option<Duration>),
    /// The repo's ephemeral access is off.
    RepoOff,
    /// The identity is deactivated.
    IdentityOff,
}

#[derive(Debug, Clone)]
struct Ended {
    revision: u64,
    cause: EndCause,
    by: String,
    reason: String,
    at: Instant,
}

#[derive(Debug, Clone)]
struct Token {
    id: TokenId,
    identity: Identity,
    ends: Instant,
}

/// Who switched something off, and why.
#[derive(Debug, Clone, Default)]
struct Off {
    by: String,
    reason: String,
}

/// One complete picture. A snapshot replaces it; changes are written into it.
#[derive(Debug, Default)]
struct Picture {
    grants: DashMap<GrantId, Arc<Held>>,
    by_access: DashMap<Access, Vec<GrantId>>,
    ended: DashMap<GrantId, Ended>,
    /// By the token's hash.
    tokens: DashMap<String, Token>,
    repos_off: DashMap<RepoName, Off>,
    identities_off: DashMap<Identity, Off>,
    known_limits: Arc<KnownLimits>,
}

/// The limits of all grants, by what the grants list and their terms.
#[derive(Debug, Default)]
struct KnownLimits(DashMap<(Box<[ResourceGrant]>, Terms), Weak<Limits>>);

impl KnownLimits {
    fn of(&self, scope: &Scope, terms: &Terms) -> Option<Arc<Limits>> {
        let Scope::Limited(resources) = scope else { return None };
        let mut list = resources.clone();
        list.sort_unstable();
        let mut place = self.0.entry((list.into(), terms.clone())).or_default();
        Some(place.upgrade().unwrap_or_else(|| {
            let limits = Arc::new(Limits::new(resources, terms.clone()));
            *place = Arc::downgrade(&limits);
            limits
        }))
    }

    fn sweep(&self) {
        self.0.retain(|_, limits| limits.strong_count() > 0);
    }
}

/// Everything at one position, as a snapshot brings it.
#[derive(Debug, Default)]
pub(crate) struct Everything {
    pub(crate) grants: Vec<Grant>,
    pub(crate) tokens: Vec<AccessToken>,
    pub(crate) repos_off: Vec<RepoName>,
    pub(crate) identities_off: Vec<Identity>,
    /// Recent ends of grants, and kills.
    pub(crate) changes: Vec<Change>,
    /// Whether the sidecar is being drained.
    pub(crate) drain: Option<Drain>,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Book {
    picture: ArcSwap<Picture>,
}

fn access(grant: &Grant) -> Access {
    Access { identity: grant.identity.clone(), repo: grant.repo.clone(), account: grant.account.clone() }
}

impl Book {
    /// Whose token has this hash (SHA-256 in hexadecimal), and until when it counts.
    pub(crate) fn identify(&self, token_sha256: &str) -> Option<(Identity, Instant)> {
        let picture = self.picture.load();
        let found = picture.tokens.get(token_sha256)?;
        (Instant::now() < found.ends).then(|| (found.identity.clone(), found.ends))
    }

    /// Whether somebody may open a session now. Of several grants a whole one is taken, then the one that lasts longest.
    pub(crate) fn admit(&self, wanted: &Access) -> Result<Admission, Denied> {
        let (picture, now) = (self.picture.load(), Instant::now());
        if picture.identities_off.contains_key(&wanted.identity) {
            return Err(Denied::IdentityOff);
        }
        if picture.repos_off.contains_key(&wanted.repo) {
            return Err(Denied::RepoOff);
        }
        let ids = picture.by_access.get(wanted).map(|ids| ids.clone()).unwrap_or_default();
        let held = ids.iter().filter_map(|id| picture.grants.get(id).map(|held| Arc::clone(held.value())));
        let (mut best, mut denied) = (None::<Admission>, Denied::NoGrant);
        for grant in held {
            match grant.at(now) {
                Hour::Open(deadline) => {
                    let rank = |admission: &Admission| admission.grant.rank(admission.deadline);
                    if best.as_ref().is_none_or(|best| rank(best) < grant.rank(deadline)) {
                        best = Some(Admission { grant, deadline });
                    }
                }
                Hour::NotYet(wait) => denied = denied.or(Denied::NotYet(wait)),
                Hour::Closed(wait) => denied = denied.or(Denied::Closed(wait)),
                Hour::Over => {}
            }
        }
        best.ok_or(denied)
    }

    /// Whether a session may go on, until when and within what.
    pub(crate) fn standing(&self, session: &Session) -> Result<Standing, Ending> {
        let picture = self.picture.load();
        if let Some(off) = picture.identities_off.get(&session.identity) {
            return Err(Ending::IdentityDisabled { by: off.by.clone(), reason: off.reason.clone() });
        }
        if let Some(off) = picture.repos_off.get(&session.repo) {
            return Err(Ending::RepoDisabled { by: off.by.clone(), reason: off.reason.clone() });
        }
        let grant = session.grant.clone();
        let Some(held) = picture.grants.get(&grant).map(|held| Arc::clone(held.value())) else {
            let end = picture.ended.get(&grant).map(|end| end.clone());
            let (cause, by, reason) = end.map_or((EndCause::Revoked, String::new(), String::new()), |end| {
                (end.cause, end.by, end.reason)
            });
            return Err(Ending::Grant { cause, by, reason });
        };
        let same = held.grant.identity == session.identity
            && held.grant.repo == session.repo
            && held.grant.account == session.account;
        if !same || (held.limits.is_some() && !session.is_limited()) {
            return Err(Ending::Shrunk);
        }
        let deadline = match held.at(Instant::now()) {
            Hour::Open(deadline) => deadline,
            Hour::Closed(_) => return Err(Ending::AfterHours),
            // It was admitted, so it had begun; and what is over ends by its deadline.
            Hour::NotYet(_) | Hour::Over => Deadline::Grant(held.ends()),
        };
        Ok(Standing { deadline, max_idle: held.max_idle(), limits: held.limits.clone() })
    }

    /// Takes a whole new picture.
    pub(crate) fn replace(&self, everything: Everything, clock: &ControlClock) {
        let old = self.picture.load_full();
        let new = Picture { known_limits: Arc::clone(&old.known_limits), ..Picture::default() };
        let now = Instant::now();
        for end in old.ended.iter().filter(|end| now.saturating_duration_since(end.at) < MEMORY) {
            new.ended.insert(end.key().clone(), end.value().clone());
        }
        for change in &everything.changes {
            new.write(change, clock);
        }
        for grant in everything.grants {
            let before = old.grants.get(&grant.id).map(|held| Arc::clone(held.value()));
            new.hold(grant, clock, before.as_deref());
        }
        for token in everything.tokens {
            new.issue(token, clock);
        }
        for repo in everything.repos_off {
            let off = old.repos_off.get(&repo).map(|off| off.clone()).unwrap_or_default();
            new.repos_off.insert(repo, off);
        }
        for identity in everything.identities_off {
            let off = old.identities_off.get(&identity).map(|off| off.clone()).unwrap_or_default();
            new.identities_off.insert(identity, off);
        }
        self.picture.store(Arc::new(new));
    }

    /// Writes one change. Repeated and outdated ones change nothing.
    pub(crate) fn write(&self, change: &Change, clock: &ControlClock) {
        self.picture.load().write(change, clock);
    }

    /// How many grants are held now.
    pub(crate) fn len(&self) -> usize {
        self.picture.load().grants.len()
    }

    /// Forgets what is long over.
    pub(crate) fn sweep(&self) {
        let (picture, now) = (self.picture.load(), Instant::now());
        picture.ended.retain(|_, end| now.saturating_duration_since(end.at) < MEMORY);
        picture.tokens.retain(|_, token| now < token.ends);
        picture.known_limits.sweep();
    }
}

impl Denied {
    /// Of two reasons the one that says more: what comes soonest, or that there is something at all.
    fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::NoGrant | Self::Closed(None), _) => other,
            (Self::NotYet(one) | Self::Closed(Some(one)), Self::NotYet(two) | Self::Closed(Some(two)))
                if two < one =>
            {
                other
            }
            (Self::NotYet(_) | Self::Closed(Some(_)) | Self::RepoOff | Self::IdentityOff, _) => self,
        }
    }
}

impl Picture {
    fn write(&self, change: &Change, clock: &ControlClock) {
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
        if before.is_some_and(|before| before.grant.revision > grant.revision) {
            return;
        }
        let (id, access) = (grant.id.clone(), access(&grant));
        if let Some(before) = before.filter(|before| self::access(&before.grant) != access) {
            self.forget_access(&self::access(&before.grant), &id);
        }
        let limits = self.known_limits.of(&grant.scope, &grant.terms);
        self.grants.insert(id.clone(), Arc::new(Held::new(grant, limits, clock, before)));
        let mut ids = self.by_access.entry(access).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    fn end(&self, id: &GrantId, end: Ended) {
        if self.ended.get(id).is_some_and(|known| known.revision >= end.revision) {
            return;
        }
        self.ended.insert(id.clone(), end);
        if let Some((_, held)) = self.grants.remove(id) {
            self.forget_access(&access(&held.grant), id);
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
}

#[cfg(test)]
mod tests {
    use postern_protocol::gate::{SessionTerms, Stretch};

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn clock() -> ControlClock {
        ControlClock::begin(0, Instant::now())
    }

    fn grant(revision: u64, scope: Scope) -> Grant {
        Grant {
            id: "g_1".into(),
            revision,
            identity: "alice@example.com".into(),
            repo: "sales".into(),
            account: "app_ro".into(),
            scope,
            terms: Terms::default(),
            session: SessionTerms::default(),
            not_before: 0,
            expires_at: HOUR,
        }
    }

    fn wanted() -> Access {
        access(&grant(0, Scope::Whole))
    }

    fn revoke(revision: u64) -> Change {
        let (by, reason) = ("bob".to_owned(), "over".to_owned());
        Change::GrantEnded { grant: "g_1".into(), revision, cause: EndCause::Revoked, by, reason }
    }

    #[tokio::test]
    async fn a_grant_admits_until_it_is_revoked() {
        let book = Book::default();
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        assert_eq!(book.admit(&wanted()).unwrap().grant().id, "g_1".into());
        book.write(&revoke(2), &clock());
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
    }

    #[tokio::test]
    async fn no_old_message_revives_a_revoked_grant() {
        let book = Book::default();
        book.write(&revoke(2), &clock());
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
        book.replace(Everything { grants: vec![grant(2, Scope::Whole)], ..Everything::default() }, &clock());
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
    }

    #[tokio::test]
    async fn a_limited_grant_admits_within_its_limits_and_a_whole_one_goes_before_it() {
        let book = Book::default();
        book.write(&Change::Grant(grant(1, Scope::Limited(Vec::new()))), &clock());
        assert!(book.admit(&wanted()).unwrap().limits().is_some());
        let whole = Grant { id: "g_2".into(), expires_at: HOUR / 2, ..grant(1, Scope::Whole) };
        book.write(&Change::Grant(whole), &clock());
        let admission = book.admit(&wanted()).unwrap();
        assert!(admission.limits().is_none() && admission.grant().id == "g_2".into());
    }

    #[tokio::test]
    async fn an_older_revision_changes_nothing() {
        let book = Book::default();
        book.write(&Change::Grant(grant(2, Scope::Limited(Vec::new()))), &clock());
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        assert!(book.admit(&wanted()).unwrap().limits().is_some());
    }

    #[tokio::test]
    async fn grants_of_the_same_resources_share_their_limits() {
        let book = Book::default();
        let orders = ResourceGrant { resource: "public.orders".parse().unwrap(), privileges: Vec::new() };
        let scope = Scope::Limited(vec![orders]);
        book.write(&Change::Grant(grant(1, scope.clone())), &clock());
        let (first, counted) = book.admit(&wanted()).unwrap().limits().unwrap();
        book.replace(Everything { grants: vec![grant(2, scope)], ..Everything::default() }, &clock());
        let (second, still_counted) = book.admit(&wanted()).unwrap().limits().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&counted, &still_counted), "a new revision does not begin a new minute");
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_revision_never_lasts_longer_when_the_other_clock_steps_back() {
        let book = Book::default();
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        let first = book.admit(&wanted()).unwrap().deadline();
        tokio::time::advance(Duration::from_mins(30)).await;
        book.replace(Everything { grants: vec![grant(1, Scope::Whole)], ..Everything::default() }, &clock());
        assert_eq!(book.admit(&wanted()).unwrap().deadline(), first);
        tokio::time::advance(Duration::from_mins(30)).await;
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scheduled_grant_admits_from_its_beginning() {
        let book = Book::default();
        let scheduled = Grant { not_before: HOUR / 2, ..grant(1, Scope::Whole) };
        book.write(&Change::Grant(scheduled), &clock());
        assert!(matches!(book.admit(&wanted()), Err(Denied::NotYet(_))));
        tokio::time::advance(Duration::from_mins(30)).await;
        assert!(book.admit(&wanted()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn outside_of_its_hours_a_grant_admits_nobody_and_says_when_it_will() {
        let book = Book::default();
        let hours = Some(vec![Stretch { from: HOUR / 4, to: HOUR / 2 }]);
        let session = SessionTerms { hours, ..SessionTerms::default() };
        book.write(&Change::Grant(Grant { session, ..grant(1, Scope::Whole) }), &clock());
        assert!(matches!(book.admit(&wanted()), Err(Denied::Closed(Some(_)))));
        tokio::time::advance(Duration::from_mins(20)).await;
        assert!(matches!(book.admit(&wanted()).unwrap().deadline(), Deadline::Hours(_)));
        tokio::time::advance(Duration::from_mins(20)).await;
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::Closed(None));
        let late =
            Grant { id: "g_2".into(), not_before: HOUR, expires_at: 2 * HOUR, ..grant(1, Scope::Whole) };
        book.write(&Change::Grant(late), &clock());
        assert!(matches!(book.admit(&wanted()), Err(Denied::NotYet(_))));
    }

    #[tokio::test]
    async fn a_disabled_repo_or_identity_admits_nobody() {
        let book = Book::default();
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        let off = |enabled| Change::Repo {
            repo: "sales".into(),
            enabled,
            by: String::new(),
            reason: String::new(),
        };
        book.write(&off(false), &clock());
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::RepoOff);
        book.write(&off(true), &clock());
        assert!(book.admit(&wanted()).is_ok());
        book.replace(
            Everything {
                grants: vec![grant(1, Scope::Whole)],
                identities_off: vec!["alice@example.com".into()],
                ..Everything::default()
            },
            &clock(),
        );
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::IdentityOff);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_until_it_expires_or_is_revoked() {
        let book = Book::default();
        let (id, sha256, identity) = ("t_1".into(), "5ec".to_owned(), "alice@example.com".into());
        let token = AccessToken { id, sha256, identity, expires_at: HOUR };
        book.write(&Change::Token(token.clone()), &clock());
        assert_eq!(book.identify("5ec").unwrap().0, "alice@example.com".into());
        assert_eq!(book.identify("0"), None);
        book.write(&Change::TokenRevoked { token: "t_1".into() }, &clock());
        assert_eq!(book.identify("5ec"), None);
        book.write(&Change::Token(token), &clock());
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(book.identify("5ec"), None);
    }
}

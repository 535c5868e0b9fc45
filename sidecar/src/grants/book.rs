//! Who may do what now.
//!
//! There is one question about a person who wants in ([`Book::admit`]) and one about a session that is in
//! ([`Book::standing`]); nobody else decides. An [`Admission`] can be made here only. Grants that cover the same share
//! one [`Limits`], so that what is known of one session's statements holds for another's.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use postern_protocol::gate::{AccountName, Change, EndCause, GrantId, Identity, RepoName};
use tokio::time::Instant;

use super::{
    clock::ControlClock,
    held::{Held, Hour},
    picture::{Draft, Picture},
    tallies::{Tallies, Used},
};
use crate::{
    enforce::{Limits, Tally},
    session::{Deadline, Ending, Session},
};

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
    limits: Option<(Arc<Limits>, Arc<Tally>)>,
}

impl Admission {
    /// The grant that it stands on.
    pub(crate) fn grant(&self) -> &GrantId {
        &self.grant.id
    }

    /// Until when.
    pub(crate) const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// How many sessions the grant allows here at once.
    pub(crate) fn max_sessions(&self) -> Option<u32> {
        self.grant.max_sessions()
    }

    /// What the session is held to, and where what it moves is counted; nothing where the grant is whole.
    pub(crate) fn limits(&self) -> Option<(Arc<Limits>, Arc<Tally>)> {
        self.limits.clone()
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

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Book {
    picture: ArcSwap<Picture>,
    tallies: Tallies,
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
        let (mut best, mut denied) = (None::<(Arc<Held>, Deadline)>, Denied::NoGrant);
        for grant in picture.of(wanted) {
            match grant.at(now) {
                Hour::Open(deadline) => {
                    let better =
                        |(best, until): &(Arc<Held>, Deadline)| best.rank(*until) < grant.rank(deadline);
                    if best.as_ref().is_none_or(better) {
                        best = Some((grant, deadline));
                    }
                }
                Hour::NotYet(wait) => denied = denied.or(Denied::NotYet(wait)),
                Hour::Closed(wait) => denied = denied.or(Denied::Closed(wait)),
                Hour::Over => {}
            }
        }
        let (grant, deadline) = best.ok_or(denied)?;
        let limits = grant.limits.clone().map(|limits| (limits, self.tallies.of(&grant)));
        Ok(Admission { grant, deadline, limits })
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
        let same = held.access.identity == session.identity
            && held.access.repo == session.repo
            && held.access.account == session.account;
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

    /// Begins a whole new picture; what is known now holds until it is published.
    pub(super) fn draft(&self) -> Draft {
        Draft::after(self.picture.load_full())
    }

    /// Takes a whole new picture.
    pub(super) fn publish(&self, draft: Draft) {
        self.picture.store(Arc::new(draft.new));
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
        self.picture.load().sweep(Instant::now());
        self.tallies.sweep();
    }

    /// What sessions have used of their grants since this was asked last.
    pub(crate) fn take_used(&self) -> Vec<Used> {
        self.tallies.take_used()
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

#[cfg(test)]
mod tests {
    use postern_protocol::gate::{
        AccessToken, Grant, ResourceGrant, Scope, SessionTerms, Snapshot, Stretch, Terms,
    };

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
        let Grant { identity, repo, account, .. } = grant(0, Scope::Whole);
        Access { identity, repo, account }
    }

    fn replace(book: &Book, snapshot: Snapshot) {
        let draft = book.draft();
        draft.add(snapshot, &clock());
        book.publish(draft);
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
        assert_eq!(book.admit(&wanted()).unwrap().grant().as_str(), "g_1");
        book.write(&revoke(2), &clock());
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
    }

    #[tokio::test]
    async fn no_old_message_revives_a_revoked_grant() {
        let book = Book::default();
        book.write(&revoke(2), &clock());
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        assert_eq!(book.admit(&wanted()).unwrap_err(), Denied::NoGrant);
        replace(&book, Snapshot { grants: vec![grant(2, Scope::Whole)], ..Snapshot::default() });
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
        assert!(admission.limits().is_none() && admission.grant().as_str() == "g_2");
    }

    #[tokio::test]
    async fn an_older_revision_changes_nothing() {
        let book = Book::default();
        book.write(&Change::Grant(grant(2, Scope::Limited(Vec::new()))), &clock());
        book.write(&Change::Grant(grant(1, Scope::Whole)), &clock());
        assert!(book.admit(&wanted()).unwrap().limits().is_some());
    }

    #[tokio::test]
    async fn what_a_snapshot_brings_in_parts_counts_when_all_of_it_is_there() {
        let book = Book::default();
        let draft = book.draft();
        for (id, account) in [("g_1", "app_ro"), ("g_2", "app_rw")] {
            let grant = Grant { id: id.into(), account: account.into(), ..grant(1, Scope::Whole) };
            draft.add(Snapshot { grants: vec![grant], ..Snapshot::default() }, &clock());
        }
        assert_eq!((book.len(), book.admit(&wanted()).unwrap_err()), (0, Denied::NoGrant));
        book.publish(draft);
        let other = Access { account: "app_rw".into(), ..wanted() };
        assert_eq!((book.len(), book.admit(&other).unwrap().grant().as_str()), (2, "g_2"));
        replace(&book, Snapshot::default());
        assert_eq!(book.admit(&other).unwrap_err(), Denied::NoGrant);
    }

    #[tokio::test]
    async fn what_a_grant_moved_is_remembered_while_a_session_counts_it() {
        let book = Book::default();
        book.write(&Change::Grant(grant(1, Scope::Limited(Vec::new()))), &clock());
        let (_, counted) = book.admit(&wanted()).unwrap().limits().unwrap();
        book.sweep();
        let (_, still) = book.admit(&wanted()).unwrap().limits().unwrap();
        assert!(Arc::ptr_eq(&counted, &still));
        drop((counted, still));
        book.sweep();
        assert!(book.tallies.is_empty());
    }

    #[tokio::test]
    async fn grants_of_the_same_resources_share_their_limits() {
        let book = Book::default();
        let orders = ResourceGrant { resource: "public.orders".parse().unwrap(), privileges: Vec::new() };
        let scope = Scope::Limited(vec![orders]);
        book.write(&Change::Grant(grant(1, scope.clone())), &clock());
        let (first, counted) = book.admit(&wanted()).unwrap().limits().unwrap();
        replace(&book, Snapshot { grants: vec![grant(2, scope)], ..Snapshot::default() });
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
        replace(&book, Snapshot { grants: vec![grant(1, Scope::Whole)], ..Snapshot::default() });
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
        replace(
            &book,
            Snapshot {
                grants: vec![grant(1, Scope::Whole)],
                disabled_identities: vec!["alice@example.com".into()],
                ..Snapshot::default()
            },
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

//! The way in, whatever protocol is spoken: from a user name and a credential to a place in the registry.
//!
//! In: what a client says of itself. Out: a registered session whose grant holds, or the reason why there is none;
//! each engine puts that into its own words.

use std::net::SocketAddr;

use postern_protocol::gate::{AccountName, Engine, GrantId, SessionStart};
use postern_service::random;
use tokio::time::Instant;

use crate::{
    gatehouse::Gatehouse,
    grants::{Access, Denied},
    identity::{self, Credential, Known, Unproven},
    knock::NotLetIn,
    session::{Ending, Leash, Registered, Session},
};

/// Somebody who is known, and as whom they come.
#[derive(Debug, Clone)]
pub(crate) struct Entrant {
    pub(crate) known: Known,
    pub(crate) account: AccountName,
    /// Until when a session may last, where the credential says so.
    pub(crate) until: Option<Instant>,
}

/// Nobody comes in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEntry {
    /// The credential is not known, has expired, or belongs to somebody else than the user name says.
    #[error("authentication failed for user \"{user}\": {why}")]
    Credential {
        /// The user name as it was given.
        user: String,
        /// What was wrong. Not for the client.
        why: Unproven,
    },
    /// Whose credential it is cannot be found out now.
    #[error("the credential cannot be checked: the SSO provider cannot be reached")]
    NoKeys,
    /// No grant.
    #[error("no active grant for {} on {} as {}", .access.identity, .access.repo, .access.account)]
    Denied {
        /// What was wanted.
        access: Access,
        /// Why not.
        denied: Denied,
        /// Where access is asked for.
        public_url: String,
    },
    /// The control plane has not been heard in time.
    #[error("access cannot be checked: the control plane cannot be reached")]
    NoLease,
    /// The grant has as many sessions as it may.
    #[error("sorry, the grant allows {most} sessions at once, and as many are open (grant {grant})")]
    Sessions {
        /// How many.
        most: u32,
        /// Which grant.
        grant: GrantId,
    },
    /// The sidecar is being drained.
    #[error("this sidecar is being drained and takes no new sessions: connect again, to another")]
    Draining,
    /// The sidecar is full.
    #[error("sorry, too many sessions already")]
    TooMany,
    /// Somebody knocked, and is not let in.
    #[error(transparent)]
    Knock(#[from] NotLetIn),
    /// The gate fell before the session began.
    #[error("{}", .0.message(.1))]
    Fallen(Ending, GrantId),
    /// The system has no randomness left.
    #[error(transparent)]
    NoRandomness(#[from] random::NoRandomness),
}

impl NoEntry {
    /// The label of `postern_sessions_opened_total{result}`.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Credential { .. } => "bad_credential",
            Self::NoKeys => "no_keys",
            Self::Denied { .. } => "no_grant",
            Self::Knock(_) => "knock",
            Self::NoLease => "no_lease",
            Self::Sessions { .. } => "grant_full",
            Self::Draining => "draining",
            Self::TooMany => "too_many",
            Self::Fallen(..) => "ended",
            Self::NoRandomness(_) => "internal",
        }
    }

    /// Whether all that is missing is a grant.
    pub(crate) const fn is_for_want_of_a_grant(&self) -> bool {
        matches!(self, Self::Denied { denied: Denied::NoGrant, .. })
    }

    /// The gate of this session has fallen before it began.
    pub(crate) fn fallen(session: &Session) -> Self {
        session
            .leash
            .ending()
            .map_or(Self::NoLease, |(ending, _)| Self::Fallen(ending, session.grant.clone()))
    }
}

impl Gatehouse {
    /// Whose credential this is, and as which account they come: `account` or `identity:account`, and in the second
    /// form the identity must be the credential's own. The answer to a credential that counts for nothing is kept back
    /// the longer the more of them there were.
    pub(crate) async fn identify(
        &self,
        user: &str,
        credential: &Credential,
        peer: SocketAddr,
    ) -> Result<Entrant, NoEntry> {
        // Without the control plane nobody can say whose credential this is: perhaps it was issued a moment ago.
        if !self.lease.is_held() {
            return Err(NoEntry::NoLease);
        }
        let (claimed, account) =
            user.rsplit_once(':').map_or((None, user), |(claimed, account)| (Some(claimed), account));
        match identity::authenticate(&self.book, &self.issuers, credential, claimed).await {
            Ok(known) => {
                let until = self.end_with_token.then_some(known.until);
                Ok(Entrant { known, account: account.into(), until })
            }
            Err(why) if why.is_for_now() => Err(NoEntry::NoKeys),
            Err(why) => {
                tokio::time::sleep(self.throttle.failed(peer.ip(), account)).await;
                Err(NoEntry::Credential { user: user.to_owned(), why })
            }
        }
    }

    /// Admits, enters the registry, and asks again: whatever changed in between is seen by one of the two. The session
    /// lasts no longer than `until`.
    pub(crate) fn enter(
        &self,
        engine: Engine,
        access: &Access,
        peer: SocketAddr,
        application: &str,
        until: Option<Instant>,
    ) -> Result<Registered, NoEntry> {
        if !self.lease.is_held() {
            return Err(NoEntry::NoLease);
        }
        if self.draining.is_on() {
            return Err(NoEntry::Draining);
        }
        if self.registry.len() >= self.limits.sessions {
            return Err(NoEntry::TooMany);
        }
        let denied =
            |denied| NoEntry::Denied { access: access.clone(), denied, public_url: self.feed.public_url() };
        let admission = self.book.admit(access).map_err(denied)?;
        let start = SessionStart {
            id: random::id("s")?.into(),
            grant: admission.grant().clone(),
            identity: access.identity.clone(),
            repo: access.repo.clone(),
            account: access.account.clone(),
            client: peer.to_string(),
            application: application.to_owned(),
            started_at: jiff::Timestamp::now().as_millisecond(),
        };
        let leash = Leash::new(admission.deadline(), self.registry.untold()).within(until);
        let limits = admission.limits();
        let (grant, most) = (start.grant.clone(), admission.max_sessions());
        let session = Session::new(engine, start, peer, leash, limits);
        let full = || NoEntry::Sessions { most: most.unwrap_or_default(), grant };
        let registered = self.registry.enter(session, most).ok_or_else(full)?;
        let standing = self.book.standing(&registered);
        let standing = standing.map_err(|ending| NoEntry::Fallen(ending, registered.grant.clone()))?;
        registered.stand(&standing);
        if self.is_stopping() {
            return Err(NoEntry::Fallen(Ending::Shutdown, registered.grant.clone()));
        }
        if !self.lease.is_held() {
            return Err(NoEntry::NoLease);
        }
        Ok(registered)
    }
}

//! The way in, whatever protocol is spoken: from a user name and a credential to a place in the registry.
//!
//! In: what a client says of itself. Out: a registered session whose grant holds, or the reason why there is none;
//! each engine puts that into its own words.

use std::{net::SocketAddr, sync::Arc};

use postern_protocol::gate::{AccountName, Engine, GrantId, Identity, SessionStart};
use postern_service::random;

use crate::{
    gatehouse::Gatehouse,
    grants::{Access, Denied},
    identity,
    session::{Ending, Leash, Registered, Session},
};

/// Nobody comes in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEntry {
    /// The credential is not known, has expired, or belongs to somebody else than the user name says.
    #[error("authentication failed for user \"{0}\"")]
    Credential(String),
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
    /// The sidecar is full.
    #[error("sorry, too many sessions already")]
    TooMany,
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
            Self::Credential(_) => "bad_credential",
            Self::Denied { .. } => "no_grant",
            Self::NoLease => "no_lease",
            Self::Sessions { .. } => "grant_full",
            Self::TooMany => "too_many",
            Self::Fallen(..) => "ended",
            Self::NoRandomness(_) => "internal",
        }
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
    /// form the identity must be the credential's own.
    pub(crate) fn identify(&self, user: &str, credential: &str) -> Result<(Identity, AccountName), NoEntry> {
        // Without the control plane nobody can say whose credential this is: perhaps it was issued a moment ago.
        if !self.lease.is_held() {
            return Err(NoEntry::NoLease);
        }
        let wrong = || NoEntry::Credential(user.to_owned());
        let identity = identity::authenticate(&self.book, credential).ok_or_else(wrong)?;
        let account = match user.rsplit_once(':') {
            Some((claimed, account)) if claimed.eq_ignore_ascii_case(identity.as_str()) => account,
            Some(_) => return Err(wrong()),
            None => user,
        };
        Ok((identity, account.into()))
    }

    /// Admits, enters the registry, and asks again: whatever changed in between is seen by one of the two.
    pub(crate) fn enter(
        &self,
        engine: Engine,
        access: &Access,
        peer: SocketAddr,
        application: &str,
    ) -> Result<Registered, NoEntry> {
        if !self.lease.is_held() {
            return Err(NoEntry::NoLease);
        }
        if self.registry.len() >= self.limits.sessions {
            return Err(NoEntry::TooMany);
        }
        let denied =
            |denied| NoEntry::Denied { access: access.clone(), denied, public_url: self.feed.public_url() };
        let admission = self.book.admit(access).map_err(denied)?;
        let start = SessionStart {
            id: random::id("s")?.into(),
            grant: admission.grant().id.clone(),
            identity: access.identity.clone(),
            repo: access.repo.clone(),
            account: access.account.clone(),
            client: peer.to_string(),
            application: application.to_owned(),
            started_at: jiff::Timestamp::now().as_millisecond(),
        };
        let leash = Leash::new(admission.deadline(), self.registry.untold());
        let limits = admission.limits().map(Arc::clone);
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

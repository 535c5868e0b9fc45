//! Sidecars, the repos that they serve, and the sessions that they report.

use std::collections::BTreeSet;

use postern_protocol::gate::{
    AccountName, Change, Drain, Engine, GrantId, Hello, Identity, RepoName, ServedRepo, SessionId,
    SessionStart, SidecarName,
};
use serde::{Deserialize, Serialize};

use super::{Moment, Owner, Refusal, identity::check_name};

/// An enrolled sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    /// Unique.
    pub name: SidecarName,
    /// SHA-256 of its token, lower-case hexadecimal.
    pub token_sha256: String,
    /// When it was enrolled.
    pub created_at: Moment,
    /// What it said last when it started.
    pub hello: Option<Hello>,
    /// When it said so.
    pub seen_at: Option<Moment>,
    /// The only repos that it may serve; absent: any that no other sidecar serves as something else.
    #[serde(default)]
    pub repos: Option<BTreeSet<RepoName>>,
    /// Why it was turned away last, until it is let in again.
    #[serde(default)]
    pub refused: Option<String>,
    /// Whether it is to take no new sessions.
    #[serde(default)]
    pub draining: Option<Draining>,
}

/// Somebody wants a sidecar to take no new sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draining {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Moment,
    /// When the sessions that are open end; absent: when they end by themselves.
    pub until: Option<Moment>,
}

impl Sidecar {
    /// A new one. Its name becomes part of an audit chain's, so a colon is refused.
    pub(crate) fn new(name: &str, token_sha256: String, now: Moment) -> Result<Self, Refusal> {
        check_name("sidecar", name)?;
        if name.contains([':', '/']) {
            return Err(Refusal::Invalid(format!("`{name}` is no name for a sidecar: no `:` and no `/`")));
        }
        Ok(Self {
            name: name.into(),
            token_sha256,
            created_at: now,
            hello: None,
            seen_at: None,
            repos: None,
            refused: None,
            draining: None,
        })
    }

    /// Binds it to these repos.
    pub(crate) fn bind(&mut self, repos: Vec<String>) -> Result<(), Refusal> {
        if repos.is_empty() {
            return Err(Refusal::Invalid("repos: name one at least, or leave them out".to_owned()));
        }
        repos.iter().try_for_each(|repo| check_name("repo", repo))?;
        self.repos = Some(repos.iter().map(|repo| repo.as_str().into()).collect());
        Ok(())
    }

    /// The order to drain as the feed carries it.
    pub(crate) fn drain(&self) -> Option<Drain> {
        let Draining { by, reason, at: _, until } = self.draining.clone()?;
        Some(Drain { until: until.map(Moment::as_millis), by, reason })
    }

    /// The repo of this name, if the sidecar serves it.
    pub(crate) fn serves(&self, repo: &str) -> Option<&ServedRepo> {
        self.hello.iter().flat_map(|hello| &hello.repos).find(|served| served.name.as_str() == repo)
    }
}

/// A data repository, known since a sidecar first named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repo {
    /// Unique.
    pub name: RepoName,
    /// Its protocol.
    pub engine: Engine,
    /// PostgreSQL: the database behind it.
    pub database: Option<String>,
    /// Whether grants may be used.
    pub ephemeral_access: bool,
    /// Who switched it last, and why; empty when nobody did.
    pub switched_by: String,
    /// Why.
    pub switch_reason: String,
    /// When, where that was written down.
    #[serde(default)]
    pub switched_at: Option<Moment>,
    /// Whose word it is whether grants may be used; nobody's yet where nobody gave it.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// First seen.
    pub created_at: Moment,
}

impl Repo {
    /// A repo that a sidecar has just named.
    pub(crate) fn first_seen(served: &ServedRepo, now: Moment) -> Self {
        Self {
            name: served.name.clone(),
            engine: served.engine,
            database: served.database.clone(),
            ephemeral_access: true,
            switched_by: String::new(),
            switch_reason: String::new(),
            switched_at: None,
            owner: None,
            created_at: now,
        }
    }

    /// Who closed it by hand, when and why, while it is closed so.
    pub(crate) fn closing(&self) -> Option<String> {
        let by_hand = !self.ephemeral_access && self.owner.as_ref().is_some_and(Owner::is_rest);
        let at = self.switched_at.map_or_else(String::new, |at| format!(" at {}", at.timestamp()));
        let reason = match self.switch_reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        by_hand.then(|| format!("closed by {}{at}{reason}", self.switched_by))
    }
}

/// Somebody wants a session to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kill {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A live database connection, as its sidecar reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// `s_…`
    pub id: SessionId,
    /// The grant that it stands on.
    pub grant: GrantId,
    /// Who.
    pub identity: Identity,
    /// Where.
    pub repo: RepoName,
    /// As whom.
    pub account: AccountName,
    /// Through which sidecar.
    pub sidecar: SidecarName,
    /// Which process of it.
    pub instance: String,
    /// The client's address and port.
    pub client: String,
    /// What the client calls itself.
    pub application: String,
    /// Since when.
    pub started_at: Moment,
    /// Set while a kill is on its way.
    pub kill: Option<Kill>,
}

impl Session {
    /// A session as its sidecar tells of it.
    pub(crate) fn reported(start: SessionStart, sidecar: &SidecarName, instance: &str) -> Self {
        Self {
            id: start.id,
            grant: start.grant,
            identity: start.identity,
            repo: start.repo,
            account: start.account,
            sidecar: sidecar.clone(),
            instance: instance.to_owned(),
            client: start.client,
            application: start.application,
            started_at: Moment::from_millis(start.started_at),
            kill: None,
        }
    }

    /// The kill as the feed carries it, if there is one.
    pub(crate) fn kill_change(&self) -> Option<Change> {
        let Kill { by, reason } = self.kill.clone()?;
        Some(Change::Kill { session: self.id.clone(), by, reason })
    }
}

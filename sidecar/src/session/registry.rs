//! Every live session of this sidecar, from admission until nothing of it is left at the database.

use std::{net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use postern_protocol::gate::{AccountName, Engine, GrantId, Identity, RepoName, SessionId, SessionStart};
use tokio::sync::watch;

use super::{Ending, Leash, Untold};
use crate::{
    enforce::{Limits, Tally},
    grants::Standing,
};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) id: SessionId,
    pub(crate) grant: GrantId,
    pub(crate) identity: Identity,
    pub(crate) repo: RepoName,
    pub(crate) account: AccountName,
    pub(crate) client: SocketAddr,
    pub(crate) application: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) started_at: i64,
    pub(crate) leash: Leash,
    limits: Option<ArcSwap<Limits>>,
    tally: Arc<Tally>,
    dead: watch::Sender<bool>,
}

impl Session {
    /// A session that is held to `limits`, for as long as it lives, or to none.
    pub(crate) fn new(
        engine: Engine,
        start: SessionStart,
        client: SocketAddr,
        leash: Leash,
        limits: Option<(Arc<Limits>, Arc<Tally>)>,
    ) -> Self {
        let SessionStart { id, grant, identity, repo, account, application, started_at, client: _ } = start;
        let dead = watch::Sender::new(false);
        let (limits, tally) = limits.unzip();
        let (limits, tally) = (limits.map(ArcSwap::new), tally.unwrap_or_default());
        Self {
            engine,
            id,
            grant,
            identity,
            repo,
            account,
            client,
            application,
            started_at,
            leash,
            limits,
            tally,
            dead,
        }
    }

    /// Whether it was opened within limits.
    pub(crate) const fn is_limited(&self) -> bool {
        self.limits.is_some()
    }

    /// What it is held to now.
    pub(crate) fn limits(&self) -> Option<Arc<Limits>> {
        self.limits.as_ref().map(ArcSwap::load_full)
    }

    /// Whether these are the limits that it is held to now.
    pub(crate) fn is_held_to(&self, limits: &Arc<Limits>) -> bool {
        self.limits.as_ref().is_none_or(|held| Arc::ptr_eq(&held.load(), limits))
    }

    /// Where what it moves is counted.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Puts it on the ground that holds now. Its task hears of it at once.
    pub(crate) fn stand(&self, standing: &Standing) {
        if let (Some(place), Some(limits)) = (&self.limits, &standing.limits) {
            let before = place.swap(Arc::clone(limits));
            if !Arc::ptr_eq(&before, limits) {
                self.leash.nudge();
            }
        }
        self.leash.set(standing.deadline, standing.max_idle);
    }

    /// What the control plane is told of it.
    pub(crate) fn start(&self) -> SessionStart {
        SessionStart {
            id: self.id.clone(),
            grant: self.grant.clone(),
            identity: self.identity.clone(),
            repo: self.repo.clone(),
            account: self.account.clone(),
            client: self.client.to_string(),
            application: self.application.clone(),
            started_at: self.started_at,
        }
    }

    /// Waits until nothing of the session is left: both sockets closed and the backend gone, as far as that can be
    /// known.
    pub(crate) async fn dead(&self) {
        // The sender lives in `self`, so the channel cannot close before the wait is over.
        let _ = self.dead.subscribe().wait_for(|dead| *dead).await;
    }
}

/// The sessions by their ids.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    sessions: DashMap<SessionId, Arc<Session>>,
    by_grant: DashMap<GrantId, u32>,
    untold: Arc<Untold>,
}

impl Registry {
    /// Enters a session, unless its grant has as many as it may. It leaves when the returned guard goes, also by a
    /// panic.
    pub(crate) fn enter(self: &Arc<Self>, session: Session, most: Option<u32>) -> Option<Registered> {
        let mut of_grant = self.by_grant.entry(session.grant.clone()).or_default();
        if most.is_some_and(|most| *of_grant >= most) {
            return None;
        }
        *of_grant += 1;
        drop(of_grant);
        let session = Arc::new(session);
        self.sessions.insert(session.id.clone(), Arc::clone(&session));
        Some(Registered { registry: Arc::clone(self), session })
    }

    fn leave(&self, session: &Session) {
        self.sessions.remove(&session.id);
        if let Some(mut of_grant) = self.by_grant.get_mut(&session.grant) {
            *of_grant = of_grant.saturating_sub(1);
        }
        self.by_grant.remove_if(&session.grant, |_, count| *count == 0);
    }

    /// The count that the leashes of these sessions share.
    pub(crate) fn untold(&self) -> &Arc<Untold> {
        &self.untold
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// One of them.
    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.sessions.get(id).map(|entry| Arc::clone(entry.value()))
    }

    /// Those that `wanted` picks.
    pub(crate) fn pick(&self, wanted: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        self.sessions
            .iter()
            .filter(|entry| wanted(entry.value()))
            .map(|entry| Arc::clone(entry.value()))
            .collect()
    }

    /// Lets the gate of every session fall.
    pub(crate) fn end_all(&self, ending: &Ending) -> Vec<Arc<Session>> {
        self.sessions
            .iter()
            .filter(|entry| entry.value().leash.fall(ending.clone()))
            .map(|entry| Arc::clone(entry.value()))
            .collect()
    }
}

/// A session's place in the registry.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<Registry>,
    session: Arc<Session>,
}

impl std::ops::Deref for Registered {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Registered {
    /// The session itself, to be kept longer than its place.
    pub(crate) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.leave(&self.session);
        self.session.dead.send_replace(true);
    }
}

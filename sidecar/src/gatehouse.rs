//! What every connection of this sidecar shares.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use postern_protocol::gate::{Engine, Resource, SessionEnd};
use postern_service::{audit::Event, sso::Issuers};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    audit::{Audit, clip},
    config::Limits,
    enforce::Use,
    engine::Repo,
    grants::{Access, Book, Draining, FeedState, Lease, Reports, Used},
    identity::Throttle,
    knock::Waiters,
    listener::{ClientTls, Places},
    metrics,
    session::{Registry, Session},
};

/// So many uses are told of in one record.
const USES: usize = 100;

/// The sidecar's shared state.
pub(crate) struct Gatehouse {
    pub(crate) limits: Limits,
    pub(crate) tls: Option<ClientTls>,
    pub(crate) book: Arc<Book>,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) throttle: Throttle,
    /// Places for clients that wait for a decision, and how long they may.
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) knock_wait: Duration,
    /// Whether sessions end with the credential that they began with.
    pub(crate) end_with_token: bool,
    pub(crate) registry: Arc<Registry>,
    pub(crate) draining: Arc<Draining>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) feed: Arc<FeedState>,
    pub(crate) reports: Reports,
    pub(crate) audit: Audit,
    pub(crate) places: Arc<Places>,
    pub(crate) repos: Vec<Repo>,
    pub(crate) stop: watch::Sender<bool>,
}

impl Gatehouse {
    /// Whether new sessions are no longer taken.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until no new sessions are taken.
    pub(crate) async fn stopping(&self) {
        // The sender lives in `self`, so the channel cannot close before the wait is over.
        let _ = self.stop.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// A session is through to its database. It counts as open until the returned guard goes.
    pub(crate) fn opened(self: &Arc<Self>, session: Arc<Session>) -> Opened {
        metrics::opened(Some(&session.repo), session.engine, "ok");
        metrics::active(&session.repo, session.engine, 1.0);
        self.reports.started(session.start());
        let event = of_session(Event::new("session.opened"), &session);
        self.audit.record(event.with("application", clip(&session.application)));
        Opened { house: Arc::clone(self), session, cause: "panic" }
    }

    fn ended(&self, session: &Session, cause: &'static str) {
        metrics::active(&session.repo, session.engine, -1.0);
        metrics::ended(&session.repo, session.engine, cause);
        let ended_at = jiff::Timestamp::now().as_millisecond();
        self.reports.ended(SessionEnd { id: session.id.clone(), cause: cause.to_owned(), ended_at });
        let mut event = of_session(Event::new("session.ended"), session).with("cause", cause);
        if let Some((ending, _)) = session.leash.ending() {
            ending.by().clone_into(&mut event.actor);
            event = event.with("message", ending.message(&session.grant));
        }
        self.audit.record(event);
    }

    /// Something happened in a session.
    pub(crate) fn record(&self, session: &Session, event: Event) {
        self.audit.record(of_session(event, session));
    }

    /// Records what sessions have used of their grants since this was called last.
    pub(crate) fn tell_used(&self) {
        for used in self.book.take_used() {
            let chunks = used.fresh.uses.chunks(USES);
            let last = chunks.len().saturating_sub(1);
            for (at, uses) in chunks.enumerate() {
                self.audit.record(resources_used(&used, uses, used.fresh.more && at == last));
            }
            if used.fresh.uses.is_empty() {
                self.audit.record(resources_used(&used, &[], used.fresh.more));
            }
        }
    }

    /// Somebody who wanted a session does not get one.
    pub(crate) fn refused(
        &self,
        engine: Engine,
        access: Option<&Access>,
        user: &str,
        peer: SocketAddr,
        result: &'static str,
        why: &str,
    ) {
        metrics::opened(access.map(|access| &access.repo), engine, result);
        let mut event = Event::new("session.refused").with("result", result).with("message", clip(why));
        event = event.with("client", peer.to_string()).with("user", clip(user));
        if let Some(Access { identity, repo, account }) = access {
            event.identity = identity.to_string();
            event.repo = repo.to_string();
            event.account = account.to_string();
        }
        self.audit.record(event);
    }
}

/// An open session, from the point of view of those who keep books. Whatever becomes of the session's task, its end is
/// recorded.
pub(crate) struct Opened {
    house: Arc<Gatehouse>,
    session: Arc<Session>,
    /// Why it ended; what it says before anybody knows holds for a task that panicked.
    pub(crate) cause: &'static str,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.house.ended(&self.session, self.cause);
    }
}

/// What statements of a limited grant's sessions, let through, read and wrote.
fn resources_used(used: &Used, uses: &[Use], more: bool) -> Event {
    let mut resources: BTreeMap<&Resource, Vec<&str>> = BTreeMap::new();
    for Use { resource, privilege } in uses {
        resources.entry(resource).or_default().push(privilege.as_str());
    }
    let list: Vec<_> = resources
        .into_iter()
        .map(|(resource, privileges)| json!({ "resource": resource, "privileges": privileges }))
        .collect();
    let mut event = Event::new("resources.used").with("resources", list);
    if more {
        event = event.with("more", true);
    }
    event.identity = used.access.identity.to_string();
    event.repo = used.access.repo.to_string();
    event.account = used.access.account.to_string();
    event.grant = used.grant.to_string();
    event
}

fn of_session(event: Event, session: &Session) -> Event {
    let mut event = event.with("client", session.client.to_string());
    event.identity = session.identity.to_string();
    event.repo = session.repo.to_string();
    event.account = session.account.to_string();
    event.grant = session.grant.to_string();
    event.session = session.id.to_string();
    event
}

//! Live sessions: what the sidecars report, and killing one.

use std::{collections::BTreeSet, sync::Arc};

use postern_protocol::gate::{RepoName, SessionId, SessionReport, SidecarName};
use postern_service::audit::Event;

use super::{Caller, Failure};
use crate::{
    domain::{Grant, Kill, Refusal, Session, Sidecar, Usage},
    feed::Outcome,
    plane::ControlPlane,
    store::Filter,
    work::{Audience, Work},
};

/// Ends a session; its grant stays. Answers when its sidecar has ended it, or 2 s later.
pub(crate) async fn kill(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    reason: &str,
) -> Result<(Session, Vec<Outcome>), Failure> {
    let mut work = Work::begin(plane).await?;
    let mut session: Session = work.get("session", id).await?;
    // Somebody else's is, for a person that may not end it, no different from none.
    if !caller.manages("", session.identity.as_str()) {
        return Err(Refusal::not_found("session", id).into());
    }
    mark(&mut work, &mut session, caller.name(), reason);
    work.save(&session).await?;
    let to = Audience::Sidecar(session.sidecar.clone());
    let settled = work.commit_and_wait(&to).await?;
    Ok((session, settled.sidecars))
}

/// Takes a sidecar's word on which sessions began and ended.
pub(crate) async fn report(
    plane: &Arc<ControlPlane>,
    sidecar: &SidecarName,
    report: SessionReport,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let SessionReport { instance, all, started, ended } = report;
    if all {
        let open: BTreeSet<&SessionId> = started.iter().map(|start| &start.id).collect();
        for known in of_process(&mut work, sidecar, &instance).await? {
            if !open.contains(&known.id) {
                work.remove::<Session>(known.id.as_str()).await?;
            }
        }
    }
    let teller: Option<Sidecar> = work.load(sidecar.as_str()).await?;
    let serves =
        |repo: &RepoName| teller.as_ref().is_some_and(|sidecar| sidecar.serves(repo.as_str()).is_some());
    for start in started {
        let known: Option<Session> = work.load(start.id.as_str()).await?;
        match known {
            // Another sidecar's session is not this one's to rewrite; and a repeated report must not undo a kill.
            Some(_) => {}
            None if serves(&start.repo) => {
                begin(&mut work, Session::reported(start, sidecar, &instance)).await?;
            }
            None => {
                tracing::warn!(%sidecar, repo = %start.repo, "it does not serve what it reports a session of");
            }
        }
    }
    for end in ended {
        let known: Option<Session> = work.load(end.id.as_str()).await?;
        if known.is_some_and(|session| session.sidecar == *sidecar) {
            work.remove::<Session>(end.id.as_str()).await?;
        }
    }
    work.commit().await?;
    Ok(())
}

/// Enters a session. Each sidecar counts those of a grant for itself; one that is too many over all of them is killed.
async fn begin(work: &mut Work, mut session: Session) -> Result<(), Failure> {
    let grant: Option<Grant> = work.load(session.grant.as_str()).await?;
    if grant.as_ref().is_some_and(|grant| grant.repo == session.repo) {
        used(work, &session).await?;
    }
    let most = grant.and_then(|grant| grant.session.max_sessions);
    if let Some(most) = most {
        let own = Filter { identity: Some(session.identity.to_string()), ..Filter::default() };
        let open: Vec<Session> = work.find_all(&own).await?;
        let elsewhere =
            open.iter().filter(|known| known.grant == session.grant && known.kill.is_none()).count();
        if elsewhere >= usize::try_from(most).unwrap_or(usize::MAX) {
            let reason = format!("the grant allows {most} sessions at once, and as many are open elsewhere");
            mark(work, &mut session, "", &reason);
        }
    }
    work.save(&session).await
}

/// Writes down at a session that it is to end, and tells its sidecar. To be saved.
fn mark(work: &mut Work, session: &mut Session, by: &str, reason: &str) {
    session.kill = Some(Kill { by: by.to_owned(), reason: reason.to_owned() });
    if let Some(change) = session.kill_change() {
        work.tell(Audience::Sidecar(session.sidecar.clone()), change);
    }
    let event = Event {
        actor: by.to_owned(),
        identity: session.identity.to_string(),
        repo: session.repo.to_string(),
        account: session.account.to_string(),
        grant: session.grant.to_string(),
        session: session.id.to_string(),
        ..Event::new("session.killed")
    };
    work.note(event.with("reason", reason));
}

/// A session began, so its grant was used.
async fn used(work: &mut Work, session: &Session) -> Result<(), Failure> {
    let before: Option<Usage> = work.load(session.grant.as_str()).await?;
    work.save(&Usage::one_more(before, session.grant.clone(), session.started_at)).await
}

async fn of_process(work: &mut Work, sidecar: &SidecarName, instance: &str) -> Result<Vec<Session>, Failure> {
    let filter =
        Filter { owner: Some(sidecar.to_string()), state: Some(instance.to_owned()), ..Filter::default() };
    work.find_all(&filter).await
}

//! Ending and shrinking grants; more time for one is asked for next door.

use std::{sync::Arc, time::Instant};

use postern_protocol::gate::{EndCause, ResourceGrant};
use postern_service::audit::Event;

use super::{Caller, Failure};
use crate::{
    domain::{Grant, IdentityRecord, Moment, Person, Refusal, Scoped, Seen, StoredRule},
    feed::Outcome,
    measures::{self, Measure},
    plane::ControlPlane,
    store::{Read, load},
    work::{Audience, Work},
};

/// A grant after a change, and what the sidecars made of it.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// The grant.
    pub grant: Grant,
    /// Those that serve its repo.
    pub sidecars: Vec<Outcome>,
    /// When this was true.
    pub now: Moment,
}

/// Ends a grant. Answers when the sidecars have ended its sessions, or 2 s later.
pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    reason: &str,
) -> Result<Changed, Failure> {
    let called = Instant::now();
    let mut work = Work::begin(plane).await?;
    let grant = revoke_as(&mut work, caller, id, reason).await?;
    let now = work.now();
    let settled = work.commit_and_wait(&Audience::Repo(grant.repo.clone())).await?;
    if settled.complete {
        measures::revoked_in(called.elapsed().as_secs_f64());
    }
    Ok(Changed { grant, sidecars: settled.sidecars, now })
}

/// Ends a grant, if the caller may, as part of something larger.
pub(super) async fn revoke_as(
    work: &mut Work,
    caller: &Caller,
    id: &str,
    reason: &str,
) -> Result<Grant, Failure> {
    let mut grant: Grant = work.get("grant", id).await?;
    if !may_take_back(work, caller, &grant).await? {
        check_visible(caller, &grant)?;
    }
    revoke_within(work, &mut grant, caller.name(), reason).await?;
    Ok(grant)
}

/// Ends a grant as part of something larger.
pub(super) async fn revoke_within(
    work: &mut Work,
    grant: &mut Grant,
    by: &str,
    reason: &str,
) -> Result<(), Failure> {
    grant.revoke(by, reason, work.now())?;
    work.save(grant).await?;
    work.tell(Audience::Repo(grant.repo.clone()), grant.change());
    work.note(about(grant, "grant.revoked", by).with("reason", reason));
    work.measure(Measure::GrantEnded(EndCause::Revoked));
    Ok(())
}

/// Takes away all but these resources.
pub(crate) async fn shrink(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    seen: &Seen,
    id: &str,
    resources: Vec<ResourceGrant>,
    reason: &str,
) -> Result<Changed, Failure> {
    let mut work = Work::begin(plane).await?;
    let mut grant = visible(&mut work, caller, id).await?;
    seen.check(Some(&grant))?;
    let resources = resources.scoped()?;
    let left: Vec<String> = resources.iter().map(|entry| entry.resource.to_string()).collect();
    grant.shrink(resources, work.now())?;
    work.note(about(&grant, "grant.shrunk", caller.name()).with("resources", left).with("reason", reason));
    store_change(work, grant).await
}

async fn store_change(mut work: Work, grant: Grant) -> Result<Changed, Failure> {
    let now = work.now();
    work.save(&grant).await?;
    let to = Audience::Repo(grant.repo.clone());
    work.tell(to.clone(), grant.change());
    let settled = work.commit_and_wait(&to).await?;
    Ok(Changed { grant, sidecars: settled.sidecars, now })
}

/// A grant that the caller may see.
pub(crate) async fn show(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
) -> Result<(Grant, Moment), Failure> {
    let mut tx = plane.store.read().await?;
    let grant: Grant = load(&mut *tx, id).await?.ok_or_else(|| Refusal::not_found("grant", id))?;
    check_visible(caller, &grant)?;
    Ok((grant, plane.clock.now()))
}

/// Whoever may give access may take it back: the people whom the grant's rule names as approvers.
async fn may_take_back(work: &mut Work, caller: &Caller, grant: &Grant) -> Result<bool, Failure> {
    let rule: Option<StoredRule> = work.load(&grant.rule).await?;
    let person = caller.actor().person();
    Ok(caller.is_person() && rule.is_some_and(|stored| stored.rule.lists_approver(&person, true)))
}

async fn visible(work: &mut Work, caller: &Caller, id: &str) -> Result<Grant, Failure> {
    let grant = work.get("grant", id).await?;
    check_visible(caller, &grant)?;
    Ok(grant)
}

fn check_visible(caller: &Caller, grant: &Grant) -> Result<(), Refusal> {
    if caller.manages(&grant.filed_by, grant.identity.as_str()) {
        return Ok(());
    }
    Err(Refusal::not_found("grant", grant.id.as_str()))
}

/// Whether its holder is still among those who may request what it gives.
pub(crate) async fn is_founded(tx: &mut dyn Read, grant: &Grant) -> Result<bool, Failure> {
    let rule: Option<StoredRule> = load(tx, &grant.rule).await?;
    let identity: Option<IdentityRecord> = load(tx, grant.identity.as_str()).await?;
    // An API client that asked for itself is no identity, and has no groups.
    let name = grant.identity.to_string();
    let person = identity.map_or_else(|| Person { name, groups: Vec::new() }, |identity| identity.person());
    Ok(rule.is_some_and(|stored| stored.rule.lists_requester(&person)))
}

pub(super) fn about(grant: &Grant, kind: &'static str, actor: &str) -> Event {
    Event {
        actor: actor.to_owned(),
        identity: grant.identity.to_string(),
        repo: grant.repo.to_string(),
        account: grant.account.to_string(),
        grant: grant.id.to_string(),
        ..Event::new(kind)
    }
    .with("request", grant.request.as_str())
}

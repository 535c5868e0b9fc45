//! Filing, amending and withdrawing requests; reviews are next door.

use std::sync::Arc;

use postern_protocol::gate::{Change, GrantId};
use postern_service::{audit::Event, random};

use super::{Caller, Failure, bundles, drafts::Draft, extensions, identities};
use crate::{
    domain::{
        Ask, Grant, Judgement, Moment, Permission, Person, Refusal, Request, RequestStatus, Seen, StoredRule,
        Verdict,
    },
    measures::Measure,
    plane::ControlPlane,
    store::{Filter, Page, Read, find, load},
    work::{Audience, Work},
};

/// A request with the grant that it became.
#[derive(Clone, Debug)]
pub(crate) struct Filed {
    /// The request.
    pub request: Request,
    /// The grant.
    pub grant: Option<Grant>,
    /// When this was true.
    pub now: Moment,
}

/// Files a request, for the caller or for the identity that it names. What no rule covers leaves a trace as well.
pub(crate) async fn file(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    ask: Ask,
    for_identity: Option<&str>,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let person = requester(&mut work, caller, for_identity).await?;
    let asked = Event {
        actor: caller.name().to_owned(),
        identity: person.name.clone(),
        repo: ask.repo.to_string(),
        account: ask.account.to_string(),
        ..Event::new("request.refused")
    };
    match Draft::of(&mut work, &person, ask).await {
        Ok(draft) => file_draft(work, caller, draft).await,
        Err(Failure::Refused(refusal @ Refusal::NoRule(_))) => {
            drop(work);
            let mut work = Work::begin(plane).await?;
            work.note(asked.with("reason", refusal.to_string()));
            work.commit().await?;
            Err(refusal.into())
        }
        Err(failure) => Err(failure),
    }
}

/// Files what another request asked for once more.
pub(crate) async fn again(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let before = visible(&mut work, caller, id).await?;
    if before.extends.is_some() {
        return Err(Refusal::Conflict("more time for a grant is asked for at the grant".to_owned()).into());
    }
    let own = before.identity.as_str() == caller.name();
    if let Some(bundled) = &before.bundle {
        drop(work);
        let for_identity = (!own).then_some(before.identity.as_str());
        return bundles::again(plane, caller, &before, bundled, for_identity).await;
    }
    let for_identity = (!own).then(|| before.identity.to_string());
    let now = work.now();
    let person = requester(&mut work, caller, for_identity.as_deref()).await?;
    let ask = Ask { not_before: before.not_before.filter(|at| *at > now), ..before.ask() };
    let draft = Draft::of(&mut work, &person, ask).await?;
    file_draft(work, caller, draft).await
}

/// Asks for something else, while nobody has decided.
pub(crate) async fn amend(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    seen: &Seen,
    change: impl FnOnce(Ask) -> Result<Ask, Refusal> + Send,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let mut request = visible(&mut work, caller, id).await?;
    seen.check(Some(&request))?;
    let person = identities::person(&mut work, request.identity.as_str()).await?;
    let draft = Draft::of(&mut work, &person, change(request.ask())?).await?;
    let Draft { ask, rule, judgement, .. } = draft;
    request.amend(ask, (&rule, judgement.verdict), now)?;
    work.note(about(&request, "request.amended", caller.name()));
    judged(&mut work, &request, &judgement);
    finish(work, request).await
}

/// Withdraws a request.
pub(crate) async fn cancel(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let mut request = visible(&mut work, caller, id).await?;
    if let Some(bundled) = request.bundle.clone() {
        return bundles::cancel(work, caller, &request, &bundled).await;
    }
    request.cancel(now)?;
    work.note(about(&request, "request.cancelled", caller.name()));
    work.measure(Measure::Request(RequestStatus::Cancelled));
    finish(work, request).await
}

/// A request that the caller may see.
pub(crate) async fn show(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Filed, Failure> {
    let mut tx = plane.store.read().await?;
    let now = plane.clock.now();
    let request: Request = load(&mut *tx, id).await?.ok_or_else(|| Refusal::not_found("request", id))?;
    if !has_a_voice(&mut *tx, caller, &request).await? {
        check_visible(caller, &request)?;
    }
    let grant = match &request.grant {
        Some(grant) => load(&mut *tx, grant.as_str()).await?,
        None => None,
    };
    Ok(Filed { request, grant, now })
}

/// A page of the pending requests that wait for the caller's review.
pub(crate) async fn to_review(
    tx: &mut dyn Read,
    caller: &Caller,
    filter: Filter,
    now: Moment,
) -> Result<Page<Request>, Failure> {
    let pending = RequestStatus::Pending;
    let page = find::<Request>(tx, &Filter { states: vec![pending.as_str()], ..filter }).await?;
    let mut items = Vec::new();
    for request in page.items {
        let said = request.reviews.iter().any(|review| review.by == caller.name());
        let own = request.identity.as_str() == caller.name();
        if request.status_at(now) == pending && !said && !own && may_review(tx, caller, &request).await? {
            items.push(request);
        }
    }
    Ok(Page { items, next: page.next })
}

/// A page of the emergencies that nobody has reviewed yet, as far as the caller may see or review them.
pub(crate) async fn awaiting_hindsight(
    tx: &mut dyn Read,
    caller: &Caller,
    filter: Filter,
) -> Result<Page<Request>, Failure> {
    let page = find::<Request>(tx, &Filter { keyed: true, ..filter }).await?;
    let mut items = Vec::new();
    for request in page.items {
        let seen = caller.manages(&request.filed_by, request.identity.as_str());
        if request.awaits_hindsight() && (seen || may_review(tx, caller, &request).await?) {
            items.push(request);
        }
    }
    Ok(Page { items, next: page.next })
}

/// Whether the caller decides on it, or on another request that is decided together with it.
async fn has_a_voice(tx: &mut dyn Read, caller: &Caller, request: &Request) -> Result<bool, Failure> {
    if may_review(tx, caller, request).await? {
        return Ok(true);
    }
    for id in request.bundle.iter().flat_map(|bundled| &bundled.requests) {
        let other: Option<Request> = load(tx, id.as_str()).await?;
        if let Some(other) = other
            && may_review(tx, caller, &other).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the request's rule, or a permission, lets the caller decide on it.
async fn may_review(tx: &mut dyn Read, caller: &Caller, request: &Request) -> Result<bool, Failure> {
    if caller.may(Permission::AccessManagement) {
        return Ok(true);
    }
    let rule: Option<StoredRule> = load(tx, &request.rule).await?;
    let person = caller.actor().person();
    let listed = rule.is_some_and(|stored| stored.rule.lists_approver(&person, request.escalated));
    Ok(caller.is_person() && listed)
}

async fn visible(work: &mut Work, caller: &Caller, id: &str) -> Result<Request, Failure> {
    let request = work.get("request", id).await?;
    check_visible(caller, &request)?;
    Ok(request)
}

/// Somebody else's request is, for a caller that may not see it, no different from none.
fn check_visible(caller: &Caller, request: &Request) -> Result<(), Refusal> {
    if caller.manages(&request.filed_by, request.identity.as_str()) {
        return Ok(());
    }
    Err(Refusal::not_found("request", request.id.as_str()))
}

pub(super) async fn requester(
    work: &mut Work,
    caller: &Caller,
    for_identity: Option<&str>,
) -> Result<Person, Failure> {
    let Some(name) = for_identity else {
        caller.must(&[Permission::AccessRequest])?;
        return Ok(caller.actor().person());
    };
    caller.must(&[Permission::AccessManagementProxyRequest])?;
    Ok(identities::vouched(work, caller, name).await?.person())
}

/// Files what a rule was found to cover.
pub(super) async fn file_draft(mut work: Work, caller: &Caller, draft: Draft) -> Result<Filed, Failure> {
    let now = work.now();
    let Draft { identity, ask, rule, judgement } = draft;
    let filed = (&rule, judgement.verdict);
    let request = Request::file(random::id("r")?.into(), identity, caller.name(), ask, filed, now);
    note_filed(&mut work, caller, &request, &judgement);
    finish(work, request).await
}

/// Notes a request that was just filed, and what the rule says of it.
pub(super) fn note_filed(work: &mut Work, caller: &Caller, request: &Request, judgement: &Judgement) {
    let mut event = about(request, "request.created", caller.name())
        .with("duration", request.duration.to_string())
        .with("reason", request.reason.as_str())
        .with("rule", request.rule.as_str());
    if let Some(grant) = &request.extends {
        event = event.with("extends", grant.as_str());
    }
    work.note(event);
    work.measure(Measure::Request(RequestStatus::Pending));
    judged(work, request, judgement);
}

/// Notes what the rule said by itself.
fn judged(work: &mut Work, request: &Request, judgement: &Judgement) {
    for trouble in &judgement.troubles {
        let event = about(request, "rule.undecided", "");
        work.note(event.with("rule", request.rule.as_str()).with("reason", trouble.as_str()));
    }
    let by = format!("rule:{}", request.rule);
    match judgement.verdict {
        Verdict::Review => {}
        Verdict::Deny => decided(work, request, "request.rejected", &by),
        Verdict::Approve => {
            if request.break_glass {
                let event = about(request, "request.glass_broken", &request.filed_by);
                work.note(event.with("reason", request.reason.as_str()));
            }
            decided(work, request, "request.approved", &by);
        }
    }
}

/// Gives an approved request its grant, writes it all down, and waits for the sidecars to know.
pub(super) async fn finish(mut work: Work, mut request: Request) -> Result<Filed, Failure> {
    let now = work.now();
    let grant = settle(&mut work, &mut request).await?;
    work.commit_and_wait(&Audience::Repo(request.repo.clone())).await?;
    Ok(Filed { request, grant, now })
}

/// Gives an approved request its grant, and writes it down.
pub(super) async fn settle(work: &mut Work, request: &mut Request) -> Result<Option<Grant>, Failure> {
    let mut grant = None;
    if request.status == RequestStatus::Approved && request.grant.is_none() {
        grant = give(work, request).await?;
    } else if let Some(id) = &request.grant {
        grant = work.load(id.as_str()).await?;
    }
    work.save(&*request).await?;
    Ok(grant)
}

/// What an approved request becomes: a new grant, or more time for one. Nothing when that came to an end meanwhile.
async fn give(work: &mut Work, request: &mut Request) -> Result<Option<Grant>, Failure> {
    let given = match request.extends.clone() {
        None => new_grant(work, request).await,
        Some(grant) => extensions::apply(work, request, &grant).await,
    };
    match given {
        Ok(grant) => {
            request.grant = Some(grant.id.clone());
            Ok(Some(grant))
        }
        Err(Failure::Refused(refusal)) => {
            request.fail(work.now());
            work.note(about(request, "request.failed", "").with("reason", refusal.to_string()));
            work.measure(Measure::Request(RequestStatus::Failed));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

async fn new_grant(work: &mut Work, request: &Request) -> Result<Grant, Failure> {
    let id: GrantId = random::id("g")?.into();
    let grant = Grant::of(id, request, work.now());
    work.save(&grant).await?;
    work.tell(Audience::Repo(grant.repo.clone()), Change::Grant(grant.wire()));
    let event = super::grants::about(&grant, "grant.created", "")
        .with("not_before", grant.not_before.timestamp().to_string())
        .with("expires_at", grant.expires_at.timestamp().to_string());
    work.note(event);
    Ok(grant)
}

pub(super) fn decided(work: &mut Work, request: &Request, kind: &'static str, by: &str) {
    work.note(about(request, kind, by));
    work.measure(Measure::Request(request.status));
    work.measure(Measure::DecisionWait(work.now().seconds_since(request.created_at)));
}

pub(super) fn about(request: &Request, kind: &'static str, actor: &str) -> Event {
    let event = Event {
        actor: actor.to_owned(),
        identity: request.identity.to_string(),
        repo: request.repo.to_string(),
        account: request.account.to_string(),
        ..Event::new(kind)
    }
    .with("request", request.id.as_str());
    if request.break_glass { event.with("break_glass", true) } else { event }
}

//! Filing, amending, withdrawing and reviewing requests.

use std::sync::Arc;

use postern_protocol::{
    duration::Span,
    gate::{AccountName, Change, GrantId, Identity},
};
use postern_service::{audit::Event, random};

use super::{Caller, Failure, identities};
use crate::{
    domain::{
        Actor, Ask, Decision, Grant, IdentityRecord, Moment, Opinion, Permission, Person, Refusal, Repo,
        Request, RequestStatus, Rule, RuleSet, Sidecar, StoredRule, Transition,
    },
    measures::Measure,
    plane::ControlPlane,
    store::{Filter, Order, Page, Read, find, load},
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

/// What filing a request would come to.
#[derive(Clone, Debug)]
pub(crate) struct Forecast {
    /// The request as it would be.
    pub request: Request,
    /// The rule that would decide.
    pub rule: Rule,
    /// Known identities that could approve, and for which of the rule's approvals.
    pub approvers: Vec<String>,
    /// The grant, if it were approved now.
    pub grant: Grant,
    /// When this was true.
    pub now: Moment,
}

/// A request in the making: who asks, for what, under which rule.
struct Draft {
    identity: Identity,
    ask: Ask,
    rule: Rule,
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
    match draft(&mut work, &person, ask).await {
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

/// Says what filing it would come to, and changes nothing.
pub(crate) async fn forecast(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    ask: Ask,
    for_identity: Option<&str>,
) -> Result<Forecast, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let person = requester(&mut work, caller, for_identity).await?;
    let Draft { identity, ask, rule } = draft(&mut work, &person, ask).await?;
    let everybody: Vec<IdentityRecord> =
        work.find_all(&Filter { states: vec!["on"], order: Order::Oldest, ..Filter::default() }).await?;
    let approvers = everybody
        .iter()
        .map(IdentityRecord::person)
        .filter(|other| other.name != person.name)
        .filter(|other| rule.approvals.iter().any(|approval| other.is_listed(&approval.from)))
        .map(|other| other.name)
        .collect();
    let request = Request::file("".into(), identity, caller.name(), ask, &rule, now);
    let grant = Grant::of("".into(), &request, now);
    Ok(Forecast { request, rule, approvers, grant, now })
}

/// Files what another request asked for once more.
pub(crate) async fn again(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let before = visible(&mut work, caller, id).await?;
    let own = before.identity.as_str() == caller.name();
    let for_identity = (!own).then(|| before.identity.to_string());
    let now = work.now();
    let person = requester(&mut work, caller, for_identity.as_deref()).await?;
    let ask = Ask { not_before: before.not_before.filter(|at| *at > now), ..before.ask() };
    let draft = draft(&mut work, &person, ask).await?;
    file_draft(work, caller, draft).await
}

/// Asks for something else, while nobody has decided.
pub(crate) async fn amend(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(Ask) -> Result<Ask, Refusal> + Send,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let mut request = visible(&mut work, caller, id).await?;
    let person = identities::person(&mut work, request.identity.as_str()).await?;
    let Draft { ask, rule, .. } = draft(&mut work, &person, change(request.ask())?).await?;
    request.amend(ask, &rule, now)?;
    work.note(about(&request, "request.amended", caller.name()));
    finish(work, request).await
}

/// Withdraws a request.
pub(crate) async fn cancel(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let mut request = visible(&mut work, caller, id).await?;
    request.cancel(now)?;
    work.note(about(&request, "request.cancelled", caller.name()));
    work.measure(Measure::Request(RequestStatus::Cancelled));
    finish(work, request).await
}

/// Hands in a review, the caller's own or that of the identity that it names.
pub(crate) async fn review(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    by: Option<&str>,
    said: (Decision, &str, Option<Span>),
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let mut request: Request = work.get("request", id).await?;
    let reviewer = reviewer(&mut work, caller, by).await?;
    let requester = identities::person(&mut work, request.identity.as_str()).await?;
    let stored: Option<StoredRule> = work.load(&request.rule).await?;
    let rule = stored.as_ref().map(|stored| &stored.rule);
    let (decision, reason, duration) = said;
    let opinion = Opinion { by: &reviewer, decision, reason, duration };
    let transition = request.review(rule, &requester, opinion, now)?;
    let mut event = about(&request, "request.reviewed", reviewer.name())
        .with("decision", decision.as_str())
        .with("reason", reason);
    if by.is_some() {
        event = event.with("through", caller.name());
    }
    work.note(event);
    work.measure(Measure::Review(decision));
    match transition {
        Transition::Recorded => {}
        Transition::Rejected => decided(&mut work, &request, "request.rejected", reviewer.name()),
        Transition::Approved => decided(&mut work, &request, "request.approved", reviewer.name()),
    }
    finish(work, request).await
}

/// A request that the caller may see.
pub(crate) async fn show(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Filed, Failure> {
    let mut tx = plane.store.read().await?;
    let now = plane.clock.now();
    let request: Request = load(&mut *tx, id).await?.ok_or_else(|| Refusal::not_found("request", id))?;
    if !may_review(&mut *tx, caller, &request).await? {
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

/// Whether the request's rule, or a permission, lets the caller decide on it.
async fn may_review(tx: &mut dyn Read, caller: &Caller, request: &Request) -> Result<bool, Failure> {
    if caller.may(Permission::AccessManagement) {
        return Ok(true);
    }
    let rule: Option<StoredRule> = load(tx, &request.rule).await?;
    Ok(caller.is_person() && rule.is_some_and(|stored| stored.rule.lists_approver(&caller.actor().person())))
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

async fn requester(work: &mut Work, caller: &Caller, for_identity: Option<&str>) -> Result<Person, Failure> {
    let Some(name) = for_identity else {
        caller.must(&[Permission::AccessRequest])?;
        return Ok(caller.actor().person());
    };
    caller.must(&[Permission::AccessManagementProxyRequest])?;
    Ok(identities::vouched(work, caller, name).await?.person())
}

async fn reviewer(work: &mut Work, caller: &Caller, by: Option<&str>) -> Result<Actor, Failure> {
    let Some(name) = by else {
        // Whether a person may is for the rule to say.
        if !caller.is_person() {
            caller.must(&[Permission::AccessManagement])?;
        }
        return Ok(caller.actor().clone());
    };
    caller.must(&[Permission::AccessManagementProxyManage])?;
    Ok(Actor::Identity(identities::vouched(work, caller, name).await?.person()))
}

async fn draft(work: &mut Work, person: &Person, ask: Ask) -> Result<Draft, Failure> {
    let ask = ask.checked()?;
    check_repo(work, &ask).await?;
    let stored: Vec<StoredRule> = work.find_all(&Filter::default()).await?;
    let rules = RuleSet::new(stored.into_iter().map(|stored| stored.rule).collect());
    let rule = rules.decide(person, &ask)?.clone();
    rule.check_reason(&ask.reason)?;
    Ok(Draft { identity: person.name.as_str().into(), ask, rule })
}

/// A repo that no sidecar has named yet may be requested all the same: the rules decide.
async fn check_repo(work: &mut Work, ask: &Ask) -> Result<(), Failure> {
    let Some(repo): Option<Repo> = work.load(ask.repo.as_str()).await? else { return Ok(()) };
    if !repo.ephemeral_access {
        return Err(Refusal::Conflict(format!("ephemeral access to {} is switched off", repo.name)).into());
    }
    let sidecars: Vec<Sidecar> = work.find_all(&Filter::default()).await?;
    let served: Vec<_> = sidecars.iter().filter_map(|sidecar| sidecar.serves(repo.name.as_str())).collect();
    let known = served.iter().any(|served| served.accounts.contains(&ask.account));
    if served.is_empty() || known {
        return Ok(());
    }
    let mut accounts: Vec<&str> =
        served.iter().flat_map(|served| &served.accounts).map(AccountName::as_str).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let (repo, account, list) = (&repo.name, &ask.account, accounts.join(", "));
    Err(Refusal::Invalid(format!("account: {repo} has no account {account}; it has {list}")).into())
}

async fn file_draft(mut work: Work, caller: &Caller, draft: Draft) -> Result<Filed, Failure> {
    let now = work.now();
    let Draft { identity, ask, rule } = draft;
    let request = Request::file(random::id("r")?.into(), identity, caller.name(), ask, &rule, now);
    let event = about(&request, "request.created", caller.name())
        .with("duration", request.duration.to_string())
        .with("reason", request.reason.as_str())
        .with("rule", request.rule.as_str());
    work.note(event);
    work.measure(Measure::Request(RequestStatus::Pending));
    if request.status == RequestStatus::Approved {
        let by = format!("rule:{}", request.rule);
        decided(&mut work, &request, "request.approved", &by);
    }
    finish(work, request).await
}

/// Gives an approved request its grant, writes it all down, and waits for the sidecars to know.
async fn finish(mut work: Work, mut request: Request) -> Result<Filed, Failure> {
    let now = work.now();
    let mut grant = None;
    if request.status == RequestStatus::Approved && request.grant.is_none() {
        let given = give(&mut work, &request).await?;
        request.grant = Some(given.id.clone());
        grant = Some(given);
    }
    work.save(&request).await?;
    work.commit_and_wait(&Audience::Repo(request.repo.clone())).await?;
    Ok(Filed { request, grant, now })
}

async fn give(work: &mut Work, request: &Request) -> Result<Grant, Failure> {
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

fn decided(work: &mut Work, request: &Request, kind: &'static str, by: &str) {
    work.note(about(request, kind, by));
    work.measure(Measure::Request(request.status));
    work.measure(Measure::DecisionWait(work.now().seconds_since(request.created_at)));
}

pub(super) fn about(request: &Request, kind: &'static str, actor: &str) -> Event {
    Event {
        actor: actor.to_owned(),
        identity: request.identity.to_string(),
        repo: request.repo.to_string(),
        account: request.account.to_string(),
        ..Event::new(kind)
    }
    .with("request", request.id.as_str())
}

//! Taking reviews: those that decide a request, and those of an emergency afterwards.

use std::sync::Arc;

use postern_protocol::{duration::Span, gate::ResourceGrant};

use super::{
    Caller, Failure, bundles, grants, identities,
    requests::{Filed, about, decided, finish},
};
use crate::{
    domain::{
        Actor, Decision, Grant, IdentityRecord, Opinion, Permission, Refusal, Request, Seen, StoredRule,
        Transition,
    },
    measures::Measure,
    plane::ControlPlane,
    work::Work,
};

/// What a reviewer says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Yes or no.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// For how long, when shorter than asked for.
    pub duration: Option<Span>,
    /// With what, when less than asked for.
    pub resources: Option<Vec<ResourceGrant>>,
}

/// Hands in a review, the caller's own or that of the identity that it names.
pub(crate) async fn review(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    by: Option<&str>,
    said: Said,
) -> Result<Filed, Failure> {
    review_as_seen(plane, caller, (id, &Seen::Unsaid), by, said).await
}

/// The same, if the request is as the reviewer has seen it.
pub(crate) async fn review_as_seen(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    (id, seen): (&str, &Seen),
    by: Option<&str>,
    said: Said,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let request: Request = work.get("request", id).await?;
    seen.check(Some(&request))?;
    // Nor does anybody review a request of their own in another's name.
    if by.is_some() && caller.is_in_person(request.identity.as_str()) {
        return Err(Refusal::OwnRequest.into());
    }
    let reviewer = reviewer(&mut work, caller, by).await?;
    take(work, request, (&reviewer, by.map(|_| caller.name())), said).await
}

/// Takes a review, and who or what brought it in where that is not the reviewer.
pub(super) async fn take(
    mut work: Work,
    mut request: Request,
    (reviewer, through): (&Actor, Option<&str>),
    said: Said,
) -> Result<Filed, Failure> {
    let now = work.now();
    if let Some(bundled) = request.bundle.clone() {
        return bundles::review(work, &request, &bundled, (reviewer, through), said).await;
    }
    regroup(&mut work, &mut request).await?;
    let requester = identities::person(&mut work, request.identity.as_str()).await?;
    let stored: Option<StoredRule> = work.load(&request.rule).await?;
    let rule = stored.as_ref().map(|stored| &stored.rule);
    let Said { decision, reason, duration, resources } = said;
    let opinion = Opinion { by: reviewer, decision, reason: &reason, duration, resources };
    let transition = request.review(rule, &requester, opinion, now)?;
    let taken = Taken { by: reviewer.name(), through, decision, reason: &reason, transition };
    note(&mut work, &request, &taken);
    if transition == Transition::Condemned {
        take_back(&mut work, &request, reviewer.name(), &reason).await?;
    }
    finish(work, request).await
}

/// A review that was taken, and what it did.
pub(super) struct Taken<'a> {
    /// Whose.
    pub by: &'a str,
    /// Who handed it in, when somebody else.
    pub through: Option<&'a str>,
    /// Yes or no.
    pub decision: Decision,
    /// Why.
    pub reason: &'a str,
    /// What it did.
    pub transition: Transition,
}

/// Notes it.
pub(super) fn note(work: &mut Work, request: &Request, taken: &Taken<'_>) {
    let Taken { by, through, decision, reason, transition } = *taken;
    let mut event =
        about(request, "request.reviewed", by).with("decision", decision.as_str()).with("reason", reason);
    if let Some(through) = through {
        event = event.with("through", through);
    }
    work.note(event);
    work.measure(Measure::Review(decision));
    match transition {
        Transition::Recorded => {}
        Transition::Rejected => decided(work, request, "request.rejected", by),
        Transition::Approved => decided(work, request, "request.approved", by),
        Transition::Condoned => work.note(about(request, "request.glass_condoned", by)),
        Transition::Condemned => work.note(about(request, "request.glass_condemned", by)),
    }
}

/// Ends the grant of an emergency that somebody finds wrong, if it is not over yet.
async fn take_back(work: &mut Work, request: &Request, by: &str, reason: &str) -> Result<(), Failure> {
    let Some(id) = &request.grant else { return Ok(()) };
    let Some(mut grant) = work.load::<Grant>(id.as_str()).await? else { return Ok(()) };
    match grants::revoke_within(work, &mut grant, by, reason).await {
        Ok(()) | Err(Failure::Refused(Refusal::GrantEnded(_))) => Ok(()),
        Err(failure) => Err(failure),
    }
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

/// Those who approved before count by the groups that they have now.
pub(super) async fn regroup(work: &mut Work, request: &mut Request) -> Result<(), Failure> {
    let mut people = Vec::new();
    for review in request.reviews.iter().filter(|review| !review.by_client) {
        people.extend(work.load::<IdentityRecord>(&review.by).await?.map(|known| known.person()));
    }
    request.regroup_reviews(&people);
    Ok(())
}

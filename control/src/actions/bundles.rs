//! Bundles: kept by whoever makes policies, asked for by anybody, decided as one.

use std::sync::Arc;

use postern_protocol::{duration::Span, gate::RequestId};
use postern_service::{audit::Event, random};

use super::{
    Caller, Failure,
    drafts::{Draft, Forecast},
    grants, identities,
    requests::{self, Filed},
    reviews::{self, Said, Taken},
};
use crate::{
    domain::{
        Actor, Ask, Bundle, Bundled, Grant, Member, Opinion, Part, PartName, Refusal, Request, RequestStatus,
        Seen, StoredRule, Transition, Verdict, review_together,
    },
    measures::Measure,
    plane::ControlPlane,
    store::load,
    work::{Audience, Work},
};

/// Makes a bundle or replaces it; true when it is new.
pub(crate) async fn put(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    seen: &Seen,
    bundle: Bundle,
) -> Result<(Bundle, bool), Failure> {
    let mut work = Work::begin(plane).await?;
    let bundle = Bundle { updated_at: work.now(), ..bundle.checked()? };
    let before: Option<Bundle> = work.load(&bundle.name).await?;
    seen.check(before.as_ref())?;
    before.iter().try_for_each(|before| before.owner.must_be_rest("bundle", &bundle.name))?;
    write(&mut work, &bundle, before.is_none(), caller.name()).await?;
    work.commit().await?;
    Ok((bundle, before.is_none()))
}

/// Writes a bundle down.
pub(super) async fn write(
    work: &mut Work,
    bundle: &Bundle,
    is_new: bool,
    actor: &str,
) -> Result<(), Failure> {
    work.save(bundle).await?;
    let kind = if is_new { "bundle.created" } else { "bundle.changed" };
    work.note(about(&bundle.name, kind, actor));
    Ok(())
}

/// Removes a bundle. What was asked for with it stays.
pub(crate) async fn delete(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    seen: &Seen,
    name: &str,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let before: Bundle = work.get("bundle", name).await?;
    seen.check(Some(&before))?;
    before.owner.must_be_rest("bundle", name)?;
    erase(&mut work, name, caller.name()).await?;
    work.commit().await?;
    Ok(())
}

/// Removes a bundle.
pub(super) async fn erase(work: &mut Work, name: &str, actor: &str) -> Result<(), Failure> {
    work.remove::<Bundle>(name).await?;
    work.note(about(name, "bundle.deleted", actor));
    Ok(())
}

fn about(name: &str, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), ..Event::new(kind) }.with("bundle", name)
}

/// Asks for what is in a bundle, or for these parts of it: one request for each, decided together. `ask` says for how long
/// and why.
pub(crate) async fn file(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    bundle: (&str, &[PartName]),
    ask: Ask,
    for_identity: Option<&str>,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let (bundle, drafts) = drafts(&mut work, caller, bundle, &ask, for_identity).await?;
    let ids: Vec<RequestId> =
        drafts.iter().map(|_| Ok(random::id("r")?.into())).collect::<Result<_, random::NoRandomness>>()?;
    let bundled = Bundled { name: bundle.name, requests: ids.clone() };
    let patience = drafts.iter().map(|draft| draft.rule.pending_ttl).min().unwrap_or(Span::MAX);
    let mut filed = Vec::new();
    for (id, Draft { identity, ask, rule, judgement }) in ids.into_iter().zip(drafts) {
        let request = Request::file(id, identity, caller.name(), ask, (&rule, judgement.verdict), now)
            .bundled(bundled.clone(), now.plus(patience));
        requests::note_filed(&mut work, caller, &request, &judgement);
        filed.push(request);
    }
    finish(work, filed, 0).await
}

/// Asks once more for what a request's bundle was asked for, as far as that is still in it.
pub(crate) async fn again(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    before: &Request,
    bundled: &Bundled,
    for_identity: Option<&str>,
) -> Result<Filed, Failure> {
    let mut tx = plane.store.read().await?;
    let bundle: Option<Bundle> = load(&mut *tx, &bundled.name).await?;
    let there: Vec<PartName> = bundle
        .ok_or_else(|| Refusal::not_found("bundle", &bundled.name))?
        .parts
        .iter()
        .map(Part::name)
        .collect();
    let mut parts = Vec::new();
    for id in &bundled.requests {
        let asked: Option<Request> = load(&mut *tx, id.as_str()).await?;
        let name = asked.map(|request| PartName { repo: request.repo, account: request.account });
        parts.extend(name.filter(|name| there.contains(name)));
    }
    if parts.is_empty() {
        // No part named would mean all of what is in it by now.
        let text = format!("nothing of what was asked for is in the bundle {} any more", bundled.name);
        return Err(Refusal::Conflict(text).into());
    }
    drop(tx);
    file(plane, caller, (&bundled.name, &parts), before.ask(), for_identity).await
}

/// Says what asking for it would come to, part by part, and changes nothing.
pub(crate) async fn forecast(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    bundle: (&str, &[PartName]),
    ask: Ask,
    for_identity: Option<&str>,
) -> Result<Vec<Forecast>, Failure> {
    let mut work = Work::begin(plane).await?;
    let (_, drafts) = drafts(&mut work, caller, bundle, &ask, for_identity).await?;
    let mut forecasts = Vec::new();
    for draft in drafts {
        forecasts.push(Forecast::of(&mut work, caller, draft).await?);
    }
    Ok(forecasts)
}

/// A bundle, and a draft for each part that is asked for; all have the verdict that holds for them together.
async fn drafts(
    work: &mut Work,
    caller: &Caller,
    (name, parts): (&str, &[PartName]),
    ask: &Ask,
    for_identity: Option<&str>,
) -> Result<(Bundle, Vec<Draft>), Failure> {
    let bundle = work.get::<Bundle>("bundle", name).await?.only(parts)?;
    if ask.break_glass {
        return Err(Refusal::Invalid("break_glass: not with a bundle".to_owned()).into());
    }
    let person = requests::requester(work, caller, for_identity).await?;
    let mut drafts = Vec::new();
    for ask in bundle.asks(ask) {
        drafts.push(Draft::of(work, &person, ask).await?);
    }
    let verdict = together(&drafts);
    for draft in &mut drafts {
        draft.judgement.verdict = verdict;
    }
    Ok((bundle, drafts))
}

/// One denial denies all; what is not approved at once in every part waits.
fn together(drafts: &[Draft]) -> Verdict {
    let says = |verdict| move |draft: &Draft| draft.judgement.verdict == verdict;
    if drafts.iter().any(says(Verdict::Deny)) {
        Verdict::Deny
    } else if drafts.iter().all(says(Verdict::Approve)) {
        Verdict::Approve
    } else {
        Verdict::Review
    }
}

async fn members(work: &mut Work, bundled: &Bundled) -> Result<Vec<Member>, Failure> {
    let mut members = Vec::new();
    for id in &bundled.requests {
        let request: Request = work.get("request", id.as_str()).await?;
        let stored: Option<StoredRule> = work.load(&request.rule).await?;
        members.push(Member { request, rule: stored.map(|stored| stored.rule) });
    }
    Ok(members)
}

/// Takes a review of one of a bundle's requests for all of them.
pub(super) async fn review(
    mut work: Work,
    request: &Request,
    bundled: &Bundled,
    (reviewer, through): (&Actor, Option<&str>),
    said: Said,
) -> Result<Filed, Failure> {
    let requester = identities::person(&mut work, request.identity.as_str()).await?;
    let mut members = members(&mut work, bundled).await?;
    for member in &mut members {
        reviews::regroup(&mut work, &mut member.request).await?;
    }
    let Said { decision, reason, duration, resources } = said;
    let opinion = Opinion { by: reviewer, decision, reason: &reason, duration, resources };
    let transition = review_together(&mut members, &requester, &opinion, work.now())?;
    let by = reviewer.name();
    for Member { request, .. } in &members {
        let heard = request.reviews.last().is_some_and(|review| review.by == by && review.at == work.now());
        match (heard, transition) {
            (true, _) => {
                reviews::note(
                    &mut work,
                    request,
                    &Taken { by, through, decision, reason: &reason, transition },
                );
            }
            (false, Transition::Approved) => requests::decided(&mut work, request, "request.approved", by),
            (false, Transition::Rejected) => requests::decided(&mut work, request, "request.rejected", by),
            (false, Transition::Recorded | Transition::Condoned | Transition::Condemned) => {}
        }
    }
    let place = bundled.requests.iter().position(|id| *id == request.id).unwrap_or_default();
    finish(work, members.into_iter().map(|member| member.request).collect(), place).await
}

/// Withdraws all of a bundle's requests.
pub(super) async fn cancel(
    mut work: Work,
    caller: &Caller,
    request: &Request,
    bundled: &Bundled,
) -> Result<Filed, Failure> {
    let mut all: Vec<Request> =
        members(&mut work, bundled).await?.into_iter().map(|member| member.request).collect();
    for request in &mut all {
        request.cancel(work.now())?;
        work.note(requests::about(request, "request.cancelled", caller.name()));
        work.measure(Measure::Request(RequestStatus::Cancelled));
    }
    let place = bundled.requests.iter().position(|id| *id == request.id).unwrap_or_default();
    finish(work, all, place).await
}

/// Ends every grant that came of the requests with which this one was decided, as far as the caller may. Refused when
/// there is none that they may end.
pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    reason: &str,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let request: Request = work.get("request", id).await?;
    let ids = request.bundle.map_or_else(|| vec![request.id.clone()], |bundled| bundled.requests);
    let (mut ended, mut refused) = (false, Refusal::not_found("request", id));
    for id in ids {
        let request: Request = work.get("request", id.as_str()).await?;
        let Some(grant) = &request.grant else { continue };
        match grants::revoke_as(&mut work, caller, grant.as_str(), reason).await {
            Ok(_) => ended = true,
            // What somebody may not see is no different from nothing.
            Err(Failure::Refused(Refusal::NotFound { .. })) => {}
            Err(Failure::Refused(refusal)) => refused = refusal,
            Err(failure) => return Err(failure),
        }
    }
    if !ended {
        return Err(refused.into());
    }
    work.commit_and_wait(&Audience::All).await?;
    Ok(())
}

/// Gives each approved request its grant and writes all down; the answer is about the request at `place`.
async fn finish(mut work: Work, mut all: Vec<Request>, place: usize) -> Result<Filed, Failure> {
    let now = work.now();
    let mut grants: Vec<Option<Grant>> = Vec::new();
    for request in &mut all {
        grants.push(requests::settle(&mut work, request).await?);
    }
    work.commit_and_wait(&Audience::All).await?;
    let found = all.into_iter().zip(grants).nth(place);
    let (request, grant) = found.ok_or_else(|| Refusal::not_found("request", ""))?;
    Ok(Filed { request, grant, now })
}

//! Requests that clients file by connecting, through the sidecar that has seen their credential.
//!
//! In: a sidecar's word that somebody is there, and what they want. Out: the request that it is now, filed as that
//! identity's own. The rule that decides it must allow knocking (`knock = true`); everything else is as with any request.
//! A sidecar's word counts for the repos that it serves, whose secrets it holds anyway, and leaves no groups behind.

use std::sync::Arc;

use postern_protocol::gate::{Knock, KnockState, Knocked, RepoName, SidecarName};

use super::{Caller, Failure, drafts::Draft, identities, requests};
use crate::{
    domain::{Ask, IdentityRecord, Moment, Person, Refusal, Request, RequestStatus, Sidecar, canonical},
    plane::ControlPlane,
    store::{Filter, Order, Read, load},
    work::Work,
};

/// Files a wish, or finds the same one that still waits.
pub(crate) async fn knock(
    plane: &Arc<ControlPlane>,
    sidecar: &SidecarName,
    knock: Knock,
) -> Result<Knocked, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    serves(work.tx(), sidecar, &knock.repo).await?;
    let person = visitor(&mut work, sidecar, &knock).await?;
    let draft = Draft::of(&mut work, &person, ask(knock)).await?;
    if !draft.rule.knock {
        let rule = &draft.rule.name;
        return Err(Refusal::NoRule(format!("the rule `{rule}` lets nobody ask by connecting")).into());
    }
    if let Some(waiting) = waiting(&mut work, &draft, now).await? {
        return Ok(knocked(&waiting, now));
    }
    let filed = requests::file_draft(work, &Caller::person(person, &[]), draft).await?;
    Ok(knocked(&filed.request, filed.now))
}

/// Where a request stands that was filed through this sidecar, or could have been.
pub(crate) async fn state(plane: &ControlPlane, sidecar: &SidecarName, id: &str) -> Result<Knocked, Failure> {
    let mut tx = plane.store.read().await?;
    let request: Option<Request> = load(&mut *tx, id).await?;
    let request = request.ok_or_else(|| Refusal::not_found("request", id))?;
    serves(&mut *tx, sidecar, &request.repo).await?;
    Ok(knocked(&request, plane.clock.now()))
}

async fn serves(tx: &mut dyn Read, name: &SidecarName, repo: &RepoName) -> Result<(), Failure> {
    let sidecar: Option<Sidecar> = load(tx, name.as_str()).await?;
    if sidecar.is_some_and(|sidecar| sidecar.serves(repo.as_str()).is_some()) {
        return Ok(());
    }
    Err(Refusal::Forbidden(format!("the sidecar `{name}` does not serve `{repo}`")).into())
}

/// Who stands there, made known if nobody has heard of them: the sidecar vouches.
async fn visitor(work: &mut Work, sidecar: &SidecarName, knock: &Knock) -> Result<Person, Failure> {
    let known: Option<IdentityRecord> = work.load(&canonical(knock.identity.as_str())).await?;
    let identity = match known {
        Some(known) if !known.enabled => {
            return Err(Refusal::IdentityDisabled(known.name.to_string()).into());
        }
        Some(known) => known,
        None => {
            let made = IdentityRecord::new(knock.identity.as_str(), work.now())?;
            work.save(&made).await?;
            work.note(identities::about(&made, "identity.created", "").with("sidecar", sidecar.as_str()));
            made
        }
    };
    Ok(identity.person_with(&knock.groups, knock.issued_at.map(Moment::from_millis)))
}

/// The same identity's request for the same account, with nothing special about it, that nobody has decided.
async fn waiting(work: &mut Work, draft: &Draft, now: Moment) -> Result<Option<Request>, Failure> {
    let filter = Filter {
        identity: Some(draft.identity.to_string()),
        repo: Some(draft.ask.repo.to_string()),
        states: vec![RequestStatus::Pending.as_str()],
        order: Order::Oldest,
        ..Filter::default()
    };
    let same = |request: &Request| {
        request.account == draft.ask.account
            && request.resources.is_empty()
            && request.not_before.is_none()
            && request.extends.is_none()
            && request.status_at(now) == RequestStatus::Pending
    };
    Ok(work.find_all::<Request>(&filter).await?.into_iter().find(same))
}

fn knocked(request: &Request, now: Moment) -> Knocked {
    let (state, word) = match request.status_at(now) {
        RequestStatus::Pending => (KnockState::Waiting, String::new()),
        RequestStatus::Approved => (KnockState::Granted, String::new()),
        RequestStatus::Rejected => (KnockState::Refused, denied(request)),
        RequestStatus::Cancelled => (KnockState::Refused, "was withdrawn".to_owned()),
        RequestStatus::Expired => (KnockState::Refused, "was decided by nobody in time".to_owned()),
        RequestStatus::Failed => {
            (KnockState::Refused, "was approved and could not become a grant".to_owned())
        }
    };
    Knocked { request: request.id.clone(), state, word }
}

fn denied(request: &Request) -> String {
    let why = request.reviews.last().map(|review| review.reason.trim()).filter(|why| !why.is_empty());
    let by = request.decided_by();
    why.map_or_else(|| format!("was refused by {by}"), |why| format!("was refused by {by}: {why}"))
}

fn ask(knock: Knock) -> Ask {
    let Knock { identity: _, groups: _, issued_at: _, repo, account, duration, reason } = knock;
    Ask { repo, account, resources: Vec::new(), duration, reason, not_before: None, break_glass: false }
}

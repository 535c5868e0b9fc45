//! Links by which one approver looks at one request and decides it.
//!
//! A link says who and what and bears a mark of this control plane's, so nothing of it has to be kept. It is good while
//! the request waits and asks for what it asked for when the link was made, and for one review: nobody reviews twice.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_service::audit::Event;

use super::{
    Caller, Failure, identities,
    requests::Filed,
    reviews::{self, Said},
};
use crate::{
    domain::{
        Actor, Decision, IdentityRecord, Moment, Permission, Person, Refusal, Request, RequestStatus,
        canonical,
    },
    plane::ControlPlane,
    store::{Read, StoreError, load},
    work::Work,
};

/// What the mark is for.
const PURPOSE: &str = "review link";

/// A new link.
#[derive(Debug)]
pub(crate) struct Link {
    /// Where it leads.
    pub url: String,
    /// Whose.
    pub approver: String,
    /// Until when it is good at most.
    pub until: Moment,
}

/// What a link is about.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The request that it was made for.
    pub request: Request,
    /// All that are decided by it: a bundle's are decided as one.
    pub together: Vec<Request>,
    /// Who decides.
    pub approver: Person,
}

/// Makes a link for an approver: for programs that bring it to that person, and to nobody else.
pub(crate) async fn make(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    approver: &str,
) -> Result<Link, Failure> {
    caller.must(&[Permission::AccessManagementProxyManage])?;
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let request: Request = work.get("request", id).await?;
    let status = request.status_at(now);
    if status != RequestStatus::Pending {
        return Err(Refusal::AlreadyDecided(status).into());
    }
    let requester = request.identity.as_str();
    if canonical(approver) == requester || caller.is_in_person(requester) {
        return Err(Refusal::OwnRequest.into());
    }
    let approver = identities::vouched(&mut work, caller, approver).await?.name.to_string();
    let together = together(work.tx(), &request).await?;
    let mark = plane.seal.mark(PURPOSE, &shown(&together, &approver)?);
    let who = URL_SAFE_NO_PAD.encode(&approver);
    let url = format!("{}/review/{id}.{who}.{mark}", plane.public_url.trim_end_matches('/'));
    let event = Event { actor: caller.name().to_owned(), ..Event::new("request.link_made") };
    work.note(event.with("request", id).with("approver", approver.as_str()));
    work.commit().await?;
    Ok(Link { url, approver, until: request.waits_until })
}

async fn together(tx: &mut dyn Read, request: &Request) -> Result<Vec<Request>, StoreError> {
    let Some(bundled) = &request.bundle else { return Ok(vec![request.clone()]) };
    let mut all = Vec::new();
    for id in &bundled.requests {
        all.extend(load::<Request>(tx, id.as_str()).await?);
    }
    Ok(all)
}

/// Approver, and what is asked for: a request that was amended since asks for something that nobody was shown. One that
/// was amended back waits until another moment.
fn shown(requests: &[Request], approver: &str) -> Result<String, StoreError> {
    let asked: Vec<_> = requests
        .iter()
        .map(|request| (&request.id, &request.identity, request.ask(), request.waits_until))
        .collect();
    Ok(serde_json::to_string(&(approver, asked))?)
}

/// What a link is about. Whatever is wrong with it, it is no link.
pub(crate) async fn open(plane: &ControlPlane, token: &str) -> Result<(Opened, Moment), Failure> {
    let mut tx = plane.store.read().await?;
    Ok((opened(&mut *tx, plane, token).await?, plane.clock.now()))
}

async fn opened(tx: &mut dyn Read, plane: &ControlPlane, token: &str) -> Result<Opened, Failure> {
    let found = read(tx, plane, token).await?;
    let (request, together, who) = found.ok_or_else(|| Refusal::not_found("link", ""))?;
    let approver: Option<IdentityRecord> = load(tx, &who).await?;
    let approver = approver.filter(|approver| approver.enabled);
    let approver = approver.ok_or(Refusal::IdentityDisabled(who))?.person();
    Ok(Opened { request, together, approver })
}

async fn read(
    tx: &mut dyn Read,
    plane: &ControlPlane,
    token: &str,
) -> Result<Option<(Request, Vec<Request>, String)>, StoreError> {
    let mut parts = token.splitn(3, '.');
    let (Some(id), Some(who), Some(mark)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let who = URL_SAFE_NO_PAD.decode(who).ok().and_then(|who| String::from_utf8(who).ok());
    let Some(who) = who else { return Ok(None) };
    let Some(request): Option<Request> = load(tx, id).await? else { return Ok(None) };
    let together = together(tx, &request).await?;
    let is_ours = plane.seal.is_mark(PURPOSE, &shown(&together, &who)?, mark);
    Ok(is_ours.then_some((request, together, who)))
}

/// Decides by a link. It gives nobody more than a place among the approvers.
pub(crate) async fn decide(
    plane: &Arc<ControlPlane>,
    token: &str,
    decision: Decision,
    reason: &str,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let Opened { request, approver, .. } = opened(work.tx(), plane, token).await?;
    let said = Said { decision, reason: reason.to_owned(), duration: None, resources: None };
    reviews::take(work, request, (&Actor::Identity(approver), Some(PURPOSE)), said).await
}

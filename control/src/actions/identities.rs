//! People and workloads: their groups, and whether they are let in at all.

use std::sync::Arc;

use postern_protocol::gate::Change;
use postern_service::audit::Event;

use super::{Caller, Failure, grants, logins, requests, tokens};
use crate::{
    domain::{
        Authority, CLIENT_PREFIX, Grant, IdentityRecord, IssuedToken, Person, Refusal, Request,
        RequestStatus, canonical,
    },
    feed::Outcome,
    measures::Measure,
    plane::ControlPlane,
    slack,
    store::{Filter, Order},
    work::{Audience, Work},
};

/// The identity of this name, made without groups if nobody has heard of it: the calling API client vouches for it.
pub(super) async fn vouched(work: &mut Work, caller: &Caller, name: &str) -> Result<IdentityRecord, Failure> {
    let name = &*canonical(name);
    if let Some(known) = work.load::<IdentityRecord>(name).await? {
        if !known.enabled {
            return Err(Refusal::IdentityDisabled(name.to_owned()).into());
        }
        return Ok(known);
    }
    let made = IdentityRecord::new(name, work.now())?;
    work.save(&made).await?;
    work.note(about(&made, "identity.created", caller.name()));
    Ok(made)
}

/// An identity, or an API client that asked for itself, with the groups that it has now.
pub(super) async fn person(work: &mut Work, name: &str) -> Result<Person, Failure> {
    if name.starts_with(CLIENT_PREFIX) {
        return Ok(Person { name: name.to_owned(), groups: Vec::new() });
    }
    let known: IdentityRecord = work.get("identity", name).await?;
    if !known.enabled {
        return Err(Refusal::IdentityDisabled(name.to_owned()).into());
    }
    Ok(known.person())
}

/// Makes an identity or changes it. Who is deactivated loses sessions, tokens, grants and open requests.
pub(crate) async fn put(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    groups: Option<Vec<String>>,
    enabled: Option<bool>,
    reason: &str,
) -> Result<(IdentityRecord, Vec<Outcome>), Failure> {
    let mut work = Work::begin(plane).await?;
    let before: Option<IdentityRecord> = work.load(&canonical(name)).await?;
    let mut identity = match &before {
        Some(known) => known.clone(),
        None => IdentityRecord::new(name, work.now())?,
    };
    if let Some(groups) = groups {
        let known = identity.all_groups();
        identity.set_groups(groups)?;
        let joined: Vec<String> =
            identity.groups.iter().filter(|group| !known.contains(group)).cloned().collect();
        caller.must_fill(&joined, &plane.admins)?;
    }
    let was_enabled = identity.enabled;
    switch(&mut identity, enabled)?;
    work.save(&identity).await?;
    let kind = if before.is_some() { "identity.changed" } else { "identity.created" };
    work.note(about(&identity, kind, caller.name()).with("groups", identity.all_groups()));
    if let Some(before) = &before {
        regrouped(&mut work, caller.name(), &identity, &before.all_groups()).await?;
    }
    switched(&mut work, caller.name(), &identity, was_enabled, reason).await?;
    let settled = work.commit_and_wait(&Audience::All).await?;
    Ok((identity, settled.sidecars))
}

fn switch(identity: &mut IdentityRecord, enabled: Option<bool>) -> Result<(), Refusal> {
    match enabled {
        None => {}
        Some(false) => identity.bar(Authority::Administrator),
        Some(true) => identity.let_in(Authority::Administrator),
    }
    if enabled == Some(true) && !identity.enabled {
        let text = format!(
            "the directory deactivated {}, and only the directory can let it in again",
            identity.name
        );
        return Err(Refusal::Conflict(text));
    }
    Ok(())
}

/// Tells everybody when an identity that was saved is let in or shut out now. Who is shut out loses everything.
pub(super) async fn switched(
    work: &mut Work,
    by: &str,
    identity: &IdentityRecord,
    was_enabled: bool,
    reason: &str,
) -> Result<(), Failure> {
    if identity.enabled == was_enabled {
        return Ok(());
    }
    let change = Change::Identity {
        identity: identity.name.clone(),
        enabled: identity.enabled,
        by: by.to_owned(),
        reason: reason.to_owned(),
    };
    work.tell(Audience::All, change);
    let kind = if identity.enabled { "identity.enabled" } else { "identity.disabled" };
    work.note(about(identity, kind, by).with("reason", reason));
    if identity.enabled {
        return Ok(());
    }
    strip(work, by, identity.name.as_str(), "the identity was deactivated").await
}

/// Notes which groups an identity came to and left, and which of its grants stand on a rule that no longer lists it.
/// Those grants go on: they were approved for this person, and they end by themselves.
pub(super) async fn regrouped(
    work: &mut Work,
    by: &str,
    identity: &IdentityRecord,
    before: &[String],
) -> Result<(), Failure> {
    let now = identity.all_groups();
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|group| !those.contains(group)).cloned().collect()
    };
    let (joined, left) = (only(&now, before), only(before, &now));
    if joined.is_empty() && left.is_empty() {
        return Ok(());
    }
    work.note(about(identity, "identity.regrouped", by).with("joined", joined).with("left", left));
    let living = Filter {
        identity: Some(identity.name.to_string()),
        states: vec!["SCHEDULED", "ACTIVE"],
        order: Order::Oldest,
        ..Filter::default()
    };
    for grant in work.find_all::<Grant>(&living).await? {
        if !grants::is_founded(work.tx(), &grant).await? {
            work.note(grants::about(&grant, "grant.unfounded", by).with("rule", grant.rule.as_str()));
        }
    }
    Ok(())
}

/// Takes sign-ins, Slack users, tokens, grants and open requests from somebody who is no longer let in.
pub(super) async fn strip(work: &mut Work, by: &str, name: &str, why: &str) -> Result<(), Failure> {
    logins::end_all(work, name).await?;
    slack::untie_all(work, by, name).await?;
    let own = Filter { identity: Some(name.to_owned()), order: Order::Oldest, ..Filter::default() };
    for token in work.find_all::<IssuedToken>(&own).await? {
        tokens::revoke_within(work, &token, by).await?;
    }
    for mut grant in
        work.find_all::<Grant>(&Filter { states: vec!["SCHEDULED", "ACTIVE"], ..own.clone() }).await?
    {
        match grants::revoke_within(work, &mut grant, by, why).await {
            // Its time was up, and nobody had written that down yet: the timer will.
            Ok(()) | Err(Failure::Refused(Refusal::GrantEnded(_))) => {}
            Err(failure) => return Err(failure),
        }
    }
    for mut request in work.find_all::<Request>(&Filter { states: vec!["PENDING"], ..own.clone() }).await? {
        if request.cancel(work.now()).is_ok() {
            work.save(&request).await?;
            work.note(requests::about(&request, "request.cancelled", by).with("reason", why));
            work.measure(Measure::Request(RequestStatus::Cancelled));
        }
    }
    forget_reviews(work, by, name, why).await
}

/// What somebody approved who is let in no longer does not count, where nothing is decided yet.
async fn forget_reviews(work: &mut Work, by: &str, name: &str, why: &str) -> Result<(), Failure> {
    let pending = Filter { states: vec!["PENDING"], order: Order::Oldest, ..Filter::default() };
    for mut request in work.find_all::<Request>(&pending).await? {
        if request.forget_reviews(name) {
            work.save(&request).await?;
            let event = requests::about(&request, "request.review_forgotten", by);
            work.note(event.with("reviewer", name).with("reason", why));
        }
    }
    Ok(())
}

pub(super) fn about(identity: &IdentityRecord, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), identity: identity.name.to_string(), ..Event::new(kind) }
}

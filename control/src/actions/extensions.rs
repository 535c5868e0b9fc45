//! More time for a grant: asked for like access itself, and decided by the rule that the grant was given under.

use std::sync::Arc;

use postern_protocol::{duration::Span, gate::GrantId};
use postern_service::random;

use super::{
    Caller, Failure, drafts, grants, identities,
    requests::{self, Filed},
    reviews::{self, Taken},
};
use crate::{
    domain::{
        Ask, Decision, Grant, Opinion, Permission, Person, Refusal, Request, RequestStatus, Rule, StoredRule,
    },
    plane::ControlPlane,
    work::{Audience, Work},
};

/// Asks for more time. Whoever may manage access, and does not ask for themselves, gives their voice with it.
pub(crate) async fn extend(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    by: Span,
    reason: &str,
) -> Result<Filed, Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let grant = extendable(&mut work, caller, id).await?;
    let person = identities::person(&mut work, grant.identity.as_str()).await?;
    let rule = rule_of(&mut work, &grant).await?;
    grant.clone().extend(by, rule.max_duration, now)?;
    let ask = Ask { duration: by, reason: reason.to_owned(), ..grant.ask() };
    if !rule.covers(&person, &ask) {
        let why =
            format!("the rule `{}` no longer covers what the grant gives: file a new request", rule.name);
        return Err(Refusal::RuleChanged(why).into());
    }
    rule.check_reason(&ask)?;
    let judgement = drafts::judge(&mut work, &rule, &person, &ask).await?;
    let filed = (&rule, judgement.verdict);
    let id = random::id("r")?.into();
    let mut request =
        Request::file(id, grant.identity.clone(), caller.name(), ask, filed, now).extending(grant.id);
    requests::note_filed(&mut work, caller, &request, &judgement);
    if request.status == RequestStatus::Pending {
        approve_oneself(&mut work, caller, &mut request, (&rule, &person), reason)?;
    }
    requests::finish(work, request).await
}

/// The grant, if the caller may ask for more of it: anybody's with Access Management, or its own.
async fn extendable(work: &mut Work, caller: &Caller, id: &str) -> Result<Grant, Failure> {
    let found: Option<Grant> = work.load(id).await?;
    let own = found.as_ref().is_some_and(|grant| caller.owns(&grant.filed_by, grant.identity.as_str()));
    if !own {
        caller.must(&[Permission::AccessManagement])?;
    }
    Ok(found.ok_or_else(|| Refusal::not_found("grant", id))?)
}

async fn rule_of(work: &mut Work, grant: &Grant) -> Result<Rule, Failure> {
    let stored: Option<StoredRule> = work.load(&grant.rule).await?;
    let gone =
        || Refusal::RuleChanged(format!("the rule `{}` that the grant was given under is gone", grant.rule));
    Ok(stored.ok_or_else(gone)?.rule)
}

/// The caller's own approval, where it has a voice. Where it has none the request waits for others.
fn approve_oneself(
    work: &mut Work,
    caller: &Caller,
    request: &mut Request,
    (rule, person): (&Rule, &Person),
    reason: &str,
) -> Result<(), Failure> {
    if !caller.may(Permission::AccessManagement) {
        return Ok(());
    }
    let decision = Decision::Approve;
    let opinion = Opinion { by: caller.actor(), decision, reason, duration: None, resources: None };
    match request.review(Some(rule), person, opinion, work.now()) {
        Ok(transition) => {
            let taken = Taken { by: caller.name(), through: None, decision, reason, transition };
            reviews::note(work, request, &taken);
            Ok(())
        }
        Err(Refusal::OwnRequest | Refusal::NotAnApprover(_)) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Gives a grant the time that an approved request is for.
pub(super) async fn apply(work: &mut Work, request: &Request, id: &GrantId) -> Result<Grant, Failure> {
    let mut grant: Grant = work.get("grant", id.as_str()).await?;
    let rule = rule_of(work, &grant).await?;
    let by = request.granted_duration();
    grant.extend(by, rule.max_duration, work.now())?;
    work.save(&grant).await?;
    work.tell(Audience::Repo(grant.repo.clone()), grant.change());
    let event = grants::about(&grant, "grant.extended", &request.decided_by())
        .with("extension", request.id.as_str())
        .with("duration", by.to_string())
        .with("expires_at", grant.expires_at.timestamp().to_string())
        .with("reason", request.reason.as_str());
    work.note(event);
    Ok(grant)
}

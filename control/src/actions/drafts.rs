//! From what somebody asks for to what the rules say of it, whether or not it is filed then.

use std::sync::Arc;

use postern_protocol::gate::{AccountName, Identity};

use super::{Caller, Failure, requests};
use crate::{
    domain::{
        Ask, Facts, Grant, IdentityRecord, Judgement, Moment, Person, Refusal, Repo, Request, Rule, RuleSet,
        Sidecar, StoredRule,
    },
    plane::ControlPlane,
    store::{Filter, Order},
    work::Work,
};

/// A request in the making: who asks, for what, under which rule, and what that says by itself.
pub(super) struct Draft {
    /// Who.
    pub identity: Identity,
    /// For what.
    pub ask: Ask,
    /// Under which rule.
    pub rule: Rule,
    /// What the rule says.
    pub judgement: Judgement,
}

impl Draft {
    /// Finds the rule that decides, and has it judge.
    pub(super) async fn of(work: &mut Work, person: &Person, ask: Ask) -> Result<Self, Failure> {
        let ask = ask.checked()?;
        let repo: Option<Repo> = work.load(ask.repo.as_str()).await?;
        if let Some(repo) = &repo {
            check_repo(work, repo, &ask).await?;
        }
        let stored: Vec<StoredRule> = work.find_all(&Filter::default()).await?;
        let rules = RuleSet::new(stored.into_iter().map(|stored| stored.rule).collect());
        let rule = rules.decide(person, &ask)?.clone();
        rule.check_reason(&ask)?;
        rule.check_hours(&ask, work.now())?;
        let judgement = judge(work, &rule, person, &ask).await?;
        Ok(Self { identity: person.name.as_str().into(), ask, rule, judgement })
    }
}

/// What a rule that covers this says of it by itself.
pub(super) async fn judge(
    work: &mut Work,
    rule: &Rule,
    person: &Person,
    ask: &Ask,
) -> Result<Judgement, Failure> {
    let repo: Option<Repo> = work.load(ask.repo.as_str()).await?;
    Ok(rule.judge(&Facts::new(ask, person, repo.map(|repo| repo.engine), work.now())))
}

/// A repo that no sidecar has named yet may be requested all the same: the rules decide.
async fn check_repo(work: &mut Work, repo: &Repo, ask: &Ask) -> Result<(), Failure> {
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

/// What filing a request would come to.
#[derive(Clone, Debug)]
pub(crate) struct Forecast {
    /// The request as it would be.
    pub request: Request,
    /// The rule that would decide.
    pub rule: Rule,
    /// Known identities that could approve, and for which of the rule's approvals.
    pub approvers: Vec<String>,
    /// Conditions of the rule that could not be evaluated.
    pub troubles: Vec<String>,
    /// The grant, if it were approved now.
    pub grant: Grant,
    /// When this was true.
    pub now: Moment,
}

/// Says what filing it would come to, and changes nothing.
pub(crate) async fn forecast(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    ask: Ask,
    for_identity: Option<&str>,
) -> Result<Forecast, Failure> {
    let mut work = Work::begin(plane).await?;
    let person = requests::requester(&mut work, caller, for_identity).await?;
    let draft = Draft::of(&mut work, &person, ask).await?;
    Forecast::of(&mut work, caller, draft).await
}

impl Forecast {
    /// What filing this would come to.
    pub(super) async fn of(work: &mut Work, caller: &Caller, draft: Draft) -> Result<Self, Failure> {
        let now = work.now();
        let Draft { identity, ask, rule, judgement } = draft;
        let listed = rule.approvals.iter().flat_map(|approval| &approval.from).cloned().collect();
        let known: Vec<IdentityRecord> = work
            .find_all(&Filter {
                listed: Some(listed),
                states: vec!["on"],
                order: Order::Oldest,
                ..Filter::default()
            })
            .await?;
        let approvers = known
            .iter()
            .map(IdentityRecord::person)
            .filter(|other| other.name != identity.as_str() && other.name != caller.name())
            .filter(|other| rule.approvals.iter().any(|approval| other.is_listed(&approval.from)))
            .map(|other| other.name)
            .collect();
        let filed = (&rule, judgement.verdict);
        let request = Request::file("".into(), identity, caller.name(), ask, filed, now);
        let grant = Grant::of("".into(), &request, now);
        Ok(Self { request, rule, approvers, troubles: judgement.troubles, grant, now })
    }
}

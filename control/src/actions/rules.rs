//! Access rules: those of REST, and those that the rules file owns.

use std::{collections::BTreeSet, sync::Arc};

use postern_service::audit::Event;

use super::{Caller, Failure};
use crate::{
    domain::{Refusal, Rule, RuleOwner, StoredRule},
    plane::ControlPlane,
    store::{Filter, Order},
    work::Work,
};

const FILE_ACTOR: &str = "file:rules";

/// Makes a rule that must not be there yet.
pub(crate) async fn create(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    rule: Rule,
) -> Result<StoredRule, Failure> {
    rule.check()?;
    let mut work = Work::begin(plane).await?;
    if work.load::<StoredRule>(&rule.name).await?.is_some() {
        return Err(Refusal::Exists { kind: "rule", name: rule.name }.into());
    }
    let stored = write(&mut work, rule, RuleOwner::Rest, "rule.created", caller.name()).await?;
    work.commit().await?;
    Ok(stored)
}

/// Makes a rule or replaces it; true when it is new.
pub(crate) async fn put(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    rule: Rule,
) -> Result<(StoredRule, bool), Failure> {
    rule.check()?;
    let mut work = Work::begin(plane).await?;
    let before: Option<StoredRule> = work.load(&rule.name).await?;
    before.iter().try_for_each(must_be_ours)?;
    let kind = if before.is_some() { "rule.changed" } else { "rule.created" };
    let stored = write(&mut work, rule, RuleOwner::Rest, kind, caller.name()).await?;
    work.commit().await?;
    Ok((stored, before.is_none()))
}

/// Removes a rule. Requests that wait under it can no longer be approved.
pub(crate) async fn delete(plane: &Arc<ControlPlane>, caller: &Caller, name: &str) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let before: StoredRule = work.get("rule", name).await?;
    must_be_ours(&before)?;
    erase(&mut work, name, caller.name()).await?;
    work.commit().await?;
    Ok(())
}

fn must_be_ours(rule: &StoredRule) -> Result<(), Refusal> {
    match rule.owner {
        RuleOwner::Rest => Ok(()),
        RuleOwner::File => Err(Refusal::Conflict(format!(
            "the rule `{}` belongs to the rules file: change it there",
            rule.rule.name
        ))),
    }
}

/// Makes the stored rules of the file the same as the file: creates, changes, deletes. All of it or nothing.
pub(crate) async fn apply_file(plane: &Arc<ControlPlane>, rules: Vec<Rule>) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    for rule in &rules {
        rule.check().map_err(|refusal| Refusal::Invalid(format!("rule `{}`: {refusal}", rule.name)))?;
        if !names.insert(rule.name.clone()) {
            return Err(Refusal::Invalid(format!("rule `{}`: named twice", rule.name)).into());
        }
    }
    let mut work = Work::begin(plane).await?;
    let owned = Filter { owner: Some("file".to_owned()), order: Order::Oldest, ..Filter::default() };
    for before in work.find_all::<StoredRule>(&owned).await? {
        if !names.contains(&before.rule.name) {
            erase(&mut work, &before.rule.name, FILE_ACTOR).await?;
        }
    }
    for rule in rules {
        apply(&mut work, rule).await?;
    }
    work.commit().await?;
    Ok(())
}

async fn apply(work: &mut Work, rule: Rule) -> Result<(), Failure> {
    let kind = match work.load::<StoredRule>(&rule.name).await? {
        Some(before) if before.owner == RuleOwner::Rest => {
            let name = rule.name;
            let why = format!("rule `{name}`: a rule of that name was made over REST; rename one of them");
            return Err(Refusal::Conflict(why).into());
        }
        Some(before) if before.rule == rule => return Ok(()),
        Some(_) => "rule.changed",
        None => "rule.created",
    };
    write(work, rule, RuleOwner::File, kind, FILE_ACTOR).await?;
    Ok(())
}

async fn write(
    work: &mut Work,
    rule: Rule,
    owner: RuleOwner,
    kind: &'static str,
    actor: &str,
) -> Result<StoredRule, Failure> {
    let says = serde_json::to_value(&rule).map_err(crate::store::StoreError::from)?;
    let stored = StoredRule { rule, owner, updated_at: work.now() };
    work.save(&stored).await?;
    work.note(about(&stored.rule.name, kind, actor).with("says", says));
    Ok(stored)
}

async fn erase(work: &mut Work, name: &str, actor: &str) -> Result<(), Failure> {
    work.remove::<StoredRule>(name).await?;
    work.note(about(name, "rule.deleted", actor));
    Ok(())
}

fn about(name: &str, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), ..Event::new(kind) }.with("rule", name)
}

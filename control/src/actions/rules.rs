//! Access rules: those of REST, and those that a file owns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use postern_service::audit::Event;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Caller, Failure};
use crate::{
    domain::{Refusal, Rule, RuleOwner, Seen, StoredRule},
    plane::ControlPlane,
    store::{Filter, Order},
    work::Work,
};

/// What becomes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// It was not there.
    Create,
    /// It says something else.
    Change,
    /// It is not named any more.
    Delete,
}

/// How a rule differs from what a file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The rule.
    pub name: String,
    /// What becomes of it.
    pub what: What,
    /// As it was.
    pub before: Option<Rule>,
    /// As it is to be.
    pub after: Option<Rule>,
}

/// How a file is applied.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    /// Only says what would change.
    pub dry_run: bool,
    /// Takes over rules of the same names that were made over REST.
    pub adopt: bool,
}

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
    let stored = write(&mut work, rule, RuleOwner::rest(), "rule.created", caller.name()).await?;
    work.commit().await?;
    Ok(stored)
}

/// Makes a rule or replaces it; true when it is new.
pub(crate) async fn put(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    seen: &Seen,
    rule: Rule,
) -> Result<(StoredRule, bool), Failure> {
    rule.check()?;
    let mut work = Work::begin(plane).await?;
    let before: Option<StoredRule> = work.load(&rule.name).await?;
    seen.check(before.as_ref())?;
    before.iter().try_for_each(must_be_ours)?;
    let kind = if before.is_some() { "rule.changed" } else { "rule.created" };
    let stored = write(&mut work, rule, RuleOwner::rest(), kind, caller.name()).await?;
    work.commit().await?;
    Ok((stored, before.is_none()))
}

/// Removes a rule. Requests that wait under it can no longer be approved.
pub(crate) async fn delete(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    seen: &Seen,
    name: &str,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let before: StoredRule = work.get("rule", name).await?;
    seen.check(Some(&before))?;
    must_be_ours(&before)?;
    erase(&mut work, name, caller.name()).await?;
    work.commit().await?;
    Ok(())
}

fn must_be_ours(rule: &StoredRule) -> Result<(), Refusal> {
    if rule.owner.is_rest() {
        return Ok(());
    }
    let (name, owner) = (&rule.rule.name, rule.owner.words());
    Err(Refusal::Conflict(format!("the rule `{name}` belongs to {owner}: change it there")))
}

/// Makes the rules of a file the same as the file: creates, changes, deletes; all of it or, in a dry run and when
/// something is wrong, nothing. Gives what differed, by name.
pub(crate) async fn apply(
    plane: &Arc<ControlPlane>,
    owner: &RuleOwner,
    actor: &str,
    rules: Vec<Rule>,
    How { dry_run, adopt }: How,
) -> Result<Vec<Difference>, Failure> {
    check_all(&rules)?;
    let mut work = Work::begin(plane).await?;
    let differences = compare(&mut work, owner, rules, adopt).await?;
    if dry_run || differences.is_empty() {
        return Ok(differences);
    }
    for difference in &differences {
        match (&difference.after, difference.what) {
            (Some(rule), What::Create) => {
                write(&mut work, rule.clone(), owner.clone(), "rule.created", actor).await?;
            }
            (Some(rule), What::Change | What::Delete) => {
                write(&mut work, rule.clone(), owner.clone(), "rule.changed", actor).await?;
            }
            (None, _) => erase(&mut work, &difference.name, actor).await?,
        }
    }
    work.commit().await?;
    Ok(differences)
}

fn check_all(rules: &[Rule]) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for rule in rules {
        rule.check().map_err(|refusal| {
            if let Refusal::NotSupported(what) = refusal {
                Refusal::NotSupported(format!("rule `{}`: {what}", rule.name))
            } else {
                Refusal::Invalid(format!("rule `{}`: {refusal}", rule.name))
            }
        })?;
        if !names.insert(&rule.name) {
            return Err(Refusal::Invalid(format!("rule `{}`: named twice", rule.name)));
        }
    }
    Ok(())
}

async fn compare(
    work: &mut Work,
    owner: &RuleOwner,
    rules: Vec<Rule>,
    adopt: bool,
) -> Result<Vec<Difference>, Failure> {
    let stored: Vec<StoredRule> =
        work.find_all(&Filter { order: Order::Oldest, ..Filter::default() }).await?;
    let mut there: BTreeMap<String, StoredRule> =
        stored.into_iter().map(|stored| (stored.rule.name.clone(), stored)).collect();
    let mut differences = Vec::new();
    for rule in rules {
        let name = rule.name.clone();
        match there.remove(&name) {
            Some(before) if before.owner != *owner && !(adopt && before.owner.is_rest()) => {
                return Err(taken(&before).into());
            }
            Some(before) if before.rule == rule && before.owner == *owner => {}
            Some(before) => differences.push(Difference {
                name,
                what: What::Change,
                before: Some(before.rule),
                after: Some(rule),
            }),
            None => {
                differences.push(Difference { name, what: What::Create, before: None, after: Some(rule) });
            }
        }
    }
    let gone = there.into_values().filter(|stored| stored.owner == *owner).map(|stored| stored.rule);
    differences.extend(gone.map(|rule| Difference {
        name: rule.name.clone(),
        what: What::Delete,
        before: Some(rule),
        after: None,
    }));
    differences.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(differences)
}

fn taken(rule: &StoredRule) -> Refusal {
    let (name, other) = (&rule.rule.name, rule.owner.words());
    let way = if rule.owner.is_rest() { "adopt it, or rename one of them" } else { "rename one of them" };
    Refusal::Conflict(format!("rule `{name}`: a rule of that name belongs to {other}; {way}"))
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

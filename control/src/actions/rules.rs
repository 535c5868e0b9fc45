//! Access rules.

use std::sync::Arc;

use postern_service::audit::Event;

use super::{Caller, Failure};
use crate::{
    domain::{Owner, Refusal, Rule, Seen, StoredRule},
    plane::ControlPlane,
    work::Work,
};

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
    let stored = write(&mut work, rule, Owner::rest(), "rule.created", caller.name()).await?;
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
    before.iter().try_for_each(|before| before.owner.must_be_rest("rule", &rule.name))?;
    let kind = if before.is_some() { "rule.changed" } else { "rule.created" };
    let stored = write(&mut work, rule, Owner::rest(), kind, caller.name()).await?;
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
    before.owner.must_be_rest("rule", name)?;
    erase(&mut work, name, caller.name()).await?;
    work.commit().await?;
    Ok(())
}

/// Writes a rule down, made or changed.
pub(super) async fn write(
    work: &mut Work,
    rule: Rule,
    owner: Owner,
    kind: &'static str,
    actor: &str,
) -> Result<StoredRule, Failure> {
    let says = serde_json::to_value(&rule).map_err(crate::store::StoreError::from)?;
    let stored = StoredRule { rule, owner, updated_at: work.now() };
    work.save(&stored).await?;
    work.note(about(&stored.rule.name, kind, actor).with("says", says));
    Ok(stored)
}

/// Removes a rule.
pub(super) async fn erase(work: &mut Work, name: &str, actor: &str) -> Result<(), Failure> {
    work.remove::<StoredRule>(name).await?;
    work.note(about(name, "rule.deleted", actor));
    Ok(())
}

fn about(name: &str, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), ..Event::new(kind) }.with("rule", name)
}

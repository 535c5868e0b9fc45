//! What a file says is made so: rules, bundles, webhooks, and whether repos are open.
//!
//! In: a file's name and all that it says. Out: what differed. Each thing belongs to one file, or to whoever calls REST;
//! what a file owns and does not name any more goes. `kinds` knows what there is, this room what becomes of it.

mod kinds;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Failure;
use crate::{
    domain::{Bundle, Owner, Permission, Permissions, Refusal, Rule, WebhookSpec},
    plane::ControlPlane,
    store::{Entity, Filter, Order, StoreError},
    work::Work,
};

pub(crate) use kinds::RepoSetting;

/// All that a file says.
#[derive(Debug, Default)]
pub(crate) struct Declaration {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Its bundles.
    pub bundles: Vec<Bundle>,
    /// Its webhooks.
    pub webhooks: Vec<WebhookSpec>,
    /// Which repos are open.
    pub repos: Vec<RepoSetting>,
}

impl Declaration {
    /// Refuses what makes no sense, before anybody has to wait for it: reading conditions and patterns takes its time.
    async fn checked(self, file: &File<'_>) -> Result<Self, Failure> {
        Ok(Self {
            rules: checked(self.rules, file).await?,
            bundles: checked(self.bundles, file).await?,
            webhooks: checked(self.webhooks, file).await?,
            repos: checked(self.repos, file).await?,
        })
    }
}

/// Which file is applied, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct File<'a> {
    /// Whose what it says becomes.
    pub owner: Owner,
    /// Who is named as the one who did it.
    pub actor: &'a str,
    /// What they may do.
    pub permissions: &'a Permissions,
    /// Takes over what was made over REST under the same names.
    pub adopt: bool,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// It was not there.
    Create,
    /// It says something else, or belongs to somebody else.
    Change,
    /// It is not named any more.
    Delete,
}

/// How a thing differs from what a file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// `rule`, `bundle`, …
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub what: What,
    /// As it was, without secrets.
    pub before: Option<Value>,
    /// As it is to be, without secrets.
    pub after: Option<Value>,
    /// What whoever reads this should know before they do it.
    pub caution: Option<String>,
}

/// A kind of thing that files declare.
trait Declared: Sized + PartialEq + Send + Sync {
    /// As it is kept.
    type Stored: Entity;

    /// Its word, for people and programs.
    const KIND: &'static str;

    /// What it takes to change one.
    const PERMISSION: Permission;

    /// Unique among its kind.
    fn name(&self) -> &str;

    /// Refuses what makes no sense.
    fn checked(self) -> Result<Self, Refusal>;

    /// What a file would say of it.
    fn of(stored: &Self::Stored) -> Self;

    /// Whose it is; nobody's where nobody has said anything of it.
    fn owner(stored: &Self::Stored) -> Option<&Owner>;

    /// For people, without secrets; beside what it was, so that it shows when a secret is another one.
    fn shown(&self, before: Option<&Self>) -> Result<Value, StoreError>;

    /// Whose decision of the moment it undoes, if it does.
    fn caution(&self, _: &Self::Stored) -> Option<String> {
        None
    }

    /// Makes it so.
    async fn put(self, work: &mut Work, before: Option<Self::Stored>, file: &File<'_>)
    -> Result<(), Failure>;

    /// Undoes it.
    async fn remove(work: &mut Work, stored: Self::Stored, file: &File<'_>) -> Result<(), Failure>;
}

/// A difference, and what it takes to make it go away.
struct Step<D: Declared> {
    difference: Difference,
    before: Option<D::Stored>,
    after: Option<D>,
}

/// Makes everything that a file owns the same as the file: creates, changes, deletes; all of it or, in a dry run and
/// when something is wrong, nothing. Gives what differed, by kind and name.
pub(crate) async fn apply(
    plane: &Arc<ControlPlane>,
    file: &File<'_>,
    declaration: Declaration,
    dry_run: bool,
) -> Result<Vec<Difference>, Failure> {
    let Declaration { rules, bundles, webhooks, repos } = declaration.checked(file).await?;
    let mut work = Work::begin(plane).await?;
    let bundles = compare(&mut work, file, bundles).await?;
    let repos = compare(&mut work, file, repos).await?;
    let rules = compare(&mut work, file, rules).await?;
    let webhooks = compare(&mut work, file, webhooks).await?;
    let mut differences = Vec::new();
    take(&mut work, file, bundles, &mut differences).await?;
    take(&mut work, file, repos, &mut differences).await?;
    take(&mut work, file, rules, &mut differences).await?;
    take(&mut work, file, webhooks, &mut differences).await?;
    // What was tried in a dry run goes with the transaction.
    if !dry_run && !differences.is_empty() {
        work.commit().await?;
    }
    Ok(differences)
}

async fn take<D: Declared>(
    work: &mut Work,
    file: &File<'_>,
    steps: Vec<Step<D>>,
    differences: &mut Vec<Difference>,
) -> Result<(), Failure> {
    for Step { difference, before, after } in steps {
        match (after, before) {
            (Some(after), before) => {
                let name = after.name().to_owned();
                after.put(work, before, file).await.map_err(|failure| named::<D>(&name, failure))?;
            }
            (None, Some(before)) => D::remove(work, before, file).await?,
            (None, None) => {}
        }
        differences.push(difference);
    }
    Ok(())
}

/// What there is of a kind against what the file says of it, by name.
async fn compare<D: Declared>(
    work: &mut Work,
    file: &File<'_>,
    declared: Vec<D>,
) -> Result<Vec<Step<D>>, Failure> {
    let stored: Vec<D::Stored> = work.find_all(&Filter { order: Order::Oldest, ..Filter::default() }).await?;
    let is_own = |stored: &D::Stored| D::owner(stored) == Some(&file.owner);
    if stored.iter().any(is_own) {
        file.may::<D>()?;
    }
    let mut there: BTreeMap<String, D::Stored> =
        stored.into_iter().map(|stored| (D::of(&stored).name().to_owned(), stored)).collect();
    let mut steps = Vec::new();
    for after in declared {
        let before = there.remove(after.name());
        steps.extend(step(before, after, file)?);
    }
    for gone in there.into_values().filter(is_own) {
        let was = D::of(&gone);
        let difference = Difference {
            kind: D::KIND,
            name: was.name().to_owned(),
            what: What::Delete,
            before: Some(was.shown(None)?),
            after: None,
            caution: None,
        };
        steps.push(Step { difference, before: Some(gone), after: None });
    }
    steps.sort_by(|one, other| one.difference.name.cmp(&other.difference.name));
    Ok(steps)
}

/// What it takes to make one thing so; nothing where it is.
fn step<D: Declared>(
    before: Option<D::Stored>,
    after: D,
    file: &File<'_>,
) -> Result<Option<Step<D>>, Failure> {
    let owner = before.as_ref().and_then(D::owner);
    let was = before.as_ref().filter(|_| owner.is_some()).map(D::of);
    let caution = before.as_ref().and_then(|before| after.caution(before));
    match owner {
        Some(owner) if *owner == file.owner && was.as_ref() == Some(&after) => return Ok(None),
        Some(owner) if *owner != file.owner && !(file.adopt && owner.is_rest()) => {
            return Err(taken::<D>(after.name(), owner, caution.as_deref()).into());
        }
        Some(_) | None => {}
    }
    let difference = Difference {
        kind: D::KIND,
        name: after.name().to_owned(),
        what: if was.is_some() { What::Change } else { What::Create },
        before: was.as_ref().map(|was| was.shown(None)).transpose()?,
        after: Some(after.shown(was.as_ref())?),
        caution,
    };
    Ok(Some(Step { difference, before, after: Some(after) }))
}

impl File<'_> {
    /// Refuses who may not change such things.
    fn may<D: Declared>(&self) -> Result<(), Refusal> {
        let may = self.permissions.contains(&D::PERMISSION);
        if may { Ok(()) } else { Err(Refusal::Permission(vec![D::PERMISSION])) }
    }
}

async fn checked<D: Declared>(declared: Vec<D>, file: &File<'_>) -> Result<Vec<D>, Failure> {
    let (mut names, mut checked) = (BTreeSet::new(), Vec::new());
    for thing in declared {
        file.may::<D>()?;
        // Others who share the thread have their turn in between.
        tokio::task::yield_now().await;
        let name = thing.name().to_owned();
        checked.push(thing.checked().map_err(|refusal| named::<D>(&name, refusal.into()))?);
        if names.contains(&name) {
            return Err(Refusal::Invalid(format!("{} `{name}`: named twice", D::KIND)).into());
        }
        names.insert(name);
    }
    Ok(checked)
}

/// A refusal that says of what it is.
fn named<D: Declared>(name: &str, failure: Failure) -> Failure {
    let kind = D::KIND;
    match failure {
        Failure::Refused(Refusal::NotSupported(what)) => {
            Refusal::NotSupported(format!("{kind} `{name}`: {what}")).into()
        }
        Failure::Refused(Refusal::Invalid(what)) => {
            Refusal::Invalid(format!("{kind} `{name}`: {what}")).into()
        }
        other @ (Failure::Refused(_) | Failure::Store(_) | Failure::Random(_)) => other,
    }
}

fn taken<D: Declared>(name: &str, owner: &Owner, caution: Option<&str>) -> Refusal {
    let (kind, other) = (D::KIND, owner.words());
    let way = if owner.is_rest() { "adopt it, or rename one of them" } else { "rename one of them" };
    let caution = caution.map_or_else(String::new, |caution| format!("; this {caution}"));
    Refusal::Conflict(format!("{kind} `{name}`: a {kind} of that name belongs to {other}; {way}{caution}"))
}

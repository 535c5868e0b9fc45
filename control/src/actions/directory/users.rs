//! Users that come, change and go.

use std::sync::Arc;

use postern_service::random;
use serde_json::{Map, Value};

use super::{about_user, groups_of, regroup};
use crate::{
    actions::{Caller, Failure, identities},
    domain::{Authority, DirectoryUser, IdentityRecord, Membership, Refusal},
    plane::ControlPlane,
    store::{Filter, load_by},
    work::{Audience, Work},
};

const GONE: &str = "the directory deactivated the identity";

/// Provisions a user. An identity of that name that is there already becomes the user's, with what it has.
pub(crate) async fn create(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    attributes: Map<String, Value>,
) -> Result<DirectoryUser, Failure> {
    let mut work = Work::begin(plane).await?;
    let user = DirectoryUser::new(random::id("u")?, attributes, work.now())?;
    check_free(&mut work, &user).await?;
    work.save(&user).await?;
    work.note(about_user(&user, "directory.user_created", caller.name()));
    bind(&mut work, caller, &user, None).await?;
    work.commit_and_wait(&Audience::All).await?;
    Ok(user)
}

/// Changes a user. `change` gives its attributes as they are to be, or says why not.
pub(crate) async fn change<E: From<Failure> + Send>(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(&DirectoryUser) -> Result<Map<String, Value>, E> + Send,
) -> Result<DirectoryUser, E> {
    let mut work = Work::begin(plane).await?;
    let before: DirectoryUser = work.get("user", id).await?;
    let attributes = change(&before)?;
    if attributes == before.attributes {
        return Ok(before);
    }
    let user = before.changed(attributes, work.now()).map_err(Failure::from)?;
    if user.identity != before.identity {
        // Whoever is called so next is in the groups of the one before.
        let groups = groups_of(work.tx(), id).await.map_err(Failure::from)?;
        let names: Vec<String> = groups.iter().map(|group| group.name().to_owned()).collect();
        caller.must_fill(&names, &plane.admins).map_err(Failure::from)?;
    }
    rewrite(&mut work, caller, &before, &user).await?;
    work.commit_and_wait(&Audience::All).await?;
    Ok(user)
}

/// Removes a user. Its identity stays, deactivated and with nothing.
pub(crate) async fn remove<E: From<Failure> + Send>(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    check: impl FnOnce(&DirectoryUser) -> Result<(), E> + Send,
) -> Result<(), E> {
    let mut work = Work::begin(plane).await?;
    let user: DirectoryUser = work.get("user", id).await?;
    check(&user)?;
    take_away(&mut work, caller, &user).await?;
    work.commit_and_wait(&Audience::All).await?;
    Ok(())
}

async fn take_away(work: &mut Work, caller: &Caller, user: &DirectoryUser) -> Result<(), Failure> {
    for group in groups_of(work.tx(), &user.id).await? {
        work.remove::<Membership>(&Membership::id_of(&group.id, &user.id)).await?;
        let changed = group.changed(group.attributes.clone(), work.now())?;
        work.save(&changed).await?;
    }
    work.remove::<DirectoryUser>(&user.id).await?;
    work.note(about_user(user, "directory.user_removed", caller.name()));
    release(work, caller, user, "the directory removed the user").await?;
    Ok(())
}

async fn rewrite(
    work: &mut Work,
    caller: &Caller,
    before: &DirectoryUser,
    user: &DirectoryUser,
) -> Result<(), Failure> {
    check_free(work, user).await?;
    work.save(user).await?;
    let names = before.attributes.keys().chain(user.attributes.keys());
    let mut changed: Vec<&str> = names
        .filter(|name| before.attributes.get(*name) != user.attributes.get(*name))
        .map(String::as_str)
        .collect();
    changed.sort_unstable();
    changed.dedup();
    work.note(about_user(user, "directory.user_changed", caller.name()).with("attributes", changed));
    if before.identity != user.identity {
        let why = format!("the directory renamed {} to {}", before.identity, user.identity);
        work.note(
            about_user(user, "directory.user_renamed", caller.name()).with("from", before.identity.as_str()),
        );
        let barred = release(work, caller, before, &why).await?;
        bind(work, caller, user, Some(barred)).await?;
        return regroup(work, caller.name(), user).await;
    }
    if before.is_active() != user.is_active() {
        let mut identity: IdentityRecord = work.get("identity", user.identity.as_str()).await?;
        let was_enabled = identity.enabled;
        follow(&mut identity, user);
        work.save(&identity).await?;
        identities::switched(work, caller.name(), &identity, was_enabled, GONE).await?;
    }
    Ok(())
}

/// Refuses a user name, or an identity, that another user has.
async fn check_free(work: &mut Work, user: &DirectoryUser) -> Result<(), Failure> {
    let taken = |name: &str| Err(Refusal::Exists { kind: "user", name: name.to_owned() }.into());
    let by_name: Option<DirectoryUser> = load_by(work.tx(), &user.key).await?;
    if by_name.is_some_and(|other| other.id != user.id) {
        return taken(&user.key);
    }
    let same = Filter { identity: Some(user.identity.to_string()), ..Filter::default() };
    if work.find_all::<DirectoryUser>(&same).await?.iter().any(|other| other.id != user.id) {
        return taken(user.identity.as_str());
    }
    Ok(())
}

/// Lets the directory's word on whether the user is active hold for its identity.
fn follow(identity: &mut IdentityRecord, user: &DirectoryUser) {
    if user.is_active() {
        identity.let_in(Authority::Directory);
    } else {
        identity.bar(Authority::Directory);
    }
}

/// Makes the identity of the user's name the user's own. Whoever comes to the name by being renamed gets nothing of
/// what somebody had under it, and an administrator who barred them under the old name has barred them still.
async fn bind(
    work: &mut Work,
    caller: &Caller,
    user: &DirectoryUser,
    renamed: Option<Barred>,
) -> Result<(), Failure> {
    let by = caller.name();
    let known: Option<IdentityRecord> = work.load(user.identity.as_str()).await?;
    let mut identity = match &known {
        Some(known) => known.clone(),
        None => IdentityRecord::new(user.identity.as_str(), work.now())?,
    };
    let was_enabled = identity.enabled;
    if renamed.is_some() && known.is_some() {
        identity.empty();
        identities::strip(work, by, user.identity.as_str(), "the name passed to somebody else").await?;
    }
    if renamed == Some(Barred(true)) {
        identity.bar(Authority::Administrator);
    }
    identity.directory_user = Some(user.id.clone());
    follow(&mut identity, user);
    work.save(&identity).await?;
    if known.is_none() {
        work.note(identities::about(&identity, "identity.created", by));
    }
    identities::switched(work, by, &identity, was_enabled, GONE).await
}

/// Whether an administrator shut somebody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Barred(bool);

/// The identity is nobody's any more: it is shut out and has nothing, whoever it was.
async fn release(
    work: &mut Work,
    caller: &Caller,
    user: &DirectoryUser,
    why: &str,
) -> Result<Barred, Failure> {
    let mut identity: IdentityRecord = work.get("identity", user.identity.as_str()).await?;
    let was_enabled = identity.enabled;
    identity.directory_user = None;
    identity.empty();
    identity.bar(Authority::Directory);
    work.save(&identity).await?;
    identities::switched(work, caller.name(), &identity, was_enabled, why).await?;
    Ok(Barred(identity.barred_by.contains(&Authority::Administrator)))
}

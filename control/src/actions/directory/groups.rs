//! Groups that come, change and go, and their members.

use std::{collections::BTreeSet, sync::Arc};

use postern_service::random;
use serde_json::{Map, Value};

use super::{about_group, members_of, regroup};
use crate::{
    actions::{Caller, Failure},
    domain::{DirectoryGroup, DirectoryUser, Membership, Refusal},
    plane::ControlPlane,
    store::load_by,
    work::Work,
};

/// A group's attributes, and the ids of its members.
type Wanted = (Map<String, Value>, BTreeSet<String>);

/// Makes a group.
pub(crate) async fn create(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    attributes: Map<String, Value>,
    members: BTreeSet<String>,
) -> Result<DirectoryGroup, Failure> {
    let mut work = Work::begin(plane).await?;
    let group = DirectoryGroup::new(random::id("dg")?, attributes, work.now())?;
    check_free(&mut work, &group).await?;
    may_fill(plane, caller, &group, &BTreeSet::new(), &members, false)?;
    work.save(&group).await?;
    work.note(about_group(&group, "directory.group_created", caller.name()));
    move_members(&mut work, caller.name(), &group, &BTreeSet::new(), &members, false).await?;
    work.commit().await?;
    Ok(group)
}

/// Changes a group. `change` gives it as it is to be, from what it is, or says why not.
pub(crate) async fn change<E: From<Failure> + Send>(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(&DirectoryGroup, &BTreeSet<String>) -> Result<Wanted, E> + Send,
) -> Result<DirectoryGroup, E> {
    let mut work = Work::begin(plane).await?;
    let before: DirectoryGroup = work.get("group", id).await?;
    let there = members_of(work.tx(), id).await.map_err(Failure::from)?.into_iter().collect();
    let (attributes, members) = change(&before, &there)?;
    if attributes == before.attributes && members == there {
        return Ok(before);
    }
    let group = before.changed(attributes, work.now()).map_err(Failure::from)?;
    let renamed = before.name() != group.name();
    may_fill(plane, caller, &group, &there, &members, renamed).map_err(Failure::from)?;
    rewrite(&mut work, caller.name(), &before, &group, (&there, &members)).await?;
    work.commit().await?;
    Ok(group)
}

/// Removes a group. Its members are in it no more.
pub(crate) async fn remove<E: From<Failure> + Send>(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    check: impl FnOnce(&DirectoryGroup) -> Result<(), E> + Send,
) -> Result<(), E> {
    let mut work = Work::begin(plane).await?;
    let group: DirectoryGroup = work.get("group", id).await?;
    check(&group)?;
    take_away(&mut work, caller.name(), &group).await?;
    work.commit().await?;
    Ok(())
}

/// Whether the caller may give the group its new members, all of them if its name is another.
fn may_fill(
    plane: &ControlPlane,
    caller: &Caller,
    group: &DirectoryGroup,
    there: &BTreeSet<String>,
    wanted: &BTreeSet<String>,
    renamed: bool,
) -> Result<(), Refusal> {
    let is_filled = wanted.iter().any(|user| renamed || !there.contains(user));
    if is_filled { caller.must_fill(&[group.name().to_owned()], &plane.admins) } else { Ok(()) }
}

async fn take_away(work: &mut Work, by: &str, group: &DirectoryGroup) -> Result<(), Failure> {
    let members = members_of(work.tx(), &group.id).await?.into_iter().collect();
    move_members(work, by, group, &members, &BTreeSet::new(), false).await?;
    work.remove::<DirectoryGroup>(&group.id).await?;
    work.note(about_group(group, "directory.group_removed", by));
    Ok(())
}

async fn rewrite(
    work: &mut Work,
    by: &str,
    before: &DirectoryGroup,
    group: &DirectoryGroup,
    (there, members): (&BTreeSet<String>, &BTreeSet<String>),
) -> Result<(), Failure> {
    check_free(work, group).await?;
    work.save(group).await?;
    let renamed = before.name() != group.name();
    if renamed {
        work.note(about_group(group, "directory.group_renamed", by).with("from", before.name()));
    }
    move_members(work, by, group, there, members, renamed).await
}

/// Refuses a name that another group has, in whatever case: people would take one for the other.
async fn check_free(work: &mut Work, group: &DirectoryGroup) -> Result<(), Failure> {
    let other: Option<DirectoryGroup> = load_by(work.tx(), &group.key).await?;
    if other.is_some_and(|other| other.id != group.id) {
        return Err(Refusal::Exists { kind: "group", name: group.name().to_owned() }.into());
    }
    Ok(())
}

/// Makes the members those that are wanted, and lets each identity that it concerns know its groups; all of them, if
/// the name is another.
async fn move_members(
    work: &mut Work,
    by: &str,
    group: &DirectoryGroup,
    there: &BTreeSet<String>,
    wanted: &BTreeSet<String>,
    renamed: bool,
) -> Result<(), Failure> {
    for user in there.difference(wanted) {
        work.remove::<Membership>(&Membership::id_of(&group.id, user)).await?;
    }
    for user in wanted.difference(there) {
        if work.load::<DirectoryUser>(user).await?.is_none() {
            let text = format!("members: there is no user {}", user.escape_debug());
            return Err(Refusal::Invalid(text).into());
        }
        work.save(&Membership::new(&group.id, user)).await?;
    }
    let moved = there.symmetric_difference(wanted).count();
    if moved > 0 {
        let (more, less) = (wanted.difference(there).count(), there.difference(wanted).count());
        work.note(
            about_group(group, "directory.group_members", by)
                .with("added", u64::try_from(more).unwrap_or(u64::MAX))
                .with("removed", u64::try_from(less).unwrap_or(u64::MAX)),
        );
    }
    for user in there.union(wanted).filter(|user| renamed || there.contains(*user) != wanted.contains(*user))
    {
        if let Some(user) = work.load::<DirectoryUser>(user).await? {
            regroup(work, by, &user).await?;
        }
    }
    Ok(())
}

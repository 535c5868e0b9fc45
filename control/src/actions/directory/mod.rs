//! What the directory tells by SCIM: users, groups, and who is in which.
//!
//! A user stands for one identity at a time. An identity that the directory lets go of loses everything, and whoever
//! gets its name next begins with nothing, so no rename hands one person's grants to another.

pub(crate) mod groups;
pub(crate) mod users;

use postern_service::audit::Event;

use super::{Failure, identities};
use crate::{
    domain::{DirectoryGroup, DirectoryUser, IdentityRecord, Membership},
    store::{Filter, Order, Read, StoreError, find_all, load},
    work::Work,
};

/// The groups that a user is in, oldest first.
pub(crate) async fn groups_of(tx: &mut dyn Read, user: &str) -> Result<Vec<DirectoryGroup>, StoreError> {
    let own = Filter { identity: Some(user.to_owned()), order: Order::Oldest, ..Filter::default() };
    let mut groups = Vec::new();
    for membership in find_all::<Membership>(tx, &own).await? {
        groups.extend(load::<DirectoryGroup>(tx, &membership.group).await?);
    }
    Ok(groups)
}

/// The ids of a group's members, oldest first.
pub(crate) async fn members_of(tx: &mut dyn Read, group: &str) -> Result<Vec<String>, StoreError> {
    let own = Filter { owner: Some(group.to_owned()), order: Order::Oldest, ..Filter::default() };
    Ok(find_all::<Membership>(tx, &own).await?.into_iter().map(|membership| membership.user).collect())
}

/// Writes down at the user's identity which groups the directory has it in now.
async fn regroup(work: &mut Work, by: &str, user: &DirectoryUser) -> Result<(), Failure> {
    let mut names: Vec<String> =
        groups_of(work.tx(), &user.id).await?.iter().map(|group| group.name().to_owned()).collect();
    names.sort();
    let mut identity: IdentityRecord = work.get("identity", user.identity.as_str()).await?;
    if identity.provisioned == names {
        return Ok(());
    }
    let before = identity.all_groups();
    identity.provisioned = names;
    work.save(&identity).await?;
    identities::regrouped(work, by, &identity, &before).await
}

fn about_user(user: &DirectoryUser, kind: &'static str, by: &str) -> Event {
    Event { actor: by.to_owned(), identity: user.identity.to_string(), ..Event::new(kind) }
        .with("user", user.id.as_str())
}

fn about_group(group: &DirectoryGroup, kind: &'static str, by: &str) -> Event {
    Event { actor: by.to_owned(), ..Event::new(kind) }
        .with("group", group.name())
        .with("id", group.id.as_str())
}

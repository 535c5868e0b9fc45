//! Who calls, and what they may do.

use postern_protocol::gate::naming::GROUP_PREFIX;

use crate::{
    domain::{Actor, ApiClient, Permission, Permissions, Person, Refusal, Rule, permissions_of},
    store::Filter,
};

/// An API client or a person, signed in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    id: String,
    actor: Actor,
    permissions: Permissions,
    /// Whether it is a directory, whose word on groups counts whatever they are.
    is_directory: bool,
}

impl Caller {
    /// The client that a token belongs to.
    pub(crate) fn client(client: ApiClient) -> Self {
        Self {
            actor: client.actor(),
            id: client.id,
            permissions: client.permissions,
            is_directory: client.scim,
        }
    }

    /// A person; one whom `admins` lists has every permission.
    pub(crate) fn person(person: Person, admins: &[String]) -> Self {
        let (id, is_admin) = (format!("person:{}", person.name), person.is_listed(admins));
        let actor = if is_admin { Actor::Admin(person) } else { Actor::Identity(person) };
        Self { id, actor, permissions: permissions_of(is_admin), is_directory: false }
    }

    /// What tells it from every other caller.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Who acts when the caller speaks for itself.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The actor's name: `client:NAME`, or the identity.
    pub(crate) fn name(&self) -> &str {
        self.actor.name()
    }

    /// Everything that it may do.
    pub(crate) const fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Whether it is a person.
    pub(crate) const fn is_person(&self) -> bool {
        match self.actor {
            Actor::Client(_) => false,
            Actor::Identity(_) | Actor::Admin(_) => true,
        }
    }

    /// Whether this identity is the person who calls: they bring in nobody's word on what they ask for themselves. A
    /// client that may do so speaks for people all the time, and is no person.
    pub(crate) fn is_in_person(&self, identity: &str) -> bool {
        self.is_person() && self.name() == identity
    }

    /// Whether it has this permission.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Refuses a caller that has none of these.
    pub(crate) fn must(&self, any: &[Permission]) -> Result<(), Refusal> {
        if any.iter().any(|permission| self.may(*permission)) {
            return Ok(());
        }
        Err(Refusal::Permission(any.to_vec()))
    }

    /// Refuses a caller that would get hold of permissions that it lacks, by a client that has them. With Modify Roles
    /// it may hand out any.
    pub(crate) fn must_cover(&self, permissions: &Permissions) -> Result<(), Refusal> {
        let lacking: Vec<&str> =
            permissions.difference(&self.permissions).map(|permission| permission.as_str()).collect();
        if lacking.is_empty() || self.may(Permission::ModifyRoles) {
            return Ok(());
        }
        let lacking = lacking.join(", ");
        Err(Refusal::Forbidden(format!(
            "a client with permissions that you lack ({lacking}) can be made, rotated and deleted only with {}",
            Permission::ModifyRoles
        )))
    }

    /// Refuses a caller that would make somebody an administrator by putting them into one of these groups. It takes
    /// Modify Roles, or a directory.
    pub(crate) fn must_fill(&self, groups: &[String], admins: &[String]) -> Result<(), Refusal> {
        let of_admins =
            |group: &&String| admins.iter().any(|entry| entry.strip_prefix(GROUP_PREFIX) == Some(group));
        match groups.iter().find(of_admins) {
            Some(group) if !self.is_directory && !self.may(Permission::ModifyRoles) => {
                Err(Refusal::Forbidden(format!(
                    "members of the group `{group}` have every permission: putting somebody there needs {}",
                    Permission::ModifyRoles
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a caller that would get hold of a directory's token, where a directory decides who is an administrator.
    pub(crate) fn must_trust_directory(&self, admins: &[String]) -> Result<(), Refusal> {
        let by_group = admins.iter().any(|entry| entry.starts_with(GROUP_PREFIX));
        if by_group { self.must(&[Permission::ModifyRoles]) } else { Ok(()) }
    }

    /// Whether something that was filed by, or is about, these is the caller's own.
    pub(crate) fn owns(&self, filed_by: &str, identity: &str) -> bool {
        [filed_by, identity].contains(&self.name())
    }

    /// Whether the caller may see and end it: its own, or anybody's with Access Management.
    pub(crate) fn manages(&self, filed_by: &str, identity: &str) -> bool {
        self.may(Permission::AccessManagement) || self.owns(filed_by, identity)
    }

    /// Whether it may see this rule: one that concerns it, or any with Modify Policies.
    pub(crate) fn sees_rule(&self, rule: &Rule) -> bool {
        self.may(Permission::ModifyPolicies) || rule.concerns(&self.actor.person())
    }

    /// A list of requests, grants or tokens without those that are not the caller's own. A client's are those that it
    /// filed; a person's are those that are for it.
    pub(crate) fn own(&self, filter: Filter) -> Filter {
        let name = self.name().to_owned();
        let of_another = filter.identity.as_ref().is_some_and(|identity| *identity != name);
        if self.is_person() && !of_another {
            Filter { identity: Some(name), ..filter }
        } else {
            Filter { owner: Some(name), ..filter }
        }
    }

    /// The same list, and without any limit with Access Management.
    pub(crate) fn visible(&self, filter: Filter) -> Filter {
        if self.may(Permission::AccessManagement) { filter } else { self.own(filter) }
    }
}

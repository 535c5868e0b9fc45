//! Who calls, and what they may do.

use crate::domain::{Actor, ApiClient, Permission, Permissions, Refusal};

/// An API client that has signed in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    client: ApiClient,
    actor: Actor,
}

impl Caller {
    /// The client that a token belongs to.
    pub(crate) fn new(client: ApiClient) -> Self {
        let actor = client.actor();
        Self { client, actor }
    }

    /// The client's id.
    pub(crate) fn client_id(&self) -> &str {
        &self.client.id
    }

    /// Who acts when the client speaks for itself.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The actor's name, `client:NAME`.
    pub(crate) fn name(&self) -> &str {
        self.actor.name()
    }

    /// Whether it has this permission.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.client.permissions.contains(&permission)
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
            permissions.difference(&self.client.permissions).map(|permission| permission.as_str()).collect();
        if lacking.is_empty() || self.may(Permission::ModifyRoles) {
            return Ok(());
        }
        let lacking = lacking.join(", ");
        Err(Refusal::Forbidden(format!(
            "a client with permissions that you lack ({lacking}) can be made, rotated and deleted only with {}",
            Permission::ModifyRoles
        )))
    }

    /// Whether something that was filed by, or is about, these is the caller's own.
    pub(crate) fn owns(&self, filed_by: &str, identity: &str) -> bool {
        [filed_by, identity].contains(&self.name())
    }

    /// Whether the caller may see and end it: its own, or anybody's with Access Management.
    pub(crate) fn manages(&self, filed_by: &str, identity: &str) -> bool {
        self.may(Permission::AccessManagement) || self.owns(filed_by, identity)
    }
}

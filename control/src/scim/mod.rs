//! SCIM 2.0 (RFC 7643, RFC 7644): how a directory such as Okta or Entra tells who there is, and in which groups.
//!
//! In: calls to `/scim/v2` from [`crate::api`]'s table. Out: what [`crate::actions::directory`] made of them, in SCIM's
//! own form, errors too. `attribute`, `schema`, `normal`, `path`, `filter`, `patch` and `projection` are pure: they know
//! JSON and the schemas, and nobody's rights.

mod attribute;
mod discovery;
mod document;
mod error;
mod filter;
mod groups;
mod listing;
mod normal;
mod patch;
mod path;
mod projection;
mod resource;
mod schema;
mod users;
mod wire;

use axum::http::Method;

use crate::{
    api::{Operation, operation},
    domain::{DirectoryGroup, DirectoryUser, Permission},
};

pub(crate) use document::ScimErrorDocument;
pub(crate) use error::ScimError;

use document::{ListDocument, PatchDocument, ResourceDocument};
use listing::{Shown, Which};
use resource::{list, show};

/// The media type of it all.
pub(crate) const MEDIA: &str = "application/scim+json";

/// Where it all is.
pub(crate) const ROOT: &str = "/scim/v2";

/// What the conditional headers mean.
const ONLY: &str = "Only while the resource is this version.";
const UNLESS: &str = "Only if the resource is not this version.";

const USERS: &[Permission] = &[Permission::ModifyUsers];

/// The calls, for the table of the REST surface.
pub(crate) fn operations() -> Vec<Operation> {
    [of_users(), of_groups(), of_discovery()].into_iter().flatten().collect()
}

fn of_users() -> Vec<Operation> {
    let [all, one] = ["/scim/v2/Users", "/scim/v2/Users/{id}"];
    vec![
        lists(operation(Method::GET, all, "Lists the directory's users", list::<DirectoryUser>)),
        makes(operation(Method::POST, all, "Provisions a user", users::create)),
        shows(operation(Method::GET, one, "Shows a user", show::<DirectoryUser>)),
        replaces(operation(Method::PUT, one, "Replaces a user", users::replace)),
        patches(operation(Method::PATCH, one, "Changes a user; `active: false` shuts it out", users::patch)),
        removes(operation(Method::DELETE, one, "Removes a user and shuts its identity out", users::remove)),
    ]
}

fn of_groups() -> Vec<Operation> {
    let [all, one] = ["/scim/v2/Groups", "/scim/v2/Groups/{id}"];
    let patch = operation(Method::PATCH, one, "Renames a group, adds and removes members", groups::patch);
    vec![
        lists(operation(Method::GET, all, "Lists the directory's groups", list::<DirectoryGroup>)),
        makes(operation(Method::POST, all, "Makes a group", groups::create)),
        shows(operation(Method::GET, one, "Shows a group", show::<DirectoryGroup>)),
        replaces(operation(Method::PUT, one, "Replaces a group", groups::replace)),
        patches(patch).gives_nothing(),
        removes(operation(Method::DELETE, one, "Removes a group", groups::remove)),
    ]
}

fn lists(operation: Operation) -> Operation {
    operation.scim(USERS).query::<Which>().gives::<ListDocument>(200)
}

fn makes(operation: Operation) -> Operation {
    operation.scim(USERS).body::<ResourceDocument>().gives::<ResourceDocument>(201).problems(&[409])
}

fn shows(operation: Operation) -> Operation {
    let shown = operation.scim(USERS).query::<Shown>().gives::<ResourceDocument>(200);
    shown.gives_unchanged().takes_header("If-None-Match", UNLESS).problems(&[404])
}

fn replaces(operation: Operation) -> Operation {
    let changed = operation.scim(USERS).body::<ResourceDocument>().gives::<ResourceDocument>(200);
    changed.takes_header("If-Match", ONLY).problems(&[404, 409, 412])
}

fn patches(operation: Operation) -> Operation {
    let changed = operation.scim(USERS).query::<Shown>().body::<PatchDocument>();
    changed.gives::<ResourceDocument>(200).takes_header("If-Match", ONLY).problems(&[404, 409, 412])
}

fn removes(operation: Operation) -> Operation {
    operation.scim(USERS).gives_nothing().takes_header("If-Match", ONLY).problems(&[404, 412])
}

fn of_discovery() -> Vec<Operation> {
    let get = || Method::GET;
    vec![
        operation(get(), "/scim/v2/ServiceProviderConfig", "What of SCIM there is", discovery::config)
            .scim(USERS)
            .gives::<ResourceDocument>(200),
        operation(get(), "/scim/v2/ResourceTypes", "Users and groups", discovery::resource_types)
            .scim(USERS)
            .gives::<ListDocument>(200),
        operation(get(), "/scim/v2/ResourceTypes/{id}", "One of them", discovery::resource_type)
            .scim(USERS)
            .gives::<ResourceDocument>(200)
            .problems(&[404]),
        operation(get(), "/scim/v2/Schemas", "Their attributes", discovery::schemas)
            .scim(USERS)
            .gives::<ListDocument>(200),
        operation(get(), "/scim/v2/Schemas/{id}", "The attributes of one schema", discovery::schema)
            .scim(USERS)
            .gives::<ResourceDocument>(200)
            .problems(&[404]),
    ]
}

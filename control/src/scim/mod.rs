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
mod schema;
mod users;
mod wire;

use axum::http::Method;

use crate::{
    api::{Operation, operation},
    domain::Permission,
};

pub(crate) use document::ScimErrorDocument;
pub(crate) use error::ScimError;

use document::{ListDocument, PatchDocument, ResourceDocument};
use listing::{Shown, Which};

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
    let one = "/scim/v2/Users/{id}";
    vec![
        operation(Method::GET, "/scim/v2/Users", "Lists the directory's users", users::list)
            .scim(USERS)
            .query::<Which>()
            .gives::<ListDocument>(200),
        operation(Method::POST, "/scim/v2/Users", "Provisions a user", users::create)
            .scim(USERS)
            .body::<ResourceDocument>()
            .gives::<ResourceDocument>(201)
            .problems(&[409]),
        operation(Method::GET, one, "Shows a user", users::show)
            .scim(USERS)
            .query::<Shown>()
            .gives::<ResourceDocument>(200)
            .gives_unchanged()
            .takes_header("If-None-Match", UNLESS)
            .problems(&[404]),
        operation(Method::PUT, one, "Replaces a user", users::replace)
            .scim(USERS)
            .body::<ResourceDocument>()
            .gives::<ResourceDocument>(200)
            .takes_header("If-Match", ONLY)
            .problems(&[404, 409, 412]),
        operation(Method::PATCH, one, "Changes a user; `active: false` shuts it out", users::patch)
            .scim(USERS)
            .query::<Shown>()
            .body::<PatchDocument>()
            .gives::<ResourceDocument>(200)
            .takes_header("If-Match", ONLY)
            .problems(&[404, 409, 412]),
        operation(Method::DELETE, one, "Removes a user and shuts its identity out", users::remove)
            .scim(USERS)
            .gives_nothing()
            .takes_header("If-Match", ONLY)
            .problems(&[404, 412]),
    ]
}

fn of_groups() -> Vec<Operation> {
    let one = "/scim/v2/Groups/{id}";
    vec![
        operation(Method::GET, "/scim/v2/Groups", "Lists the directory's groups", groups::list)
            .scim(USERS)
            .query::<Which>()
            .gives::<ListDocument>(200),
        operation(Method::POST, "/scim/v2/Groups", "Makes a group", groups::create)
            .scim(USERS)
            .body::<ResourceDocument>()
            .gives::<ResourceDocument>(201)
            .problems(&[409]),
        operation(Method::GET, one, "Shows a group", groups::show)
            .scim(USERS)
            .query::<Shown>()
            .gives::<ResourceDocument>(200)
            .gives_unchanged()
            .takes_header("If-None-Match", UNLESS)
            .problems(&[404]),
        operation(Method::PUT, one, "Replaces a group", groups::replace)
            .scim(USERS)
            .body::<ResourceDocument>()
            .gives::<ResourceDocument>(200)
            .takes_header("If-Match", ONLY)
            .problems(&[404, 409, 412]),
        operation(Method::PATCH, one, "Renames a group, adds and removes members", groups::patch)
            .scim(USERS)
            .query::<Shown>()
            .body::<PatchDocument>()
            .gives::<ResourceDocument>(200)
            .gives_nothing()
            .takes_header("If-Match", ONLY)
            .problems(&[404, 409, 412]),
        operation(Method::DELETE, one, "Removes a group", groups::remove)
            .scim(USERS)
            .gives_nothing()
            .takes_header("If-Match", ONLY)
            .problems(&[404, 412]),
    ]
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

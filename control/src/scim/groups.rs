//! `/scim/v2/Groups`

use std::collections::BTreeSet;

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    error::ScimError,
    listing::Shown,
    normal, patch,
    resource::{Record, Resource, shown},
    schema::{Fields, GROUPS, ResourceType, USERS},
    wire::{Asked, Body, Conditions, Id},
};
use crate::{
    actions::{
        Caller,
        directory::{self, groups},
    },
    api::App,
    domain::DirectoryGroup,
    store::{Read, StoreError},
};

/// `POST /scim/v2/Groups`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, ScimError> {
    let (attributes, members) = parts(normal::resource(&GROUPS, &body)?)?;
    let group = groups::create(&app.plane, &caller, attributes, members).await?;
    shown(&app, &group, &Shown::default(), StatusCode::CREATED).await
}

/// `PUT /scim/v2/Groups/{id}`
pub(super) async fn replace(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    conditions: Conditions,
    Body(body): Body,
) -> Result<Response, ScimError> {
    let wanted = parts(normal::resource(&GROUPS, &body)?)?;
    let change = |group: &DirectoryGroup, _: &BTreeSet<String>| {
        conditions.check(group.version)?;
        Ok::<_, ScimError>(wanted)
    };
    let group = groups::change(&app.plane, &caller, &id, change).await?;
    shown(&app, &group, &Shown::default(), StatusCode::OK).await
}

/// `PATCH /scim/v2/Groups/{id}`: large groups are not sent back unless somebody asks.
pub(super) async fn patch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    conditions: Conditions,
    Asked(asked): Asked<Shown>,
    Body(body): Body,
) -> Result<Response, ScimError> {
    let change = |group: &DirectoryGroup, members: &BTreeSet<String>| {
        conditions.check(group.version)?;
        let mut before = group.attributes.clone();
        let list: Vec<Value> = members.iter().map(|member| json!({ "value": member })).collect();
        if !list.is_empty() {
            before.insert("members".to_owned(), Value::Array(list));
        }
        parts(patch::patch(&GROUPS, &before, &body)?)
    };
    let group = groups::change(&app.plane, &caller, &id, change).await?;
    if asked.attributes.is_none() && asked.excluded_attributes.is_none() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    shown(&app, &group, &asked, StatusCode::OK).await
}

/// `DELETE /scim/v2/Groups/{id}`
pub(super) async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<StatusCode, ScimError> {
    groups::remove(&app.plane, &caller, &id, |group| conditions.check(group.version)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A group's own attributes, and the ids of its members. Groups in groups are not taken: they would give rights that
/// nobody sees.
fn parts(mut fields: Fields) -> Result<(Fields, BTreeSet<String>), ScimError> {
    let members = fields.remove("members").unwrap_or_default();
    let mut ids = BTreeSet::new();
    for member in members.as_array().into_iter().flatten() {
        let is_group = member["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(GROUPS.name));
        let id = member["value"].as_str().filter(|_| !is_group);
        let id = id.ok_or_else(|| ScimError::value("members: users, each by its id in `value`"))?;
        ids.insert(id.to_owned());
    }
    Ok((fields, ids))
}

impl Resource for DirectoryGroup {
    const TYPE: &'static ResourceType = &GROUPS;
    const KEY: &'static str = "displayName";
    const LINKS: &'static str = "members";

    fn record(&self) -> Record<'_> {
        let Self { attributes, version, created_at, changed_at, .. } = self;
        Record { attributes, version: *version, created_at: *created_at, changed_at: *changed_at }
    }

    async fn links(&self, tx: &mut dyn Read, public_url: &str) -> Result<Vec<Value>, StoreError> {
        let members = directory::members_of(tx, &self.id).await?;
        let shown = members
            .iter()
            .map(|id| json!({ "value": id, "type": USERS.name, "$ref": USERS.location(public_url, id) }));
        Ok(shown.collect())
    }
}

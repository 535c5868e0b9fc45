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
    listing::{Shown, Which},
    normal, patch,
    schema::{Fields, GROUPS, USERS},
    wire::{Asked, Body, Conditions, Id, answer, resource, tag},
};
use crate::{
    actions::{
        Caller,
        directory::{self, groups},
    },
    api::App,
    domain::DirectoryGroup,
    store::{Read, load},
};

/// `GET /scim/v2/Groups`
pub(super) async fn list(State(app): State<App>, Asked(which): Asked<Which>) -> Result<Response, ScimError> {
    let question = which.about(&GROUPS)?;
    let mut tx = app.plane.store.read().await?;
    let by_members = question.asks_about("members");
    let mut found = Vec::new();
    for group in question.candidates::<DirectoryGroup>(&mut *tx, "displayName").await? {
        let mut fields = bare(&app.plane.public_url, &group);
        if by_members {
            add_members(&app, &mut *tx, &group, &mut fields).await?;
        }
        if question.fits(&fields) {
            found.push((group, fields));
        }
    }
    question.sort(&mut found);
    let (total, page) = question.page(found);
    let mut shown = Vec::with_capacity(page.len());
    for (group, mut fields) in page {
        if question.projection.shows("members") && !by_members {
            add_members(&app, &mut *tx, &group, &mut fields).await?;
        }
        shown.push(fields);
    }
    Ok(answer(StatusCode::OK, &question.document(total, shown)))
}

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

/// `GET /scim/v2/Groups/{id}`
pub(super) async fn show(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    Asked(asked): Asked<Shown>,
) -> Result<Response, ScimError> {
    let found: Option<DirectoryGroup> = load(&mut *app.plane.store.read().await?, &id).await?;
    let group = found.ok_or_else(|| ScimError::not_found("group", &id))?;
    if conditions.is_known(group.version) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    shown(&app, &group, &asked, StatusCode::OK).await
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

async fn shown(
    app: &App,
    group: &DirectoryGroup,
    asked: &Shown,
    status: StatusCode,
) -> Result<Response, ScimError> {
    let mut fields = bare(&app.plane.public_url, group);
    let projection = asked.projection(&GROUPS);
    if projection.shows("members") {
        add_members(app, &mut *app.plane.store.read().await?, group, &mut fields).await?;
    }
    let location = GROUPS.location(&app.plane.public_url, &group.id);
    Ok(resource(status, &projection.of(fields), group.version, &location))
}

/// The resource without its members.
fn bare(public_url: &str, group: &DirectoryGroup) -> Fields {
    let mut fields = group.attributes.clone();
    fields.insert("schemas".to_owned(), json!([GROUPS.core.id]));
    fields.insert("id".to_owned(), json!(group.id));
    let meta = json!({
        "resourceType": GROUPS.name, "created": group.created_at.timestamp().to_string(),
        "lastModified": group.changed_at.timestamp().to_string(), "version": tag(group.version),
        "location": GROUPS.location(public_url, &group.id),
    });
    fields.insert("meta".to_owned(), meta);
    fields
}

async fn add_members(
    app: &App,
    tx: &mut dyn Read,
    group: &DirectoryGroup,
    fields: &mut Fields,
) -> Result<(), ScimError> {
    let members: Vec<Value> = directory::members_of(tx, &group.id)
        .await?
        .iter()
        .map(|id| {
            json!({ "value": id, "type": USERS.name, "$ref": USERS.location(&app.plane.public_url, id) })
        })
        .collect();
    if !members.is_empty() {
        fields.insert("members".to_owned(), Value::Array(members));
    }
    Ok(())
}

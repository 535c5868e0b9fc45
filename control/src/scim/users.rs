//! `/scim/v2/Users`

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
    schema::{Fields, USERS},
    wire::{Asked, Body, Conditions, Id, answer, resource, tag},
};
use crate::{
    actions::{
        Caller,
        directory::{self, users},
    },
    api::App,
    domain::{DirectoryGroup, DirectoryUser},
    store::{Read, load},
};

/// `GET /scim/v2/Users`
pub(super) async fn list(State(app): State<App>, Asked(which): Asked<Which>) -> Result<Response, ScimError> {
    let question = which.about(&USERS)?;
    let mut tx = app.plane.store.read().await?;
    let by_groups = question.asks_about("groups");
    let mut found = Vec::new();
    for user in question.candidates::<DirectoryUser>(&mut *tx, "userName").await? {
        let mut fields = bare(&app.plane.public_url, &user);
        if by_groups {
            add_groups(&app, &mut *tx, &user, &mut fields).await?;
        }
        if question.fits(&fields) {
            found.push((user, fields));
        }
    }
    question.sort(&mut found);
    let (total, page) = question.page(found);
    let mut shown = Vec::with_capacity(page.len());
    for (user, mut fields) in page {
        if question.projection.shows("groups") && !by_groups {
            add_groups(&app, &mut *tx, &user, &mut fields).await?;
        }
        shown.push(fields);
    }
    Ok(answer(StatusCode::OK, &question.document(total, shown)))
}

/// `POST /scim/v2/Users`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, ScimError> {
    let attributes = normal::resource(&USERS, &body)?;
    let user = users::create(&app.plane, &caller, attributes).await?;
    shown(&app, &user, &Shown::default(), StatusCode::CREATED).await
}

/// `GET /scim/v2/Users/{id}`
pub(super) async fn show(
    State(app): State<App>,
    Id(id): Id,
    conditions: Conditions,
    Asked(asked): Asked<Shown>,
) -> Result<Response, ScimError> {
    let found: Option<DirectoryUser> = load(&mut *app.plane.store.read().await?, &id).await?;
    let user = found.ok_or_else(|| ScimError::not_found("user", &id))?;
    if conditions.is_known(user.version) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    shown(&app, &user, &asked, StatusCode::OK).await
}

/// `PUT /scim/v2/Users/{id}`
pub(super) async fn replace(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    conditions: Conditions,
    Body(body): Body,
) -> Result<Response, ScimError> {
    let attributes = normal::resource(&USERS, &body)?;
    let change = |user: &DirectoryUser| {
        conditions.check(user.version)?;
        Ok::<_, ScimError>(attributes)
    };
    let user = users::change(&app.plane, &caller, &id, change).await?;
    shown(&app, &user, &Shown::default(), StatusCode::OK).await
}

/// `PATCH /scim/v2/Users/{id}`
pub(super) async fn patch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    conditions: Conditions,
    Asked(asked): Asked<Shown>,
    Body(body): Body,
) -> Result<Response, ScimError> {
    let change = |user: &DirectoryUser| {
        conditions.check(user.version)?;
        patch::patch(&USERS, &user.attributes, &body)
    };
    let user = users::change(&app.plane, &caller, &id, change).await?;
    shown(&app, &user, &asked, StatusCode::OK).await
}

/// `DELETE /scim/v2/Users/{id}`
pub(super) async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<StatusCode, ScimError> {
    users::remove(&app.plane, &caller, &id, |user| conditions.check(user.version)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn shown(
    app: &App,
    user: &DirectoryUser,
    asked: &Shown,
    status: StatusCode,
) -> Result<Response, ScimError> {
    let mut fields = bare(&app.plane.public_url, user);
    let projection = asked.projection(&USERS);
    if projection.shows("groups") {
        add_groups(app, &mut *app.plane.store.read().await?, user, &mut fields).await?;
    }
    let location = USERS.location(&app.plane.public_url, &user.id);
    Ok(resource(status, &projection.of(fields), user.version, &location))
}

/// The resource without the groups that the user is in.
fn bare(public_url: &str, user: &DirectoryUser) -> Fields {
    let mut fields = user.attributes.clone();
    let extension = USERS.extension.filter(|extension| fields.contains_key(extension.id));
    let schemas: Vec<&str> =
        std::iter::once(USERS.core.id).chain(extension.map(|schema| schema.id)).collect();
    fields.insert("schemas".to_owned(), json!(schemas));
    fields.insert("id".to_owned(), json!(user.id));
    let meta = json!({
        "resourceType": USERS.name, "created": user.created_at.timestamp().to_string(),
        "lastModified": user.changed_at.timestamp().to_string(), "version": tag(user.version),
        "location": USERS.location(public_url, &user.id),
    });
    fields.insert("meta".to_owned(), meta);
    fields
}

async fn add_groups(
    app: &App,
    tx: &mut dyn Read,
    user: &DirectoryUser,
    fields: &mut Fields,
) -> Result<(), ScimError> {
    let groups = directory::groups_of(tx, &user.id).await?;
    if !groups.is_empty() {
        fields.insert("groups".to_owned(), groups.iter().map(|group| reference(app, group)).collect());
    }
    Ok(())
}

fn reference(app: &App, group: &DirectoryGroup) -> Value {
    json!({
        "value": group.id, "display": group.name(), "type": "direct",
        "$ref": super::schema::GROUPS.location(&app.plane.public_url, &group.id),
    })
}

//! `/scim/v2/Users`

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use serde_json::{Value, json};

use super::{
    error::ScimError,
    listing::Shown,
    normal, patch,
    resource::{Record, Resource, shown},
    schema::{GROUPS, ResourceType, USERS},
    wire::{Asked, Body, Conditions, Id},
};
use crate::{
    actions::{
        Caller,
        directory::{self, users},
    },
    api::App,
    domain::DirectoryUser,
    store::{Read, StoreError},
};

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

impl Resource for DirectoryUser {
    const TYPE: &'static ResourceType = &USERS;
    const KEY: &'static str = "userName";
    const LINKS: &'static str = "groups";

    fn record(&self) -> Record<'_> {
        let Self { attributes, version, created_at, changed_at, .. } = self;
        Record { attributes, version: *version, created_at: *created_at, changed_at: *changed_at }
    }

    async fn links(&self, tx: &mut dyn Read, public_url: &str) -> Result<Vec<Value>, StoreError> {
        let groups = directory::groups_of(tx, &self.id).await?;
        let shown = groups.iter().map(|group| {
            let location = GROUPS.location(public_url, &group.id);
            json!({ "value": group.id, "display": group.name(), "type": "direct", "$ref": location })
        });
        Ok(shown.collect())
    }
}

//! `/v1/api-clients`

use axum::{Extension, extract::State, http::StatusCode};
use postern_protocol::duration::Span;
use postern_service::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Duration, Json, Name, Query},
    page::{List, Paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{
        Caller,
        clients::{self, Kind},
    },
    domain::{ApiClient, Permissions, Refusal},
    store::{Order, find},
};

/// A new API client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewClient {
    name: String,
    #[serde(default)]
    permissions: Permissions,
    /// True for a directory: its secret is the bearer token of `/scim`, and no good anywhere else.
    #[serde(default)]
    scim: bool,
}

/// How a secret is rotated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// How long the old secret counts beside the new one; absent: it is void at once. `7d` at most.
    #[schemars(with = "Option<Duration>")]
    grace: Option<Span>,
}

/// An API client.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiClient")]
pub(super) struct ClientView {
    /// `c_…`
    id: String,
    /// The same, under the name that OAuth has for it.
    client_id: String,
    /// Only in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    name: String,
    permissions: Permissions,
    /// Whether it is a directory.
    scim: bool,
    /// Until when the secret before the last one counts, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_until: Option<At>,
    created_at: At,
}

impl ClientView {
    fn with_secret((client, secret): (ApiClient, Secret)) -> Self {
        Self { client_secret: Some(secret.reveal().to_owned()), ..Self::from(client) }
    }
}

impl From<ApiClient> for ClientView {
    fn from(client: ApiClient) -> Self {
        Self {
            client_id: client.id.clone(),
            id: client.id,
            client_secret: None,
            name: client.name,
            permissions: client.permissions,
            scim: client.scim,
            former_until: client.former.map(|former| former.until.into()),
            created_at: client.created_at.into(),
        }
    }
}

/// `POST /v1/api-clients`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(NewClient { name, permissions, scim }): Json<NewClient>,
) -> Result<(StatusCode, axum::Json<ClientView>), Problem> {
    let kind = match (scim, permissions.is_empty()) {
        (false, _) => Kind::OAuth(permissions),
        (true, true) => Kind::Directory,
        (true, false) => {
            return Err(
                Refusal::Invalid("permissions: a directory has none to choose from".to_owned()).into()
            );
        }
    };
    let made = clients::create_by(&app.plane, &caller, &name, kind).await?;
    Ok((StatusCode::CREATED, axum::Json(ClientView::with_secret(made))))
}

/// `GET /v1/api-clients`
pub(super) async fn list(
    State(app): State<App>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<ClientView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<ApiClient>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    Ok(axum::Json(List::new(page.items.into_iter().map(ClientView::from).collect(), page.next)))
}

/// `POST /v1/api-clients/{id}/rotate`
pub(super) async fn rotate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Json(Rotation { grace }): Json<Rotation>,
) -> Result<axum::Json<ClientView>, Problem> {
    let rotated = clients::rotate(&app.plane, &caller, &id, grace).await?;
    Ok(axum::Json(ClientView::with_secret(rotated)))
}

/// `DELETE /v1/api-clients/{id}`
pub(super) async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<StatusCode, Problem> {
    clients::delete(&app.plane, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! What of SCIM there is (RFC 7644, section 4).

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::{Value, json};

use super::{
    ROOT,
    document::ListDocument,
    error::ScimError,
    schema,
    wire::{Id, answer},
};
use crate::api::App;

/// `GET /scim/v2/ServiceProviderConfig`
pub(super) async fn config(State(app): State<App>) -> Response {
    let location = format!("{}{ROOT}/ServiceProviderConfig", app.plane.public_url.trim_end_matches('/'));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": 1000 },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "primary": true,
            "description": "An access token of an API client that may modify users, or the token of a SCIM client",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": location },
    });
    answer(StatusCode::OK, &body)
}

/// `GET /scim/v2/ResourceTypes`
pub(super) async fn resource_types(State(app): State<App>) -> Response {
    list(schema::resource_types().iter().map(|of| of.described(&app.plane.public_url)).collect())
}

/// `GET /scim/v2/ResourceTypes/{id}`
pub(super) async fn resource_type(State(app): State<App>, Id(id): Id) -> Result<Response, ScimError> {
    let found = schema::resource_types().into_iter().find(|of| of.name.eq_ignore_ascii_case(&id));
    let found = found.ok_or_else(|| ScimError::not_found("resource type", &id))?;
    Ok(answer(StatusCode::OK, &found.described(&app.plane.public_url)))
}

/// `GET /scim/v2/Schemas`
pub(super) async fn schemas(State(app): State<App>) -> Response {
    list(schema::schemas().iter().map(|schema| schema.described(&app.plane.public_url)).collect())
}

/// `GET /scim/v2/Schemas/{id}`
pub(super) async fn schema(State(app): State<App>, Id(id): Id) -> Result<Response, ScimError> {
    let found = schema::schemas().into_iter().find(|schema| schema.id.eq_ignore_ascii_case(&id));
    let found = found.ok_or_else(|| ScimError::not_found("schema", &id))?;
    Ok(answer(StatusCode::OK, &found.described(&app.plane.public_url)))
}

fn list(all: Vec<Value>) -> Response {
    let total = all.len();
    answer(StatusCode::OK, &ListDocument::new(all, 1, total))
}

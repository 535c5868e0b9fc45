//! `/v1/requests/{id}/links`

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Json, Name},
    problem::Problem,
    views::At,
};
use crate::actions::{Caller, links};

/// A link that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    /// The one who is to decide by it.
    #[serde(rename = "for")]
    approver: String,
}

/// A link by which one approver decides one request. Whoever has it can do that.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReviewLink")]
pub(super) struct LinkView {
    url: String,
    #[serde(rename = "for")]
    approver: String,
    /// Good for one review until then, as long as the request asks for the same.
    expires_at: At,
}

/// `POST /v1/requests/{id}/links`
pub(super) async fn make(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Json(NewLink { approver }): Json<NewLink>,
) -> Result<(StatusCode, axum::Json<LinkView>), Problem> {
    let link = links::make(&app.plane, &caller, &id, &approver).await?;
    let view = LinkView { url: link.url, approver: link.approver, expires_at: link.until.into() };
    Ok((StatusCode::CREATED, axum::Json(view)))
}

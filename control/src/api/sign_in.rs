//! How the command line's sign-in begins (RFC 8628) and ends (RFC 7009). It is a public client: it has no secret.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_service::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::Peer,
    oauth::{Origin, error},
    problem::Problem,
};
use crate::{
    actions::{
        device::{self, Begun},
        logins,
        oauth::COMMAND_LINE,
    },
    domain::{DEVICE_PATIENCE, shown},
    plane::ControlPlane,
};

/// Who asks.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DeviceForm")]
pub(super) struct Form {
    /// `postern-cli`
    #[serde(default)]
    client_id: String,
    /// Taken, and without effect.
    #[serde(rename = "scope")]
    _scope: Option<String>,
}

/// What the command line shows and keeps.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeviceAnswer")]
pub(super) struct Answer {
    device_code: String,
    /// What the person types.
    user_code: String,
    /// Where.
    verification_uri: String,
    /// The same with the code in it.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: u64,
    /// Seconds between two questions.
    interval: u64,
}

/// `POST /v1/users/oidc/device_authorization`
pub(super) async fn device(
    State(app): State<App>,
    Origin(peer): Origin,
    form: Result<axum::Form<Form>, FormRejection>,
) -> Response {
    let Ok(axum::Form(form)) = form else {
        return error(StatusCode::BAD_REQUEST, "invalid_request", "the form cannot be read");
    };
    if form.client_id != COMMAND_LINE {
        return error(StatusCode::BAD_REQUEST, "unauthorized_client", format!("client_id: {COMMAND_LINE}"));
    }
    if app.plane.relying_party.is_none() {
        let text = "this control plane has no SSO provider: its operator has to set [oidc]";
        return error(StatusCode::BAD_REQUEST, "unauthorized_client", text);
    }
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| address);
    if let Some(seconds) = app.plane.sign_ins.wait(address, "device_authorization") {
        return Problem::rate_limited(seconds).into_response();
    }
    // Each counts: nobody may fill the table.
    app.plane.sign_in_failed(address, "device_authorization");
    match device::begin(&app.plane, address).await {
        Ok(begun) => {
            ([(header::CACHE_CONTROL, "no-store")], axum::Json(shape(&app.plane, &begun))).into_response()
        }
        Err(failure) => Problem::from(failure).into_response(),
    }
}

fn shape(plane: &ControlPlane, begun: &Begun) -> Answer {
    let page = format!("{}/device", plane.public_url.trim_end_matches('/'));
    let user_code = shown(&begun.waiting.user_code);
    Answer {
        device_code: begun.device_code.reveal().to_owned(),
        verification_uri_complete: format!("{page}?user_code={user_code}"),
        verification_uri: page,
        user_code,
        expires_in: DEVICE_PATIENCE.as_secs(),
        interval: begun.waiting.interval.as_secs(),
    }
}

/// What is to be void.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RevocationForm")]
pub(super) struct Revocation {
    /// An access or refresh token of the command line.
    token: String,
    /// Taken, and without effect.
    #[serde(rename = "token_type_hint")]
    _token_type_hint: Option<String>,
    /// `postern-cli`
    #[serde(rename = "client_id")]
    _client_id: Option<String>,
}

/// `POST /v1/users/oidc/revoke`
pub(super) async fn revoke(
    State(app): State<App>,
    form: Result<axum::Form<Revocation>, FormRejection>,
) -> Response {
    let Ok(axum::Form(form)) = form else {
        return error(StatusCode::BAD_REQUEST, "invalid_request", "token is missing");
    };
    match logins::end_by_token(&app.plane, &Secret::from(form.token)).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => Problem::from(failure).into_response(),
    }
}

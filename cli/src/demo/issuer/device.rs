//! Devices that sign in by way of a browser (RFC 8628), such as psql from version 18 on.

use std::sync::Arc;

use axum::{
    Form, Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::html;
use postern_service::random;
use serde::Deserialize;
use serde_json::json;

use super::{
    DATABASE_CLIENT, Issuer,
    authorize::{buttons, page},
    ledger::DEVICE,
    people::person,
};

/// Who begins.
#[derive(Debug, Deserialize)]
pub(super) struct Beginning {
    #[serde(default)]
    client_id: String,
}

/// `POST /device_authorization`
pub(super) async fn begin(State(issuer): State<Arc<Issuer>>, Form(beginning): Form<Beginning>) -> Response {
    if beginning.client_id != DATABASE_CLIENT {
        let text = format!("client_id: {DATABASE_CLIENT}");
        let error = json!({ "error": "unauthorized_client", "error_description": text });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    let (Ok(code), Ok(bytes)) = (random::token(), random::bytes::<4>()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let user_code = random::hex(&bytes).to_ascii_uppercase();
    issuer.ledger().give_device(code.clone(), user_code.clone(), beginning.client_id);
    let url = &issuer.url;
    Json(json!({
        "device_code": code,
        "user_code": user_code,
        "verification_uri": format!("{url}/device"),
        "verification_uri_complete": format!("{url}/device?user_code={user_code}"),
        "expires_in": DEVICE.as_secs(),
        "interval": 1,
    }))
    .into_response()
}

/// A code, and who was chosen.
#[derive(Debug, Deserialize)]
pub(super) struct Entered {
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    person: String,
}

/// `GET /device`
pub(super) async fn ask(Query(entered): Query<Entered>) -> Response {
    let body = html! {
        form method="post" action="/device" {
            p { label { "The code that the program shows: " input name="user_code" value=(entered.user_code) required; } }
            (buttons())
        }
    };
    page("Let a program in", &body).into_response()
}

/// `POST /device`
pub(super) async fn answer(State(issuer): State<Arc<Issuer>>, Form(entered): Form<Entered>) -> Response {
    let code = entered.user_code.trim().to_ascii_uppercase();
    let let_in = person(&entered.person).is_some_and(|person| issuer.ledger().let_in(&code, person));
    if let_in {
        return page("Done", &html! { p { "The program is let in. This page can be closed." } })
            .into_response();
    }
    let body = html! { p { "No program waits under this code." } };
    (StatusCode::NOT_FOUND, page("This cannot be done", &body)).into_response()
}

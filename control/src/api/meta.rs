//! `/openapi.json`, `/healthz`, `/readyz`

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use super::App;

/// `GET /openapi.json`
pub(super) async fn openapi(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], Arc::<str>::clone(&app.openapi).to_string())
}

/// `GET /healthz`
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, String) {
    match app.plane.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")),
    }
}

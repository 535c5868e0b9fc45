//! `/v1/sidecar/…`: what the sidecars themselves call.

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use postern_protocol::gate::{
    Ack, AuditBatch, Hello, Knock, Knocked, Position, Pulse, ResourceReport, SessionReport, SidecarName,
    Welcome,
};
use postern_service::audit::Record;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    extract::{Json, Name, Query},
    problem::Problem,
};
use crate::{
    actions::{
        knocks, resources, sessions,
        sidecars::{self, Enrolled},
    },
    domain::Refusal,
    feed::{self, FeedKey, Notice, Opening},
};

/// `POST /v1/sidecar/hello`
pub(super) async fn hello(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(hello): Json<Hello>,
) -> Result<axum::Json<Welcome>, Problem> {
    sidecars::hello(&app.plane, &name, hello).await?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(axum::Json(Welcome { version, public_url: app.plane.public_url.clone() }))
}

/// Which feed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// The process, as in its hello.
    instance: String,
    /// Chosen at random for this stream; every message carries it.
    nonce: String,
    /// The position up to which everything is applied; absent: start with a snapshot.
    after: Option<Position>,
}

/// `GET /v1/sidecar/feed`
pub(super) async fn feed(
    State(app): State<App>,
    Extension(Enrolled { name, token_sha256 }): Extension<Enrolled>,
    Query(Which { instance, nonce, after }): Query<Which>,
) -> Result<Response, Problem> {
    if nonce.is_empty() || nonce.len() > 128 {
        return Err(Problem::malformed("nonce: 1 to 128 bytes"));
    }
    let opening = Opening { key: FeedKey { name, instance }, token_sha256, nonce, after };
    let events = feed::open(&app.plane, opening)
        .await?
        .ok_or_else(|| Refusal::Conflict("say hello first: POST /v1/sidecar/hello".to_owned()))?;
    let body = stream::unfold(events, |mut events| async move {
        let event = events.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(event), events))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// `POST /v1/sidecar/acks`
pub(super) async fn ack(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(ack): Json<Ack>,
) -> StatusCode {
    app.plane.hub.ack(&name, &ack, app.plane.clock.now());
    app.plane.bus.tell(Notice::Ack(name, ack));
    StatusCode::NO_CONTENT
}

/// `POST /v1/sidecar/sessions`
pub(super) async fn sessions(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(report): Json<SessionReport>,
) -> Result<StatusCode, Problem> {
    sessions::report(&app.plane, &name, report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/sidecar/pulse`
pub(super) async fn pulse(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(pulse): Json<Pulse>,
) -> StatusCode {
    app.plane.hub.pulse(&name, &pulse, app.plane.clock.now());
    StatusCode::NO_CONTENT
}

/// `POST /v1/sidecar/resources`
pub(super) async fn resources(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(report): Json<ResourceReport>,
) -> Result<StatusCode, Problem> {
    resources::report(&app.plane, &name, report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/sidecar/knocks`
pub(super) async fn knock(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(knock): Json<Knock>,
) -> Result<axum::Json<Knocked>, Problem> {
    Ok(axum::Json(knocks::knock(&app.plane, &name, knock).await?))
}

/// `GET /v1/sidecar/knocks/{id}`
pub(super) async fn knocked(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Name(id): Name,
) -> Result<axum::Json<Knocked>, Problem> {
    Ok(axum::Json(knocks::state(&app.plane, &name, &id).await?))
}

/// The most records that a batch may have.
const LARGEST_BATCH: usize = 500;

/// `POST /v1/sidecar/audit`
pub(super) async fn audit(
    State(app): State<App>,
    Extension(name): Extension<SidecarName>,
    Json(batch): Json<AuditBatch<Record>>,
) -> Result<StatusCode, Problem> {
    if batch.records.len() > LARGEST_BATCH {
        return Err(Problem::too_many(LARGEST_BATCH));
    }
    sidecars::audit(&app.plane, &name, batch.records).await?;
    Ok(StatusCode::NO_CONTENT)
}

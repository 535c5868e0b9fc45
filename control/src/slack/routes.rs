//! Slack's calls over HTTP: verified before anything of them is read.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Form, Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{
    callback::{Callback, Command, EventCall, Interaction},
    desk::{Eventful, Reply, Slack, Unwelcome},
    signature::verify,
};
use crate::measures;

/// The most that a call may have, in bytes; Slack's largest, a full dialog, is a part of it.
const BODY_LIMIT: usize = 1 << 20;

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(3);

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

#[derive(Deserialize)]
struct Payload {
    payload: String,
}

/// The three addresses.
pub(super) fn router(slack: Arc<Slack>) -> Router {
    Router::new()
        .route("/slack/commands", post(commands))
        .route("/slack/interactions", post(interactions))
        .route("/slack/events", post(events))
        .with_state(slack)
}

async fn commands(State(slack): State<Arc<Slack>>, request: Request) -> Response {
    let answer = async {
        let call = taken(&slack, request).await?;
        let command: Command = form(&call.body).await.ok_or(StatusCode::BAD_REQUEST)?;
        Ok(give(&slack, Callback::Command(Box::new(command)), &call).await)
    };
    counted("/slack/commands", answer.await)
}

async fn interactions(State(slack): State<Arc<Slack>>, request: Request) -> Response {
    let answer = async {
        let call = taken(&slack, request).await?;
        let Payload { payload } = form(&call.body).await.ok_or(StatusCode::BAD_REQUEST)?;
        let interaction: Interaction = serde_json::from_str(&payload).map_err(|_| StatusCode::BAD_REQUEST)?;
        Ok(give(&slack, Callback::Interaction(interaction), &call).await)
    };
    counted("/slack/interactions", answer.await)
}

async fn events(State(slack): State<Arc<Slack>>, request: Request) -> Response {
    let answer = async {
        let call = taken(&slack, request).await?;
        let event: EventCall = serde_json::from_slice(&call.body).map_err(|_| StatusCode::BAD_REQUEST)?;
        Ok(match event.into() {
            Eventful::Challenge(challenge) => challenge.into_response(),
            Eventful::Callback(callback) => give(&slack, callback, &call).await,
            Eventful::Nothing => StatusCode::OK.into_response(),
        })
    };
    counted("/slack/events", answer.await)
}

fn counted(route: &'static str, answer: Result<Response, StatusCode>) -> Response {
    let response = answer.unwrap_or_else(IntoResponse::into_response);
    measures::http("POST", route, response.status().as_u16(), 0.0);
    response
}

/// A call that Slack has signed.
struct Call {
    signature: String,
    body: Bytes,
}

async fn taken(slack: &Slack, request: Request) -> Result<Call, StatusCode> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| header(&parts.headers, name).ok_or(StatusCode::UNAUTHORIZED);
    let (signature, timestamp) = (header(SIGNATURE)?, header(TIMESTAMP)?);
    let body =
        timeout(BODY_TIME, to_bytes(body, BODY_LIMIT)).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
    let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    verify(&slack.config.signing_secret, &timestamp, &signature, &body, now).map_err(|unsigned| {
        tracing::warn!(%unsigned, "a call to the Slack app was turned away");
        StatusCode::UNAUTHORIZED
    })?;
    Ok(Call { signature: signature.to_ascii_lowercase(), body })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

async fn form<T: DeserializeOwned>(body: &Bytes) -> Option<T> {
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body.clone()))
        .ok()?;
    Form::<T>::from_request(request, &()).await.ok().map(|Form(form)| form)
}

async fn give(slack: &Arc<Slack>, callback: Callback, call: &Call) -> Response {
    match slack.receive(callback, Some(&call.signature)).await {
        Ok(Reply::Done) => StatusCode::OK.into_response(),
        Ok(Reply::Json(value)) => Json(value).into_response(),
        Err(unwelcome) => {
            tracing::warn!(%unwelcome, "a call to the Slack app was turned away");
            match unwelcome {
                Unwelcome::Foreign => StatusCode::FORBIDDEN,
                Unwelcome::Replayed => StatusCode::UNAUTHORIZED,
                Unwelcome::NotReady => StatusCode::SERVICE_UNAVAILABLE,
                Unwelcome::Failure(_) => StatusCode::INTERNAL_SERVER_ERROR,
            }
            .into_response()
        }
    }
}

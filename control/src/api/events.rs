//! `/v1/events`

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{
    App,
    extract::{Query, bearer},
    problem::Problem,
};
use crate::events::{EventFilter, Lost, Opening, follow};

const LAST_EVENT_ID: &str = "last-event-id";

/// How many may follow at once.
const MOST_READERS: usize = 256;

/// When to ask again after there was no place.
const FULL_FOR: u64 = 10;

/// Places for those who follow.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MOST_READERS))
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichEvents")]
pub(super) struct Which {
    /// Types, separated by commas: `request.created,grant.*`
    #[serde(rename = "type")]
    types: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// The id of the last event that is known, for clients that cannot set `Last-Event-ID`.
    after: Option<String>,
}

/// `GET /v1/events`
pub(super) async fn follow_events(
    State(app): State<App>,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let types = which.types.iter().flat_map(|types| types.split(',')).map(|kind| kind.trim().to_owned());
    let filter = EventFilter::new(types.collect(), which.identity.as_deref(), which.repo)?;
    let last = match headers.get(LAST_EVENT_ID) {
        Some(value) => Some(value.to_str().unwrap_or("?").to_owned()),
        None => which.after,
    };
    let after = last.filter(|id| !id.is_empty()).map(|id| read_id(&id)).transpose()?;
    let token = bearer(&headers).ok_or_else(Problem::unauthenticated)?.into();
    let place = Arc::clone(&app.readers)
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many follow events already", FULL_FOR))?;
    let events = follow(&app.plane, Opening { token, filter, after, place }).await?;
    let body = stream::unfold(events, |mut events| async move {
        let event = events.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(event), events))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

fn read_id(text: &str) -> Result<i64, Problem> {
    text.parse()
        .ok()
        .filter(|id| *id >= 0)
        .ok_or_else(|| Problem::malformed("Last-Event-ID: no event has such an id"))
}

impl From<Lost> for Problem {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Pruned(_) | Lost::Ahead(_) => Self::events_gone(lost.to_string()),
            Lost::Store(error) => error.into(),
        }
    }
}

//! `/v1/sidecars`

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Json, Name, Query, Text},
    page::{List, Paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{Caller, sidecars},
    domain::{Refusal, Sidecar},
    feed::{Live, presence},
    store::{Order, find, load},
};

/// A repo that a sidecar serves.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Served")]
pub(super) struct ServedView {
    name: String,
    engine: &'static str,
    database: Option<String>,
    listen: String,
    accounts: Vec<String>,
}

/// A process of a sidecar.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Process")]
pub(super) struct ProcessView {
    instance: String,
    version: String,
    connected: bool,
    /// The newest feed position that it has applied.
    applied: u64,
    /// How many sessions it has open.
    sessions: u64,
    heard_at: At,
}

/// A sidecar.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sidecar")]
pub(super) struct SidecarView {
    name: String,
    /// What it said last; null before it first came.
    version: Option<String>,
    /// Whether a feed of it is open.
    connected: bool,
    /// The newest feed position that its slowest connected process has applied.
    applied: u64,
    /// How many sessions it has open.
    sessions: u64,
    repos: Vec<ServedView>,
    /// One by one, if several processes run under its name.
    processes: Vec<ProcessView>,
    created_at: At,
    seen_at: Option<At>,
    /// Its token; only in the answer to the call that enrolled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl SidecarView {
    fn new(sidecar: &Sidecar, live: &[Live]) -> Self {
        let connected = || live.iter().filter(|live| live.connected).map(|live| &live.process);
        let hello = sidecar.hello.as_ref();
        let heard_at = live.iter().map(|live| live.process.heard_at).max();
        Self {
            name: sidecar.name.to_string(),
            version: hello.map(|hello| hello.version.clone()),
            connected: connected().next().is_some(),
            applied: connected().map(|process| process.applied).min().unwrap_or(0),
            sessions: connected().map(|process| process.sessions).sum(),
            repos: hello.iter().flat_map(|hello| &hello.repos).map(served).collect(),
            processes: live.iter().map(process).collect(),
            created_at: sidecar.created_at.into(),
            seen_at: heard_at.max(sidecar.seen_at).map(At::from),
            token: None,
        }
    }
}

fn served(repo: &postern_protocol::gate::ServedRepo) -> ServedView {
    ServedView {
        name: repo.name.to_string(),
        engine: repo.engine.as_str(),
        database: repo.database.clone(),
        listen: repo.listen.clone(),
        accounts: repo.accounts.iter().map(ToString::to_string).collect(),
    }
}

fn process(Live { process, connected }: &Live) -> ProcessView {
    ProcessView {
        instance: process.instance.clone(),
        version: process.version.clone(),
        connected: *connected,
        applied: process.applied,
        sessions: process.sessions,
        heard_at: process.heard_at.into(),
    }
}

/// `GET /v1/sidecars`
pub(super) async fn list(
    State(app): State<App>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<SidecarView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<Sidecar>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    let mut live = presence::by_sidecar(&mut *tx, &app.plane).await?;
    let items = page
        .items
        .iter()
        .map(|sidecar| SidecarView::new(sidecar, &live.remove(&sidecar.name).unwrap_or_default()))
        .collect();
    Ok(axum::Json(List::new(items, page.next)))
}

/// `GET /v1/sidecars/{name}`
pub(super) async fn show(
    State(app): State<App>,
    Name(name): Name,
) -> Result<axum::Json<SidecarView>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let sidecar: Option<Sidecar> = load(&mut *tx, &name).await?;
    let sidecar = sidecar.ok_or_else(|| Refusal::not_found("sidecar", name))?;
    let live = presence::of_sidecar(&mut *tx, &app.plane, &sidecar.name).await?;
    Ok(axum::Json(SidecarView::new(&sidecar, &live)))
}

/// A new sidecar.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSidecar {
    name: String,
}

/// `POST /v1/sidecars`
pub(super) async fn enrol(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(NewSidecar { name }): Json<NewSidecar>,
) -> Result<(StatusCode, axum::Json<SidecarView>), Problem> {
    let (sidecar, token) = sidecars::enrol(&app.plane, &caller, &name).await?;
    let view = SidecarView { token: Some(token.reveal().to_owned()), ..SidecarView::new(&sidecar, &[]) };
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Why it is revoked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    #[serde(default)]
    reason: Text,
}

/// `DELETE /v1/sidecars/{name}`
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Query(Why { reason }): Query<Why>,
) -> Result<StatusCode, Problem> {
    sidecars::revoke(&app.plane, &caller, &name, reason.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

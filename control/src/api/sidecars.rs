//! `/v1/sidecars`

use axum::{Extension, extract::State, http::StatusCode};
use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Duration, Json, Name, Query, Text},
    page::{List, Paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{Caller, fleet, sidecars},
    domain::{Draining, Refusal, Sidecar},
    feed::{Live, presence},
    plane::ControlPlane,
    store::{Order, find, load},
};

/// A connected sidecar speaks every second; one that has not for so long is stale.
const SILENCE: Span = Span::from_secs(15);

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

/// How a sidecar is.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SidecarState")]
enum Standing {
    /// It never came.
    New,
    /// It takes sessions.
    Connected,
    /// It takes no new ones, since somebody said so.
    Draining,
    /// It was turned away.
    Refused,
    /// It was there, and has not been heard for a while.
    Stale,
}

/// An order to take no new sessions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Draining")]
pub(super) struct DrainView {
    by: String,
    reason: String,
    since: At,
    /// When the sessions that are open end; null: when they end by themselves.
    until: Option<At>,
}

/// A sidecar.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sidecar")]
pub(super) struct SidecarView {
    name: String,
    /// What it said last; null before it first came.
    version: Option<String>,
    /// In one word.
    state: Standing,
    /// Whether a feed of it is open.
    connected: bool,
    /// The newest feed position that its slowest connected process has applied.
    applied: u64,
    /// By how many positions that is behind; null while it is not connected.
    behind: Option<u64>,
    /// How many sessions it has open.
    sessions: u64,
    repos: Vec<ServedView>,
    /// The only repos that its token is for; null: any that no other sidecar serves as something else.
    bound_to: Option<Vec<String>>,
    /// Why it was turned away last, while it is.
    refused: Option<String>,
    /// Who ordered it to take no new sessions, while that holds.
    draining: Option<DrainView>,
    /// One by one, if several processes run under its name.
    processes: Vec<ProcessView>,
    created_at: At,
    seen_at: Option<At>,
    /// Its token; only in the answer to the call that enrolled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl SidecarView {
    fn new(plane: &ControlPlane, sidecar: &Sidecar, live: &[Live]) -> Self {
        let connected = || live.iter().filter(|live| live.connected).map(|live| &live.process);
        let hello = sidecar.hello.as_ref();
        let heard_at = live.iter().map(|live| live.process.heard_at).max();
        let newest = *plane.hub.newest().borrow();
        let applied = connected().map(|process| process.applied).min();
        let fresh = plane.clock.now().minus(SILENCE);
        let current = connected().any(|process| process.heard_at >= fresh);
        Self {
            state: standing(sidecar, current),
            behind: applied.map(|applied| newest.saturating_sub(applied)),
            bound_to: sidecar.repos.as_ref().map(|repos| repos.iter().map(ToString::to_string).collect()),
            refused: sidecar.refused.clone(),
            draining: sidecar.draining.as_ref().map(drain_view),
            name: sidecar.name.to_string(),
            version: hello.map(|hello| hello.version.clone()),
            connected: connected().next().is_some(),
            applied: applied.unwrap_or(0),
            sessions: connected().map(|process| process.sessions).sum(),
            repos: hello.iter().flat_map(|hello| &hello.repos).map(served).collect(),
            processes: live.iter().map(process).collect(),
            created_at: sidecar.created_at.into(),
            seen_at: heard_at.max(sidecar.seen_at).map(At::from),
            token: None,
        }
    }
}

const fn standing(sidecar: &Sidecar, current: bool) -> Standing {
    match (current, sidecar.draining.is_some(), sidecar.refused.is_some(), sidecar.seen_at.is_some()) {
        (true, true, _, _) => Standing::Draining,
        (true, false, _, _) => Standing::Connected,
        (false, _, true, _) => Standing::Refused,
        (false, _, false, true) => Standing::Stale,
        (false, _, false, false) => Standing::New,
    }
}

fn drain_view(order: &Draining) -> DrainView {
    DrainView {
        by: order.by.clone(),
        reason: order.reason.clone(),
        since: order.at.into(),
        until: order.until.map(At::from),
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
        .map(|sidecar| SidecarView::new(&app.plane, sidecar, &live.remove(&sidecar.name).unwrap_or_default()))
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
    Ok(axum::Json(SidecarView::new(&app.plane, &sidecar, &live)))
}

/// A new sidecar.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSidecar {
    name: String,
    /// The only repos that it may serve; absent: any that no other sidecar serves as something else.
    repos: Option<Vec<String>>,
}

/// `POST /v1/sidecars`
pub(super) async fn enrol(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(NewSidecar { name, repos }): Json<NewSidecar>,
) -> Result<(StatusCode, axum::Json<SidecarView>), Problem> {
    let (sidecar, token) = sidecars::enrol(&app.plane, &caller, &name, repos).await?;
    let view =
        SidecarView { token: Some(token.reveal().to_owned()), ..SidecarView::new(&app.plane, &sidecar, &[]) };
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

/// What a sidecar is to do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DrainOrder {
    /// True: it takes sessions again.
    #[serde(default)]
    undo: bool,
    /// How long the sessions that are open may go on; absent: until they end by themselves.
    #[schemars(with = "Option<Duration>")]
    within: Option<Span>,
    /// Why; told to those whose sessions it ends.
    #[serde(default)]
    reason: Text,
}

/// `POST /v1/sidecars/{name}/drain`
pub(super) async fn drain(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Json(DrainOrder { undo, within, reason }): Json<DrainOrder>,
) -> Result<axum::Json<SidecarView>, Problem> {
    let (plane, reason) = (&app.plane, reason.as_str());
    let sidecar = match (undo, within) {
        (true, None) => fleet::undrain(plane, &caller, &name, reason).await?,
        (true, Some(_)) => return Err(Refusal::Invalid("within: not together with undo".to_owned()).into()),
        (false, within) => fleet::drain(plane, &caller, &name, within, reason).await?,
    };
    let live = presence::of_sidecar(&mut *plane.store.read().await?, plane, &sidecar.name).await?;
    Ok(axum::Json(SidecarView::new(plane, &sidecar, &live)))
}

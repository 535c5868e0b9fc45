//! `/v1/grants`

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    etag::{IfMatch, Tagged},
    extract::{Json, Name, Query, Text},
    page::{List, paging},
    problem::Problem,
    views::{GrantView, RequestView, ResourceInput},
};
use crate::{
    actions::{Caller, extensions, grants},
    domain::{Grant, GrantState, canonical},
    feed::Outcome,
    store::{Filter, Order, find},
};

/// Which grants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// `SCHEDULED`, `ACTIVE`, `EXPIRED`, `REVOKED`
    #[serde(alias = "status")]
    state: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// Only living ones whose holder is no longer among those who may request them; a page may hold fewer then.
    #[serde(default)]
    unfounded: bool,
    limit: Option<u32>,
    after: Option<String>,
}

/// `GET /v1/grants`
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
) -> Result<axum::Json<List<GrantView>>, Problem> {
    let filter = Filter {
        states: which.state.as_deref().map(state).transpose()?.into_iter().collect(),
        identity: which.identity.as_deref().map(canonical),
        repo: which.repo,
        ..paging(which.limit, which.after.as_deref(), Order::Newest)?
    };
    let filter = caller.visible(filter);
    let mut tx = app.plane.store.read().await?;
    let now = app.plane.clock.now();
    let page = find::<Grant>(&mut *tx, &filter).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for grant in &page.items {
        let living = matches!(grant.state_at(now), GrantState::Scheduled | GrantState::Active);
        if !which.unfounded || (living && !grants::is_founded(&mut *tx, grant).await?) {
            items.push(GrantView::new(grant, now));
        }
    }
    Ok(axum::Json(List::new(items, page.next)))
}

fn state(text: &str) -> Result<&'static str, Problem> {
    let all = GrantState::ALL.map(GrantState::as_str);
    let found = all.into_iter().find(|state| state.eq_ignore_ascii_case(text));
    found.ok_or_else(|| Problem::malformed(format!("state: one of {}", all.join(", "))))
}

/// `GET /v1/grants/{id}`
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<Tagged<axum::Json<GrantView>>, Problem> {
    let (grant, now) = grants::show(&app.plane, &caller, &id).await?;
    Ok(Tagged::new(&grant, axum::Json(GrantView::new(&grant, now))))
}

/// Why.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Shown to whom it concerns.
    #[serde(default)]
    pub reason: Text,
}

/// A grant after a change, and what the sidecars made of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChangedGrant")]
pub(super) struct Changed {
    grant: GrantView,
    /// The processes of sidecars that serve its repo: the connected ones, then those that were heard of in the last two
    /// minutes and are away, whose sessions may live until their lease ends.
    sidecars: Vec<Outcome>,
}

impl From<grants::Changed> for Changed {
    fn from(changed: grants::Changed) -> Self {
        Self { grant: GrantView::new(&changed.grant, changed.now), sidecars: changed.sidecars }
    }
}

/// `POST /v1/grants/{id}/revoke`
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Json(Reason { reason }): Json<Reason>,
) -> Result<axum::Json<Changed>, Problem> {
    Ok(axum::Json(grants::revoke(&app.plane, &caller, &id, reason.as_str()).await?.into()))
}

/// More time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoreTime {
    #[schemars(with = "super::extract::Duration")]
    duration: Span,
    #[serde(default)]
    reason: Text,
}

/// `POST /v1/grants/{id}/extend`
pub(super) async fn extend(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Json(MoreTime { duration, reason }): Json<MoreTime>,
) -> Result<Response, Problem> {
    let filed = extensions::extend(&app.plane, &caller, &id, duration, reason.as_str()).await?;
    Ok(match &filed.grant {
        Some(grant) => axum::Json(GrantView::new(grant, filed.now)).into_response(),
        None => (StatusCode::ACCEPTED, axum::Json(RequestView::from(filed))).into_response(),
    })
}

/// What is left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shrinking {
    resources: Vec<ResourceInput>,
    #[serde(default)]
    reason: Text,
}

/// `PATCH /v1/grants/{id}`
pub(super) async fn shrink(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(id): Name,
    Json(Shrinking { resources, reason }): Json<Shrinking>,
) -> Result<Tagged<axum::Json<GrantView>>, Problem> {
    let resources = ResourceInput::read(resources)?;
    let changed = grants::shrink(&app.plane, &caller, &seen, &id, resources, reason.as_str()).await?;
    Ok(Tagged::new(&changed.grant, axum::Json(GrantView::new(&changed.grant, changed.now))))
}

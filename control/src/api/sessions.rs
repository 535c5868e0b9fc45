//! `/v1/sessions`

use axum::{Extension, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Json, Name, Query},
    grants::Reason,
    page::{List, paging},
    problem::Problem,
    views::SessionView,
};
use crate::{
    actions::{Caller, sessions},
    domain::{Permission, Session, canonical},
    feed::Outcome,
    store::{Filter, Order, find},
};

/// Which sessions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    identity: Option<String>,
    repo: Option<String>,
    sidecar: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// `GET /v1/sessions`
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
) -> Result<axum::Json<List<SessionView>>, Problem> {
    let own = (!caller.may(Permission::AccessManagement)).then(|| caller.name().to_owned());
    let asked = which.identity.as_deref().map(canonical);
    if own.is_some() && asked.is_some() && own != asked {
        return Ok(axum::Json(List::new(Vec::new(), None)));
    }
    let filter = Filter {
        identity: own.or(asked),
        repo: which.repo,
        owner: which.sidecar,
        ..paging(which.limit, which.after.as_deref(), Order::Newest)?
    };
    let mut tx = app.plane.store.read().await?;
    let page = find::<Session>(&mut *tx, &filter).await?;
    Ok(axum::Json(List::new(page.items.iter().map(SessionView::from).collect(), page.next)))
}

/// A session that was killed, and what its sidecar made of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "KilledSession")]
pub(super) struct Killed {
    session: SessionView,
    sidecars: Vec<Outcome>,
}

/// `POST /v1/sessions/{id}/kill`
pub(super) async fn kill(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Json(Reason { reason }): Json<Reason>,
) -> Result<axum::Json<Killed>, Problem> {
    let (session, sidecars) = sessions::kill(&app.plane, &caller, &id, reason.as_str()).await?;
    Ok(axum::Json(Killed { session: SessionView::from(&session), sidecars }))
}

//! `/v1/webhook-deliveries`, and trying a webhook out.

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    App,
    extract::{Name, Query},
    page::{List, paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{Caller, webhooks},
    domain::{Delivery, DeliveryState, Refusal},
    store::{Filter, Order, find, load},
};

/// Which deliveries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichDeliveries")]
pub(super) struct Which {
    /// The webhook's id.
    webhook: Option<String>,
    state: Option<DeliveryState>,
    /// How many on a page: 1 to 1000, usually 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What was, or is to be, told to a webhook.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct DeliveryView {
    /// `d_…`, the `webhook-id` of the call.
    id: String,
    /// The webhook's id.
    webhook: String,
    /// The event's type.
    #[serde(rename = "type")]
    kind: String,
    /// The event.
    event: Value,
    state: DeliveryState,
    attempts: u32,
    /// When the last attempt was over.
    tried_at: Option<At>,
    /// What came of it: the status and the first words of the answer, or why there was none.
    outcome: Option<String>,
    /// When it is tried next.
    due: Option<At>,
    created_at: At,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            event: serde_json::from_str(&delivery.body).unwrap_or_default(),
            due: (delivery.state == DeliveryState::Due).then(|| delivery.due.into()),
            id: delivery.id,
            webhook: delivery.target,
            kind: delivery.kind,
            state: delivery.state,
            attempts: delivery.attempts,
            tried_at: delivery.tried_at.map(At::from),
            outcome: (!delivery.outcome.is_empty()).then_some(delivery.outcome),
            created_at: delivery.created_at.into(),
        }
    }
}

/// `GET /v1/webhook-deliveries`
pub(super) async fn list(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<axum::Json<List<DeliveryView>>, Problem> {
    let filter = Filter {
        owner: which.webhook,
        states: which.state.map(DeliveryState::as_str).into_iter().collect(),
        identity: Some(crate::webhooks::COURIER.to_owned()),
        ..paging(which.limit, which.after.as_deref(), Order::Newest)?
    };
    let mut tx = app.plane.store.read().await?;
    let page = find::<Delivery>(&mut *tx, &filter).await?;
    Ok(axum::Json(List::new(page.items.into_iter().map(DeliveryView::from).collect(), page.next)))
}

/// `GET /v1/webhook-deliveries/{id}`
pub(super) async fn show(
    State(app): State<App>,
    Name(id): Name,
) -> Result<axum::Json<DeliveryView>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let delivery: Option<Delivery> = load(&mut *tx, &id).await?;
    let found = delivery.filter(|delivery| delivery.courier == crate::webhooks::COURIER);
    Ok(axum::Json(found.ok_or_else(|| Refusal::not_found("delivery", id))?.into()))
}

/// `POST /v1/webhook-deliveries/{id}/again`
pub(super) async fn again(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<axum::Json<DeliveryView>, Problem> {
    Ok(axum::Json(webhooks::again(&app.plane, &caller, &id).await?.into()))
}

/// `POST /v1/webhooks/{id}/ping`
pub(super) async fn ping(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<(StatusCode, axum::Json<DeliveryView>), Problem> {
    let delivery = webhooks::ping(&app.plane, &caller, &id).await?;
    Ok((StatusCode::CREATED, axum::Json(delivery.into())))
}

//! `/v1/webhooks`

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    etag::{IfMatch, Tagged},
    extract::{Json, Name, Query},
    page::{List, Paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{
        Caller,
        webhooks::{self, Change},
    },
    domain::{Format, Key, Owner, Refusal, Webhook, WebhookSpec},
    events::EventFilter,
    store::{Order, find, load},
};

/// A new webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    name: String,
    /// `https://…`; `http://` only to addresses that the configuration allows.
    url: String,
    #[serde(default)]
    format: Format,
    /// `request.created`, `grant.*`, …; none: all.
    #[serde(default)]
    types: Vec<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// Only of requests and grants whose rule names it in `notify.webhooks`.
    #[serde(default)]
    named_only: bool,
    /// `PagerDuty`'s integration key.
    routing_key: Option<String>,
}

/// What is to be another; what is absent stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookPatch {
    url: Option<String>,
    types: Option<Vec<String>>,
    named_only: Option<bool>,
    enabled: Option<bool>,
}

/// A new key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// `PagerDuty`'s integration key; every other format gets a key made.
    routing_key: Option<String>,
}

/// A webhook.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(super) struct WebhookView {
    /// `w_…`
    id: String,
    name: String,
    /// Without its path where that is a secret.
    url: String,
    format: Format,
    types: Vec<String>,
    identity: Option<String>,
    repo: Option<String>,
    named_only: bool,
    enabled: bool,
    /// Why it was switched off, when nobody did it.
    disabled_why: Option<String>,
    /// Since when every attempt has failed.
    failing_since: Option<At>,
    /// `whsec_…`: only in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// `rest`; `file:NAME`, a file that was applied.
    owner: Owner,
    created_at: At,
}

impl WebhookView {
    fn with_secret(webhook: &Webhook) -> Self {
        let secret = (webhook.format == Format::Standard).then(|| webhook.key.reveal().to_owned());
        Self { secret, ..Self::from(webhook) }
    }
}

impl From<&Webhook> for WebhookView {
    fn from(webhook: &Webhook) -> Self {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            id: webhook.id.clone(),
            name: webhook.name.clone(),
            url: webhook.shown_url(),
            format: webhook.format,
            types: webhook.filter.types.clone(),
            identity: webhook.filter.identity.clone(),
            repo: webhook.filter.repo.clone(),
            named_only: webhook.named_only,
            enabled: webhook.enabled,
            disabled_why: filled(&webhook.disabled_why),
            failing_since: webhook.failing_since.map(At::from),
            secret: None,
            owner: webhook.owner.clone(),
            created_at: webhook.created_at.into(),
        }
    }
}

/// `POST /v1/webhooks`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(new): Json<NewWebhook>,
) -> Result<(StatusCode, Tagged<axum::Json<WebhookView>>), Problem> {
    let NewWebhook { name, url, format, types, identity, repo, named_only, routing_key } = new;
    let filter = EventFilter::new(types, identity.as_deref(), repo)?;
    let (url, key) = (Key::from(url), routing_key.map(Key::from));
    let spec = WebhookSpec { name, url, format, filter, named_only, enabled: true, key };
    let made = webhooks::create(&app.plane, &caller, spec).await?;
    Ok((StatusCode::CREATED, Tagged::new(&made, axum::Json(WebhookView::with_secret(&made)))))
}

/// `GET /v1/webhooks`
pub(super) async fn list(
    State(app): State<App>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<WebhookView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<Webhook>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    Ok(axum::Json(List::new(page.items.iter().map(WebhookView::from).collect(), page.next)))
}

/// `GET /v1/webhooks/{id}`
pub(super) async fn show(
    State(app): State<App>,
    Name(id): Name,
) -> Result<Tagged<axum::Json<WebhookView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let webhook: Option<Webhook> = load(&mut *tx, &id).await?;
    let webhook = webhook.ok_or_else(|| Refusal::not_found("webhook", id))?;
    Ok(Tagged::new(&webhook, axum::Json(WebhookView::from(&webhook))))
}

/// `PATCH /v1/webhooks/{id}`
pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(id): Name,
    Json(patch): Json<WebhookPatch>,
) -> Result<Tagged<axum::Json<WebhookView>>, Problem> {
    let WebhookPatch { url, types, named_only, enabled } = patch;
    let types =
        types.map(|types| EventFilter::new(types, None, None)).transpose()?.map(|filter| filter.types);
    let change = Change { url, types, named_only, enabled };
    let changed = webhooks::change(&app.plane, &caller, &id, &seen, change).await?;
    Ok(Tagged::new(&changed, axum::Json(WebhookView::from(&changed))))
}

/// `POST /v1/webhooks/{id}/rotate`
pub(super) async fn rotate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
    Json(Rotation { routing_key }): Json<Rotation>,
) -> Result<Tagged<axum::Json<WebhookView>>, Problem> {
    let rotated = webhooks::rotate(&app.plane, &caller, &id, routing_key).await?;
    Ok(Tagged::new(&rotated, axum::Json(WebhookView::with_secret(&rotated))))
}

/// `DELETE /v1/webhooks/{id}`
pub(super) async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<StatusCode, Problem> {
    webhooks::delete(&app.plane, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

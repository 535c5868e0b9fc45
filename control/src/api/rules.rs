//! `/v1/rules`

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    App,
    etag::{IfMatch, Tagged},
    extract::{Json, Name, Query},
    page::{List, Paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{Caller, rules},
    domain::{Owner, Refusal, Rule, StoredRule},
    store::{Order, find, load},
};

/// A rule, who may change it, and when that happened last.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StoredRule")]
pub(super) struct RuleView {
    #[serde(flatten)]
    rule: Rule,
    /// `rest`; `file`, the rules file of the configuration; `file:NAME`, a file that was applied.
    owner: Owner,
    updated_at: At,
}

impl From<StoredRule> for RuleView {
    fn from(stored: StoredRule) -> Self {
        Self { rule: stored.rule, owner: stored.owner, updated_at: stored.updated_at.into() }
    }
}

/// `GET /v1/rules`
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<RuleView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<StoredRule>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    let seen = page.items.into_iter().filter(|stored| caller.sees_rule(&stored.rule));
    Ok(axum::Json(List::new(seen.map(RuleView::from).collect(), page.next)))
}

/// `POST /v1/rules`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(rule): Json<Rule>,
) -> Result<(StatusCode, axum::Json<RuleView>), Problem> {
    let stored = rules::create(&app.plane, &caller, rule).await?;
    Ok((StatusCode::CREATED, axum::Json(stored.into())))
}

/// `GET /v1/rules/{name}`
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Tagged<axum::Json<RuleView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let stored: Option<StoredRule> = load(&mut *tx, &name).await?;
    let seen = stored.filter(|stored| caller.sees_rule(&stored.rule));
    let stored = seen.ok_or_else(|| Refusal::not_found("rule", name))?;
    Ok(Tagged::new(&stored, axum::Json(RuleView::from(stored.clone()))))
}

/// `PUT /v1/rules/{name}`
pub(super) async fn put(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(name): Name,
    Json(mut rule): Json<Rule>,
) -> Result<(StatusCode, Tagged<axum::Json<RuleView>>), Problem> {
    if rule.name.is_empty() {
        rule.name.clone_from(&name);
    }
    if rule.name != name {
        return Err(Refusal::Invalid(format!("name: the path says `{name}`")).into());
    }
    let (stored, is_new) = rules::put(&app.plane, &caller, &seen, rule).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Tagged::new(&stored, axum::Json(RuleView::from(stored.clone())))))
}

/// `DELETE /v1/rules/{name}`
pub(super) async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(name): Name,
) -> Result<StatusCode, Problem> {
    rules::delete(&app.plane, &caller, &seen, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/v1/slack-links`

use axum::{Extension, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Name, Query},
    page::{List, paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::Caller,
    domain::canonical,
    slack::{self, Link},
    store::{Filter, Order, Read, StoreError, find, find_all},
};

/// Which links.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Of this identity.
    identity: Option<String>,
    /// How many on a page: 1 to 1000, usually 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A Slack user who acts as an identity.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SlackLink")]
pub(super) struct SlackLinkView {
    identity: String,
    /// `T…`
    team: String,
    /// `U…`
    user: String,
    since: At,
    /// How it came about: `browser` by signing in, `email` by the address that Slack has.
    by: &'static str,
}

impl From<Link> for SlackLinkView {
    fn from(link: Link) -> Self {
        let by = link.by.as_str();
        let Link { identity, team, user, since, .. } = link;
        Self { identity: identity.to_string(), team, user, since: since.into(), by }
    }
}

/// The Slack users who act as an identity.
pub(super) async fn of(tx: &mut dyn Read, identity: &str) -> Result<Vec<SlackLinkView>, StoreError> {
    let own = Filter { identity: Some(identity.to_owned()), order: Order::Oldest, ..Filter::default() };
    Ok(find_all::<Link>(tx, &own).await?.into_iter().map(SlackLinkView::from).collect())
}

/// `GET /v1/slack-links`
pub(super) async fn list(
    State(app): State<App>,
    Query(Which { identity, limit, after }): Query<Which>,
) -> Result<axum::Json<List<SlackLinkView>>, Problem> {
    let page = paging(limit, after.as_deref(), Order::Oldest)?;
    let filter = Filter { identity: identity.as_deref().map(canonical), ..page };
    let mut tx = app.plane.store.read().await?;
    let page = find::<Link>(&mut *tx, &filter).await?;
    Ok(axum::Json(List::new(page.items.into_iter().map(SlackLinkView::from).collect(), page.next)))
}

/// `DELETE /v1/slack-links/{identity}`
pub(super) async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(identity): Name,
) -> Result<StatusCode, Problem> {
    slack::unlink(&app.plane, &caller, &identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

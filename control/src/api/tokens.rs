//! `/v1/access-tokens`

use axum::{Extension, extract::State, http::StatusCode};
use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Json, Name, Query},
    page::{List, paging},
    problem::Problem,
    views::At,
};
use crate::{
    actions::{Caller, tokens},
    domain::{IssuedToken, canonical},
    store::{Filter, Order, find},
};

/// A new token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// For whom, when not for the caller itself.
    #[serde(rename = "for")]
    for_identity: Option<String>,
    /// How long it lasts; 12h when absent.
    #[schemars(with = "Option<super::extract::Duration>")]
    expires_in: Option<Span>,
}

/// An access token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccessToken")]
pub(super) struct TokenView {
    /// `t_…`
    id: String,
    /// The token itself; only in the answer to the call that issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    identity: String,
    issued_by: String,
    created_at: At,
    expires_at: At,
}

impl From<&IssuedToken> for TokenView {
    fn from(token: &IssuedToken) -> Self {
        Self {
            id: token.id.to_string(),
            token: None,
            identity: token.identity.to_string(),
            issued_by: token.issued_by.clone(),
            created_at: token.created_at.into(),
            expires_at: token.expires_at.into(),
        }
    }
}

/// `POST /v1/access-tokens`
pub(super) async fn issue(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<TokenView>), Problem> {
    let lasts = new.expires_in.unwrap_or(tokens::USUAL);
    let (token, secret) = tokens::issue(&app.plane, &caller, new.for_identity.as_deref(), lasts).await?;
    let view = TokenView { token: Some(secret.reveal().to_owned()), ..TokenView::from(&token) };
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Which tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    identity: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// `GET /v1/access-tokens`
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
) -> Result<axum::Json<List<TokenView>>, Problem> {
    let filter = Filter {
        identity: which.identity.as_deref().map(canonical),
        due_after: Some(app.plane.clock.now()),
        ..paging(which.limit, which.after.as_deref(), Order::Newest)?
    };
    let filter = caller.visible(filter);
    let mut tx = app.plane.store.read().await?;
    let page = find::<IssuedToken>(&mut *tx, &filter).await?;
    Ok(axum::Json(List::new(page.items.iter().map(TokenView::from).collect(), page.next)))
}

/// `DELETE /v1/access-tokens/{id}`
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<StatusCode, Problem> {
    tokens::revoke(&app.plane, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

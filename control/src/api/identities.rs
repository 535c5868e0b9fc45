//! `/v1/identities`

use std::collections::BTreeSet;

use axum::{Extension, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    extract::{Json, Name, Query, Text},
    page::{List, Paging},
    problem::Problem,
    slack_links::{self, SlackLinkView},
    views::At,
};
use crate::{
    actions::{Caller, identities},
    domain::{Authority, IdentityRecord, Permission, Person, Refusal, canonical},
    feed::Outcome,
    store::{Order, find, load},
};

/// How the control plane came to know an identity.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// By SCIM.
    Directory,
    /// By SSO.
    Login,
    /// From somebody with the permission to name identities.
    Administrator,
}

/// Groups by where they come from.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GroupSources {
    /// Set by this interface.
    administrator: Vec<String>,
    /// Set by the directory, through SCIM.
    directory: Vec<String>,
    /// Claimed by the SSO provider at the last login.
    login: Vec<String>,
}

/// An identity.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Identity")]
pub(super) struct IdentityView {
    name: String,
    /// All of its groups, without `group:`: what rules know it by.
    groups: Vec<String>,
    /// Who put it in which of them.
    groups_from: GroupSources,
    enabled: bool,
    /// Who deactivated it: `administrator`, `directory`.
    disabled_by: BTreeSet<Authority>,
    /// Whether the directory knows it; else what it is known by: a login, or an administrator's word.
    source: Source,
    created_at: At,
    /// When it last signed in by SSO.
    last_login: Option<At>,
    /// When one identity is shown: the Slack users who act as it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slack: Vec<SlackLinkView>,
    /// After a deactivation: the connected sidecars, and what they made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sidecars: Vec<Outcome>,
}

impl From<IdentityRecord> for IdentityView {
    fn from(identity: IdentityRecord) -> Self {
        Self {
            name: identity.name.to_string(),
            groups: identity.all_groups(),
            groups_from: GroupSources {
                administrator: identity.groups,
                directory: identity.provisioned,
                login: identity.claimed,
            },
            enabled: identity.enabled,
            disabled_by: identity.barred_by,
            source: match (identity.directory_user, identity.last_login) {
                (Some(_), _) => Source::Directory,
                (None, Some(_)) => Source::Login,
                (None, None) => Source::Administrator,
            },
            created_at: identity.created_at.into(),
            last_login: identity.last_login.map(At::from),
            slack: Vec::new(),
            sidecars: Vec::new(),
        }
    }
}

/// Who calls.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Me {
    /// The identity, or `client:NAME`.
    name: String,
    /// All of them, without `group:`.
    groups: Vec<String>,
    permissions: Vec<Permission>,
}

/// `GET /v1/users/me`
pub(super) async fn me(Extension(caller): Extension<Caller>) -> axum::Json<Me> {
    let Person { name, groups } = caller.actor().person();
    axum::Json(Me { name, groups, permissions: caller.permissions().iter().copied().collect() })
}

/// `GET /v1/identities`
pub(super) async fn list(
    State(app): State<App>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<IdentityView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<IdentityRecord>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    Ok(axum::Json(List::new(page.items.into_iter().map(IdentityView::from).collect(), page.next)))
}

/// `GET /v1/identities/{name}`
pub(super) async fn show(
    State(app): State<App>,
    Name(name): Name,
) -> Result<axum::Json<IdentityView>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let known: Option<IdentityRecord> = load(&mut *tx, &canonical(&name)).await?;
    let known = known.ok_or_else(|| Refusal::not_found("identity", name))?;
    let slack = slack_links::of(&mut *tx, known.name.as_str()).await?;
    Ok(axum::Json(IdentityView { slack, ..known.into() }))
}

/// What an identity is to be; what is absent stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityInput {
    /// The groups that an administrator puts it in; those of directory and login stay.
    groups: Option<Vec<String>>,
    enabled: Option<bool>,
    /// Why it is deactivated; shown to whom it concerns.
    #[serde(default)]
    reason: Text,
}

/// `PUT /v1/identities/{name}`
pub(super) async fn put(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Json(IdentityInput { groups, enabled, reason }): Json<IdentityInput>,
) -> Result<axum::Json<IdentityView>, Problem> {
    let (identity, sidecars) =
        identities::put(&app.plane, &caller, &name, groups, enabled, reason.as_str()).await?;
    Ok(axum::Json(IdentityView { sidecars, ..identity.into() }))
}

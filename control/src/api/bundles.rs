//! `/v1/bundles` and `/v1/favourites`

use axum::{Extension, extract::State, http::StatusCode};
use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    etag::{IfMatch, Tagged},
    extract::{Json, Name, Query, Text},
    page::{List, Paging},
    problem::Problem,
    views::{At, ResourceInput, ResourceView, resources},
};
use crate::{
    actions::{Caller, bundles, favourites},
    domain::{Ask, Bundle, Favourite, Moment, Owner, Part, Refusal},
    store::{Order, find, load},
};

/// A bundle, as it is made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBundle {
    /// What it is good for.
    #[serde(default)]
    pub(super) description: Text,
    pub(super) parts: Vec<NewPart>,
}

impl NewBundle {
    /// It, under a name.
    pub(super) fn named(self, name: String) -> Result<Bundle, Refusal> {
        let part = |part: NewPart| {
            let resources = ResourceInput::read(part.resources)?;
            Ok(Part { repo: part.repo.into(), account: part.account.into(), resources })
        };
        let parts = self.parts.into_iter().map(part).collect::<Result<_, Refusal>>()?;
        let description = self.description.as_str().to_owned();
        Ok(Bundle { name, description, parts, owner: Owner::rest(), updated_at: Moment::default() })
    }
}

/// One access of a bundle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPart {
    repo: String,
    account: String,
    /// None: all that the account can do.
    #[serde(default)]
    resources: Vec<ResourceInput>,
}

/// Several accesses that are asked for under one name and decided as one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Bundle")]
pub(super) struct BundleView {
    name: String,
    description: String,
    parts: Vec<PartView>,
    /// `rest`; `file:NAME`, a file that was applied.
    owner: Owner,
    updated_at: At,
}

/// One access of a bundle.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Part")]
pub(super) struct PartView {
    repo: String,
    account: String,
    resources: Vec<ResourceView>,
}

impl From<Bundle> for BundleView {
    fn from(bundle: Bundle) -> Self {
        let part = |part: &Part| PartView {
            repo: part.repo.to_string(),
            account: part.account.to_string(),
            resources: resources(&part.resources),
        };
        Self {
            parts: bundle.parts.iter().map(part).collect(),
            name: bundle.name,
            description: bundle.description,
            owner: bundle.owner,
            updated_at: bundle.updated_at.into(),
        }
    }
}

/// `GET /v1/bundles`
pub(super) async fn list(
    State(app): State<App>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<BundleView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<Bundle>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    Ok(axum::Json(List::new(page.items.into_iter().map(BundleView::from).collect(), page.next)))
}

/// `GET /v1/bundles/{name}`
pub(super) async fn show(
    State(app): State<App>,
    Name(name): Name,
) -> Result<Tagged<axum::Json<BundleView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let bundle: Option<Bundle> = load(&mut *tx, &name).await?;
    Ok(tagged(bundle.ok_or_else(|| Refusal::not_found("bundle", name))?))
}

fn tagged(bundle: Bundle) -> Tagged<axum::Json<BundleView>> {
    Tagged::new(&bundle.clone(), axum::Json(bundle.into()))
}

/// `PUT /v1/bundles/{name}`
pub(super) async fn put(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(name): Name,
    Json(new): Json<NewBundle>,
) -> Result<(StatusCode, Tagged<axum::Json<BundleView>>), Problem> {
    let (bundle, is_new) = bundles::put(&app.plane, &caller, &seen, new.named(name)?).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tagged(bundle)))
}

/// `DELETE /v1/bundles/{name}`
pub(super) async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(name): Name,
) -> Result<StatusCode, Problem> {
    bundles::delete(&app.plane, &caller, &seen, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFavourite {
    name: String,
    repo: String,
    account: String,
    /// None: all that the account can do.
    #[serde(default)]
    resources: Vec<ResourceInput>,
    #[schemars(with = "super::extract::Duration")]
    duration: Span,
    #[serde(default)]
    reason: Text,
}

/// What the caller asks for again and again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Favourite")]
pub(super) struct FavouriteView {
    /// `f_…`
    id: String,
    name: String,
    repo: String,
    account: String,
    resources: Vec<ResourceView>,
    #[schemars(with = "String")]
    duration: Span,
    reason: String,
    created_at: At,
}

impl From<Favourite> for FavouriteView {
    fn from(favourite: Favourite) -> Self {
        let Favourite { id, owner: _, name, ask, created_at } = favourite;
        Self {
            id,
            name,
            repo: ask.repo.to_string(),
            account: ask.account.to_string(),
            resources: resources(&ask.resources),
            duration: ask.duration,
            reason: ask.reason,
            created_at: created_at.into(),
        }
    }
}

/// `GET /v1/favourites`
pub(super) async fn favourites(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<axum::Json<List<FavouriteView>>, Problem> {
    let own = favourites::list(&app.plane, &caller).await?;
    Ok(axum::Json(List::new(own.into_iter().map(FavouriteView::from).collect(), None)))
}

/// `POST /v1/favourites`
pub(super) async fn keep(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(new): Json<NewFavourite>,
) -> Result<(StatusCode, axum::Json<FavouriteView>), Problem> {
    let ask = Ask {
        repo: new.repo.into(),
        account: new.account.into(),
        resources: ResourceInput::read(new.resources)?,
        duration: new.duration,
        reason: new.reason.as_str().to_owned(),
        not_before: None,
        break_glass: false,
    };
    let kept = favourites::keep(&app.plane, &caller, &new.name, ask).await?;
    Ok((StatusCode::CREATED, axum::Json(kept.into())))
}

/// `DELETE /v1/favourites/{id}`
pub(super) async fn forget(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<StatusCode, Problem> {
    favourites::forget(&app.plane, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

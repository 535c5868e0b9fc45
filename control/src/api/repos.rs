//! `/v1/repos`

use axum::{Extension, extract::State};
use postern_protocol::gate::{Engine, FoundColumn, FoundTable, TableKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    etag::{IfMatch, Tagged},
    extract::{Json, Name, Query, Text},
    page::{List, Paging, size},
    problem::Problem,
};
use crate::{
    actions::{Caller, Failure, Sight, repos, resources},
    domain::{Owner, Refusal, Repo, Sidecar},
    feed::{Outcome, presence},
    plane::ControlPlane,
    store::{Filter, Order, Read, find, find_all, load},
};

/// How many tables are shown with a repo.
const SHOWN: u32 = 1_000;

/// A sidecar that serves a repo.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Serving")]
pub(super) struct ServingView {
    name: String,
    /// Where clients reach it.
    listen: String,
    connected: bool,
}

/// A repo.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Repo")]
pub(super) struct RepoView {
    name: String,
    /// `postgres` or `mysql`
    engine: &'static str,
    /// PostgreSQL: the database behind it.
    database: Option<String>,
    /// Whether grants may be used.
    ephemeral_access: bool,
    /// Whose word that is: `rest`; `file:NAME`, a file that was applied; null where nobody gave it.
    owner: Option<Owner>,
    /// The accounts whose secrets the sidecars hold.
    accounts: Vec<String>,
    /// Where clients reach it; a connected sidecar's address, if there is one.
    listen: Option<String>,
    sidecars: Vec<ServingView>,
}

impl RepoView {
    fn new(repo: &Repo, sidecars: &[(Sidecar, bool)]) -> Self {
        let engine: Engine = repo.engine;
        let (mut accounts, mut serving) = (Vec::new(), Vec::new());
        for (sidecar, connected) in sidecars {
            let Some(served) = sidecar.serves(repo.name.as_str()) else { continue };
            accounts.extend(served.accounts.iter().map(ToString::to_string));
            let (name, listen) = (sidecar.name.to_string(), served.listen.clone());
            serving.push(ServingView { name, listen, connected: *connected });
        }
        accounts.sort();
        accounts.dedup();
        serving.sort_by(|a, b| b.connected.cmp(&a.connected).then_with(|| a.name.cmp(&b.name)));
        Self {
            name: repo.name.to_string(),
            engine: engine.as_str(),
            database: repo.database.clone(),
            ephemeral_access: repo.ephemeral_access,
            owner: repo.owner.clone(),
            accounts,
            listen: serving.first().map(|first| first.listen.clone()),
            sidecars: serving,
        }
    }
}

/// A table that was found in a repo: what requests may name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FoundResource")]
pub(super) struct ResourceView {
    /// As requests write it.
    resource: String,
    schema: String,
    table: String,
    kind: TableKind,
    columns: Vec<FoundColumn>,
}

impl From<FoundTable> for ResourceView {
    fn from(found: FoundTable) -> Self {
        let resource = found.resource().to_string();
        let FoundTable { schema, table, kind, columns } = found;
        Self { resource, schema, table, kind, columns }
    }
}

/// A repo and what is in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RepoDetail {
    #[serde(flatten)]
    repo: RepoView,
    /// The first thousand of the tables that were found in it, by name.
    resources: Vec<ResourceView>,
    /// If there are more: what to send to `…/resources` as `after`; otherwise null.
    resources_next: Option<String>,
}

/// The sidecars, and whether a feed of each is open.
async fn sidecars(tx: &mut dyn Read, plane: &ControlPlane) -> Result<Vec<(Sidecar, bool)>, Failure> {
    let known: Vec<Sidecar> = find_all(tx, &Filter { order: Order::Oldest, ..Filter::default() }).await?;
    let live = presence::by_sidecar(tx, plane).await?;
    let connected = |sidecar: &Sidecar| {
        live.get(&sidecar.name).is_some_and(|live| live.iter().any(|live| live.connected))
    };
    Ok(known
        .into_iter()
        .map(|sidecar| {
            let connected = connected(&sidecar);
            (sidecar, connected)
        })
        .collect())
}

/// `GET /v1/repos`
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<List<RepoView>>, Problem> {
    let mut tx = app.plane.store.read().await?;
    let page = find::<Repo>(&mut *tx, &paging.filter(Order::Oldest)?).await?;
    let sidecars = sidecars(&mut *tx, &app.plane).await?;
    let sight = Sight::of(&mut *tx, &caller).await?;
    let seen = page.items.iter().filter(|repo| sight.has(repo.name.as_str()));
    let items = seen.map(|repo| RepoView::new(repo, &sidecars)).collect();
    Ok(axum::Json(List::new(items, page.next)))
}

/// `GET /v1/repos/{name}`
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Tagged<axum::Json<RepoDetail>>, Problem> {
    must_see(&app, &caller, &name).await?;
    let (stored, repo) = view(&app, &name).await?;
    let page = resources::find(&app.plane, &name, "", None, SHOWN).await?;
    let resources = page.items.into_iter().map(ResourceView::from).collect();
    let shown = RepoDetail { repo, resources, resources_next: page.next };
    Ok(Tagged::new(&stored, axum::Json(shown)))
}

/// Which of a repo's tables.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// How their names begin, as requests write them: `public.sa`. With a column or a dot at the end the one table
    /// before it is found.
    #[serde(default)]
    prefix: Text,
    /// How many on a page: 1 to 1000, usually 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// `GET /v1/repos/{name}/resources`
pub(super) async fn resources(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Query(Which { prefix, limit, after }): Query<Which>,
) -> Result<axum::Json<List<ResourceView>>, Problem> {
    must_see(&app, &caller, &name).await?;
    let page = resources::find(&app.plane, &name, prefix.as_str(), after, size(limit)?).await?;
    Ok(axum::Json(List { items: page.items.into_iter().map(ResourceView::from).collect(), next: page.next }))
}

/// A repo that the caller may not see is no different from none.
async fn must_see(app: &App, caller: &Caller, name: &str) -> Result<(), Problem> {
    let mut tx = app.plane.store.read().await?;
    let sight = Sight::of(&mut *tx, caller).await?;
    let known: Option<Repo> = load(&mut *tx, name).await?;
    known.filter(|repo| sight.has(repo.name.as_str())).ok_or_else(|| Refusal::not_found("repo", name))?;
    Ok(())
}

async fn view(app: &App, name: &str) -> Result<(Repo, RepoView), Problem> {
    let mut tx = app.plane.store.read().await?;
    let repo: Option<Repo> = load(&mut *tx, name).await?;
    let repo = repo.ok_or_else(|| Refusal::not_found("repo", name))?;
    let sidecars = sidecars(&mut *tx, &app.plane).await?;
    let view = RepoView::new(&repo, &sidecars);
    Ok((repo, view))
}

/// What to switch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RepoPatch {
    ephemeral_access: bool,
    /// Shown to whom it concerns.
    #[serde(default)]
    reason: Text,
}

/// A repo after a switch, and what the sidecars made of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Switched {
    #[serde(flatten)]
    repo: RepoView,
    /// The connected sidecars that serve it.
    outcomes: Vec<Outcome>,
}

/// `PATCH /v1/repos/{name}`
pub(super) async fn patch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(name): Name,
    Json(RepoPatch { ephemeral_access, reason }): Json<RepoPatch>,
) -> Result<Tagged<axum::Json<Switched>>, Problem> {
    let outcomes =
        repos::switch(&app.plane, &caller, &seen, &name, ephemeral_access, reason.as_str()).await?;
    let (stored, repo) = view(&app, &name).await?;
    Ok(Tagged::new(&stored, axum::Json(Switched { repo, outcomes })))
}

//! `/v1/requests`

use std::collections::BTreeMap;

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    etag::{IfMatch, Tagged},
    extract::{Json, Name, Query, Text},
    page::{List, paging},
    problem::Problem,
    views::{ForecastView, RequestView, ResourceInput},
};
use crate::{
    actions::{
        Caller, bundles, drafts,
        requests::{self, Filed},
        reviews::{self, Said},
    },
    domain::{Ask, Decision, Grant, Moment, PartName, Refusal, Request, RequestStatus, canonical},
    store::{Filter, Order, find, load_all},
};

/// A new request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRequest {
    /// Which repo, unless a bundle says it.
    repo: Option<String>,
    /// As which account, unless a bundle says it.
    account: Option<String>,
    /// A bundle, in place of repo, account and resources.
    bundle: Option<String>,
    /// With a bundle: these of its parts; none: all of them.
    #[serde(default)]
    parts: Vec<PartInput>,
    /// None: all that the account can do.
    #[serde(default)]
    resources: Vec<ResourceInput>,
    /// `30m`, `2h`, `1d`, or seconds as a number.
    #[schemars(with = "super::extract::Duration")]
    duration: Span,
    #[serde(default)]
    reason: Text,
    /// From when on; absent: from the decision on.
    #[schemars(with = "Option<String>")]
    not_before: Option<Timestamp>,
    /// For whom, when not for the caller itself.
    #[serde(rename = "for")]
    for_identity: Option<String>,
    /// An emergency: at once where a rule lets the identity break the glass, and to be reviewed afterwards.
    #[serde(default)]
    break_glass: bool,
}

/// A part of a bundle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PartName")]
struct PartInput {
    repo: String,
    account: String,
}

impl From<PartInput> for PartName {
    fn from(part: PartInput) -> Self {
        Self { repo: part.repo.into(), account: part.account.into() }
    }
}

/// How to file it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filing {
    /// Says what it would come to, and files nothing.
    #[serde(default)]
    dry_run: bool,
}

/// `POST /v1/requests`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(Filing { dry_run }): Query<Filing>,
    Json(new): Json<NewRequest>,
) -> Result<Response, Problem> {
    let absent = |field: &str| Refusal::Invalid(format!("missing field `{field}`: name it, or a bundle"));
    let named = new.repo.is_some() || new.account.is_some() || !new.resources.is_empty();
    if new.bundle.is_some() && named {
        return Err(Refusal::Invalid("bundle: it says repo, account and resources itself".to_owned()).into());
    }
    if new.bundle.is_none() && !new.parts.is_empty() {
        return Err(Refusal::Invalid("parts: of which bundle?".to_owned()).into());
    }
    let in_bundle = || new.bundle.as_ref().map(|_| String::new());
    let ask = Ask {
        repo: new.repo.or_else(in_bundle).ok_or_else(|| absent("repo"))?.into(),
        account: new.account.or_else(in_bundle).ok_or_else(|| absent("account"))?.into(),
        resources: ResourceInput::read(new.resources)?,
        duration: new.duration,
        reason: new.reason.as_str().to_owned(),
        not_before: new.not_before.map(Moment::from),
        break_glass: new.break_glass,
    };
    let for_identity = new.for_identity.as_deref();
    if let Some(bundle) = &new.bundle {
        let parts: Vec<PartName> = new.parts.into_iter().map(PartName::from).collect();
        let bundle = (bundle.as_str(), parts.as_slice());
        if dry_run {
            let forecasts = bundles::forecast(&app.plane, &caller, bundle, ask, for_identity).await?;
            return Ok(axum::Json(ForecastView::of_bundle(forecasts)?).into_response());
        }
        let filed = bundles::file(&app.plane, &caller, bundle, ask, for_identity).await?;
        return Ok((StatusCode::CREATED, axum::Json(RequestView::from(filed))).into_response());
    }
    if dry_run {
        let forecast = drafts::forecast(&app.plane, &caller, ask, for_identity).await?;
        return Ok(axum::Json(ForecastView::from(forecast)).into_response());
    }
    let filed = requests::file(&app.plane, &caller, ask, for_identity).await?;
    Ok((StatusCode::CREATED, axum::Json(RequestView::from(filed))).into_response())
}

/// Which requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// `PENDING`, `APPROVED`, …
    status: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// Only those that the caller filed, or that are for it.
    #[serde(default)]
    mine: bool,
    /// Only those that wait for the caller's review. A page of them may have fewer than `limit`.
    #[serde(default)]
    to_review: bool,
    /// Only emergencies that nobody has reviewed yet. A page of them may have fewer than `limit`.
    #[serde(default)]
    awaits_hindsight: bool,
    limit: Option<u32>,
    after: Option<String>,
}

/// `GET /v1/requests`
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
) -> Result<axum::Json<List<RequestView>>, Problem> {
    let special = which.to_review || which.awaits_hindsight;
    if special && (which.mine || which.status.is_some()) || which.to_review && which.awaits_hindsight {
        return Err(Problem::malformed("to_review, awaits_hindsight: not beside each other, mine or status"));
    }
    let filter = Filter {
        states: which.status.as_deref().map(status).transpose()?.into_iter().collect(),
        identity: which.identity.as_deref().map(canonical),
        repo: which.repo,
        ..paging(which.limit, which.after.as_deref(), Order::Newest)?
    };
    let mut tx = app.plane.store.read().await?;
    let now = app.plane.clock.now();
    let page = if which.to_review {
        requests::to_review(&mut *tx, &caller, filter, now).await?
    } else if which.awaits_hindsight {
        requests::awaiting_hindsight(&mut *tx, &caller, filter).await?
    } else {
        let filter = if which.mine { caller.own(filter) } else { caller.visible(filter) };
        find::<Request>(&mut *tx, &filter).await?
    };
    let wanted = page.items.iter().filter_map(|request| request.grant.as_ref()).map(ToString::to_string);
    let grants: BTreeMap<String, Grant> = load_all(&mut *tx, wanted.collect()).await?;
    let view = |request: &Request| {
        let grant = request.grant.as_ref().and_then(|grant| grants.get(grant.as_str()));
        RequestView::new(request, grant, now)
    };
    Ok(axum::Json(List::new(page.items.iter().map(view).collect(), page.next)))
}

fn status(text: &str) -> Result<&'static str, Problem> {
    let all = RequestStatus::ALL.map(RequestStatus::as_str);
    let found = all.into_iter().find(|status| status.eq_ignore_ascii_case(text));
    found.ok_or_else(|| Problem::malformed(format!("status: one of {}", all.join(", "))))
}

/// `GET /v1/requests/{id}`
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<Tagged<axum::Json<RequestView>>, Problem> {
    Ok(tagged(requests::show(&app.plane, &caller, &id).await?))
}

fn tagged(filed: Filed) -> Tagged<axum::Json<RequestView>> {
    let version = filed.request.clone();
    Tagged::new(&version, axum::Json(filed.into()))
}

/// What to change of a pending request; what is absent stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Amendment {
    account: Option<String>,
    resources: Option<Vec<ResourceInput>>,
    #[schemars(with = "Option<super::extract::Duration>")]
    duration: Option<Span>,
    reason: Option<Text>,
    #[schemars(with = "Option<String>")]
    not_before: Option<Timestamp>,
}

/// `PATCH /v1/requests/{id}`
pub(super) async fn amend(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(id): Name,
    Json(amendment): Json<Amendment>,
) -> Result<Tagged<axum::Json<RequestView>>, Problem> {
    let change = move |ask: Ask| {
        Ok(Ask {
            account: amendment.account.map_or(ask.account, Into::into),
            resources: match amendment.resources {
                Some(resources) => ResourceInput::read(resources)?,
                None => ask.resources,
            },
            duration: amendment.duration.unwrap_or(ask.duration),
            reason: amendment.reason.map_or(ask.reason, |reason| reason.as_str().to_owned()),
            not_before: amendment.not_before.map(Moment::from).or(ask.not_before),
            repo: ask.repo,
            break_glass: ask.break_glass,
        })
    };
    Ok(tagged(requests::amend(&app.plane, &caller, &id, &seen, change).await?))
}

/// `POST /v1/requests/{id}/cancel`
pub(super) async fn cancel(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<axum::Json<RequestView>, Problem> {
    Ok(axum::Json(requests::cancel(&app.plane, &caller, &id).await?.into()))
}

/// `POST /v1/requests/{id}/again`
pub(super) async fn again(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<(StatusCode, axum::Json<RequestView>), Problem> {
    let filed = requests::again(&app.plane, &caller, &id).await?;
    Ok((StatusCode::CREATED, axum::Json(filed.into())))
}

/// A review.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReview {
    decision: Decision,
    #[serde(default)]
    reason: Text,
    /// Approves for a shorter time than was asked for.
    #[schemars(with = "Option<super::extract::Duration>")]
    duration: Option<Span>,
    /// Approves with less than was asked for.
    resources: Option<Vec<ResourceInput>>,
    /// Whose review it is, when not the caller's own.
    by: Option<String>,
}

/// `POST /v1/requests/{id}/reviews`
pub(super) async fn review(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    IfMatch(seen): IfMatch,
    Name(id): Name,
    Json(new): Json<NewReview>,
) -> Result<Tagged<axum::Json<RequestView>>, Problem> {
    let said = Said {
        decision: new.decision,
        reason: new.reason.as_str().to_owned(),
        duration: new.duration,
        resources: new.resources.map(ResourceInput::read).transpose()?,
    };
    let by = new.by.as_deref();
    Ok(tagged(reviews::review_as_seen(&app.plane, &caller, (&id, &seen), by, said).await?))
}

//! Errors as `application/problem+json` (RFC 9457), made in this one place.
//!
//! The caller is told what to change; what went wrong inside is told to the operator's log and not to the caller.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{actions::Failure, domain::Refusal, store::StoreError};

/// After so many seconds a store that was away, or busy, may be there again.
const SOON: u64 = 1;

/// Until somebody has made room it takes longer.
const LATER: u64 = 30;

const IN_DOUBT: &str = "in-doubt";

/// Marks an answer that does not say whether the call was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct InDoubt;

/// A problem document.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// A stable word for programs.
    #[serde(rename = "type")]
    slug: &'static str,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong here, for people.
    detail: String,
    /// Where a request or grant really stands, when that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(slug: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { slug, title, status: status.as_u16(), detail: detail.into(), state: None, retry_after: None }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable word for programs.
    pub(crate) const fn slug(&self) -> &'static str {
        self.slug
    }

    /// After how many seconds it may go better, if that is known.
    pub(crate) const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// What is wrong, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// 401
    pub(super) fn unauthenticated() -> Self {
        let detail = "send `Authorization: Bearer TOKEN` with a token that is valid now";
        Self::new("unauthenticated", StatusCode::UNAUTHORIZED, detail)
    }

    /// 404, of the route.
    pub(super) fn unknown_route() -> Self {
        Self::new("not-found", StatusCode::NOT_FOUND, "there is no such route: see /openapi.json")
    }

    /// 405
    pub(super) fn method_not_allowed() -> Self {
        let detail = "the route does not take this method: see /openapi.json";
        Self::new("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    /// 400
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new("malformed", StatusCode::BAD_REQUEST, detail)
    }

    /// 408
    pub(super) fn too_slow(seconds: u64) -> Self {
        let detail = format!("the body did not come within {seconds} seconds");
        Self::new("too-slow", StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 413
    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("the body may have {limit} bytes at most");
        Self::new("too-large", StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 413, by number.
    pub(super) fn too_many(limit: usize) -> Self {
        let detail = format!("a batch may have {limit} records at most");
        Self::new("too-large", StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415
    pub(super) fn media_type(wanted: &str) -> Self {
        Self::new("media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send {wanted}"))
    }

    /// 422 for an `Idempotency-Key` that came with something else before.
    pub(super) fn key_reused() -> Self {
        let detail = "this Idempotency-Key came with another request before";
        Self::new("idempotency-key-reused", StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 409 for an `Idempotency-Key` whose first request has no answer to repeat.
    pub(super) fn key_in_doubt(detail: &'static str) -> Self {
        Self::new("idempotency-key-in-use", StatusCode::CONFLICT, detail)
    }

    /// 429
    pub(super) fn rate_limited(seconds: u64) -> Self {
        let detail = format!("too many failed calls: try again in {seconds} seconds");
        Self {
            retry_after: Some(seconds),
            ..Self::new("rate-limited", StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// 410: the events behind an id are not there any more.
    pub(super) fn events_gone(detail: String) -> Self {
        Self::new("events-gone", StatusCode::GONE, detail)
    }

    /// 429 for something of which there are only so many places.
    pub(super) fn busy(detail: &str, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new("rate-limited", StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// 503; nothing was done. What the store said is for the log alone.
    fn unavailable(cause: &StoreError, seconds: u64) -> Self {
        tracing::error!(%cause, "a call could not be done");
        let detail = format!("{}: nothing was done; the control plane's log says more", cause.plainly());
        Self {
            retry_after: Some(seconds),
            ..Self::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// 503; nobody knows whether it was done.
    fn in_doubt(cause: &StoreError) -> Self {
        tracing::error!(%cause, "it is not known whether a call was done");
        let detail =
            format!("{}, and whether this was done is not known: look before you try again", cause.plainly());
        Self { retry_after: Some(1), ..Self::new(IN_DOUBT, StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 500; the cause is for the log alone.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a call failed");
        let detail = "the control plane failed: its log says why";
        Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

const fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound { .. } => StatusCode::NOT_FOUND,
        Refusal::Permission(_)
        | Refusal::Forbidden(_)
        | Refusal::NoRule(_)
        | Refusal::IdentityDisabled(_)
        | Refusal::OwnRequest
        | Refusal::NotAnApprover(_) => StatusCode::FORBIDDEN,
        Refusal::AlreadyReviewed(_)
        | Refusal::AlreadyDecided(_)
        | Refusal::GrantEnded(_)
        | Refusal::RuleChanged(_)
        | Refusal::Exists { .. }
        | Refusal::Conflict(_) => StatusCode::CONFLICT,
        Refusal::Stale => StatusCode::PRECONDITION_FAILED,
        Refusal::Invalid(_) | Refusal::NotSupported(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = Self::new(refusal.slug(), status(&refusal), refusal.to_string());
        Self { state: refusal.state(), ..problem }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Store(error) => error.into(),
            Failure::Random(error) => Self::internal(&error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken => {
                Self::new("exists", StatusCode::CONFLICT, "something of this name is there already")
            }
            StoreError::Unavailable(_) | StoreError::Busy(_) => Self::unavailable(&error, SOON),
            StoreError::Full(_) => Self::unavailable(&error, LATER),
            StoreError::Doubt(_) => Self::in_doubt(&error),
            StoreError::Database(_)
            | StoreError::Spoilt
            | StoreError::Migration(_)
            | StoreError::Newer(_)
            | StoreError::Unfit(_)
            | StoreError::File { .. }
            | StoreError::Unreadable(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A problem document has no field that fails to serialise.
        let body = serde_json::to_string(&self).unwrap_or_default();
        let status = self.status();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if self.slug == IN_DOUBT {
            response.extensions_mut().insert(InDoubt);
        }
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

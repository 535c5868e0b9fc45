//! SCIM's errors (RFC 7644, section 3.12), made from what the rest of the program refuses with.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{MEDIA, document::ScimErrorDocument};
use crate::{actions::Failure, api::Problem, domain::Refusal, store::StoreError};

/// Why a call of the directory was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct ScimError {
    status: StatusCode,
    /// The word of RFC 7644, table 9, where there is one.
    word: Option<&'static str>,
    detail: String,
    /// After how many seconds it may go better.
    retry_after: Option<u64>,
}

impl ScimError {
    fn new(status: StatusCode, word: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self { status, word, detail: detail.into(), retry_after: None }
    }

    fn bad(word: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(word), detail)
    }

    /// The filter cannot be read, or asks for what cannot be compared.
    pub(super) fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// The body is not what SCIM says.
    pub(super) fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    /// The path of a change cannot be read.
    pub(super) fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    /// The path of a change leads to nothing.
    pub(super) fn no_target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// A value does not fit its attribute.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// The attribute is not the directory's to change.
    pub(super) fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    /// There is no such resource.
    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, format!("there is no {kind} {}", id.escape_debug()))
    }

    /// The resource is not the version that the call is about.
    pub(super) fn precondition(version: &str) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, None, format!("the resource is {version} by now"))
    }

    /// The body is of another type.
    pub(super) fn media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, format!("send Content-Type: {MEDIA}"))
    }

    #[cfg(test)]
    pub(super) fn word(&self) -> Option<&'static str> {
        self.word
    }
}

impl From<Problem> for ScimError {
    fn from(problem: Problem) -> Self {
        let (status, detail) = (problem.status(), problem.detail().to_owned());
        match (status, problem.slug()) {
            (StatusCode::UNPROCESSABLE_ENTITY, _) => Self::value(detail),
            (StatusCode::BAD_REQUEST, _) => Self::syntax(detail),
            (StatusCode::CONFLICT, "exists") => Self::new(status, Some("uniqueness"), detail),
            _ => Self { retry_after: problem.retry_after(), ..Self::new(status, None, detail) },
        }
    }
}

impl From<Refusal> for ScimError {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}

impl From<Failure> for ScimError {
    fn from(failure: Failure) -> Self {
        Problem::from(failure).into()
    }
}

impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let body = ScimErrorDocument::new(self.status, self.word, self.detail);
        // A document of texts does not fail to serialise.
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, MEDIA)], text).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

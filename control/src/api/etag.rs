//! `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1) where two people may change the same thing.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};

use crate::domain::{Seen, Versioned};

/// What `If-Match` says.
#[derive(Debug)]
pub(super) struct IfMatch(pub Seen);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut versions = Vec::new();
        let mut said = false;
        for value in parts.headers.get_all(header::IF_MATCH) {
            said = true;
            // What is no text is no version of anything here, and fits nothing.
            for part in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if part == "*" {
                    return Ok(Self(Seen::Something));
                }
                // A weak tag never fits: If-Match compares strongly.
                let tag = part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                versions.extend(tag.map(str::to_owned));
            }
        }
        Ok(Self(if said { Seen::OneOf(versions) } else { Seen::Unsaid }))
    }
}

/// An answer that shows one state of something, with the version of that state.
#[derive(Debug)]
pub(super) struct Tagged<T> {
    version: String,
    answer: T,
}

impl<T> Tagged<T> {
    /// What is shown, and what of.
    pub(super) fn new(of: &impl Versioned, answer: T) -> Self {
        Self { version: of.version(), answer }
    }
}

impl<T: IntoResponse> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        if let Ok(value) = HeaderValue::try_from(format!("\"{}\"", self.version)) {
            response.headers_mut().insert(header::ETAG, value);
        }
        response
    }
}

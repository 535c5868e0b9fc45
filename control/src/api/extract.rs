//! Taking requests apart: strictly, and with problem documents for what does not fit.

use std::net::IpAddr;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};

use super::problem::Problem;
use crate::domain::Refusal;

/// Where a call came from; put there by the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub IpAddr);

/// The most that a body of a call without a bearer token may have, in bytes.
pub(super) const OPEN_BODY_LIMIT: usize = 16 << 10;

/// The most that a body may have, in bytes, where nothing else is said.
pub(super) const BODY_LIMIT: usize = 1 << 20;

/// A JSON body. An empty one reads as `{}`, so that a call whose fields are all optional needs none.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(unreadable)?;
        if bytes.is_empty() {
            return read(b"{}").map(Self);
        }
        if !is_json {
            return Err(Problem::media_type("Content-Type: application/json"));
        }
        read(&bytes).map(Self)
    }
}

/// Programs that send no type at all mean JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unreadable(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large(BODY_LIMIT);
    }
    Problem::malformed("the body could not be read")
}

/// What is no JSON is malformed; JSON that says the wrong thing is invalid, and the text says which field.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::malformed(format!("this is no JSON: {error}")))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, text) = (error.path().to_string(), error.inner().to_string());
        // What concerns the body as a whole has no path.
        let named = path == "." || text.contains(&format!("`{path}`"));
        Refusal::Invalid(if named { text } else { format!("{path}: {text}") }).into()
    })
}

/// The query string.
#[derive(Debug)]
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| Problem::malformed(rejection.body_text()))
    }
}

/// One part of the path, percent-decoded.
#[derive(Debug)]
pub(super) struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(name)| Self(name))
            .map_err(|rejection| Problem::malformed(rejection.body_text()))
    }
}

/// The token of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A duration in the document: `30m`, `2h`, `1d`, or seconds.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "it is the schema of `Span`, which knows nothing of schemas")]
pub(super) enum Duration {
    /// `30m`, `2h`, `1d`
    Text(String),
    /// Seconds.
    Seconds(u64),
}

/// What somebody says to somebody else: bounded, and nothing that would upset a terminal or a log.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Text(String);

impl Text {
    const LONGEST: usize = 4_000;

    /// As it was said.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() > Self::LONGEST {
            return Err(de::Error::custom(format!("longer than {} bytes", Self::LONGEST)));
        }
        if text.chars().any(|letter| letter.is_control() && !['\n', '\t'].contains(&letter)) {
            return Err(de::Error::custom("control characters"));
        }
        Ok(Self(text))
    }
}

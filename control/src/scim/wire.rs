//! Taking SCIM's calls apart, and putting its answers together.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{MEDIA, error::ScimError};

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body(pub Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ScimError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ScimError> {
        let fits = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|_| ScimError::syntax("the body could not be read"))?;
        if !fits {
            return Err(ScimError::media_type());
        }
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|error| ScimError::syntax(format!("this is no JSON: {error}")))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    [MEDIA, "application/json"].iter().any(|media| essence.eq_ignore_ascii_case(media))
}

/// The id in the path.
#[derive(Debug)]
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ScimError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|rejection| ScimError::syntax(rejection.body_text()))
    }
}

/// The query string.
#[derive(Debug)]
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ScimError> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(query)| Self(query)).map_err(|rejection| ScimError::value(rejection.body_text()))
    }
}

/// The entity tag of a version.
pub(super) fn tag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// What `If-Match` and `If-None-Match` say.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    only: Option<String>,
    unless: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let read = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { only: read(header::IF_MATCH), unless: read(header::IF_NONE_MATCH) })
    }
}

impl Conditions {
    /// Refuses a change of another version than the one that the caller knows.
    pub(super) fn check(&self, version: u64) -> Result<(), ScimError> {
        match &self.only {
            Some(wanted) if !names(wanted, version) => Err(ScimError::precondition(&tag(version))),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the caller has this version already.
    pub(super) fn is_known(&self, version: u64) -> bool {
        self.unless.as_deref().is_some_and(|known| names(known, version))
    }
}

fn names(list: &str, version: u64) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.split(',').any(|known| known.trim() == "*" || strong(known) == strong(&tag(version)))
}

/// An answer with a document.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, MEDIA)], text).into_response(),
        Err(error) => ScimError::from(crate::api::Problem::internal(&error)).into_response(),
    }
}

/// An answer with a resource, its version and where it is.
pub(super) fn resource(status: StatusCode, body: &Value, version: u64, location: &str) -> Response {
    let mut response = answer(status, body);
    for (name, text) in [(header::ETAG, &*tag(version)), (header::LOCATION, location)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

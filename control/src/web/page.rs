//! What every page looks like, which headers it carries, and pages that say what went wrong.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

use super::forms;
use crate::{actions::Failure, domain::Refusal, store::StoreError};

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded but our style sheet, nothing is sent but to us, nobody frames us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `GET /style.css`
pub(super) async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, STYLE).into_response()
}

/// A page: its title, and what is on it.
pub(super) fn page(title: &str, body: Markup) -> Response {
    dressed(title, &html! {}, &body)
}

/// A page that leads on by itself.
pub(super) fn passing(title: &str, to: &str, body: Markup) -> Response {
    dressed(title, &html! { meta http-equiv="refresh" content={ "0; url=" (to) }; }, &body)
}

fn dressed(title: &str, head: &Markup, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Postern" }
                link rel="stylesheet" href="/style.css";
                (head)
            }
            body {
                header { a href="/" { "Postern" } }
                main { h1 { (title) } (body) }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// Adds the headers that every answer to a browser carries.
pub(super) fn seal(response: &mut Response, secure: bool) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Without any referrer browsers would call a form of our own one from nowhere (`Origin: null`).
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if secure {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// What went wrong, for the person in front of the browser.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    text: String,
}

impl Fault {
    /// A page of this status with this text.
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// Nobody has signed in, or no longer.
    pub(super) fn signed_out() -> Self {
        Self::new(StatusCode::FORBIDDEN, "You are not signed in any more. Sign in, and try again.")
    }

    /// A form that makes no sense.
    pub(super) fn unreadable() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This form could not be read.")
    }

    /// A form that is not ours.
    pub(super) fn foreign_form() -> Self {
        let (status, text) = forms::FOREIGN;
        Self::new(status, text)
    }

    /// Too many tries.
    pub(super) fn too_often(seconds: u64) -> Self {
        let text = format!("Too many tries. Wait {seconds} seconds.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, text)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(Refusal::NotFound { .. }) => {
                Self::new(StatusCode::NOT_FOUND, failure.to_string())
            }
            Failure::Refused(refusal) => Self::new(StatusCode::FORBIDDEN, refusal.to_string()),
            Failure::Store(StoreError::Unavailable(_) | StoreError::Busy(_) | StoreError::Full(_)) => {
                tracing::error!(cause = %failure, "a page could not be shown");
                let text = "This does not work at the moment. Try again a little later.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            Failure::Store(_) | Failure::Random(_) => {
                tracing::error!(cause = %failure, "a page failed");
                let text = "Something failed here. The operator's log says what.";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = html! { p.fault { (self.text) } p { a href="/" { "To the first page" } } };
        (self.status, page("That did not work", body)).into_response()
    }
}

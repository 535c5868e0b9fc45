//! Signing in at the SSO provider, and out again.

use axum::{
    Extension, Form,
    extract::{Query, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use maud::html;
use postern_protocol::duration::Span;
use postern_service::random;
use serde::Deserialize;
use serde_json::json;

use super::{
    Web,
    cookies::Cookie,
    forms::Posted,
    go,
    page::{Fault, page, passing},
    session::Visitor,
};
use crate::{
    actions::{
        Failure,
        logins::{self, Proven},
    },
    api::Peer,
    oidc::{self, Attempt, Callback, NotLoggedOut, NotSignedIn},
};

/// Where the provider sends browsers back to.
pub(super) const CALLBACK: &str = "/login/callback";

/// The limiter's name for sign-ins in browsers.
const GATE: &str = "browser";

const ATTEMPT: Span = Span::from_secs(900);

/// Where somebody wants to go.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    return_to: String,
}

impl From<NotSignedIn> for Fault {
    fn from(not: NotSignedIn) -> Self {
        tracing::info!(reason = %not, detail = ?not, "nobody was signed in");
        let status = match not {
            NotSignedIn::NotConfigured => StatusCode::NOT_FOUND,
            NotSignedIn::Unreachable | NotSignedIn::Unfit(_) => StatusCode::BAD_GATEWAY,
            NotSignedIn::Stray
            | NotSignedIn::OtherIssuer
            | NotSignedIn::Refused(_)
            | NotSignedIn::Code
            | NotSignedIn::Token(_)
            | NotSignedIn::Mismatch(_) => StatusCode::FORBIDDEN,
        };
        Self::new(status, not.to_string())
    }
}

/// `GET /login`
pub(super) async fn begin(
    State(web): State<Web>,
    Query(Wanted { return_to }): Query<Wanted>,
) -> Result<Response, Fault> {
    let path = web.own_path(&return_to);
    let attempt = Attempt::begin(&path, web.plane.clock.now()).map_err(Failure::from)?;
    let url = oidc::authorization_url(&web.plane, &attempt).await?;
    let cookie = Cookie::Attempt.set(&web.plane, &attempt.cookie(&web.plane.seal), ATTEMPT);
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), go(&url)).into_response())
}

/// `GET /login/callback`
pub(super) async fn callback(
    State(web): State<Web>,
    Extension(Peer(address)): Extension<Peer>,
    Query(callback): Query<Callback>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    if let Some(seconds) = web.plane.sign_ins.wait(address, GATE) {
        return Err(Fault::too_often(seconds));
    }
    let now = web.plane.clock.now();
    let cookie = Cookie::Attempt.read(&web.plane, &headers);
    let attempt = cookie.and_then(|cookie| Attempt::read(cookie.reveal(), &web.plane.seal, now));
    let attempt = attempt.ok_or(NotSignedIn::Stray)?;
    let proven = match oidc::finish(&web.plane, &attempt, callback).await {
        Ok(proven) => proven,
        Err(not) => {
            web.plane.sign_in_failed(address, GATE);
            return Err(not.into());
        }
    };
    let before = Visitor::of(&web, &headers).await?.map(|visitor| visitor.login.id);
    let session = sign_in(&web, &proven, before.as_deref()).await?;
    let set = AppendHeaders([
        (header::SET_COOKIE, session),
        (header::SET_COOKIE, Cookie::Attempt.clear(&web.plane)),
    ]);
    Ok((set, go(&web.own_path(attempt.return_to()))).into_response())
}

/// Begins a session under a new secret, whatever the browser came with, and ends the one before.
async fn sign_in(web: &Web, proven: &Proven, before: Option<&str>) -> Result<String, Failure> {
    let secret = random::token()?;
    logins::begin_in_browser(&web.plane, proven, random::sha256_hex(secret.as_bytes()), before).await?;
    Ok(Cookie::Session.set(&web.plane, &secret, logins::BROWSER))
}

/// Nothing but the proof.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /logout`
pub(super) async fn end(
    State(web): State<Web>,
    Posted { visitor, says: Nothing {} }: Posted<Nothing>,
) -> Result<Response, Fault> {
    logins::end(&web.plane, &visitor.login).await?;
    let gone = AppendHeaders([(header::SET_COOKIE, Cookie::Session.clear(&web.plane))]);
    let title = "You are signed out";
    let said = match oidc::provider_logout(&web.plane).await {
        Some(url) => passing(
            title,
            &url,
            html! { p { "On to the SSO provider: " a href=(url) { "sign out there too" } "." } },
        ),
        None => page(title, html! { p { a href="/login" { "Sign in again" } } }),
    };
    Ok((gone, said).into_response())
}

/// What the provider sends.
#[derive(Deserialize)]
pub(super) struct LogoutForm {
    logout_token: String,
}

/// `POST /login/backchannel-logout`
pub(super) async fn told_to_end(
    State(web): State<Web>,
    Extension(Peer(address)): Extension<Peer>,
    form: Result<Form<LogoutForm>, FormRejection>,
) -> Response {
    let refused = |status, text: String| {
        (status, axum::Json(json!({ "error": "invalid_request", "error_description": text }))).into_response()
    };
    let Ok(Form(form)) = form else {
        return refused(StatusCode::BAD_REQUEST, "logout_token is missing".to_owned());
    };
    if web.plane.sign_ins.wait(address, "backchannel").is_some() {
        return refused(StatusCode::TOO_MANY_REQUESTS, "too many tokens that were not valid".to_owned());
    }
    match oidc::told_to_end(&web.plane, &form.logout_token).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(NotLoggedOut::Failure(failure)) => {
            tracing::error!(cause = %failure, "a logout failed");
            refused(StatusCode::INTERNAL_SERVER_ERROR, "it failed here".to_owned())
        }
        Err(
            not @ (NotLoggedOut::NotConfigured
            | NotLoggedOut::Token(_)
            | NotLoggedOut::Malformed(_)
            | NotLoggedOut::Replayed),
        ) => {
            tracing::warn!(reason = ?not, "a logout token ended nothing");
            web.plane.sign_in_failed(address, "backchannel");
            refused(StatusCode::BAD_REQUEST, not.to_string())
        }
    }
}

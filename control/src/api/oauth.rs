//! `POST /v1/users/oidc/token`, the OAuth 2.0 token endpoint (RFC 6749). Its errors have that standard's own form.

use axum::{
    extract::{FromRequestParts, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use postern_service::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{App, extract::Peer, problem::Problem};
use crate::{
    actions::{
        device::{self, NoTokens},
        oauth::{ACCESS, COMMAND_LINE, Pair, REFRESH, SignInFailure, refresh, refresh_login, sign_in},
    },
    domain::{NotYet, Permission},
};

/// The grant of RFC 8628, section 3.4.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The form. Client id and secret may come by HTTP Basic authentication instead.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TokenForm")]
pub(super) struct Form {
    /// `client_credentials`, `refresh_token` or `urn:ietf:params:oauth:grant-type:device_code`
    #[serde(default)]
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
    /// What the device authorization endpoint gave.
    device_code: Option<String>,
    /// Taken, and without effect: a client has the permissions that it has.
    #[serde(rename = "scope")]
    _scope: Option<String>,
}

/// A pair of tokens.
#[derive(Serialize, JsonSchema)]
pub(super) struct TokenAnswer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
    refresh_token: String,
    /// Seconds.
    refresh_expires_in: u64,
    token_type: &'static str,
    /// The client's permissions.
    scope: String,
}

/// An error of RFC 6749, section 5.2.
#[derive(Serialize, JsonSchema)]
pub(super) struct TokenError {
    error: &'static str,
    error_description: String,
}

/// Where the call came from, when the server says so.
pub(super) struct Origin(pub Option<Peer>);

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get().copied()))
    }
}

pub(super) fn error(status: StatusCode, error: &'static str, description: impl Into<String>) -> Response {
    let body = axum::Json(TokenError { error, error_description: description.into() });
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], body).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic"));
    }
    response
}

/// `POST /v1/users/oidc/token`
pub(super) async fn token(
    State(app): State<App>,
    Origin(peer): Origin,
    headers: HeaderMap,
    form: Result<axum::Form<Form>, FormRejection>,
) -> Response {
    let form = match form {
        Ok(axum::Form(form)) => form,
        Err(rejection) => return error(StatusCode::BAD_REQUEST, "invalid_request", rejection.body_text()),
    };
    let Some(presenter) = presenter(&headers, &form) else {
        return error(StatusCode::UNAUTHORIZED, "invalid_client", "client_id and client_secret are missing");
    };
    let id = presenter.id().to_owned();
    if let Some(seconds) = peer.and_then(|Peer(address)| app.plane.sign_ins.wait(address, &id)) {
        return Problem::rate_limited(seconds).into_response();
    }
    match grant(&app, &presenter, form).await {
        Ok(pair) => answer(&pair),
        Err(refused) => {
            let guessed = match &refused {
                Refused::SignIn(failure) => !matches!(failure, SignInFailure::Failure(_)),
                Refused::Device(no) => matches!(no, NoTokens::Unknown),
                Refused::Form(..) => false,
            };
            if let Some(Peer(address)) = peer.filter(|_| guessed) {
                app.plane.sign_in_failed(address, &id);
            }
            match refused {
                Refused::SignIn(failure) => refusal(failure),
                Refused::Device(no) => no_tokens(no),
                Refused::Form(word, text) => error(StatusCode::BAD_REQUEST, word, text),
            }
        }
    }
}

/// The words of RFC 8628, section 3.5.
fn no_tokens(no: NoTokens) -> Response {
    let word = match &no {
        NoTokens::Unknown => "invalid_grant",
        NoTokens::NotYet(NotYet::Pending) => "authorization_pending",
        NoTokens::NotYet(NotYet::SlowDown) => "slow_down",
        NoTokens::NotYet(NotYet::Denied) => "access_denied",
        NoTokens::NotYet(NotYet::Expired) => "expired_token",
        NoTokens::Failure(_) => "",
    };
    match no {
        NoTokens::Failure(failure) => Problem::from(failure).into_response(),
        no @ (NoTokens::Unknown | NoTokens::NotYet(_)) => {
            error(StatusCode::BAD_REQUEST, word, no.to_string())
        }
    }
}

/// Who asks for tokens.
enum Presenter {
    /// An API client, by id and secret.
    Client(String, Secret),
    /// The command line, for whoever uses it.
    CommandLine,
}

impl Presenter {
    fn id(&self) -> &str {
        match self {
            Self::Client(id, _) => id,
            Self::CommandLine => COMMAND_LINE,
        }
    }
}

/// Why there are no tokens.
enum Refused {
    /// The form makes no sense: the standard's word and a text.
    Form(&'static str, String),
    /// It does, but nobody is signed in.
    SignIn(SignInFailure),
    /// A device code gives no tokens.
    Device(NoTokens),
}

async fn grant(app: &App, presenter: &Presenter, form: Form) -> Result<Pair, Refused> {
    let refresh_token = form.refresh_token.map(Secret::from);
    let missing = || Refused::Form("invalid_request", "refresh_token is missing".to_owned());
    let outcome = match (form.grant_type.as_str(), presenter) {
        ("client_credentials", Presenter::Client(id, secret)) => sign_in(&app.plane, id, secret).await,
        ("client_credentials", Presenter::CommandLine) => Err(SignInFailure::InvalidClient),
        ("refresh_token", Presenter::Client(id, secret)) => {
            refresh(&app.plane, id, secret, &refresh_token.ok_or_else(missing)?).await
        }
        ("refresh_token", Presenter::CommandLine) => {
            refresh_login(&app.plane, &refresh_token.ok_or_else(missing)?).await
        }
        (DEVICE_CODE, Presenter::CommandLine) => {
            let missing = || Refused::Form("invalid_request", "device_code is missing".to_owned());
            let code = form.device_code.map(Secret::from).ok_or_else(missing)?;
            return device::tokens(&app.plane, &code).await.map_err(Refused::Device);
        }
        (DEVICE_CODE, Presenter::Client(..)) => {
            let text = format!("this grant is for the client {COMMAND_LINE}");
            return Err(Refused::Form("unauthorized_client", text));
        }
        ("", _) => return Err(Refused::Form("invalid_request", "grant_type is missing".to_owned())),
        (other, _) => {
            let text =
                format!("`{}`: client_credentials, refresh_token or {DEVICE_CODE}", other.escape_debug());
            return Err(Refused::Form("unsupported_grant_type", text));
        }
    };
    outcome.map_err(Refused::SignIn)
}

fn presenter(headers: &HeaderMap, form: &Form) -> Option<Presenter> {
    if let Some((id, secret)) = credentials(headers, form) {
        return Some(Presenter::Client(id, secret));
    }
    (form.client_id.as_deref() == Some(COMMAND_LINE)).then_some(Presenter::CommandLine)
}

/// HTTP Basic (RFC 6749, section 2.3.1: both parts form-encoded), or the form's fields.
fn credentials(headers: &HeaderMap, form: &Form) -> Option<(String, Secret)> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    if let Some((_, encoded)) = basic {
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        return Some((id.to_owned(), secret.into()));
    }
    Some((form.client_id.clone()?, form.client_secret.as_deref()?.into()))
}

fn answer(pair: &Pair) -> Response {
    let scope: Vec<&str> = pair.scope.iter().copied().map(Permission::as_str).collect();
    let body = TokenAnswer {
        access_token: pair.access.reveal().to_owned(),
        expires_in: ACCESS.as_secs(),
        refresh_token: pair.refresh.reveal().to_owned(),
        refresh_expires_in: REFRESH.as_secs(),
        token_type: "bearer",
        scope: scope.join(" "),
    };
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}

fn refusal(failure: SignInFailure) -> Response {
    match failure {
        SignInFailure::InvalidClient => {
            error(StatusCode::UNAUTHORIZED, "invalid_client", failure.to_string())
        }
        SignInFailure::InvalidGrant => error(StatusCode::BAD_REQUEST, "invalid_grant", failure.to_string()),
        SignInFailure::Failure(failure) => Problem::from(failure).into_response(),
    }
}

//! The token endpoint: codes, refresh tokens, device codes and, for shells, names become tokens.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Form, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use postern_service::random;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CONTROL_PLANE, DATABASE_CLIENT, Issuer, ledger::Sign, people::person};

/// How long tokens last, in seconds.
const LASTS: i64 = 3_600;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
    #[serde(default)]
    refresh_token: String,
    #[serde(default)]
    device_code: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// `POST /token`
pub(super) async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let Some(client) = client(&issuer, &headers, &asked) else {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    match sign(&issuer, client, &asked) {
        Ok(sign) => answer(&issuer, sign),
        Err(word) => refused(StatusCode::BAD_REQUEST, word),
    }
}

/// The control plane by its secret, by Basic authentication or in the form; database clients without one.
fn client(issuer: &Issuer, headers: &HeaderMap, asked: &Asked) -> Option<&'static str> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| STANDARD.decode(value.strip_prefix("Basic ")?).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = match &basic {
        Some(text) => text.split_once(':'),
        None => asked.client_id.as_deref().map(|id| (id, asked.client_secret.as_deref().unwrap_or_default())),
    };
    match pair? {
        (CONTROL_PLANE, secret) if secret == issuer.secret.reveal() => Some(CONTROL_PLANE),
        (DATABASE_CLIENT, _) => Some(DATABASE_CLIENT),
        _ => None,
    }
}

/// Who has signed in, or the standard's word for why nobody has.
fn sign(issuer: &Issuer, client: &'static str, asked: &Asked) -> Result<Sign, &'static str> {
    let invalid = "invalid_grant";
    match asked.grant_type.as_str() {
        "authorization_code" => {
            let code = issuer.ledger().take_code(&asked.code).ok_or(invalid)?;
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, asked.code_verifier.as_bytes()));
            let fits = code.sign.client == client
                && code.redirect_uri == asked.redirect_uri
                && code.challenge == challenge;
            fits.then_some(code.sign).ok_or(invalid)
        }
        "refresh_token" => issuer.ledger().take_refresh(&asked.refresh_token, client).ok_or(invalid),
        "urn:ietf:params:oauth:grant-type:device_code" => {
            let person = issuer.ledger().ask(&asked.device_code, client)?;
            fresh(person, client)
        }
        // For shells: Alice's password is `alice`.
        "password" => {
            let known = person(&asked.username).filter(|person| person.name == asked.password);
            fresh(known.ok_or(invalid)?, client)
        }
        _ => Err("unsupported_grant_type"),
    }
}

fn fresh(person: &'static super::people::Person, client: &str) -> Result<Sign, &'static str> {
    let sid = random::id("sid").map_err(|_| "server_error")?;
    Ok(Sign { person, client: client.to_owned(), sid, nonce: None })
}

fn answer(issuer: &Issuer, sign: Sign) -> Response {
    let made = (|| {
        let access = issuer.keys.sign("at+jwt", &claims(issuer, &sign, CONTROL_PLANE))?;
        let mut id = claims(issuer, &sign, &sign.client);
        let hash = digest(&SHA256, access.as_bytes());
        id["at_hash"] = URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16)?).into();
        if let Some(nonce) = &sign.nonce {
            id["nonce"] = nonce.as_str().into();
        }
        Some((access, issuer.keys.sign("JWT", &id)?, random::token().ok()?))
    })();
    let Some((access, id, refresh)) = made else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    };
    issuer.ledger().give_refresh(refresh.clone(), Sign { nonce: None, ..sign });
    let body = json!({
        "access_token": access, "id_token": id, "refresh_token": refresh,
        "token_type": "Bearer", "expires_in": LASTS, "scope": "openid email profile",
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn claims(issuer: &Issuer, sign: &Sign, audience: &str) -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": issuer.url, "sub": sign.person.name, "aud": audience, "client_id": sign.client, "sid": sign.sid,
        "iat": now, "exp": now + LASTS, "jti": random::id("j").unwrap_or_default(),
        "name": sign.person.name, "email": sign.person.email, "email_verified": true, "groups": sign.person.groups,
    })
}

fn refused(status: StatusCode, word: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "error": word }))).into_response()
}

//! To the provider, and back with a code that becomes an ID token (OpenID Connect Core, section 3.1; RFC 7636, 9207).

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use postern_service::sso::{Metadata, NotProven, Proven as Named, Provider};
use reqwest::{RequestBuilder, Url, header};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{Attempt, RelyingParty};
use crate::{actions::logins::Proven, domain::Moment, plane::ControlPlane};

/// The longest answer of a token endpoint that is read, in bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// What the provider sends a browser back with.
#[derive(Debug, Deserialize)]
pub(crate) struct Callback {
    code: Option<String>,
    state: Option<String>,
    /// RFC 9207.
    iss: Option<String>,
    error: Option<String>,
}

/// Why nobody is signed in. The text is for the person in front of the browser; the log has more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSignedIn {
    /// There is no `[oidc]`.
    #[error("this control plane has no SSO provider: its operator has to set [oidc]")]
    NotConfigured,
    /// The provider has not answered so far.
    #[error("the SSO provider cannot be reached: try again in a moment")]
    Unreachable,
    /// It has no such endpoint, or one that is no URL.
    #[error("the SSO provider does not offer what is needed: {0}")]
    Unfit(&'static str),
    /// Another browser began, or another control plane, or too long ago.
    #[error("this sign-in did not begin in this browser, or too long ago: begin again")]
    Stray,
    /// The answer is another provider's (RFC 9207).
    #[error("the answer comes from another SSO provider than the one that was asked")]
    OtherIssuer,
    /// The provider said no, in one of its words.
    #[error("the SSO provider refused: {0}")]
    Refused(String),
    /// The code was not exchanged.
    #[error("the SSO provider did not accept the sign-in")]
    Code,
    /// The token is not to be believed.
    #[error("the SSO provider's answer cannot be believed")]
    Token(#[from] NotProven),
    /// The token is for another try, or goes with another access token.
    #[error("the SSO provider's answer belongs to another sign-in")]
    Mismatch(&'static str),
}

/// Where people are sent to, and come back to.
fn callback_url(plane: &ControlPlane) -> String {
    format!("{}/login/callback", plane.public_url.trim_end_matches('/'))
}

async fn provider(
    plane: &ControlPlane,
) -> Result<(&RelyingParty, String, std::sync::Arc<Provider>, Metadata), NotSignedIn> {
    let party = plane.relying_party.as_ref().ok_or(NotSignedIn::NotConfigured)?;
    let (issuer, provider) = plane.issuers.of_people().ok_or(NotSignedIn::NotConfigured)?;
    let metadata = provider.metadata().await.ok_or(NotSignedIn::Unreachable)?;
    Ok((party, issuer.url, provider, metadata))
}

/// Where the browser goes to sign in.
pub(crate) async fn authorization_url(
    plane: &ControlPlane,
    attempt: &Attempt,
) -> Result<String, NotSignedIn> {
    let (party, _, _, metadata) = provider(plane).await?;
    let unfit = NotSignedIn::Unfit("an authorization endpoint");
    let endpoint = metadata.authorization_endpoint.and_then(|url| Url::parse(&url).ok()).ok_or(unfit)?;
    let mut url = endpoint;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &party.client_id)
        .append_pair("redirect_uri", &callback_url(plane))
        .append_pair("scope", &party.scopes.join(" "))
        .append_pair("state", &attempt.state(&plane.seal))
        .append_pair("nonce", &attempt.nonce(&plane.seal))
        .append_pair("code_challenge", &attempt.challenge(&plane.seal))
        .append_pair("code_challenge_method", "S256");
    Ok(url.into())
}

/// Whom the provider names, given what it sent the browser back with.
pub(crate) async fn finish(
    plane: &ControlPlane,
    attempt: &Attempt,
    callback: Callback,
) -> Result<Proven, NotSignedIn> {
    let state = callback.state.as_deref().unwrap_or_default();
    let same: bool = attempt.state(&plane.seal).as_bytes().ct_eq(state.as_bytes()).into();
    if !same {
        return Err(NotSignedIn::Stray);
    }
    let (party, issuer, provider, metadata) = provider(plane).await?;
    let names_issuer = metadata.authorization_response_iss_parameter_supported;
    match &callback.iss {
        Some(named) if *named != issuer => return Err(NotSignedIn::OtherIssuer),
        None if names_issuer => return Err(NotSignedIn::OtherIssuer),
        Some(_) | None => {}
    }
    if let Some(error) = callback.error {
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
        return Err(NotSignedIn::Refused(error.chars().filter(plain).take(64).collect()));
    }
    let code = callback.code.ok_or(NotSignedIn::Code)?;
    let answer = exchange(plane, party, &provider, &metadata, attempt, &code).await?;
    named(plane, party, &issuer, attempt, &answer).await
}

/// Whom the ID token names, if it was made for this try.
async fn named(
    plane: &ControlPlane,
    party: &RelyingParty,
    issuer: &str,
    attempt: &Attempt,
    answer: &Value,
) -> Result<Proven, NotSignedIn> {
    let token = answer["id_token"].as_str().ok_or(NotSignedIn::Unfit("an ID token"))?;
    let now = plane.clock.now().timestamp();
    let named = plane.issuers.verify_id_token(token, &party.client_id, now).await?;
    if named.is_workload || named.issuer != issuer {
        return Err(NotSignedIn::OtherIssuer);
    }
    let nonce = named.claims.text("nonce").unwrap_or_default();
    let same: bool = attempt.nonce(&plane.seal).as_bytes().ct_eq(nonce.as_bytes()).into();
    if !same {
        return Err(NotSignedIn::Mismatch("nonce"));
    }
    check_at_hash(&named, token, answer["access_token"].as_str())?;
    let sub = named.claims.text("sub").ok_or(NotSignedIn::Unfit("`sub` in an ID token"))?.to_owned();
    let sid = named.claims.text("sid").map(str::to_owned);
    let (identity, groups) = (named.identity.to_string(), Some(named.groups));
    let issued_at = named.issued_at.map_or_else(|| plane.clock.now(), Moment::from);
    Ok(Proven { identity, groups, issued_at, issuer: named.issuer, sub, sid })
}

async fn exchange(
    plane: &ControlPlane,
    party: &RelyingParty,
    provider: &Provider,
    metadata: &Metadata,
    attempt: &Attempt,
    code: &str,
) -> Result<Value, NotSignedIn> {
    let endpoint = metadata.token_endpoint.as_ref().ok_or(NotSignedIn::Unfit("a token endpoint"))?;
    let (redirect_uri, verifier) = (callback_url(plane), attempt.verifier(&plane.seal));
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", &verifier),
    ];
    let request = proved(provider.http().post(endpoint), party, metadata, &mut form);
    let sent = request.form(&form).send().await.map_err(|error| {
        tracing::warn!(%error, "the SSO provider's token endpoint does not answer");
        NotSignedIn::Unreachable
    })?;
    let status = sent.status();
    let body = bounded(sent).await.ok_or(NotSignedIn::Unreachable)?;
    if !status.is_success() {
        let word = serde_json::from_slice::<Value>(&body).unwrap_or_default()["error"].to_string();
        tracing::warn!(%status, error = word, "the SSO provider did not exchange a code");
        return Err(NotSignedIn::Code);
    }
    serde_json::from_slice(&body).map_err(|_| NotSignedIn::Unfit("JSON at its token endpoint"))
}

/// The client proves itself by HTTP Basic, or in the form where the provider takes nothing else (Core, section 9).
fn proved<'t>(
    request: RequestBuilder,
    party: &'t RelyingParty,
    metadata: &Metadata,
    form: &mut Vec<(&str, &'t str)>,
) -> RequestBuilder {
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
    let offered = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
    if offered("client_secret_post") && !offered("client_secret_basic") {
        form.push(("client_id", &party.client_id));
        form.push(("client_secret", party.client_secret.reveal()));
        return request;
    }
    let encode = |text: &str| {
        Url::parse_with_params("x:", [("", text)]).ok().and_then(|url| url.query().map(str::to_owned))
    };
    let encode = |text: &str| encode(text).unwrap_or_default().trim_start_matches('=').to_owned();
    let pair = format!("{}:{}", encode(&party.client_id), encode(party.client_secret.reveal()));
    request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
}

/// A body, unless it is too long or breaks off.
async fn bounded(mut response: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// An ID token that speaks of an access token speaks of the one beside it (Core, section 3.1.3.6).
fn check_at_hash(named: &Named, token: &str, access: Option<&str>) -> Result<(), NotSignedIn> {
    let Some(expected) = named.claims.text("at_hash") else { return Ok(()) };
    let mismatch = || NotSignedIn::Mismatch("at_hash");
    // The signature holds, so the header is the provider's.
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Value = header.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let algorithm = match header["alg"].as_str().unwrap_or_default() {
        "RS256" | "PS256" | "ES256" => &SHA256,
        "RS384" | "PS384" | "ES384" => &SHA384,
        "RS512" | "PS512" | "EdDSA" | "Ed25519" => &SHA512,
        _ => return Err(mismatch()),
    };
    let digest = digest::digest(algorithm, access.ok_or_else(mismatch)?.as_bytes());
    let half = digest.as_ref().get(..digest.as_ref().len() / 2).unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(half) == expected { Ok(()) } else { Err(mismatch()) }
}

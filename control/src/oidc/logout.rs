//! Out again: at the provider as well, when somebody leaves here; and here, when the provider says that they left there
//! (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0).

use std::sync::Arc;

use postern_protocol::duration::Span;
use postern_service::{random::sha256_hex, sso::NotProven};
use reqwest::Url;
use serde_json::Value;

use crate::{
    actions::{Failure, logins},
    domain::{Moment, Replay, subject},
    plane::ControlPlane,
    work::Work,
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// A logout token is remembered for so much longer than it says that it counts: clocks differ.
const LONGER: Span = Span::from_secs(600);

/// Where the browser goes to leave the provider too, if it has such a place.
pub(crate) async fn provider_logout(plane: &ControlPlane) -> Option<String> {
    let party = plane.relying_party.as_ref()?;
    let (_, provider) = plane.issuers.of_people()?;
    let mut url = Url::parse(&provider.metadata().await?.end_session_endpoint?).ok()?;
    let back = format!("{}/", plane.public_url.trim_end_matches('/'));
    url.query_pairs_mut()
        .append_pair("client_id", &party.client_id)
        .append_pair("post_logout_redirect_uri", &back);
    Some(url.into())
}

/// Why a logout token ends nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLoggedOut {
    /// There is no `[oidc]`.
    #[error("there is no SSO provider")]
    NotConfigured,
    /// It is not the provider's, or not for us, or too old.
    #[error("the logout token is not valid")]
    Token(#[from] NotProven),
    /// It does not say what such a token has to.
    #[error("the logout token is not valid: {0}")]
    Malformed(&'static str),
    /// It was here before.
    #[error("the logout token was used before")]
    Replayed,
    /// It could not be done.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Ends what a logout token names: the logins of one of the provider's sessions, or all of somebody's.
pub(crate) async fn told_to_end(plane: &Arc<ControlPlane>, token: &str) -> Result<(), NotLoggedOut> {
    let party = plane.relying_party.as_ref().ok_or(NotLoggedOut::NotConfigured)?;
    let (issuer, _) = plane.issuers.of_people().ok_or(NotLoggedOut::NotConfigured)?;
    let now = plane.clock.now();
    let (claims, ends) = plane.issuers.verify_logout(token, &party.client_id, now.timestamp()).await?;
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(NotLoggedOut::Malformed("it tells of another event"));
    }
    if claims.get("nonce").is_some() {
        return Err(NotLoggedOut::Malformed("it has a nonce, as ID tokens have"));
    }
    let jti = claims.text("jti").ok_or(NotLoggedOut::Malformed("jti is missing"))?;
    let (sub, sid) = (claims.text("sub"), claims.text("sid"));
    if sub.is_none() && sid.is_none() {
        return Err(NotLoggedOut::Malformed("it names neither sub nor sid"));
    }
    let mut work = Work::begin(plane).await?;
    remember(&mut work, &format!("logout\n{}\n{jti}", issuer.url), Moment::from(ends).plus(LONGER)).await?;
    let subject = sub.map(|sub| subject(&issuer.url, sub));
    logins::end_named(&mut work, &issuer.url, subject.as_deref(), sid).await?;
    work.commit().await?;
    Ok(())
}

async fn remember(work: &mut Work, token: &str, until: Moment) -> Result<(), NotLoggedOut> {
    let key = sha256_hex(token.as_bytes());
    if work.load::<Replay>(&key).await?.is_some() {
        return Err(NotLoggedOut::Replayed);
    }
    let seen = Replay { key, fingerprint: String::new(), answer: None, expires_at: until };
    Ok(work.save(&seen).await?)
}

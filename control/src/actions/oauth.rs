//! Signing in: client credentials and refresh tokens (RFC 6749), and who a bearer token belongs to.
//!
//! Tokens are 256 random bits and kept as hashes, so that rotating or deleting a client voids them at once. A refresh
//! token is good for one exchange. One that comes back a second time was copied, and its whole family is voided
//! (RFC 9700, section 4.14.2).

use std::sync::Arc;

use postern_protocol::duration::Span;
use postern_service::{audit::Event, random, secret::Secret};
use subtle::ConstantTimeEq;

use super::{Caller, Failure};
use crate::{
    domain::{ApiClient, ApiToken, TokenUse},
    plane::ControlPlane,
    store::{Filter, Read, load},
    work::Work,
};

/// How long an access token lasts.
pub(crate) const ACCESS: Span = Span::from_secs(300);

/// How long a refresh token lasts.
pub(crate) const REFRESH: Span = Span::from_secs(36_000);

/// A pair of tokens, shown once.
#[derive(Debug)]
pub(crate) struct Pair {
    /// For calls.
    pub access: Secret,
    /// For the next pair.
    pub refresh: Secret,
    /// Whose.
    pub client: ApiClient,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInFailure {
    /// Client or secret are wrong. Not said which.
    #[error("client id or client secret are wrong")]
    InvalidClient,
    /// The refresh token is not good (any more).
    #[error("the refresh token is unknown, used, expired or another client's")]
    InvalidGrant,
    /// It could not be looked up.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Signs a client in by its secret.
pub(crate) async fn sign_in(
    plane: &Arc<ControlPlane>,
    id: &str,
    secret: &Secret,
) -> Result<Pair, SignInFailure> {
    authenticate(plane.store.read().await.map_err(Failure::from)?.as_mut(), id, secret).await?;
    let mut work = Work::begin(plane).await?;
    let client = authenticate(work.tx(), id, secret).await?;
    let family = random::id("f").map_err(Failure::from)?;
    let pair = issue(&mut work, client, family).await?;
    work.commit().await?;
    Ok(pair)
}

/// Exchanges a refresh token for a new pair.
pub(crate) async fn refresh(
    plane: &Arc<ControlPlane>,
    id: &str,
    secret: &Secret,
    token: &Secret,
) -> Result<Pair, SignInFailure> {
    authenticate(plane.store.read().await.map_err(Failure::from)?.as_mut(), id, secret).await?;
    let mut work = Work::begin(plane).await?;
    let client = authenticate(work.tx(), id, secret).await?;
    let found: Option<ApiToken> = work.load(&random::sha256_hex(token.reveal().as_bytes())).await?;
    let mut presented = found.filter(|known| known.client == client.id).ok_or(SignInFailure::InvalidGrant)?;
    match presented.good_for {
        TokenUse::Access => Err(SignInFailure::InvalidGrant),
        TokenUse::Refresh if presented.expires_at <= work.now() => Err(SignInFailure::InvalidGrant),
        TokenUse::Refresh => {
            presented.good_for = TokenUse::Spent;
            work.save(&presented).await?;
            let pair = issue(&mut work, client, presented.family).await?;
            work.commit().await?;
            Ok(pair)
        }
        TokenUse::Spent => {
            void_family(&mut work, &presented.family).await?;
            let event = Event { actor: client.actor().name().to_owned(), ..Event::new("api_token.reused") };
            work.note(event.with("client", client.id.as_str()));
            work.commit().await?;
            Err(SignInFailure::InvalidGrant)
        }
    }
}

/// The caller that a bearer token belongs to.
pub(crate) async fn caller(plane: &ControlPlane, token: &str) -> Result<Option<Caller>, Failure> {
    let mut tx = plane.store.read().await?;
    let found: Option<ApiToken> = load(&mut *tx, &random::sha256_hex(token.as_bytes())).await?;
    let now = plane.clock.now();
    let good = found.filter(|token| token.good_for == TokenUse::Access && token.expires_at > now);
    let Some(token) = good else { return Ok(None) };
    Ok(load::<ApiClient>(&mut *tx, &token.client).await?.map(Caller::new))
}

/// Voids every token of a client.
pub(super) async fn forget_client(work: &mut Work, id: &str) -> Result<(), Failure> {
    void(work, &Filter { identity: Some(id.to_owned()), ..Filter::default() }).await
}

async fn void_family(work: &mut Work, family: &str) -> Result<(), Failure> {
    void(work, &Filter { owner: Some(family.to_owned()), ..Filter::default() }).await
}

async fn void(work: &mut Work, filter: &Filter) -> Result<(), Failure> {
    for token in work.find_all::<ApiToken>(filter).await? {
        work.remove::<ApiToken>(&token.sha256).await?;
    }
    Ok(())
}

/// The client of this id and secret.
///
/// It is asked twice: first for reading, so that guesses do not queue up behind the writers, and then within the work
/// that issues tokens, since the secret may have been rotated, or the client deleted, in between.
async fn authenticate(tx: &mut dyn Read, id: &str, secret: &Secret) -> Result<ApiClient, SignInFailure> {
    let found: Option<ApiClient> = load(tx, id).await.map_err(Failure::from)?;
    let presented = random::sha256_hex(secret.reveal().as_bytes());
    // An unknown client is compared too, so that the time tells nothing.
    let expected = found.as_ref().map_or("", |client| client.secret_sha256.as_str());
    let same: bool = presented.as_bytes().ct_eq(format!("{expected:64}").as_bytes()).into();
    found.filter(|_| same).ok_or(SignInFailure::InvalidClient)
}

async fn issue(work: &mut Work, client: ApiClient, family: String) -> Result<Pair, Failure> {
    let access = save_token(work, &client, &family, TokenUse::Access, ACCESS).await?;
    let refresh = save_token(work, &client, &family, TokenUse::Refresh, REFRESH).await?;
    Ok(Pair { access, refresh, client })
}

async fn save_token(
    work: &mut Work,
    client: &ApiClient,
    family: &str,
    good_for: TokenUse,
    lasts: Span,
) -> Result<Secret, Failure> {
    let secret = Secret::from(random::token()?);
    let token = ApiToken {
        sha256: random::sha256_hex(secret.reveal().as_bytes()),
        client: client.id.clone(),
        family: family.to_owned(),
        good_for,
        expires_at: work.now().plus(lasts),
    };
    work.save(&token).await?;
    Ok(secret)
}

//! Tokens for calls: client credentials and refresh tokens (RFC 6749), and who a bearer token belongs to.
//!
//! Tokens are 256 random bits and kept as hashes, so that rotating or deleting a client, or ending a login, voids them
//! at once. A refresh token is good for one exchange. One that comes back a second time was copied, and its whole
//! family is voided (RFC 9700, section 4.14.2).

use std::sync::Arc;

use postern_protocol::duration::Span;
use postern_service::{audit::Event, random, secret::Secret};
use subtle::{Choice, ConstantTimeEq};

use super::{Caller, Failure, logins};
use crate::{
    domain::{ApiClient, ApiToken, Holder, Login, Moment, Permissions, TokenUse},
    plane::ControlPlane,
    store::{Filter, Read, load},
    work::Work,
};

/// How long an access token lasts.
pub(crate) const ACCESS: Span = Span::from_secs(300);

/// How long a refresh token lasts.
pub(crate) const REFRESH: Span = Span::from_secs(36_000);

/// The command line as a client: a public one (RFC 6749, section 2.1), which has no secret.
pub(crate) const COMMAND_LINE: &str = "postern-cli";

/// A pair of tokens, shown once.
#[derive(Debug)]
pub(crate) struct Pair {
    /// For calls.
    pub access: Secret,
    /// For the next pair.
    pub refresh: Secret,
    /// What they allow.
    pub scope: Permissions,
}

/// Whose tokens are made, and how long they may last at most.
struct Family {
    holder: Holder,
    id: String,
    scope: Permissions,
    until: Option<Moment>,
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
    authenticate(plane.store.read().await.map_err(Failure::from)?.as_mut(), id, secret, plane.clock.now())
        .await?;
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let client = authenticate(work.tx(), id, secret, now).await?;
    let family = random::id("f").map_err(Failure::from)?;
    let pair = issue(&mut work, Family::of_client(client, family)).await?;
    work.commit().await?;
    Ok(pair)
}

/// Exchanges a client's refresh token for a new pair.
pub(crate) async fn refresh(
    plane: &Arc<ControlPlane>,
    id: &str,
    secret: &Secret,
    token: &Secret,
) -> Result<Pair, SignInFailure> {
    authenticate(plane.store.read().await.map_err(Failure::from)?.as_mut(), id, secret, plane.clock.now())
        .await?;
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let client = authenticate(work.tx(), id, secret, now).await?;
    let found = presented(work.tx(), token).await?;
    let holder = Holder::Client(client.id.clone());
    let known = found.filter(|known| known.holder == holder).ok_or(SignInFailure::InvalidGrant)?;
    let name = client.actor().name().to_owned();
    let family = Family::of_client(client, known.family.clone());
    exchange(work, known, &name, family).await
}

/// Exchanges a person's refresh token for a new pair.
pub(crate) async fn refresh_login(plane: &Arc<ControlPlane>, token: &Secret) -> Result<Pair, SignInFailure> {
    // Guesses do not queue up behind the writers.
    let seen = presented(plane.store.read().await.map_err(Failure::from)?.as_mut(), token).await?;
    seen.ok_or(SignInFailure::InvalidGrant)?;
    let mut work = Work::begin(plane).await?;
    let known = presented(work.tx(), token).await?.ok_or(SignInFailure::InvalidGrant)?;
    let now = work.now();
    let login: Option<Login> = work.load(&known.family).await?;
    let caller = logins::caller(plane, work.tx(), &known.family, now).await?;
    let (Some(login), Some(caller)) = (login, caller) else { return Err(SignInFailure::InvalidGrant) };
    let family = Family::of_login(&login, caller.permissions().clone());
    exchange(work, known, caller.name(), family).await
}

/// The first pair of a login.
pub(super) async fn issue_for(work: &mut Work, login: &Login, scope: Permissions) -> Result<Pair, Failure> {
    issue(work, Family::of_login(login, scope)).await
}

impl Family {
    fn of_client(client: ApiClient, id: String) -> Self {
        Self { holder: Holder::Client(client.id), id, scope: client.permissions, until: None }
    }

    fn of_login(login: &Login, scope: Permissions) -> Self {
        let holder = Holder::Person(login.identity.clone());
        Self { holder, id: login.id.clone(), scope, until: Some(login.expires_at) }
    }
}

async fn presented(tx: &mut dyn Read, token: &Secret) -> Result<Option<ApiToken>, Failure> {
    Ok(load(tx, &random::sha256_hex(token.reveal().as_bytes())).await?)
}

async fn exchange(
    mut work: Work,
    mut known: ApiToken,
    name: &str,
    family: Family,
) -> Result<Pair, SignInFailure> {
    match known.good_for {
        TokenUse::Access => Err(SignInFailure::InvalidGrant),
        TokenUse::Refresh if known.expires_at <= work.now() => Err(SignInFailure::InvalidGrant),
        TokenUse::Refresh => {
            known.good_for = TokenUse::Spent;
            work.save(&known).await?;
            let pair = issue(&mut work, family).await?;
            work.commit().await?;
            Ok(pair)
        }
        TokenUse::Spent => {
            void_family(&mut work, &known.family).await?;
            let event = Event { actor: name.to_owned(), ..Event::new("api_token.reused") };
            work.note(event.with("holder", known.holder.as_str()));
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
    match &token.holder {
        Holder::Client(id) => Ok(load::<ApiClient>(&mut *tx, id).await?.map(Caller::client)),
        Holder::Person(_) => logins::caller(plane, &mut *tx, &token.family, now).await,
    }
}

/// Voids every token of a client.
pub(super) async fn forget_client(work: &mut Work, id: &str) -> Result<(), Failure> {
    let holder = Holder::Client(id.to_owned());
    let same_name = Filter { identity: Some(id.to_owned()), ..Filter::default() };
    for token in work.find_all::<ApiToken>(&same_name).await? {
        if token.holder == holder {
            work.remove::<ApiToken>(&token.sha256).await?;
        }
    }
    Ok(())
}

/// Voids what came from one sign-in; a person's login is over with it.
pub(super) async fn void_family(work: &mut Work, family: &str) -> Result<(), Failure> {
    let whole = Filter { owner: Some(family.to_owned()), ..Filter::default() };
    for token in work.find_all::<ApiToken>(&whole).await? {
        work.remove::<ApiToken>(&token.sha256).await?;
    }
    work.remove::<Login>(family).await?;
    Ok(())
}

/// The client of this id and secret.
///
/// It is asked twice: first for reading, so that guesses do not queue up behind the writers, and then within the work
/// that issues tokens, since the secret may have been rotated, or the client deleted, in between.
async fn authenticate(
    tx: &mut dyn Read,
    id: &str,
    secret: &Secret,
    now: Moment,
) -> Result<ApiClient, SignInFailure> {
    let found: Option<ApiClient> = load(tx, id).await.map_err(Failure::from)?;
    let presented = random::sha256_hex(secret.reveal().as_bytes());
    // An unknown client is compared too, so that the time tells nothing.
    let expected: Vec<&str> = found.as_ref().map_or(vec![""], |client| client.hashes(now).collect());
    let same = expected.iter().fold(Choice::from(0), |same, expected| {
        same | presented.as_bytes().ct_eq(format!("{expected:64}").as_bytes())
    });
    // A directory's secret is no client secret.
    found.filter(|client| same.into() && !client.scim).ok_or(SignInFailure::InvalidClient)
}

async fn issue(work: &mut Work, family: Family) -> Result<Pair, Failure> {
    let access = save_token(work, &family, TokenUse::Access, ACCESS).await?;
    let refresh = save_token(work, &family, TokenUse::Refresh, REFRESH).await?;
    Ok(Pair { access, refresh, scope: family.scope })
}

async fn save_token(
    work: &mut Work,
    family: &Family,
    good_for: TokenUse,
    lasts: Span,
) -> Result<Secret, Failure> {
    let secret = Secret::from(random::token()?);
    let usual = work.now().plus(lasts);
    let token = ApiToken {
        sha256: random::sha256_hex(secret.reveal().as_bytes()),
        holder: family.holder.clone(),
        family: family.id.clone(),
        good_for,
        expires_at: family.until.map_or(usual, |until| until.min(usual)),
    };
    work.save(&token).await?;
    Ok(secret)
}

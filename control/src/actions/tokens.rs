//! Access tokens for databases.

use std::sync::Arc;

use postern_protocol::{
    duration::Span,
    gate::{Change, TOKEN_PREFIX},
};
use postern_service::{audit::Event, random, secret::Secret};

use super::{Caller, Failure, identities};
use crate::{
    domain::{IssuedToken, Permission, Refusal},
    plane::ControlPlane,
    work::{Audience, Work},
};

/// How long a token lasts when nobody says.
pub(crate) const USUAL: Span = Span::from_secs(12 * 3_600);

/// The longest that a token may last.
pub(crate) const LONGEST: Span = Span::from_secs(90 * 86_400);

/// Issues a token for the caller or for the identity that it names. The secret is shown once.
pub(crate) async fn issue(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    for_identity: Option<&str>,
    lasts: Span,
) -> Result<(IssuedToken, Secret), Failure> {
    if lasts.as_secs() == 0 || lasts > LONGEST {
        return Err(Refusal::Invalid(format!("expires_in: from 1s to {LONGEST}")).into());
    }
    let mut work = Work::begin(plane).await?;
    let identity = match for_identity {
        None => {
            caller.must(&[Permission::AccessRequest])?;
            caller.name().into()
        }
        Some(name) => {
            caller.must(&[Permission::AccessManagementProxyRequest])?;
            identities::vouched(&mut work, caller, name).await?.name
        }
    };
    let secret = Secret::from(format!("{TOKEN_PREFIX}{}", random::token()?));
    let now = work.now();
    let token = IssuedToken {
        id: random::id("t")?.into(),
        sha256: random::sha256_hex(secret.reveal().as_bytes()),
        identity,
        issued_by: caller.name().to_owned(),
        created_at: now,
        expires_at: now.plus(lasts),
    };
    work.save(&token).await?;
    work.tell(Audience::All, Change::Token(token.wire()));
    let expires_at = token.expires_at.timestamp().to_string();
    work.note(about(&token, "token.issued", caller.name()).with("expires_at", expires_at));
    work.commit_and_wait(&Audience::All).await?;
    Ok((token, secret))
}

/// Makes a token void.
pub(crate) async fn revoke(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let token: IssuedToken = work.get("access token", id).await?;
    if !caller.manages(&token.issued_by, token.identity.as_str()) {
        return Err(Refusal::not_found("access token", id).into());
    }
    revoke_within(&mut work, &token, caller.name()).await?;
    work.commit_and_wait(&Audience::All).await?;
    Ok(())
}

/// Makes a token void as part of something larger.
pub(super) async fn revoke_within(work: &mut Work, token: &IssuedToken, by: &str) -> Result<(), Failure> {
    work.remove::<IssuedToken>(token.id.as_str()).await?;
    work.tell(Audience::All, Change::TokenRevoked { token: token.id.clone() });
    work.note(about(token, "token.revoked", by));
    Ok(())
}

fn about(token: &IssuedToken, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), identity: token.identity.to_string(), ..Event::new(kind) }
        .with("token", token.id.as_str())
}

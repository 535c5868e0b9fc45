//! API clients: making, rotating and deleting them.

use std::sync::Arc;

use postern_protocol::duration::Span;
use postern_service::{audit::Event, random, secret::Secret};
use subtle::ConstantTimeEq;

use super::{Caller, Failure, identities, oauth};
use crate::{
    domain::{ApiClient, FormerSecret, Permission, Permissions, Refusal},
    plane::ControlPlane,
    store::{Filter, find_all, load_by},
    work::{Audience, Work},
};

/// The longest that a secret that was rotated away may be good for.
pub(crate) const LONGEST_GRACE: Span = Span::from_secs(7 * 86_400);

/// What a directory's token begins with, so that people and scanners know one when they see it.
const DIRECTORY_PREFIX: &str = "pscim_";

/// What kind of client.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// One that signs in at the token endpoint, with these permissions.
    OAuth(Permissions),
    /// A directory, whose secret is the bearer token of SCIM and of nothing else.
    Directory,
}

/// Makes a client on the operator's own word; [`create_by`] is for callers. The secret is shown once.
pub(crate) async fn create(
    plane: &Arc<ControlPlane>,
    by: &str,
    name: &str,
    permissions: Permissions,
) -> Result<(ApiClient, Secret), Failure> {
    make(plane, by, name, Kind::OAuth(permissions)).await
}

/// Makes a client that may do no more than the caller may hand out.
pub(crate) async fn create_by(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    kind: Kind,
) -> Result<(ApiClient, Secret), Failure> {
    caller.must_cover(&permissions_of(&kind))?;
    if matches!(kind, Kind::Directory) {
        caller.must_trust_directory(&plane.admins)?;
    }
    make(plane, caller.name(), name, kind).await
}

fn permissions_of(kind: &Kind) -> Permissions {
    match kind {
        Kind::OAuth(permissions) => permissions.clone(),
        Kind::Directory => Permissions::from([Permission::ModifyUsers]),
    }
}

async fn make(
    plane: &Arc<ControlPlane>,
    by: &str,
    name: &str,
    kind: Kind,
) -> Result<(ApiClient, Secret), Failure> {
    let mut work = Work::begin(plane).await?;
    if load_by::<ApiClient>(work.tx(), name).await?.is_some() {
        return Err(Refusal::Exists { kind: "API client", name: name.to_owned() }.into());
    }
    let scim = matches!(kind, Kind::Directory);
    let (secret, hash) = new_secret(scim)?;
    let made = ApiClient::new(random::id("c")?, name, permissions_of(&kind), hash, work.now())?;
    let client = ApiClient { scim, ..made };
    work.save(&client).await?;
    let allowed: Vec<&str> = client.permissions.iter().map(|permission| permission.as_str()).collect();
    work.note(about(&client, "api_client.created", by).with("permissions", allowed).with("scim", scim));
    work.commit().await?;
    Ok((client, secret))
}

/// A secret and its hash.
fn new_secret(scim: bool) -> Result<(Secret, String), Failure> {
    let token = random::token()?;
    let secret = Secret::from(if scim { format!("{DIRECTORY_PREFIX}{token}") } else { token });
    let hash = random::sha256_hex(secret.reveal().as_bytes());
    Ok((secret, hash))
}

/// The directory that a bearer token of SCIM belongs to.
pub(crate) async fn directory(plane: &ControlPlane, token: &str) -> Result<Option<Caller>, Failure> {
    let mut tx = plane.store.read().await?;
    let directories = Filter { states: vec!["scim"], ..Filter::default() };
    let (presented, now) = (random::sha256_hex(token.as_bytes()), plane.clock.now());
    let is_it = |client: &ApiClient| {
        client.scim && client.hashes(now).any(|hash| hash.as_bytes().ct_eq(presented.as_bytes()).into())
    };
    Ok(find_all::<ApiClient>(&mut *tx, &directories).await?.into_iter().find(is_it).map(Caller::client))
}

/// Gives a client a new secret. The old one, and every token that came from it, is void at once, or counts for the
/// grace that is asked for.
pub(crate) async fn rotate(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    grace: Option<Span>,
) -> Result<(ApiClient, Secret), Failure> {
    let grace = grace.filter(|grace| grace.as_secs() > 0);
    if grace.is_some_and(|grace| grace > LONGEST_GRACE) {
        return Err(Refusal::Invalid(format!("grace: {LONGEST_GRACE} at most")).into());
    }
    let mut work = Work::begin(plane).await?;
    let mut client: ApiClient = work.get("API client", id).await?;
    caller.must_cover(&client.permissions)?;
    if client.scim {
        caller.must_trust_directory(&plane.admins)?;
    }
    let (secret, hash) = new_secret(client.scim)?;
    let old = std::mem::replace(&mut client.secret_sha256, hash);
    client.former = grace.map(|grace| FormerSecret { sha256: old, until: work.now().plus(grace) });
    work.save(&client).await?;
    let mut event = about(&client, "api_client.rotated", caller.name());
    match grace {
        Some(grace) => event = event.with("grace", grace.to_string()),
        None => oauth::forget_client(&mut work, id).await?,
    }
    work.note(event);
    work.commit().await?;
    Ok((client, secret))
}

/// Deletes a client, its tokens, and what it was granted for itself.
pub(crate) async fn delete(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let client: ApiClient = work.get("API client", id).await?;
    caller.must_cover(&client.permissions)?;
    let by = caller.name();
    work.remove::<ApiClient>(id).await?;
    oauth::forget_client(&mut work, id).await?;
    identities::strip(&mut work, by, client.actor().name(), "the API client was deleted").await?;
    work.note(about(&client, "api_client.deleted", by));
    work.commit_and_wait(&Audience::All).await?;
    Ok(())
}

fn about(client: &ApiClient, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), ..Event::new(kind) }
        .with("client", client.id.as_str())
        .with("name", client.name.as_str())
}

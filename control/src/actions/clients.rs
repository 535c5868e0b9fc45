//! API clients: making, rotating and deleting them.

use std::sync::Arc;

use postern_service::{audit::Event, random, secret::Secret};

use super::{Caller, Failure, identities, oauth};
use crate::{
    domain::{ApiClient, Permissions, Refusal},
    plane::ControlPlane,
    store::load_by,
    work::{Audience, Work},
};

/// Makes a client on the operator's own word; [`create_by`] is for callers. The secret is shown once.
pub(crate) async fn create(
    plane: &Arc<ControlPlane>,
    by: &str,
    name: &str,
    permissions: Permissions,
) -> Result<(ApiClient, Secret), Failure> {
    let mut work = Work::begin(plane).await?;
    if load_by::<ApiClient>(work.tx(), name).await?.is_some() {
        return Err(Refusal::Exists { kind: "API client", name: name.to_owned() }.into());
    }
    let secret = Secret::from(random::token()?);
    let hash = random::sha256_hex(secret.reveal().as_bytes());
    let client = ApiClient::new(random::id("c")?, name, permissions, hash, work.now())?;
    work.save(&client).await?;
    let allowed: Vec<&str> = client.permissions.iter().map(|permission| permission.as_str()).collect();
    work.note(about(&client, "api_client.created", by).with("permissions", allowed));
    work.commit().await?;
    Ok((client, secret))
}

/// Makes a client that may do no more than the caller may hand out.
pub(crate) async fn create_by(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    permissions: Permissions,
) -> Result<(ApiClient, Secret), Failure> {
    caller.must_cover(&permissions)?;
    create(plane, caller.name(), name, permissions).await
}

/// Gives a client a new secret. The old one, and every token that came from it, is void at once.
pub(crate) async fn rotate(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
) -> Result<(ApiClient, Secret), Failure> {
    let mut work = Work::begin(plane).await?;
    let mut client: ApiClient = work.get("API client", id).await?;
    caller.must_cover(&client.permissions)?;
    let secret = Secret::from(random::token()?);
    client.secret_sha256 = random::sha256_hex(secret.reveal().as_bytes());
    work.save(&client).await?;
    oauth::forget_client(&mut work, id).await?;
    work.note(about(&client, "api_client.rotated", caller.name()));
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

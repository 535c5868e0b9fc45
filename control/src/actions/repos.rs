//! Switching a repo's ephemeral access on and off.

use std::sync::Arc;

use postern_protocol::gate::Change;
use postern_service::audit::Event;

use super::{Caller, Failure};
use crate::{
    domain::{Owner, Repo, Seen},
    feed::Outcome,
    plane::ControlPlane,
    work::{Audience, Work},
};

/// Switches it. Off ends every session of the repo and lets no new one in; its grants stay.
///
/// What a file opened may be closed by hand at any time; it does not belong to the file then, so that no later change of
/// the file opens it by the way. What a file closed is opened there.
pub(crate) async fn switch(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    seen: &Seen,
    name: &str,
    enabled: bool,
    reason: &str,
) -> Result<Vec<Outcome>, Failure> {
    let mut work = Work::begin(plane).await?;
    let mut repo: Repo = work.get("repo", name).await?;
    seen.check(Some(&repo))?;
    if repo.ephemeral_access == enabled {
        return Ok(Vec::new());
    }
    if enabled {
        repo.owner.iter().try_for_each(|owner| owner.must_be_rest("repo", name))?;
    }
    repo.owner = Some(Owner::rest());
    set(&mut work, &mut repo, enabled, caller.name(), reason).await?;
    Ok(work.commit_and_wait(&Audience::Repo(repo.name)).await?.sidecars)
}

/// Writes it down, and tells the sidecars of the repo.
pub(super) async fn set(
    work: &mut Work,
    repo: &mut Repo,
    enabled: bool,
    actor: &str,
    reason: &str,
) -> Result<(), Failure> {
    repo.ephemeral_access = enabled;
    actor.clone_into(&mut repo.switched_by);
    reason.clone_into(&mut repo.switch_reason);
    repo.switched_at = Some(work.now());
    work.save(repo).await?;
    let kind = if enabled { "repo.enabled" } else { "repo.disabled" };
    let event = Event { actor: actor.to_owned(), repo: repo.name.to_string(), ..Event::new(kind) };
    work.note(event.with("reason", reason));
    let (by, reason) = (actor.to_owned(), reason.to_owned());
    let change = Change::Repo { repo: repo.name.clone(), enabled, by, reason };
    work.tell(Audience::Repo(repo.name.clone()), change);
    Ok(())
}

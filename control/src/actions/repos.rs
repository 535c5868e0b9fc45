//! Switching a repo's ephemeral access on and off.

use std::sync::Arc;

use postern_protocol::gate::Change;
use postern_service::audit::Event;

use super::{Caller, Failure};
use crate::{
    domain::{Repo, Seen},
    feed::Outcome,
    plane::ControlPlane,
    work::{Audience, Work},
};

/// Switches it. Off ends every session of the repo and lets no new one in; its grants stay.
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
    repo.ephemeral_access = enabled;
    repo.switched_by = caller.name().to_owned();
    repo.switch_reason = reason.to_owned();
    work.save(&repo).await?;
    let to = Audience::Repo(repo.name.clone());
    let (by, reason) = (repo.switched_by.clone(), repo.switch_reason.clone());
    let kind = if enabled { "repo.enabled" } else { "repo.disabled" };
    let event = Event { actor: by.clone(), repo: repo.name.to_string(), ..Event::new(kind) };
    work.note(event.with("reason", reason.as_str()));
    work.tell(to.clone(), Change::Repo { repo: repo.name, enabled, by, reason });
    Ok(work.commit_and_wait(&to).await?.sidecars)
}

//! The sidecars as a fleet: draining one, and which repos each may claim to serve.

use std::{collections::BTreeSet, sync::Arc};

use postern_protocol::{
    duration::Span,
    gate::{Change, Hello, RepoName, ServedRepo},
};

use super::{Caller, Failure, sidecars::about};
use crate::{
    domain::{Draining, Sidecar},
    plane::ControlPlane,
    store::Filter,
    work::{Audience, Work},
};

/// Lets a sidecar take no new sessions until the order is taken back, whatever restarts in between. Its sessions go
/// on, for as long as `within` says if it says anything.
pub(crate) async fn drain(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    within: Option<Span>,
    reason: &str,
) -> Result<Sidecar, Failure> {
    let mut work = Work::begin(plane).await?;
    let (at, by) = (work.now(), caller.name().to_owned());
    let until = within.map(|within| at.plus(within));
    let order = Draining { by, reason: reason.to_owned(), at, until };
    let mut event = about(&name.into(), "sidecar.drained", caller.name()).with("reason", reason);
    if let Some(until) = until {
        event = event.with("until", until.timestamp().to_string());
    }
    work.note(event);
    tell(work, name, Some(order)).await
}

/// Lets a sidecar take sessions again.
pub(crate) async fn undrain(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    reason: &str,
) -> Result<Sidecar, Failure> {
    let mut work = Work::begin(plane).await?;
    work.note(about(&name.into(), "sidecar.undrained", caller.name()).with("reason", reason));
    tell(work, name, None).await
}

async fn tell(mut work: Work, name: &str, order: Option<Draining>) -> Result<Sidecar, Failure> {
    let mut sidecar: Sidecar = work.get("sidecar", name).await?;
    sidecar.draining = order;
    work.save(&sidecar).await?;
    let to = Audience::Sidecar(sidecar.name.clone());
    work.tell(to.clone(), Change::Drain(sidecar.drain()));
    work.commit_and_wait(&to).await?;
    Ok(sidecar)
}

/// Why a sidecar may not serve what it says it serves, if so: its token is for other repos, or another sidecar serves
/// something else under that name, whose grants would open the wrong database.
pub(super) async fn objection(
    work: &mut Work,
    sidecar: &Sidecar,
    hello: &Hello,
) -> Result<Option<String>, Failure> {
    if let Some(stranger) = stranger(sidecar.repos.as_ref(), hello) {
        return Ok(Some(format!(
            "the token of the sidecar `{}` is not for the repo `{stranger}`",
            sidecar.name
        )));
    }
    let others: Vec<Sidecar> = work.find_all(&Filter::default()).await?;
    for other in others.iter().filter(|other| other.name != sidecar.name) {
        for claim in &hello.repos {
            let Some(theirs) = other.serves(claim.name.as_str()) else { continue };
            if (theirs.engine, &theirs.database) != (claim.engine, &claim.database) {
                let (repo, known, other) = (&claim.name, described(theirs), &other.name);
                return Ok(Some(format!(
                    "the repo `{repo}` is {known} at the sidecar `{other}` and cannot be {} here",
                    described(claim)
                )));
            }
        }
    }
    Ok(None)
}

fn stranger<'a>(bound: Option<&BTreeSet<RepoName>>, hello: &'a Hello) -> Option<&'a RepoName> {
    let bound = bound?;
    hello.repos.iter().map(|repo| &repo.name).find(|name| !bound.contains(*name))
}

fn described(repo: &ServedRepo) -> String {
    let database = repo.database.as_ref().map(|database| format!(" database `{}`", database.escape_debug()));
    format!("{}{}", repo.engine.as_str(), database.unwrap_or_default())
}

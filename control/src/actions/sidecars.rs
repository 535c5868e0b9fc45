//! Enrolling and revoking sidecars, and what they say of themselves.

use std::sync::Arc;

use postern_protocol::gate::{Hello, SidecarName, SidecarToken};
use postern_service::{
    audit::{Event, ORIGIN, Record},
    random,
};

use super::{Caller, Failure, fleet, usages};
use crate::{
    domain::{Process, Refusal, Repo, Session, Sidecar, check_name},
    plane::ControlPlane,
    store::{Filter, load_by},
    work::{Retirement, Work},
};

const MOST_REPOS: usize = 1_000;

/// Enrols a sidecar, for these repos if any are named. The token is shown once.
pub(crate) async fn enrol(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    repos: Option<Vec<String>>,
) -> Result<(Sidecar, SidecarToken), Failure> {
    let mut work = Work::begin(plane).await?;
    let token = SidecarToken::new(&random::token()?, plane.signer.public());
    let hash = random::sha256_hex(token.reveal().as_bytes());
    let mut sidecar = Sidecar::new(name, hash, work.now())?;
    if let Some(repos) = repos {
        sidecar.bind(repos)?;
    }
    if work.load::<Sidecar>(name).await?.is_some() {
        return Err(Refusal::Exists { kind: "sidecar", name: name.to_owned() }.into());
    }
    work.save(&sidecar).await?;
    work.note(about(&sidecar.name, "sidecar.enrolled", caller.name()));
    work.commit().await?;
    Ok((sidecar, token))
}

/// Revokes a sidecar's token, tells the sidecar, and closes its feeds.
pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    reason: &str,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let sidecar: Sidecar = work.get("sidecar", name).await?;
    work.remove::<Sidecar>(name).await?;
    let own = Filter { owner: Some(name.to_owned()), ..Filter::default() };
    for session in work.find_all::<Session>(&own).await? {
        work.remove::<Session>(session.id.as_str()).await?;
    }
    for process in work.find_all::<Process>(&own).await? {
        work.remove::<Process>(&process.id).await?;
    }
    work.note(about(&sidecar.name, "sidecar.revoked", caller.name()).with("reason", reason));
    let retirement = Retirement { by: caller.name().to_owned(), reason: reason.to_owned() };
    let name = sidecar.name.clone();
    work.retire(sidecar.name, retirement);
    work.commit().await?;
    plane.hub.forget_tokens(&name);
    Ok(())
}

/// A sidecar that calls, and the hash of the token that it shows.
#[derive(Clone, Debug)]
pub(crate) struct Enrolled {
    /// Which.
    pub name: SidecarName,
    /// SHA-256, lower-case hexadecimal.
    pub token_sha256: String,
}

/// The sidecar that a bearer token belongs to. One whose feed is open here is known without a look into the store.
pub(crate) async fn by_token(plane: &ControlPlane, token: &str) -> Result<Option<Enrolled>, Failure> {
    let hash = random::sha256_hex(token.as_bytes());
    if let Some(name) = plane.hub.sidecar_with(&hash) {
        return Ok(Some(Enrolled { name, token_sha256: hash }));
    }
    let mut tx = plane.store.read().await?;
    let found: Option<Sidecar> = load_by(&mut *tx, &hash).await?;
    Ok(found.map(|sidecar| Enrolled { name: sidecar.name, token_sha256: hash }))
}

/// A sidecar says what it serves.
pub(crate) async fn hello(
    plane: &Arc<ControlPlane>,
    name: &SidecarName,
    hello: Hello,
) -> Result<(), Failure> {
    if hello.name != *name {
        return Err(Refusal::Forbidden(format!("the token belongs to the sidecar `{name}`")).into());
    }
    check(&hello)?;
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let mut sidecar: Sidecar = work.get("sidecar", name.as_str()).await?;
    if let Some(refusal) = fleet::objection(&mut work, &sidecar, &hello).await? {
        return turn_away(work, sidecar, refusal).await;
    }
    sidecar.refused = None;
    for served in &hello.repos {
        let known: Option<Repo> = work.load(served.name.as_str()).await?;
        let before = known.clone();
        let mut repo = known.unwrap_or_else(|| Repo::first_seen(served, now));
        repo.engine = served.engine;
        repo.database.clone_from(&served.database);
        if before.as_ref() != Some(&repo) {
            work.save(&repo).await?;
        }
    }
    let is_new = sidecar.hello.as_ref().is_none_or(|before| *before != hello);
    sidecar.hello = Some(hello.clone());
    sidecar.seen_at = Some(now);
    work.save(&sidecar).await?;
    if is_new {
        let repos: Vec<&str> = hello.repos.iter().map(|repo| repo.name.as_str()).collect();
        let event = about(name, "sidecar.connected", "")
            .with("instance", hello.instance.as_str())
            .with("version", hello.version.as_str())
            .with("repos", repos);
        work.note(event);
    }
    let process: Option<Process> = work.load(&Process::key(name, &hello.instance)).await?;
    work.save(&Process::says(&hello, process, now)).await?;
    work.commit().await?;
    Ok(())
}

/// Refuses a sidecar's claim. It comes back every few seconds, and leaves a trace the first time.
async fn turn_away(mut work: Work, mut sidecar: Sidecar, refusal: String) -> Result<(), Failure> {
    if sidecar.refused.as_ref() != Some(&refusal) {
        work.note(about(&sidecar.name, "sidecar.refused", "").with("reason", refusal.as_str()));
        sidecar.refused = Some(refusal.clone());
        work.save(&sidecar).await?;
        work.commit().await?;
    }
    Err(Refusal::Forbidden(refusal).into())
}

fn check(hello: &Hello) -> Result<(), Refusal> {
    let instance = &hello.instance;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if instance.is_empty() || instance.len() > 128 || !instance.bytes().all(plain) {
        return Err(Refusal::Invalid("instance: 1 to 128 letters, digits, `-`, `_` or `.`".to_owned()));
    }
    if hello.repos.len() > MOST_REPOS {
        return Err(Refusal::Invalid(format!("repos: more than {MOST_REPOS}")));
    }
    hello.repos.iter().try_for_each(|repo| {
        check_name("repo", repo.name.as_str())?;
        repo.accounts.iter().try_for_each(|account| check_name("account", account.as_str()))
    })
}

/// Takes the next records of a sidecar's audit chain; those already known are skipped.
pub(crate) async fn audit(
    plane: &Arc<ControlPlane>,
    name: &SidecarName,
    records: Vec<Record>,
) -> Result<(), Failure> {
    let Some(first) = records.first() else { return Ok(()) };
    let chain = first.chain.clone();
    let own = chain.strip_prefix("sidecar:").and_then(|rest| rest.strip_prefix(name.as_str()));
    if !own.is_some_and(|rest| rest.starts_with(':') && rest.len() > 1) {
        return Err(Refusal::Forbidden(format!(
            "the audit chain `{chain}` is not one of the sidecar `{name}`"
        ))
        .into());
    }
    let mut work = Work::begin(plane).await?;
    let last = work.tx().audit_last(&chain).await?;
    let fresh = unknown(&chain, last.as_ref(), records)?;
    work.keep(&fresh).await?;
    usages::heed(&mut work, name, &fresh).await?;
    work.commit().await?;
    Ok(())
}

/// The records that follow the last one that is known, each of which must follow from the one before it.
///
/// What a sidecar could not keep is a record of its own (`records.lost`), so a gap in the numbers is never right.
fn unknown(chain: &str, last: Option<&Record>, records: Vec<Record>) -> Result<Vec<Record>, Refusal> {
    let known = last.map_or(0, |last| last.seq.saturating_add(1));
    let (mut next, mut prev) = (known, last.map_or(ORIGIN, |last| last.hash.as_str()).to_owned());
    let mut fresh = Vec::with_capacity(records.len());
    for record in records {
        let fault = if record.chain != chain {
            Some(format!("belongs to the chain {}", record.chain.escape_debug()))
        } else if record.seq < known {
            let forked = last.is_some_and(|last| record.seq == last.seq && record.hash != last.hash);
            forked.then(|| "is known with another hash".to_owned())
        } else if record.seq != next {
            Some(format!("comes where #{next} is expected"))
        } else if record.prev != prev {
            Some("does not carry the hash of the record before it".to_owned())
        } else if record.hash != record.true_hash() {
            Some("does not have the hash of what it says".to_owned())
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(Refusal::Conflict(format!("#{} in a batch for {chain} {fault}", record.seq)));
        }
        if record.seq == next {
            next = next.saturating_add(1);
            prev.clone_from(&record.hash);
            fresh.push(record);
        }
    }
    Ok(fresh)
}

pub(super) fn about(name: &SidecarName, kind: &'static str, actor: &str) -> Event {
    Event { actor: actor.to_owned(), ..Event::new(kind) }.with("sidecar", name.as_str())
}

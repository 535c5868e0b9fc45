//! Everything that holds for one sidecar at one position.

use std::collections::BTreeSet;

use postern_protocol::{
    duration::Span,
    gate::{AccessToken, Change, Grant, Identity, Message, Position, RepoName, SidecarName, Snapshot},
};

use crate::{
    domain::{self, IdentityRecord, IssuedToken, Moment, Repo, Session, Sidecar},
    store::{Filter, Order, Read, StoreError, find, find_all, load},
};

const PART: usize = 1_000;

/// So many grants are read at a time: there can be very many, and nobody else is to wait while they are understood.
const PAGE: u32 = 1_000;

/// For how long a sidecar is told how a grant ended.
const REMEMBERED: Span = Span::from_secs(86_400);

/// The snapshot's parts in order, and its position. `tx` must see a single moment.
pub(super) async fn snapshot(
    tx: &mut dyn Read,
    name: &SidecarName,
    repos: &BTreeSet<RepoName>,
    now: Moment,
) -> Result<(Position, Vec<Message>), StoreError> {
    let position = tx.log_reach().await?.newest;
    let (mut grants, mut ended) = (Vec::new(), Vec::new());
    for repo in repos {
        grants.extend(living(tx, repo).await?);
        ended.extend(over(tx, repo, now).await?);
    }
    let first = Snapshot {
        position,
        disabled_repos: disabled_repos(tx, repos).await?,
        disabled_identities: disabled_identities(tx).await?,
        kills: kills(tx, name).await?,
        drain: load::<Sidecar>(tx, name.as_str()).await?.and_then(|sidecar| sidecar.drain()),
        ..Snapshot::default()
    };
    let parts = parts(first, grants, tokens(tx, now).await?, ended);
    Ok((position, parts.into_iter().map(Message::Snapshot).collect()))
}

async fn living(tx: &mut dyn Read, repo: &RepoName) -> Result<Vec<Grant>, StoreError> {
    let mut filter = Filter {
        repo: Some(repo.to_string()),
        states: vec!["SCHEDULED", "ACTIVE"],
        order: Order::Oldest,
        limit: Some(PAGE),
        ..Filter::default()
    };
    let mut grants = Vec::new();
    loop {
        let page = find::<domain::Grant>(tx, &filter).await?;
        grants.extend(page.items.iter().map(domain::Grant::wire));
        let Some(next) = page.next else { return Ok(grants) };
        filter.after = Some(next);
    }
}

async fn over(tx: &mut dyn Read, repo: &RepoName, now: Moment) -> Result<Vec<Change>, StoreError> {
    let filter = Filter {
        repo: Some(repo.to_string()),
        states: vec!["EXPIRED", "REVOKED"],
        due_after: Some(now.minus(REMEMBERED)),
        order: Order::Oldest,
        ..Filter::default()
    };
    Ok(find_all::<domain::Grant>(tx, &filter).await?.iter().map(domain::Grant::change).collect())
}

async fn tokens(tx: &mut dyn Read, now: Moment) -> Result<Vec<AccessToken>, StoreError> {
    let filter = Filter { due_after: Some(now), order: Order::Oldest, ..Filter::default() };
    Ok(find_all::<IssuedToken>(tx, &filter).await?.iter().map(IssuedToken::wire).collect())
}

async fn disabled_repos(tx: &mut dyn Read, repos: &BTreeSet<RepoName>) -> Result<Vec<RepoName>, StoreError> {
    let off: Vec<Repo> = find_all(tx, &switched_off()).await?;
    Ok(off.into_iter().map(|repo| repo.name).filter(|name| repos.contains(name)).collect())
}

async fn disabled_identities(tx: &mut dyn Read) -> Result<Vec<Identity>, StoreError> {
    let off: Vec<IdentityRecord> = find_all(tx, &switched_off()).await?;
    Ok(off.into_iter().map(|identity| identity.name).collect())
}

fn switched_off() -> Filter {
    Filter { states: vec!["off"], order: Order::Oldest, ..Filter::default() }
}

async fn kills(tx: &mut dyn Read, name: &SidecarName) -> Result<Vec<Change>, StoreError> {
    let filter = Filter { owner: Some(name.to_string()), order: Order::Oldest, ..Filter::default() };
    Ok(find_all::<Session>(tx, &filter).await?.iter().filter_map(Session::kill_change).collect())
}

/// Cuts what can be long into parts of bounded size. There is at least one.
fn parts(first: Snapshot, grants: Vec<Grant>, tokens: Vec<AccessToken>, ended: Vec<Change>) -> Vec<Snapshot> {
    let position = first.position;
    let (mut grants, mut tokens, mut ended) = (grants.into_iter(), tokens.into_iter(), ended.into_iter());
    let mut parts = Vec::new();
    let mut part = first;
    loop {
        part.grants = grants.by_ref().take(PART).collect();
        part.tokens = tokens.by_ref().take(PART).collect();
        part.ended = ended.by_ref().take(PART).collect();
        part.last = grants.len() == 0 && tokens.len() == 0 && ended.len() == 0;
        let last = part.last;
        parts.push(part);
        if last {
            return parts;
        }
        part = Snapshot { position, ..Snapshot::default() };
    }
}

//! Everything that holds for one sidecar at one position, part by part.
//!
//! Parts are sent while the next are read. Whoever reads the store does not wait for the sidecar: what it has not taken
//! yet lies in memory, and the store is free again.

use std::collections::BTreeSet;

use postern_protocol::{
    duration::Span,
    gate::{AccessToken, Change, Identity, Position, RepoName, SidecarName, Snapshot},
};
use tokio::sync::mpsc;

use crate::{
    domain::{self, IdentityRecord, IssuedToken, Moment, Repo, Session, Sidecar},
    store::{Filter, Order, Read, StoreError, find, find_all, load},
};

/// So much of what can be long is in one part.
const PART: usize = 1_000;

/// So many grants are read at a time: there can be very many, and nobody else is to wait while they are understood.
const PAGE: u32 = 1_000;

/// For how long a sidecar is told how a grant ended.
const REMEMBERED: Span = Span::from_secs(86_400);

/// Where the parts of a snapshot go, in order.
pub(super) struct Parts {
    position: Position,
    /// The newest, which may be the last.
    held: Option<Snapshot>,
    to: mpsc::UnboundedSender<Snapshot>,
}

impl Parts {
    /// Of a snapshot at this position, and where they come out.
    pub(super) fn new(position: Position) -> (Self, mpsc::UnboundedReceiver<Snapshot>) {
        let (to, out) = mpsc::unbounded_channel();
        (Self { position, held: None, to }, out)
    }

    /// Lets the part before go; whoever takes it may have gone themselves.
    fn put(&mut self, part: Snapshot) {
        let part = Snapshot { position: self.position, ..part };
        if let Some(before) = self.held.replace(part) {
            let _ = self.to.send(before);
        }
    }

    fn finish(self) {
        let position = self.position;
        let last = self.held.unwrap_or_else(|| Snapshot { position, ..Snapshot::default() });
        let _ = self.to.send(Snapshot { last: true, ..last });
    }
}

/// Reads the snapshot. `tx` must see a single moment, at the position of the parts, and ends with it.
pub(super) async fn snapshot(
    mut tx: Box<dyn Read>,
    name: &SidecarName,
    repos: &BTreeSet<RepoName>,
    now: Moment,
    mut parts: Parts,
) -> Result<(), StoreError> {
    let tx = &mut *tx;
    parts.put(Snapshot {
        disabled_repos: disabled_repos(tx, repos).await?,
        disabled_identities: disabled_identities(tx).await?,
        kills: kills(tx, name).await?,
        drain: load::<Sidecar>(tx, name.as_str()).await?.and_then(|sidecar| sidecar.drain()),
        ..Snapshot::default()
    });
    for tokens in tokens(tx, now).await?.chunks(PART) {
        parts.put(Snapshot { tokens: tokens.to_vec(), ..Snapshot::default() });
    }
    for repo in repos {
        for ended in over(tx, repo, now).await?.chunks(PART) {
            parts.put(Snapshot { ended: ended.to_vec(), ..Snapshot::default() });
        }
        living(tx, repo, &mut parts).await?;
    }
    parts.finish();
    Ok(())
}

async fn living(tx: &mut dyn Read, repo: &RepoName, parts: &mut Parts) -> Result<(), StoreError> {
    let mut filter = Filter {
        repo: Some(repo.to_string()),
        states: vec!["SCHEDULED", "ACTIVE"],
        order: Order::Oldest,
        limit: Some(PAGE),
        ..Filter::default()
    };
    loop {
        let page = find::<domain::Grant>(tx, &filter).await?;
        let grants = page.items.iter().map(domain::Grant::wire).collect();
        parts.put(Snapshot { grants, ..Snapshot::default() });
        let Some(next) = page.next else { return Ok(()) };
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

//! `list repos` and `list sidecars`

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use postern_protocol::gate::SidecarName;
use serde_json::Value;

use super::{super::callback::Command, super::desk::Slack, super::links::Unlinked, code, quiet};
use crate::{
    actions::Failure,
    domain::{Repo, Sidecar},
    feed::{Live, presence},
    store::{Entity, Filter, Order, find_all},
};

const MOST: usize = 50;

async fn all<T: Entity>(slack: &Slack) -> Result<Vec<T>, Failure> {
    let mut tx = slack.plane.store.read().await?;
    Ok(find_all(&mut *tx, &Filter { order: Order::Oldest, ..Filter::default() }).await?)
}

async fn live(slack: &Slack) -> Result<HashMap<SidecarName, Vec<Live>>, Failure> {
    let mut tx = slack.plane.store.read().await?;
    Ok(presence::by_sidecar(&mut *tx, &slack.plane).await?)
}

fn listed(title: &str, none: &str, hint: &str, mut lines: Vec<String>) -> Value {
    lines.sort();
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    if more > 0 {
        lines.push(format!("… and {more} more: {hint}"));
    }
    if lines.is_empty() { quiet(none) } else { quiet(&format!("*{title}*\n{}", lines.join("\n"))) }
}

/// The repos whose names hold these words, with their engines and accounts.
pub(super) async fn repos(slack: &Arc<Slack>, command: &Command, words: &[&str]) -> Result<Value, Unlinked> {
    slack.linked(&command.user_id).await?;
    let sidecars: Vec<Sidecar> = all(slack).await?;
    let repos: Vec<Repo> = all(slack).await?;
    let named = |repo: &&Repo| {
        let name = repo.name.as_str().to_lowercase();
        words.iter().all(|word| name.contains(&word.to_lowercase()))
    };
    let lines = repos.iter().filter(named).map(|repo| {
        let served = sidecars.iter().filter_map(|sidecar| sidecar.serves(repo.name.as_str()));
        let accounts: BTreeSet<String> =
            served.flat_map(|served| &served.accounts).map(|account| code(account.as_str())).collect();
        let accounts = accounts.into_iter().collect::<Vec<_>>().join(", ");
        let off = if repo.ephemeral_access { "" } else { " (switched off)" };
        format!("• {}{off}: {accounts}", code(repo.name.as_str()))
    });
    let none = if words.is_empty() {
        "There are no data repositories yet."
    } else {
        "No data repository has a name like that."
    };
    let hint =
        format!("name a part of a name, as in {}", code(&format!("{} list repos sales", command.command)));
    Ok(listed("Data repositories", none, &hint, lines.collect()))
}

/// The sidecars, and what they serve.
pub(super) async fn sidecars(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    slack.linked(&command.user_id).await?;
    let sidecars: Vec<Sidecar> = all(slack).await?;
    let live = live(slack).await?;
    let lines = sidecars.iter().map(|sidecar| {
        let here = live.get(&sidecar.name).is_some_and(|live| live.iter().any(|live| live.connected));
        let repos = sidecar.hello.iter().flat_map(|hello| &hello.repos).map(|repo| code(repo.name.as_str()));
        let repos = repos.collect::<Vec<_>>().join(", ");
        let state = if here { "connected" } else { "not connected" };
        format!("• {} ({state}): {repos}", code(sidecar.name.as_str()))
    });
    Ok(listed(
        "Sidecars",
        "There are no sidecars yet.",
        "the console and `postern sidecars ls` show all",
        lines.collect(),
    ))
}

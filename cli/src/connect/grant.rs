//! A grant for this repo and account: one that is there, or one that is asked for.

use serde_json::Value;

use super::progress;
use crate::{
    error::Error,
    print::{note, text, visible},
    request::wait,
    rest::Client,
};

/// Returns when there is one.
pub(super) async fn obtain(client: &Client, wish: &Value) -> Result<(), Error> {
    let me = text(&client.get(&["v1", "users", "me"], &[]).await?["name"]);
    let (repo, account) = (text(&wish["repo"]), text(&wish["account"]));
    let query = [("state", "ACTIVE".to_owned()), ("repo", repo.clone()), ("identity", me.clone())];
    let is_ours = |item: &Value| item["account"] == account && item["identity"] == me;
    if client.list(&["v1", "grants"], &query).await?.iter().any(is_ours) {
        return Ok(());
    }
    let request = match waiting(client, &repo, &me, is_ours).await? {
        Some(request) => request,
        None => client.post(&["v1", "requests"], wish).await?,
    };
    let decided = if wait::is_pending(&request) { watch(client, wish, &request).await? } else { request };
    wait::outcome(&decided)
}

/// A request of the same kind that waits already. Nobody is asked twice.
async fn waiting(
    client: &Client,
    repo: &str,
    me: &str,
    is_ours: impl Fn(&Value) -> bool,
) -> Result<Option<Value>, Error> {
    let query = [("status", "PENDING".to_owned()), ("repo", repo.to_owned()), ("identity", me.to_owned())];
    let whole = |item: &Value| item["resources"].as_array().is_none_or(Vec::is_empty);
    let found = client.list(&["v1", "requests"], &query).await?;
    Ok(found.into_iter().find(|item| is_ours(item) && whole(item)))
}

/// Waits for the decision, and says who can make it.
async fn watch(client: &Client, wish: &Value, request: &Value) -> Result<Value, Error> {
    let id = text(&request["id"]);
    // Only for the line that is shown: whoever decides needs no forecast.
    let forecast = client.post_with(&["v1", "requests"], &[("dry_run", "true".to_owned())], wish).await;
    let approvers = forecast.map(|forecast| text(&forecast["approvers"])).unwrap_or_default();
    let who = if approvers.is_empty() { "an administrator".to_owned() } else { visible(&approvers) };
    let line = format!("{id} waits for approval by {who}");
    let decided = tokio::select! {
        decided = wait::decided(client, &id) => decided,
        never = progress::show(&line) => never,
    };
    progress::end();
    let decided = decided?;
    if decided["status"] == "APPROVED" {
        note(&format!("{id} is approved"));
    }
    Ok(decided)
}

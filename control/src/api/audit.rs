//! `/v1/audit`

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use jiff::Timestamp;
use postern_protocol::duration::Span;
use postern_service::audit::Record;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    App,
    extract::Query,
    page::{List, cursor, size},
    problem::Problem,
};
use crate::{
    actions::audit,
    domain::{Moment, canonical},
    store::AuditFilter,
};

const NDJSON: &str = "application/x-ndjson";
const BATCH: u32 = 500;

/// Which records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// At this time or later: RFC 3339, or so long ago (`1h`).
    since: Option<String>,
    /// Before this time: RFC 3339, or so long ago.
    until: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
    /// `grant.revoked`, …
    kind: Option<String>,
    /// `control`, or `sidecar:NAME:INSTANCE`
    chain: Option<String>,
    /// JSON: how many on a page, 1 to 1000, usually 100. NDJSON: how many in all; absent: every one.
    limit: Option<u32>,
    after: Option<String>,
}

/// An audit record. `hash` covers every other field, `prev` is the hash of the record before it in its chain.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditRecord")]
pub(super) struct RecordView {
    chain: String,
    seq: u64,
    at: String,
    kind: String,
    actor: Option<String>,
    identity: Option<String>,
    repo: Option<String>,
    account: Option<String>,
    grant: Option<String>,
    session: Option<String>,
    detail: Option<Map<String, Value>>,
    prev: String,
    hash: String,
}

/// A time: RFC 3339, or so long ago.
pub(super) fn time(field: &str, text: Option<&str>, now: Moment) -> Result<Option<Moment>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at.into()));
    }
    let ago: Span =
        text.parse().map_err(|_| Problem::malformed(format!("{field}: RFC 3339, or a duration")))?;
    Ok(Some(now.minus(ago)))
}

/// `GET /v1/audit`
pub(super) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let now = app.plane.clock.now();
    let filter = AuditFilter {
        since: time("since", which.since.as_deref(), now)?,
        until: time("until", which.until.as_deref(), now)?,
        identity: which.identity.as_deref().map(canonical),
        repo: which.repo,
        kind: which.kind,
        chain: which.chain,
        after: cursor(which.after.as_deref())?,
        limit: 0,
    };
    let mut tx = app.plane.store.read().await?;
    let filter = audit::narrowed(&mut *tx, filter).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains(NDJSON) {
        drop(tx);
        return Ok(lines(app, filter, which.limit.unwrap_or(u32::MAX)));
    }
    let limit = size(which.limit)?;
    let mut rows = tx.audit(&AuditFilter { limit: limit.saturating_add(1), ..filter }).await?;
    let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = if more { rows.last().map(|(n, _)| *n) } else { None };
    let items: Vec<Record> = rows.into_iter().map(|(_, record)| record).collect();
    Ok(axum::Json(List::new(items, next)).into_response())
}

/// Every record on a line of its own, read from the store in batches while it is sent.
fn lines(app: App, filter: AuditFilter, limit: u32) -> Response {
    let batches = stream::try_unfold((app, filter, limit), |(app, mut filter, left)| async move {
        filter.limit = left.min(BATCH);
        let mut tx = app.plane.store.read().await?;
        let rows = tx.audit(&filter).await?;
        drop(tx);
        let Some((last, _)) = rows.last() else { return Ok(None) };
        filter.after = Some(*last);
        let left = left.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let mut text = String::new();
        for (_, record) in &rows {
            text.push_str(&serde_json::to_string(record)?);
            text.push('\n');
        }
        Ok::<_, crate::store::StoreError>(Some((text, (app, filter, left))))
    });
    ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(batches)).into_response()
}

/// How long a chain is: what [`Which`] must come to for a chain that nobody has cut.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditHead")]
pub(super) struct HeadView {
    chain: String,
    /// How many records.
    count: u64,
    /// The hash of the last.
    hash: String,
    /// How far it was cut, for records are kept for a while; absent: its first record is there.
    cut: Option<CutView>,
}

/// What was put away of a chain.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditCut")]
pub(super) struct CutView {
    /// How many records.
    count: u64,
    /// The hash of the last of them: what the first that is left carries.
    hash: String,
}

/// `GET /v1/audit/heads`
pub(super) async fn heads(State(app): State<App>) -> Result<axum::Json<List<HeadView>>, Problem> {
    let items = audit::heads(&app.plane).await?.into_iter().map(|(head, cut)| HeadView {
        chain: head.chain,
        count: head.count,
        hash: head.hash,
        cut: cut.map(|(count, hash)| CutView { count, hash }),
    });
    Ok(axum::Json(List::new(items.collect(), None)))
}

//! How audit records are found by their time, and how long they are kept.
//!
//! What is older is put away in steps, each a short transaction of its own. A record says how far each chain was cut and
//! with which hash, so that what is left verifies from there on. The last record of a chain stays, for the next one
//! follows from it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use postern_protocol::duration::Span;
use postern_service::audit::Event;
use serde_json::{Map, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Failure;
use crate::{
    plane::ControlPlane,
    store::{AuditFilter, Head, Read, StoreError},
    work::Work,
};

const EVERY: Duration = Duration::from_hours(1);

/// What happened while nobody ran is sorted for those who are told of it before it is put away.
const FIRST: Duration = Duration::from_mins(1);

/// So far a sidecar's clock may be ahead: what it writes bears a time of up to so much later than when it came in.
const AHEAD: Span = Span::from_secs(24 * 60 * 60);

/// Records that are looked through in one step.
const STEP: i64 = 20_000;

/// Where what was put away of each chain ended.
const CUTS: &str = "audit_cuts";

/// The same records, looked for behind everything that came in too early to be one of them.
pub(crate) async fn narrowed(tx: &mut dyn Read, filter: AuditFilter) -> Result<AuditFilter, StoreError> {
    let Some(since) = filter.since else { return Ok(filter) };
    let earlier = tx.audit_before(since.minus(AHEAD)).await?;
    Ok(AuditFilter { after: filter.after.max(Some(earlier)), ..filter })
}

/// Puts away what is older than this, until the program ends.
pub(crate) async fn run(plane: Arc<ControlPlane>, keep: Span) {
    let mut ticks = interval_at(Instant::now() + FIRST, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = prune(&plane, keep).await {
            tracing::error!(%error, "old audit records could not be put away; it is tried again");
        }
    }
}

/// Puts away what is older than this. The control plane's own records say what is.
pub(crate) async fn prune(plane: &Arc<ControlPlane>, keep: Span) -> Result<(), Failure> {
    let mut tx = plane.store.read().await?;
    let before = plane.clock.now().minus(keep);
    let last = tx.audit_before(before).await?;
    let mut reached = tx.audit_reach().await?.pruned;
    drop(tx);
    while reached < last {
        reached = reached.saturating_add(STEP).min(last);
        prune_to(plane, reached).await?;
    }
    Ok(())
}

async fn prune_to(plane: &Arc<ControlPlane>, to: i64) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    // Another control plane may have come further already.
    if work.tx().audit_reach().await?.pruned >= to {
        return Ok(());
    }
    let fresh = work.tx_mut().prune_audit(to).await?;
    if !fresh.is_empty() {
        let mut all = cuts(work.tx()).await?;
        all.extend(fresh.into_iter().map(|cut| (cut.chain, (cut.count, cut.hash))));
        let text = serde_json::to_string(&all).map_err(StoreError::from)?;
        work.tx_mut().set(CUTS, &text).await?;
        let chains: Map<_, _> = all
            .into_iter()
            .map(|(chain, (count, hash))| (chain, json!({ "count": count, "hash": hash })))
            .collect();
        work.note(Event::new("audit.pruned").with("chains", chains));
    }
    work.commit().await?;
    Ok(())
}

/// How far each chain was cut: number of records, and the hash of the last of them.
async fn cuts(tx: &mut dyn Read) -> Result<BTreeMap<String, (u64, String)>, StoreError> {
    let text = tx.setting(CUTS).await?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
}

/// Every chain's head, and where it was cut.
pub(crate) async fn heads(plane: &ControlPlane) -> Result<Vec<(Head, Option<(u64, String)>)>, Failure> {
    let mut tx = plane.store.read().await?;
    let mut cuts = cuts(&mut *tx).await?;
    let heads = tx.audit_heads().await?;
    Ok(heads
        .into_iter()
        .map(|head| {
            let cut = cuts.remove(&head.chain);
            (head, cut)
        })
        .collect())
}

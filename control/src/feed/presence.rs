//! Which sidecars are there, whichever control plane their feeds go to.
//!
//! That a feed opens stands in the store before anything is sent on it. So whoever commits a change and looks then
//! finds every process that may not have seen the change in its snapshot. That feeds have closed is put into the store
//! once a second, and what processes say of themselves every five.

use std::collections::{BTreeSet, HashMap};

use postern_protocol::{duration::Span, gate::SidecarName};

use super::hub::{FeedKey, Hub};
use crate::{
    domain::{Moment, Process, RunningPlane, Standing},
    plane::ControlPlane,
    store::{Filter, Order, Read, StoreError, Write, find_all, load_all, save, save_all},
    work::Audience,
};

/// A process that was heard of since then may still run; no lease lasts as long.
const LATELY: Span = Span::from_secs(120);

/// A process, and whether its feed is open at a control plane that is there.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// What is known of it.
    pub process: Process,
    /// Whether its feed is open.
    pub connected: bool,
}

/// Whom a change concerns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Concerned {
    /// Their feed is open: they are told.
    pub connected: Vec<FeedKey>,
    /// Their feed is not open, but they may run all the same, and their sessions live until their lease ends.
    pub absent: Vec<FeedKey>,
}

/// The control planes that are there, by their ids; this one always is.
async fn running(tx: &mut dyn Read, own: &str, now: Moment) -> Result<BTreeSet<String>, StoreError> {
    let known: Vec<RunningPlane> = find_all(tx, &Filter::default()).await?;
    let alive = known.into_iter().filter(|plane| plane.is_alive(now)).map(|plane| plane.id);
    Ok(alive.chain([own.to_owned()]).collect())
}

async fn processes(
    tx: &mut dyn Read,
    plane: &ControlPlane,
    sidecar: Option<&SidecarName>,
) -> Result<Vec<Live>, StoreError> {
    let running = running(tx, &plane.id, plane.clock.now()).await?;
    let filter =
        Filter { owner: sidecar.map(ToString::to_string), order: Order::Oldest, ..Filter::default() };
    let known: Vec<Process> = find_all(tx, &filter).await?;
    Ok(known.into_iter().map(|process| live(process, &plane.hub, &plane.id, &running)).collect())
}

/// What the store says, and what was heard here since.
fn live(mut process: Process, hub: &Hub, own: &str, running: &BTreeSet<String>) -> Live {
    let key = FeedKey::of(&process);
    if let Some(standing) = hub.news_of(&key) {
        process.stands(standing);
    }
    let elsewhere = process.feed_at.as_ref().is_some_and(|at| at != own && running.contains(at));
    Live { connected: elsewhere || hub.has_open(&key), process }
}

/// The processes of every sidecar, by its name.
pub(crate) async fn by_sidecar(
    tx: &mut dyn Read,
    plane: &ControlPlane,
) -> Result<HashMap<SidecarName, Vec<Live>>, StoreError> {
    let mut found: HashMap<SidecarName, Vec<Live>> = HashMap::new();
    for live in processes(tx, plane, None).await? {
        found.entry(live.process.sidecar.clone()).or_default().push(live);
    }
    Ok(found)
}

/// The processes of a sidecar.
pub(crate) async fn of_sidecar(
    tx: &mut dyn Read,
    plane: &ControlPlane,
    name: &SidecarName,
) -> Result<Vec<Live>, StoreError> {
    processes(tx, plane, Some(name)).await
}

/// The processes that a change concerns: those with an open feed, and those heard of lately.
pub(crate) async fn concerned(plane: &ControlPlane, to: &Audience) -> Result<Concerned, StoreError> {
    let mut tx = plane.store.read().await?;
    let since = plane.clock.now().minus(LATELY);
    let mut concerned = Concerned::default();
    for Live { process, connected } in processes(&mut *tx, plane, None).await? {
        if !to.includes(&process.sidecar, &process.repos) {
            continue;
        }
        if connected {
            concerned.connected.push(FeedKey::of(&process));
        } else if process.heard_at >= since {
            concerned.absent.push(FeedKey::of(&process));
        }
    }
    Ok(concerned)
}

/// Says that this control plane is there, and writes down what was heard.
pub(crate) async fn write(
    tx: &mut dyn Write,
    plane: &ControlPlane,
    news: &HashMap<FeedKey, Standing>,
    now: Moment,
) -> Result<(), StoreError> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    save(tx, &RunningPlane { id: plane.id.clone(), version, seen_at: now }).await?;
    let mut known = load_all::<Process>(tx, news.keys().map(FeedKey::record).collect()).await?;
    for (key, standing) in news {
        let Some(process) = known.get_mut(&key.record()) else { continue };
        process.stands(*standing);
        if process.feed_at.as_ref() == Some(&plane.id) && !plane.hub.has_open(key) {
            process.feed_at = None;
        }
    }
    save_all(tx, &known.into_values().collect::<Vec<_>>()).await
}

/// Forgets control planes and processes that are gone: not connected and not heard of since `before`.
pub(crate) async fn forget_silent(
    tx: &mut dyn Write,
    plane: &ControlPlane,
    before: Moment,
) -> Result<(), StoreError> {
    for Live { process, connected } in processes(tx, plane, None).await? {
        if !connected && process.heard_at < before {
            crate::store::remove::<Process>(tx, &process.id).await?;
        }
    }
    let known: Vec<RunningPlane> = find_all(tx, &Filter::default()).await?;
    for gone in known.iter().filter(|known| known.seen_at < before) {
        crate::store::remove::<RunningPlane>(tx, &gone.id).await?;
    }
    Ok(())
}

//! What time does: requests that nobody decided, grants that begin and end, and putting away what is no longer needed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use postern_protocol::{duration::Span, gate::EndCause};
use tokio::time::{MissedTickBehavior, interval};

use super::{Failure, grants, requests};
use crate::{
    clock::MARK_EVERY,
    domain::{
        Grant, GrantState, Moment, Request, RequestStatus, RunningPlane, Session, Sidecar, Standing,
        StoredRule,
    },
    feed::{FeedKey, presence},
    measures::{self, Measure},
    plane::ControlPlane,
    store::{Filter, Order, StoreError, Table, find_all, remove},
    work::{Audience, Work},
};

const TICK: Duration = Duration::from_millis(250);
const TIDY_EVERY: u32 = 240;
const MARK_TICKS: u32 = 4;
/// What sidecars say of themselves is written down every five seconds.
const NEWS_TICKS: u32 = 20;
const BATCH: u32 = 500;

/// How long before its end a grant's requester hears of it.
const AHEAD: Span = Span::from_secs(300);

/// What nobody needs any more once it is due.
const EPHEMERAL: [Table; 7] = [
    Table::ApiTokens,
    Table::AccessTokens,
    Table::Logins,
    Table::DeviceLogins,
    Table::Replays,
    Table::SlackSeen,
    Table::SlackConnects,
];

/// How long the change log is kept: a sidecar that was away longer gets a snapshot.
const LOG_KEPT: Span = Span::from_secs(86_400);

/// A process of a sidecar that was silent for so long is gone, and its sessions with it.
const GONE_AFTER: Span = Span::from_secs(300);

/// Runs until the program ends.
pub(crate) async fn run(plane: Arc<ControlPlane>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = plane.clock.now();
    debug_assert_eq!(TICK * MARK_TICKS, MARK_EVERY);
    for count in 0_u32.. {
        ticks.tick().await;
        let trouble = step(&plane, started, count).await.err();
        if let Some(error) = &trouble {
            tracing::error!(%error, "what was due could not be done; it is tried again");
        }
        plane.trouble.store(trouble.map(|error| Arc::new(plainly(&error))));
    }
}

/// What is wrong, for whoever asks whether this control plane is ready.
fn plainly(failure: &Failure) -> String {
    let what = match failure {
        Failure::Store(error) => error.plainly(),
        Failure::Refused(_) | Failure::Random(_) => "what is due could not be done",
    };
    format!("{what}: the log says more")
}

async fn step(plane: &Arc<ControlPlane>, started: Moment, count: u32) -> Result<(), Failure> {
    look(plane).await?;
    settle(plane).await?;
    if count.is_multiple_of(MARK_TICKS) {
        beat(plane, count.is_multiple_of(NEWS_TICKS)).await?;
        warn(plane).await?;
        let mut tx = plane.store.read().await?;
        plane.bell.reached(tx.audit_reach().await?.newest);
        measures::grants_active(tx.count(Table::Grants, GrantState::Active.as_str()).await?);
        drop(tx);
        // Whoever listens knows by that that it still hears.
        let newest = plane.hub.newest().borrow().to_string();
        plane.store.announce(vec![newest]).await?;
    }
    if count.is_multiple_of(TIDY_EVERY) {
        tidy(plane, started).await?;
    }
    Ok(())
}

/// Looks how far the log reaches: another program may have written to the same store, and its word of that be lost.
async fn look(plane: &ControlPlane) -> Result<(), StoreError> {
    let asked = plane.clock.now();
    let newest = plane.store.read().await?.log_reach().await?.newest;
    plane.hub.publish(newest);
    plane.hub.is_current(asked);
    Ok(())
}

/// Says that this control plane is there and what time it is, and writes down what it heard of the sidecars: `all` of
/// it, or which feeds have closed.
pub(crate) async fn beat(plane: &ControlPlane, all: bool) -> Result<(), Failure> {
    let news = plane.hub.take_news(all);
    let written = write_beat(plane, &news).await;
    if written.is_err() {
        plane.hub.keep_news(news);
    }
    Ok(written?)
}

/// Says that this control plane goes, so that the others need not wait for its silence.
pub(crate) async fn leave(plane: &ControlPlane) -> Result<(), Failure> {
    beat(plane, true).await?;
    let mut tx = plane.store.write().await?;
    remove::<RunningPlane>(&mut *tx, &plane.id).await?;
    Ok(tx.commit().await?)
}

async fn write_beat(plane: &ControlPlane, news: &HashMap<FeedKey, Standing>) -> Result<(), StoreError> {
    let mut tx = plane.store.write().await?;
    if let Some(mark) = tx.clock_mark().await? {
        plane.clock.catch_up(mark.at);
    }
    let mark = plane.clock.mark();
    tx.set_clock_mark(mark).await?;
    presence::write(&mut *tx, plane, news, mark).await?;
    tx.commit().await?;
    plane.clock.marked(mark);
    Ok(())
}

/// Writes down everything that is due: each thing once, however often it is called.
pub(crate) async fn settle(plane: &Arc<ControlPlane>) -> Result<(), Failure> {
    let now = plane.clock.now();
    let mut tx = plane.store.read().await?;
    let idle = find_all::<Request>(&mut *tx, &Filter { limit: Some(1), ..waiting(now) }).await?.is_empty()
        && find_all::<Grant>(&mut *tx, &Filter { limit: Some(1), ..living(now) }).await?.is_empty();
    drop(tx);
    if idle {
        return Ok(());
    }
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    for mut request in work.find_all::<Request>(&waiting(now)).await? {
        if request.expire(now) {
            work.note(requests::about(&request, "request.expired", ""));
            work.measure(Measure::Request(RequestStatus::Expired));
        } else if request.escalate(now) {
            let rule: Option<StoredRule> = work.load(&request.rule).await?;
            let to = rule.and_then(|stored| stored.rule.escalate).map(|escalation| escalation.to);
            work.note(requests::about(&request, "request.escalated", "").with("to", to.unwrap_or_default()));
        } else {
            continue;
        }
        work.save(&request).await?;
    }
    for mut grant in work.find_all::<Grant>(&living(now)).await? {
        let Some(state) = grant.settle(now) else { continue };
        work.save(&grant).await?;
        if state == GrantState::Expired {
            work.tell(Audience::Repo(grant.repo.clone()), grant.change());
            work.note(grants::about(&grant, "grant.expired", ""));
            work.measure(Measure::GrantEnded(EndCause::Expired));
        } else {
            work.note(grants::about(&grant, "grant.began", ""));
        }
    }
    work.commit().await?;
    Ok(())
}

/// Tells of grants that are about to end.
pub(crate) async fn warn(plane: &Arc<ControlPlane>) -> Result<(), Failure> {
    let now = plane.clock.now();
    let ending = Filter {
        due_after: Some(now),
        due_by: Some(now.plus(AHEAD)),
        states: vec!["ACTIVE"],
        order: Order::Due,
        ..Filter::default()
    };
    let mut tx = plane.store.read().await?;
    let mut grants_ending = find_all::<Grant>(&mut *tx, &ending).await?.into_iter();
    let quiet = !grants_ending.any(|mut grant| grant.announce(AHEAD, now));
    drop(tx);
    if quiet {
        return Ok(());
    }
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    for mut grant in work.find_all::<Grant>(&ending).await? {
        if grant.announce(AHEAD, now) {
            work.save(&grant).await?;
            let ends = grant.expires_at.timestamp().to_string();
            work.note(grants::about(&grant, "grant.ending", "").with("expires_at", ends));
        }
    }
    work.commit().await?;
    Ok(())
}

fn waiting(now: Moment) -> Filter {
    Filter {
        due_by: Some(now),
        states: vec!["PENDING"],
        order: Order::Due,
        limit: Some(BATCH),
        ..Filter::default()
    }
}

fn living(now: Moment) -> Filter {
    Filter { states: vec!["SCHEDULED", "ACTIVE"], ..waiting(now) }
}

/// Puts away what has run out and what nobody will ask for.
pub(crate) async fn tidy(plane: &Arc<ControlPlane>, started: Moment) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    for table in EPHEMERAL {
        work.tx_mut().delete_due(table, now).await?;
    }
    work.tx_mut().prune_log(now.minus(LOG_KEPT)).await?;
    let silent_since = now.minus(GONE_AFTER);
    plane.hub.forget_silent(silent_since);
    presence::forget_silent(work.tx_mut(), plane, silent_since).await?;
    // Right after a start nobody has been heard of yet.
    if started < silent_since {
        forget_lost_sessions(&mut work, plane).await?;
    }
    work.commit().await?;
    Ok(())
}

async fn forget_lost_sessions(work: &mut Work, plane: &ControlPlane) -> Result<(), Failure> {
    for sidecar in work.find_all::<Sidecar>(&Filter::default()).await? {
        let alive = presence::of_sidecar(work.tx(), plane, &sidecar.name).await?;
        let own = Filter { owner: Some(sidecar.name.to_string()), ..Filter::default() };
        for session in work.find_all::<Session>(&own).await? {
            if !alive.iter().any(|live| live.process.instance == session.instance) {
                work.remove::<Session>(session.id.as_str()).await?;
            }
        }
    }
    Ok(())
}

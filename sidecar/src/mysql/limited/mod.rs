//! The wire of a session that is held to some tables and columns.
//!
//! In: the two streams' bytes, from the relay. Out: what the guard makes of them. What the guard knows nothing of is
//! seen to here: the grant and the catalog that change while the session lives, the wait for a newer catalog, and the
//! traces that verdicts leave.

mod footing;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use postern_protocol::mysql::Capabilities;

pub(crate) use footing::{Footing, NoFooting, Unsuitable};

use super::{
    door::Door,
    target::Target,
    traffic::{BEFORE_ANSWER, Traffic},
};
use crate::{
    catalog::{Attendance, Keeper, Stir},
    enforce::{
        Breach, Limits, Quota, Remedy,
        mysql::{self, Catalog, Ground, Guard, Judged, Kept, Over, Pace, redact},
    },
    gatehouse::Gatehouse,
    judging::elsewhere,
    session::{Direction, Ending, Passing, Session, Violation, Wire},
    traces::Traces,
};

/// What a command waits for: a newer catalog, or the verdict on a long text.
type Wait = Pin<Box<dyn Future<Output = Option<Judged>> + Send>>;

/// A limited session's wire.
pub(crate) struct Limited {
    guard: Guard,
    traffic: Traffic,
    session: Arc<Session>,
    target: Arc<Target>,
    traces: Traces,
    /// The catalog is kept fresh as long as the session lives.
    _attendance: Option<Attendance>,
    /// Notices when it changes.
    stir: Option<Stir>,
    wait: Option<Wait>,
    /// Commands wait for the server's answer; this wakes the task that looks at them then.
    blocked: Option<Waker>,
    /// What the client begins anew with.
    over: Option<Over>,
}

impl Limited {
    /// The wire of a session that stands on this footing.
    pub(crate) fn new(
        house: &Arc<Gatehouse>,
        session: &Arc<Session>,
        door: &Arc<Door>,
        (limits, catalog): (Arc<Limits>, Arc<Catalog>),
        capabilities: Capabilities,
        footing: Footing,
    ) -> Self {
        let Footing { modes, database, user, ascii_only } = footing;
        let several = capabilities.has(Capabilities::MULTI_STATEMENTS);
        let mode = modes.reading();
        let ground = Ground { catalog, limits, database, mode, begun: modes, several, user };
        let remedy = Remedy { repo: session.repo.to_string(), account: session.account.to_string() };
        let (threads, asking) = (Arc::clone(&door.threads), Arc::clone(session));
        let own_connections = Box::new(move |number| {
            threads.upstream(number, &asking).or_else(|| threads.own(number, &asking))
        });
        let target = Arc::clone(&door.target);
        let guarded = mysql::Session { capabilities, ascii_only, remedy };
        let mut wire = Self {
            guard: Guard::new(
                guarded,
                ground,
                Arc::clone(&target.verdicts),
                own_connections,
                Quota::new(session.tally()),
            ),
            traffic: Traffic::new(capabilities, &door.threads, session),
            session: Arc::clone(session),
            traces: Traces::new(house, session, redact),
            _attendance: target.catalog(&session.account).map(Keeper::attend),
            stir: target.catalog(&session.account).map(Keeper::stir),
            target,
            wait: None,
            blocked: None,
            over: None,
        };
        // What has changed since the ground was found, nothing else would tell.
        wire.renew();
        wire
    }

    /// What it knows of both directions, and what the client begins anew with.
    pub(crate) fn into_traffic(self) -> (Traffic, Option<(Over, Kept)>) {
        (self.traffic, self.over.map(|over| (over, self.guard.into_kept())))
    }

    /// What the client said before the session began.
    pub(crate) fn has_heard(&mut self, said: BytesMut) {
        self.guard.has_heard(said);
    }

    /// Stands on the newest ground that there is. Of a text with several statements those that still wait were judged on
    /// another: names may stand for other things by the time that they run.
    fn renew(&mut self) {
        let ground = self.guard.ground();
        let limits = self.session.limits().unwrap_or_else(|| Arc::clone(&ground.limits));
        let newest = self.target.catalog(&self.session.account).and_then(Keeper::newest);
        let catalog = newest.unwrap_or_else(|| Arc::clone(&ground.catalog));
        if Arc::ptr_eq(&limits, &ground.limits) && Arc::ptr_eq(&catalog, &ground.catalog) {
            return;
        }
        let ground = Ground { catalog, limits, ..ground.clone() };
        self.guard.stand_on(ground);
        if !self.guard.still_covers() {
            self.session.leash.fall(Ending::Shrunk);
        }
    }

    /// What follows from the guard's word.
    fn heed(&mut self, word: Result<Pace, Breach>) -> Result<(), Violation> {
        self.traces.leave(self.guard.news());
        match word {
            Ok(Pace::Going | Pace::Waiting) => {}
            Ok(Pace::WantsCatalog) => {
                let (target, account) = (Arc::clone(&self.target), self.session.account.clone());
                self.wait = Some(Box::pin(async move {
                    if let Some(catalog) = target.catalog(&account) {
                        catalog.refresh().await;
                    }
                    None
                }));
            }
            Ok(Pace::WantsVerdict) => {
                let long = self.guard.long_text();
                self.wait = Some(Box::pin(async move {
                    let long = long?;
                    let same = long.clone();
                    let judged = elsewhere(long.len(), || same.judged()).await;
                    Some(judged.unwrap_or_else(|| long.failed()))
                }));
            }
            Ok(Pace::Over(Over::Login(..))) if self.guard.has_waiting() => {
                return Err(Violation(BEFORE_ANSWER.to_owned()));
            }
            Ok(Pace::Over(over)) => self.over = Some(over),
            Err(breach) => return self.traces.breach(breach),
        }
        Ok(())
    }

    /// Puts the guard to work and takes note of what it sends.
    fn work(
        &mut self,
        instead: &mut BytesMut,
        work: impl FnOnce(&mut Guard, &mut BytesMut) -> Result<Pace, Breach>,
    ) -> Result<(), Violation> {
        let before = instead.len();
        let word = work(&mut self.guard, instead);
        self.heed(word)?;
        self.traffic.sent(instead.get(before..).unwrap_or_default());
        Ok(())
    }

    /// Commands that waited can be looked at, perhaps.
    fn unblock(&mut self) {
        if self.guard.is_free()
            && let Some(waker) = self.blocked.take()
        {
            waker.wake();
        }
    }
}

impl Wire for Limited {
    fn forwarding(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation> {
        self.work(instead, |guard, up| guard.take_from_client(bytes, up))?;
        Ok(Passing::Replaced)
    }

    fn returning(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation> {
        let before = instead.len();
        let word = self.guard.take_from_server(bytes, instead).map(|()| Pace::Going);
        let kept = word.is_ok();
        self.heed(word)?;
        if !kept {
            instead.truncate(before);
        }
        self.unblock();
        Ok(Passing::Replaced)
    }

    fn poll_decided(
        &mut self,
        direction: Direction,
        cx: &mut Context<'_>,
        instead: &mut BytesMut,
    ) -> Poll<Result<(), Violation>> {
        if direction == Direction::Down {
            instead.extend_from_slice(&self.guard.take_answers());
            self.unblock();
            return Poll::Ready(Ok(()));
        }
        if self.over.is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.wait.is_none() && self.guard.has_waiting() && self.guard.is_free() {
            self.work(instead, Guard::commands)?;
        }
        while let Some(wait) = &mut self.wait {
            let Poll::Ready(judged) = wait.as_mut().poll(cx) else { return Poll::Pending };
            self.wait = None;
            if let Some(judged) = judged {
                self.guard.take_judged(judged);
            }
            self.renew();
            self.work(instead, Guard::resume)?;
        }
        // What it has decided goes first; then nothing more is read while commands wait for an answer.
        if instead.is_empty() && self.guard.has_waiting() && !self.guard.is_free() {
            self.blocked = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn is_over(&self) -> bool {
        self.over.is_some()
    }

    fn is_busy(&self) -> bool {
        self.traffic.in_flight()
    }

    fn look_around(&mut self, cx: &mut Context<'_>) {
        let stirred = self.stir.as_mut().is_some_and(|stir| stir.has_changed(cx));
        if stirred || !self.session.is_held_to(&self.guard.ground().limits) {
            self.renew();
        }
        self.traces.leave(self.guard.news());
    }

    fn delivered(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.traffic.delivered(bytes)
    }

    fn client_needs(&self) -> Option<usize> {
        self.traffic.client_needs()
    }

    fn warning(&self, left: Duration) -> Bytes {
        self.traffic.warning(left)
    }
}

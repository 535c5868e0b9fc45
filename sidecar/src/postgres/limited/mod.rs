//! The wire of a session that is held to some tables and columns.
//!
//! In: the two streams' bytes, from the relay. Out: what the guard makes of them. What the guard knows nothing of is
//! seen to here: the grant and the catalog that change while the session lives, the wait for a newer catalog, and the
//! traces that verdicts leave.

mod defaults;
mod footing;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use postern_service::random;
use tokio::sync::oneshot;

pub(crate) use defaults::{Defaults, Unsuitable};
pub(crate) use footing::{Footing, NoFooting};

use super::{refusal::Refusal, target::Target, traffic::Traffic};
use crate::{
    catalog::{Attendance, Stir},
    enforce::{
        Breach, Limits, Quota, Remedy,
        postgres::{Ground, Guard, Judged, Pace, Start, catalog::Catalog, judge, redact},
    },
    gatehouse::Gatehouse,
    judging::elsewhere,
    session::{Direction, Ending, Passing, Session, Violation, Wire},
    traces::Traces,
};

/// What a message waits for: a newer catalog, or the verdict on a long text.
type Wait = Pin<Box<dyn Future<Output = Option<Judged>> + Send>>;

/// A limited session's wire.
pub(crate) struct Limited {
    guard: Guard,
    traffic: Traffic,
    session: Arc<Session>,
    target: Arc<Target>,
    traces: Traces,
    /// The catalog is kept fresh as long as the session lives.
    _attendance: Attendance,
    /// Notices when it changes.
    stir: Stir,
    /// What messages wait for, up and down.
    waits: [Option<Wait>; 2],
    /// Dropped when so many answers have come that the client is heard again.
    unanswered: Option<oneshot::Sender<Judged>>,
}

impl Limited {
    /// The wire of a session that stands on this footing.
    pub(crate) fn new(
        house: &Arc<Gatehouse>,
        session: &Arc<Session>,
        target: &Arc<Target>,
        limits: Arc<Limits>,
        catalog: Arc<Catalog>,
        footing: Footing,
        wished_path: Option<&str>,
    ) -> Result<Self, Refusal> {
        let Footing { path, user, pinned, .. } = footing;
        let start = Start::new(&pinned.search_path, catalog.loaded(), &pinned.session_user);
        let ground = Ground { catalog, limits, path, user, start: Arc::new(start) };
        if let Some(asked) =
            wished_path.filter(|asked| *asked != pinned.search_path && !ground.keeps_path(asked))
        {
            return Err(Unsuitable::SearchPath { asked: asked.to_owned(), is: pinned.search_path }.into());
        }
        let key = random::hex(&random::bytes::<12>()?);
        let remedy = Remedy { repo: session.repo.to_string(), account: session.account.to_string() };
        let mut wire = Self {
            guard: Guard::new(
                judge,
                ground,
                Arc::clone(&target.verdicts),
                pinned,
                &key,
                remedy,
                Quota::new(session.tally()),
            ),
            traffic: Traffic::default(),
            session: Arc::clone(session),
            target: Arc::clone(target),
            traces: Traces::new(house, session, redact),
            _attendance: target.catalog.attend(),
            stir: target.catalog.stir(),
            waits: [None, None],
            unanswered: None,
        };
        // What has changed since the ground was found, nothing else would tell.
        wire.renew();
        Ok(wire)
    }

    /// What it knows of both directions.
    pub(crate) fn into_traffic(self) -> Traffic {
        self.traffic
    }

    /// Stands on the newest ground that there is. What lies open was judged on another, and so was what waits at the server
    /// behind something that takes its time: names may stand for other things by the time that it runs.
    fn renew(&mut self) {
        let ground = self.guard.ground();
        let limits = self.session.limits().unwrap_or_else(|| Arc::clone(&ground.limits));
        let catalog = self.target.catalog.newest().unwrap_or_else(|| Arc::clone(&ground.catalog));
        if Arc::ptr_eq(&limits, &ground.limits) && Arc::ptr_eq(&catalog, &ground.catalog) {
            return;
        }
        let path = ground.path_on(&catalog, &self.guard.pinned().search_path);
        let ground = Ground { catalog, limits, path, ..ground.clone() };
        self.guard.stand_on(ground);
        if !self.guard.still_covers() {
            self.session.leash.fall(Ending::Shrunk);
        }
        if self.guard.is_adrift() {
            self.traces.tripwire("search_path follows the configuration, which the server has read again");
        }
    }

    /// What follows from a guard's word: a wait, or the end.
    fn heed(&mut self, direction: Direction, word: Result<Pace, Breach>) -> Result<(), Violation> {
        self.traces.leave(self.guard.news());
        if self.guard.has_room() {
            self.unanswered = None;
        }
        match word {
            Ok(Pace::Going) => Ok(()),
            Ok(Pace::WantsCatalog) => {
                let target = Arc::clone(&self.target);
                *self.wait(direction) = Some(Box::pin(async move {
                    target.catalog.refresh().await;
                    None
                }));
                Ok(())
            }
            Ok(Pace::WantsVerdict) => {
                let long = self.guard.long_text();
                *self.wait(direction) = Some(Box::pin(async move {
                    let long = long?;
                    let same = long.clone();
                    let judged = elsewhere(long.len(), || same.judged()).await;
                    Some(judged.unwrap_or_else(|| long.failed()))
                }));
                Ok(())
            }
            Ok(Pace::WantsReplies) => {
                let (sender, answered) = oneshot::channel();
                self.unanswered = Some(sender);
                *self.wait(direction) = Some(Box::pin(async move { answered.await.ok() }));
                Ok(())
            }
            Err(breach) => self.traces.breach(breach),
        }
    }

    const fn wait(&mut self, direction: Direction) -> &mut Option<Wait> {
        let [up, down] = &mut self.waits;
        match direction {
            Direction::Up => up,
            Direction::Down => down,
        }
    }

    /// The messages that waited in this direction are decided now.
    fn resume(&mut self, direction: Direction, instead: &mut BytesMut) -> Result<(), Violation> {
        self.renew();
        let before = instead.len();
        let word = match direction {
            Direction::Up => self.guard.resume(instead),
            Direction::Down => self.guard.resume_down(instead),
        };
        self.heed(direction, word)?;
        match direction {
            Direction::Up => self.traffic.sending(instead.get(before..).unwrap_or_default()),
            Direction::Down => Ok(()),
        }
    }
}

impl Wire for Limited {
    fn forwarding(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation> {
        let before = instead.len();
        let word = self.guard.take_from_client(bytes, instead);
        self.heed(Direction::Up, word)?;
        self.traffic.sending(instead.get(before..).unwrap_or_default())?;
        Ok(Passing::Replaced)
    }

    fn returning(&mut self, bytes: &[u8], instead: &mut BytesMut) -> Result<Passing, Violation> {
        let streaming = match self.guard.streaming(bytes) {
            Ok(streaming) => streaming,
            Err(breach) => {
                self.heed(Direction::Down, Err(breach))?;
                return Ok(Passing::Replaced);
            }
        };
        let (streaming, looked_at) = bytes.split_at(streaming.min(bytes.len()));
        if looked_at.is_empty() {
            return Ok(Passing::AsTheyAre);
        }
        instead.extend_from_slice(streaming);
        let word = self.guard.take_from_server(looked_at, instead);
        self.heed(Direction::Down, word)?;
        Ok(Passing::Replaced)
    }

    fn poll_decided(
        &mut self,
        direction: Direction,
        cx: &mut Context<'_>,
        instead: &mut BytesMut,
    ) -> Poll<Result<(), Violation>> {
        while let Some(wait) = self.wait(direction) {
            let Poll::Ready(judged) = wait.as_mut().poll(cx) else { return Poll::Pending };
            *self.wait(direction) = None;
            if let Some(judged) = judged {
                self.guard.take_judged(judged);
            }
            self.resume(direction, instead)?;
        }
        Poll::Ready(Ok(()))
    }

    fn is_busy(&self) -> bool {
        self.traffic.in_flight()
    }

    fn look_around(&mut self, cx: &mut Context<'_>) {
        if self.stir.has_changed(cx) || !self.session.is_held_to(&self.guard.ground().limits) {
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

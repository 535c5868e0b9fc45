//! Knocking: a client whose credential is good and who has no grant states its wish by connecting, and waits at the door.
//!
//! In: who it is, what it wants and why. Out: that it may try again now, or why it may not. The control plane files the
//! request and decides it as any other; the grant comes by the feed like any other, and who waited is judged anew. Those
//! who wait are few and wait for a limited time. A request whose client went away goes on: approvers have seen it, and
//! the client finds it again when it connects with the same wish.

mod places;
mod wish;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use postern_protocol::gate::{Knock, KnockState, Knocked, RequestId};
use postern_service::audit::Event;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use places::Place;
pub(crate) use places::Waiters;
pub(crate) use wish::Wish;

use crate::{
    gatehouse::Gatehouse,
    grants::{Access, Denied, NoAnswer},
    identity::Known,
    net::Stream,
};

/// How often the control plane is asked whether somebody has refused.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often the book is looked at for the grant.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a client may take to accept what it is told.
const TELL: Duration = Duration::from_secs(1);

/// Why somebody who knocked is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLetIn {
    /// What it gives for a duration is none.
    #[error("`{0}` is no duration: write 30m, 2h or 1d")]
    Duration(String),
    /// The control plane has not taken the request, in its own words.
    #[error("the request was not filed: {0}")]
    NotFiled(NoAnswer),
    /// Somebody refused, withdrew it, or nobody decided in time.
    #[error("request {} {}", .0.request, .0.word)]
    Refused(Knocked),
    /// It is not decided yet.
    #[error("request {0} is not decided yet: connect again with the same wish to go on waiting")]
    Undecided(RequestId),
    /// The credential ended meanwhile.
    #[error("the credential has expired, or was revoked, while request {0} waited")]
    Credential(RequestId),
    /// Too many wait already.
    #[error("too many clients wait for a decision already")]
    TooMany,
    /// The client has said something, or hung up.
    #[error("the client did not wait for the decision")]
    Impatient,
}

/// Somebody without a grant, and what they want.
pub(crate) struct Visitor<'g> {
    /// Who.
    pub(crate) known: &'g Known,
    /// Where, and as which account.
    pub(crate) access: &'g Access,
    /// For how long, and why.
    pub(crate) wish: &'g Wish,
    /// From where.
    pub(crate) peer: SocketAddr,
}

impl Gatehouse {
    /// Files a visitor's wish and waits until it may enter. `tells` makes what the client is told meanwhile, of which
    /// there may be nothing.
    pub(crate) async fn knock(
        &self,
        visitor: &Visitor<'_>,
        stream: &mut Stream,
        tells: impl FnOnce(&str) -> Bytes + Send,
    ) -> Result<(), NotLetIn> {
        let _place: Place =
            self.waiters.take(visitor.peer.ip(), &visitor.access.identity).ok_or(NotLetIn::TooMany)?;
        let knocked = self.file(visitor).await?;
        // Also before a refusal: libpq takes one that comes behind such news for final, and any other for a reason to try
        // again without TLS, which would file another request.
        tell(stream, &tells(&news(&knocked))).await?;
        if knocked.state == KnockState::Refused {
            return Err(NotLetIn::Refused(knocked));
        }
        let waiting = Waiting { house: self, visitor, request: knocked.request };
        let mut byte = [0];
        tokio::select! {
            decided = waiting.decided() => decided,
            _ = stream.read(&mut byte) => Err(NotLetIn::Impatient),
        }
    }

    async fn file(&self, visitor: &Visitor<'_>) -> Result<Knocked, NotLetIn> {
        let Access { identity, repo, account } = visitor.access.clone();
        let duration = visitor.wish.span().map_err(NotLetIn::Duration)?;
        let (groups, reason) = (visitor.known.groups.clone(), visitor.wish.reason.clone());
        let issued_at = visitor.known.issued_at.map(jiff::Timestamp::as_millisecond);
        let knock = Knock { identity, groups, issued_at, repo, account, duration, reason };
        let knocked = self.reports.knock(&knock).await.map_err(NotLetIn::NotFiled)?;
        self.audit.record(Event {
            identity: knock.identity.to_string(),
            repo: knock.repo.to_string(),
            account: knock.account.to_string(),
            ..Event::new("session.knocked")
                .with("request", knocked.request.as_str())
                .with("client", visitor.peer.to_string())
        });
        Ok(knocked)
    }
}

/// What the client reads while it waits.
fn news(knocked: &Knocked) -> String {
    let request = &knocked.request;
    match knocked.state {
        KnockState::Granted => format!("request {request} is approved"),
        KnockState::Waiting => format!("request {request} is waiting for approval"),
        KnockState::Refused => format!("request {request} was filed"),
    }
}

async fn tell(stream: &mut Stream, bytes: &[u8]) -> Result<(), NotLetIn> {
    let told = timeout(TELL, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    if let Ok(Ok(())) = told.await { Ok(()) } else { Err(NotLetIn::Impatient) }
}

/// A visitor whose request is filed.
struct Waiting<'g> {
    house: &'g Gatehouse,
    visitor: &'g Visitor<'g>,
    request: RequestId,
}

impl Waiting<'_> {
    /// Until there is a grant, or will be none.
    async fn decided(&self) -> Result<(), NotLetIn> {
        let until = Instant::now() + self.house.knock_wait;
        let mut ask = interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order: a credential that was revoked before the grant was given is no longer there then.
            let denied = self.house.book.admit(self.visitor.access).err();
            if !self.visitor.known.holds(&self.house.book) {
                return Err(NotLetIn::Credential(self.request.clone()));
            }
            // Whatever else there is to say, the way in says it.
            if denied != Some(Denied::NoGrant) {
                return Ok(());
            }
            let is_closing = self.house.is_stopping() || self.house.draining.is_on();
            if is_closing || Instant::now() >= until {
                return Err(NotLetIn::Undecided(self.request.clone()));
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                _ = ask.tick() => self.ask().await?,
            }
        }
    }

    /// Whether somebody has refused. A control plane that is away for a moment has not.
    async fn ask(&self) -> Result<(), NotLetIn> {
        match self.house.reports.knocked(&self.request).await {
            Ok(knocked) if knocked.state == KnockState::Refused => Err(NotLetIn::Refused(knocked)),
            Ok(_) | Err(NoAnswer::Unreachable) => Ok(()),
            Err(refused @ NoAnswer::Refused(_)) => Err(NotLetIn::NotFiled(refused)),
        }
    }
}

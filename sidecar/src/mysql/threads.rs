//! The numbers that clients know their connections by.
//!
//! A client is told its number before anybody knows who it is, so before there is a connection to the database that
//! could have one. So it gets a number of ours, from the upper half of the positive ones that 32 bits with a sign hold
//! (some drivers want the sign): no server that restarts once in a while ever comes there. And when a client says `KILL` with such a number, the database is told its own.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use dashmap::DashMap;

use crate::session::Session;

/// Our numbers begin here, and there are as many of them.
const OURS: u32 = 1 << 30;

/// The numbers that are taken.
#[derive(Default)]
pub(crate) struct Threads {
    next: AtomicU32,
    taken: DashMap<u32, (Arc<Session>, u32)>,
}

impl Threads {
    /// A number for a new client.
    pub(crate) fn number(&self) -> u32 {
        OURS | (self.next.fetch_add(1, Ordering::Relaxed) % OURS)
    }

    /// The client with this number has a session, which the database knows by a number of its own. Good until the
    /// returned guard goes.
    pub(crate) fn enter(self: &Arc<Self>, number: u32, session: Arc<Session>, upstream: u32) -> Thread {
        self.taken.insert(number, (session, upstream));
        Thread { threads: Arc::clone(self), number }
    }

    /// The database's number of the connection that a client of the same identity, repo and account knows as `number`.
    pub(crate) fn upstream(&self, number: u32, asking: &Session) -> Option<u32> {
        let found = self.taken.get(&number)?;
        let (session, upstream) = found.value();
        is_of(session, asking).then_some(*upstream)
    }

    /// The same for somebody who has asked the database for its number, and says that.
    pub(crate) fn own(&self, upstream: u32, asking: &Session) -> Option<u32> {
        let mine = |(session, number): &(Arc<Session>, u32)| *number == upstream && is_of(session, asking);
        self.taken.iter().any(|taken| mine(taken.value())).then_some(upstream)
    }
}

/// Whether a session is one of the same identity, repo and account, and lives.
fn is_of(session: &Session, asking: &Session) -> bool {
    session.identity == asking.identity
        && session.repo == asking.repo
        && session.account == asking.account
        && !session.leash.has_fallen()
}

/// A number that is taken.
pub(crate) struct Thread {
    threads: Arc<Threads>,
    number: u32,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.threads.taken.remove(&self.number);
    }
}

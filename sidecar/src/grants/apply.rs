//! From a change in the book to the sessions that it concerns.

use std::sync::Arc;

use postern_protocol::gate::Change;

use super::Book;
use crate::session::{Ending, Registry, Session};

/// What a change did to the sessions.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// How many it ended.
    pub(crate) count: u64,
    /// Those that have no ground any more and are not dead yet, whoever ended them.
    pub(crate) dying: Vec<Arc<Session>>,
}

impl Ended {
    /// Ends a session and waits for it; also for one that was ended before and is still dying.
    fn end(&mut self, session: Arc<Session>, ending: Ending) {
        self.count += u64::from(session.leash.fall(ending));
        self.dying.push(session);
    }

    /// Both together.
    pub(crate) fn and(&mut self, other: Self) {
        self.count += other.count;
        self.dying.extend(other.dying);
    }
}

/// Asks the one question again for each of these sessions: those that no longer stand are ended, the others get the
/// deadline and the limits that hold now.
pub(crate) fn reconsider(book: &Book, sessions: Vec<Arc<Session>>) -> Ended {
    let mut ended = Ended::default();
    for session in sessions {
        match book.standing(&session) {
            Ok(standing) => session.stand(&standing),
            Err(ending) => ended.end(session, ending),
        }
    }
    ended
}

/// After `change` was written: ends the sessions that it leaves without ground.
pub(crate) fn follow(change: &Change, book: &Book, registry: &Registry) -> Ended {
    match change {
        Change::Grant(grant) => reconsider(book, registry.pick(|session| session.grant == grant.id)),
        Change::GrantEnded { grant, .. } => {
            reconsider(book, registry.pick(|session| session.grant == *grant))
        }
        Change::Repo { repo, .. } => reconsider(book, registry.pick(|session| session.repo == *repo)),
        Change::Identity { identity, .. } => {
            reconsider(book, registry.pick(|session| session.identity == *identity))
        }
        Change::Kill { session, by, reason } => {
            let mut ended = Ended::default();
            if let Some(session) = registry.get(session) {
                ended.end(session, Ending::Killed { by: by.clone(), reason: reason.clone() });
            }
            ended
        }
        // Who is in stays in: the order has a time of its own.
        Change::Drain(_) | Change::Token(_) | Change::TokenRevoked { .. } => Ended::default(),
    }
}

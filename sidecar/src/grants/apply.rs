//! From a change in the book to the sessions that it concerns.

use std::sync::Arc;

use postern_protocol::gate::Change;

use super::Book;
use crate::session::{Ending, Registry, Session};

/// Asks the one question again for each of these sessions: those that no longer stand are ended, the others get the
/// deadline that holds now. Returns the ended ones.
pub(crate) fn reconsider(book: &Book, sessions: Vec<Arc<Session>>) -> Vec<Arc<Session>> {
    sessions
        .into_iter()
        .filter(|session| match book.standing(session) {
            Ok(deadline) => {
                session.leash.set_deadline(deadline);
                false
            }
            Err(ending) => session.leash.fall(ending),
        })
        .collect()
}

/// After `change` was written: ends the sessions that it leaves without ground.
pub(crate) fn follow(change: &Change, book: &Book, registry: &Registry) -> Vec<Arc<Session>> {
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
            let ending = Ending::Killed { by: by.clone(), reason: reason.clone() };
            registry.get(session).filter(|session| session.leash.fall(ending)).into_iter().collect()
        }
        Change::Token(_) | Change::TokenRevoked { .. } => Vec::new(),
    }
}

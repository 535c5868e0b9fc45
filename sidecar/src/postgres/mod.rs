//! PostgreSQL: the front towards the client, the back towards the database, and what lies between.
//!
//! In: an accepted TCP connection. Out: a session on the relay, or a refusal in PostgreSQL's own words. The listener
//! calls [`serve`] and nobody else does.

mod auth;
mod back;
mod cancel;
mod catalog;
mod door;
mod end;
mod frames;
mod front;
mod limited;
mod login;
mod refusal;
mod simple;
mod target;
mod terminator;
mod traffic;
mod warm;

pub(crate) use cancel::CancelKeys;
pub(crate) use door::Door;
pub(crate) use front::serve;
pub(crate) use target::Target;

//! MySQL and MariaDB: the front towards the client, the back towards the database, and what lies between.
//!
//! In: an accepted TCP connection. Out: a session on the relay, or a refusal in MySQL's own words. The listener calls
//! [`serve`] and nobody else does.

mod auth;
mod back;
mod catalog;
mod door;
mod end;
mod front;
mod kill;
mod limited;
mod login;
mod packets;
mod profile;
mod refusal;
mod simple;
mod target;
mod terminator;
mod threads;
mod traffic;

pub(crate) use door::Door;
pub(crate) use front::serve;
pub(crate) use target::Target;
pub(crate) use threads::Threads;

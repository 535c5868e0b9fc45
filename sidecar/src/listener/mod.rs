//! Where clients connect.
//!
//! In: TCP connections. Out: each goes to its protocol's `serve`, with a place among those that have not logged in
//! yet. Those places are few, so that strangers cannot use the sidecar up; the oldest makes room for a new one, so
//! that silent strangers cannot lock others out either.

mod accept;
mod pending;
mod tls;

pub(crate) use accept::Listener;
pub(crate) use pending::{Pending, Places};
pub(crate) use tls::ClientTls;

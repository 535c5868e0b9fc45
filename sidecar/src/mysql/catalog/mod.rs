//! Reads the catalog of a MySQL or MariaDB server.
//!
//! In: a connection of its own for each account. Out: snapshots of what that account sees. Who asks for them, how often,
//! and whom they are told to is the business of [`crate::catalog`].
//!
//! A server shows to each account what it may touch, and no more. A snapshot that another account had read could lack
//! columns, and a name would be taken for that of another table; so every account has its own. What an account does not
//! see the server does not give to its sessions either. Accounts that see the same share one snapshot.

mod fingerprint;
mod load;
mod snapshot;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use snapshot::Snapshot;
pub(crate) use source::{Lookout, Sight, Snapshots};

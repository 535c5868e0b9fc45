//! Reads the catalog of a PostgreSQL database.
//!
//! In: a connection of its own, and the moments at which to look. Out: snapshots. Who asks for them, how often, and whom
//! they are told to is the business of [`crate::catalog`].

mod extensions;
mod fingerprint;
mod foreign;
mod load;
mod snapshot;
mod source;
mod spelling;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use snapshot::Snapshot;
pub(crate) use source::Reading;

//! The stage on which the end-to-end tests play.
//!
//! It starts real servers (PostgreSQL, control plane, sidecar) as child processes on free loopback ports, gives each
//! test its own, and takes them down again however the test ends. In: nothing but `tests/deps.sh`'s cache and the
//! `postern` binary (`cargo build -p postern`, or `POSTERN_BIN`). Used by `tests/tests/` and `benches/` alone.

// A stage that cannot be set has nobody to return an error to: the test is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod certs;
pub mod cut;
pub mod directory;
pub mod folder;
pub mod gate;
pub mod issuer;
pub mod liar;
pub mod limits;
pub mod mysql;
pub mod office;
pub mod oidc;
pub mod port;
pub mod postgres;
pub mod process;
pub mod rest;
pub mod slack;
pub mod stage;
pub mod storm;
pub mod wait;
pub mod wire;

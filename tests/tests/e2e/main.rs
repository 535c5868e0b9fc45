//! The end-to-end tests: one program, because linking is what takes long. A file per subject.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod catalog;
mod cli;
mod crash;
mod dead;
mod doubt;
mod drivers;
mod harness;
mod hostile;
mod limits_cases;
mod limits_clients;
mod limits_live;
mod limits_oracle;
mod limits_wire;
mod regression;
mod tls;
mod unnoticed;

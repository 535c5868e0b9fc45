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
mod regression;
mod tls;
mod unnoticed;

//! The data plane: ends clients' database connections, checks them against grants, relays, and ends them again.
//!
//! Data flows one way: `listener → identity → grants → session { front ⇄ back }`, and `grants/feed → grants/book →
//! session`. An engine-specific thing lives in that engine's folder.

mod audit;
mod catalog;
mod config;
mod enforce;
mod engine;
mod entry;
mod gatehouse;
mod grants;
mod identity;
mod judging;
mod knock;
mod listener;
mod metrics;
mod mysql;
mod net;
mod postgres;
mod run;
mod server;
mod session;
mod threads;
mod traces;

pub use run::{Error, run};

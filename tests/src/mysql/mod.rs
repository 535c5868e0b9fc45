//! MySQL and MariaDB for the tests: real servers, and a client whose every byte the test decides.
//!
//! In: what `tests/deps.sh` has fetched. Out: [`server::Mysql`], a server of the test's own; [`wire::Raw`], a connection;
//! [`stage::Stage`], the server behind a gate.

pub mod accounts;
pub mod answer;
pub mod limits;
pub mod login;
pub mod prepared;
pub mod server;
pub mod stage;
pub mod sysbench;
pub mod way;
pub mod wire;

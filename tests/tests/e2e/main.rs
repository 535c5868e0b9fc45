//! The end-to-end tests: one program, because linking is what takes long. A file per subject.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// The same tests, each a function of the version, on both servers.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod mariadb_10 {
            use postern_tests::mysql::server::Version;
            $(#[tokio::test]
            async fn $name() {
                super::$name(Version::MariaDb10).await;
            })*
        }
        mod mysql_9 {
            use postern_tests::mysql::server::Version;
            $(#[tokio::test]
            async fn $name() {
                super::$name(Version::MySql9).await;
            })*
        }
    };
}

mod access;
mod catalog;
mod cli;
mod commands;
mod connect;
mod crash;
mod dead;
mod demo;
mod doubt;
mod drivers;
mod harness;
mod hostile;
mod knock;
mod limits_cases;
mod limits_clients;
mod limits_extensions;
mod limits_functions;
mod limits_live;
mod limits_metadata;
mod limits_oracle;
mod limits_parts;
mod limits_wire;
mod mysql_access;
mod mysql_another_user;
mod mysql_dead;
mod mysql_drivers;
mod mysql_drivers_of_rust;
mod mysql_gate;
mod mysql_harness;
mod mysql_hostile;
mod mysql_limits;
mod mysql_limits_clients;
mod mysql_limits_terms;
mod mysql_oracle;
mod mysql_tls;
mod mysql_unnoticed;
mod oauth;
mod openapi;
mod people;
mod planes;
mod regression;
mod session_terms;
mod slack;
mod sso;
mod tls;
mod unnoticed;

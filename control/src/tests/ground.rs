//! What a test's control planes stand on: a store of its own, in a file or on a real PostgreSQL server.

use std::{path::Path, process::Command, sync::Arc};

use postern_tests::{
    postgres::{Postgres, Version, password},
    process::succeed,
};
use tempfile::TempDir;

use crate::store::{Place, Store};

/// The owner of the database; its password has everything that a URL must escape.
const OWNER: &str = "app_rw";

/// A store that goes with the test.
pub(crate) struct Ground {
    place: Place,
    /// The folder of the file.
    pub(crate) folder: TempDir,
    /// The server, if it is one.
    pub(crate) server: Option<Postgres>,
}

impl Ground {
    /// What the whole suite runs on: `POSTERN_TEST_STORE=postgres`, or a file.
    pub(crate) async fn new() -> Self {
        match std::env::var("POSTERN_TEST_STORE").as_deref() {
            Ok("postgres") => Self::postgres().await,
            Ok(_) | Err(_) => Self::sqlite(),
        }
    }

    /// A file.
    pub(crate) fn sqlite() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    /// A file in this folder.
    pub(crate) fn at(folder: TempDir) -> Self {
        let place = Place::parse("sqlite:control.db", folder.path()).unwrap();
        Self { place, folder, server: None }
    }

    /// A server.
    pub(crate) async fn postgres() -> Self {
        let server = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
        server.admin().await.batch_execute(&format!("create database control owner {OWNER}")).await.unwrap();
        let place = postgres_at(server.port());
        Self { place, folder: tempfile::tempdir().unwrap(), server: Some(server) }
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Everything that it holds.
    pub(crate) fn everything(&self) -> Vec<u8> {
        let Some(server) = &self.server else {
            let files = std::fs::read_dir(self.folder.path()).unwrap();
            return files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        };
        let mut dump = Command::new(server.program("pg_dump"));
        let port = server.port().to_string();
        succeed(dump.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "control"])).stdout
    }

    /// Opens it, once more if need be.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.place.open().await.unwrap()
    }
}

/// The database on a server behind this port.
pub(crate) fn postgres_at(port: u16) -> Place {
    let mut url = reqwest::Url::parse(&format!("postgres://{OWNER}@127.0.0.1:{port}/control")).unwrap();
    url.set_password(Some(password(OWNER))).unwrap();
    url.set_query(Some("sslmode=disable"));
    Place::parse(url.as_str(), Path::new("")).unwrap()
}

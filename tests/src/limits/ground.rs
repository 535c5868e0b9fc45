//! Databases in which cases play: one that all share, and one for each case that needs something of its own.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
};

use tokio_postgres::{Client, NoTls};

use super::{GRANTS, NATIVE, case::Case};
use crate::{postgres::Postgres, wait::until};

/// The database that cases without a set-up share.
pub const COMMON: &str = "common";

/// Who plays where.
#[derive(Debug, Default)]
pub struct Ground {
    own: HashMap<String, String>,
    absent: BTreeSet<String>,
}

/// Makes the native role, which logs in without a password.
async fn let_native_role_in(postgres: &Postgres) -> Client {
    let rules = postgres.file("pg_hba.conf");
    let old = fs::read_to_string(&rules).expect("the data folder can be read");
    fs::write(&rules, format!("host all {NATIVE} 127.0.0.1/32 trust\n{old}")).expect("it can be written");
    let admin = postgres.admin().await;
    let make = format!("create role {NATIVE} login; select pg_reload_conf()");
    admin.batch_execute(&make).await.expect("the role is new");
    let mut direct = postgres.direct("by_trust");
    until("the native role to be let in", async || direct.user(NATIVE).connect(NoTls).await.is_ok()).await;
    admin
}

async fn furnish(postgres: &Postgres, admin: &Client, name: &str) {
    admin.batch_execute(&format!("create database {name}")).await.expect("it is new");
    let inside = postgres.admin_of(name).await;
    inside.batch_execute(include_str!("../../data/pg_schema.sql")).await.expect("the schema runs");
    inside.batch_execute(GRANTS).await.expect("the grants run");
}

impl Ground {
    /// Makes every database that these cases need.
    pub async fn lay(postgres: &Postgres, cases: &[Case]) -> Self {
        let admin = let_native_role_in(postgres).await;
        furnish(postgres, &admin, COMMON).await;
        let available = admin.query("select name from pg_available_extensions", &[]).await;
        let available: BTreeSet<String> =
            available.expect("the view is there").iter().map(|row| row.get(0)).collect();
        let mut ground = Self::default();
        for case in cases.iter().filter(|case| case.is_about(postgres.version().major())) {
            if let Some(extension) = case.needs_extension.as_ref().filter(|name| !available.contains(*name)) {
                eprintln!("SKIPPED: {} on {:?}: no extension {extension}", case.id, postgres.version());
                ground.absent.insert(case.id.clone());
            } else if !case.setup.is_empty() {
                let name = format!("own_{}", ground.own.len());
                furnish(postgres, &admin, &name).await;
                ground.own.insert(case.id.clone(), name);
                ground.set_up(postgres, case).await;
            }
        }
        ground
    }

    async fn set_up(&self, postgres: &Postgres, case: &Case) {
        let owner = postgres.admin_of(self.home(case)).await;
        for sql in &case.setup {
            owner.batch_execute(sql).await.unwrap_or_else(|error| panic!("{}: {error:?}", case.id));
        }
    }

    /// The database of a case.
    pub fn home(&self, case: &Case) -> &str {
        self.own.get(&case.id).map_or(COMMON, String::as_str)
    }

    /// Whether what a case needs is there.
    pub fn has(&self, case: &Case) -> bool {
        !self.absent.contains(&case.id)
    }

    /// Every database.
    pub fn databases(&self) -> Vec<String> {
        let mut all: Vec<String> = self.own.values().cloned().collect();
        all.sort();
        all.insert(0, COMMON.to_owned());
        all
    }

    /// Makes a spoilt database anew.
    pub async fn renew(&self, postgres: &Postgres, case: &Case) {
        let (admin, home) = (postgres.admin().await, self.home(case));
        admin
            .batch_execute(&format!("drop database if exists {home} with (force)"))
            .await
            .expect("it can go");
        furnish(postgres, &admin, home).await;
        self.set_up(postgres, case).await;
    }
}

//! On real servers.

use std::{fmt::Write, sync::Arc};

use postern_protocol::gate::{AccountName, TableKind};
use postern_tests::mysql::{
    accounts::accounts,
    server::{BOTH, Mysql, Version},
};
use serde_json::json;

use super::*;
use crate::{
    catalog::Snapshot as _,
    enforce::mysql::{Catalog, Kind},
    mysql::{back::BackError, target::Target},
};

struct Scene {
    mysql: Mysql,
    target: Arc<Target>,
}

impl Scene {
    async fn on(version: Version) -> Option<Self> {
        let mysql = Mysql::start(version).await?;
        let known = accounts(version);
        let mut configured: serde_json::Map<_, _> = known
            .iter()
            .map(|account| (account.name.to_owned(), json!({"password": account.password})))
            .collect();
        configured.insert("nobody".to_owned(), json!({"password": "wrong"}));
        let config = serde_json::from_value(json!({
            "name": "shop", "engine": "mysql", "address": format!("127.0.0.1:{}", mysql.port()),
            "accounts": configured,
        }));
        let target = Target::new(&config.unwrap()).unwrap();
        target.keep_catalogs();
        Some(Self { mysql, target })
    }

    async fn run(&self, sql: &str) {
        self.mysql.admin().await.run(sql).await;
    }

    async fn try_fresh(&self, account: &str) -> Result<Arc<Catalog>, BackError> {
        self.target.fresh_catalog(&account.into()).await
    }

    async fn fresh(&self, account: &str) -> Arc<Catalog> {
        self.try_fresh(account).await.unwrap()
    }

    fn snapshot(&self, account: &str) -> Arc<Snapshot> {
        let catalog = self.target.catalog(&AccountName::from(account)).unwrap();
        catalog.snapshots().borrow().clone().unwrap()
    }

    fn is_maria(&self) -> bool {
        self.mysql.version().is_mariadb()
    }
}

const OBJECTS: &str = "
create table shop.Sales (id int, `Odd \"name\".` varchar(20), hidden int invisible, price decimal(10,2));
create table shop.`nä.me` (feeling enum('good', 'bad,so') not null);
create view shop.v as select id from shop.Sales;
create sql security invoker view shop.w as select id from shop.Sales;
create table shop.parts (id int) partition by range (id) (partition p values less than (9));
create table hr.people (id int, salary int);
create function hr.twice(a int) returns int deterministic return 2 * a;
create procedure shop.nothing() select 1;
insert into mysql.func values ('loaded', 0, 'nowhere.so', 'function');
";

const OF_MARIADB: &str = "
create sequence shop.counter;
create table shop.kept (id int) with system versioning;
create table shop.dated (id int, since timestamp(6) generated always as row start,
    until timestamp(6) generated always as row end invisible, period for system_time(since, until))
    with system versioning;
";

fn columns(catalog: &Catalog, schema: &str, table: &str) -> Vec<(String, bool)> {
    let table = catalog.table(schema, table).unwrap();
    table.columns.iter().map(|column| (column.name.to_string(), column.invisible)).collect()
}

#[tokio::test]
async fn a_snapshot_holds_what_is_there() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        scene.run(OBJECTS).await;
        if scene.is_maria() {
            scene.run(OF_MARIADB).await;
        }
        let catalog = scene.fresh("root").await;
        assert_eq!(catalog.server().is_maria(), scene.is_maria());
        let known = columns(&catalog, "shop", "Sales");
        let expected = [("id", false), ("Odd \"name\".", false), ("hidden", true), ("price", false)];
        assert_eq!(known, expected.map(|(name, invisible)| (name.to_owned(), invisible)));
        assert!(catalog.table("shop", "sales").is_none(), "the server tells names by case");
        assert!(catalog.table("shop", "Sales").unwrap().column("PRICE").is_some());
        for (schema, name, kind) in [
            ("shop", "nä.me", Kind::Table),
            ("shop", "v", Kind::View),
            ("shop", "w", Kind::Invoker),
            ("shop", "parts", Kind::Table),
            ("hr", "people", Kind::Table),
            ("mysql", "user", if scene.is_maria() { Kind::View } else { Kind::Table }),
            ("Information_Schema", "tables", Kind::System),
        ] {
            assert_eq!(catalog.table(schema, name).map(|table| table.kind), Some(kind), "{schema}.{name}");
        }
        if scene.is_maria() {
            assert_eq!(catalog.table("shop", "counter").unwrap().kind, Kind::Other);
            assert_eq!(catalog.table("shop", "kept").unwrap().kind, Kind::Table);
            let expected = [("id", false), ("row_start", true), ("row_end", true)];
            assert_eq!(columns(&catalog, "shop", "kept"), expected.map(|(name, is)| (name.to_owned(), is)));
            let expected = [("id", false), ("since", false), ("until", true)];
            assert_eq!(columns(&catalog, "shop", "dated"), expected.map(|(name, is)| (name.to_owned(), is)));
        }
        assert!(catalog.table("information_schema", "COLUMNS").unwrap().column("column_name").is_some());
        for (name, is_there) in [("TWICE", true), ("loaded", true), ("nothing", false), ("count", false)] {
            assert_eq!(catalog.has_function(name), is_there, "{name}");
        }
        assert!(catalog.schema("work").is_none() && catalog.schema("hr").is_some());
    }
}

#[tokio::test]
async fn an_account_knows_of_what_it_may_touch() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        scene.run(OBJECTS).await;
        scene.run("grant select (id) on hr.people to by_nothing@'%'").await;
        let all = scene.fresh("app_rw").await;
        assert!(all.has_function("twice"));
        assert_eq!(columns(&all, "hr", "people").len(), 2);
        let some = scene.fresh("app_ro").await;
        assert!(some.table("shop", "Sales").is_some());
        assert!(some.schema("hr").is_none() && some.table("hr", "people").is_none());
        assert!(!some.has_function("twice"));
        let one = scene.fresh("by_nothing").await;
        assert_eq!(columns(&one, "hr", "people"), [("id".to_owned(), false)]);

        scene.run("grant select on hr.* to app_ro@'%'").await;
        assert!(scene.fresh("app_ro").await.table("hr", "people").is_some());
        scene.run("revoke select on hr.* from app_ro@'%'").await;
        assert!(scene.fresh("app_ro").await.table("hr", "people").is_none());
    }
}

#[tokio::test]
async fn accounts_that_see_the_same_share_a_snapshot() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        scene.run(OBJECTS).await;
        let (one, other) = tokio::join!(scene.fresh("app_ro"), scene.fresh("by_nothing"));
        assert!(Arc::ptr_eq(&one, &other));
        let more = scene.fresh("app_rw").await;
        assert_ne!(more.version(), one.version());
    }
}

/// Of a view with columns, too.
const CHANGES: [&str; 19] = [
    "create table shop.other (id int)",
    "alter table shop.other rename column id to number",
    "alter table shop.other modify number bigint",
    "alter table shop.other add column note text",
    "alter table shop.other alter column note set invisible",
    "alter table shop.other drop column note",
    "drop table shop.other; create table shop.other (number bigint, more int)",
    "rename table shop.other to shop.another",
    "rename table shop.another to hr.another",
    "alter view shop.v as select price from shop.Sales",
    "create or replace view shop.v as select price as id from shop.Sales",
    "alter sql security invoker view shop.v as select price as id from shop.Sales",
    "drop view shop.v; create table shop.v (id decimal(10,2))",
    "create function shop.thrice(a int) returns int deterministic return 3 * a",
    "drop function shop.thrice",
    "create database more",
    "drop database more",
    "insert into mysql.func values ('further', 0, 'nowhere.so', 'function')",
    "delete from mysql.func where name = 'further'",
];

async fn every_change_is_noticed(scene: &Scene) {
    let mut version = scene.fresh("root").await.version();
    for change in CHANGES {
        // MariaDB has this in its ALTER TABLE in other words.
        let change = if scene.is_maria() && change.ends_with("set invisible") {
            "alter table shop.other modify note text invisible"
        } else {
            change
        };
        scene.run(change).await;
        let after = scene.fresh("root").await.version();
        assert_ne!(after, version, "{change}");
        version = after;
    }
}

#[tokio::test]
async fn every_change_of_a_name_makes_a_new_snapshot() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        scene.run(OBJECTS).await;
        every_change_is_noticed(&scene).await;
    }
}

#[tokio::test]
async fn every_change_is_noticed_among_very_many_columns() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        let mut many = String::from(OBJECTS);
        for table in 0..60 {
            let columns: Vec<String> = (0..200).map(|number| format!("c{number} int")).collect();
            let _ = write!(many, "create table hr.many{table} ({});", columns.join(", "));
        }
        scene.run(&many).await;
        let catalog = scene.fresh("root").await;
        assert_eq!(columns(&catalog, "hr", "many59").len(), 200);
        every_change_is_noticed(&scene).await;
        let before = scene.fresh("root").await;
        assert!(Arc::ptr_eq(&before, &scene.fresh("root").await));
    }
}

#[tokio::test]
async fn what_changes_no_name_keeps_the_snapshot() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        scene.run(OBJECTS).await;
        let before = scene.fresh("app_rw").await;
        for work in [
            "insert into shop.Sales (id) values (1)",
            "truncate shop.Sales",
            "optimize table shop.Sales",
            "analyze table shop.Sales",
            "create index fast on shop.Sales (id)",
            "create temporary table shop.passing (id int)",
        ] {
            scene.run(work).await;
            assert!(Arc::ptr_eq(&before, &scene.fresh("app_rw").await), "{work}");
        }
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_again() {
    for version in BOTH {
        let Some(mut scene) = Scene::on(version).await else { continue };
        let before = scene.fresh("app_ro").await;
        scene.mysql.stop();
        assert!(matches!(scene.try_fresh("app_ro").await, Err(BackError::Catalog(_))));
        let keeper = scene.target.catalog(&"app_ro".into()).unwrap();
        assert!(Arc::ptr_eq(&before, &keeper.newest().unwrap()));
        scene.mysql.restart().await;
        scene.run("create table shop.other (id int)").await;
        assert!(scene.fresh("app_ro").await.table("shop", "other").is_some());
    }
}

#[tokio::test]
async fn an_account_that_is_not_let_in_learns_nothing_and_stops_nobody() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        assert!(matches!(scene.try_fresh("stranger").await, Err(BackError::Account(_))));
        assert!(matches!(scene.try_fresh("nobody").await, Err(BackError::Catalog(_))));
        assert!(scene.fresh("app_ro").await.schema("shop").is_some());
    }
}

#[tokio::test]
async fn an_attended_catalog_follows_the_server_by_itself() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        let before = scene.fresh("app_ro").await.version();
        let keeper = scene.target.catalog(&"app_ro".into()).unwrap();
        let _attendance = keeper.attend();
        let mut snapshots = keeper.snapshots();
        scene.run("create table shop.other (id int)").await;
        let newer = |snapshot: &Option<Arc<Snapshot>>| {
            snapshot.as_ref().is_some_and(|snapshot| snapshot.version() != before)
        };
        drop(snapshots.wait_for(newer).await.unwrap());
        assert!(keeper.newest().unwrap().table("shop", "other").is_some());
    }
}

#[tokio::test]
async fn people_are_told_of_tables_and_views_but_not_of_the_servers_own() {
    for version in BOTH {
        let Some(scene) = Scene::on(version).await else { continue };
        scene.run(OBJECTS).await;
        if scene.is_maria() {
            scene.run("create sequence shop.counter").await;
        }
        scene.fresh("root").await;
        let snapshot = scene.snapshot("root");
        let mut told: Vec<_> = snapshot.resources().map(|table| snapshot.found(table)).collect();
        told.sort_by_key(|table| table.resource().to_string());
        let kinds: Vec<_> = told.iter().map(|table| (table.resource().to_string(), table.kind)).collect();
        let parts = if scene.is_maria() { TableKind::Table } else { TableKind::PartitionedTable };
        let expected = [
            ("hr.people", TableKind::Table),
            ("shop.\"nä.me\"", TableKind::Table),
            ("shop.Sales", TableKind::Table),
            ("shop.parts", parts),
            ("shop.v", TableKind::View),
            ("shop.w", TableKind::View),
        ];
        assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
        let sales = told.iter().find(|table| table.table == "Sales").unwrap();
        let types: Vec<_> =
            sales.columns.iter().map(|column| (column.name.as_str(), column.type_name.as_str())).collect();
        let int = if scene.is_maria() { "int(11)" } else { "int" };
        let expected =
            [("id", int), ("Odd \"name\".", "varchar(20)"), ("hidden", int), ("price", "decimal(10,2)")];
        assert_eq!(types, expected);
        let feeling = told.iter().find(|table| table.table == "nä.me").unwrap();
        assert_eq!(feeling.columns[0].type_name, "enum('good','bad,so')");
    }
}

//! On real servers.

mod extensions;

use std::sync::Arc;

use postern_protocol::gate::AccountName;
use postern_tests::{
    postgres::{DATABASE, Postgres, Version, password},
    wait::until,
};
use serde_json::json;

use super::*;
use crate::{
    enforce::postgres::catalog::{Catalog, PG_CATALOG},
    postgres::{back::BackError, target::Target},
};

struct Scene {
    postgres: Postgres,
    target: Arc<Target>,
    account: AccountName,
}

impl Scene {
    async fn on(version: Version) -> Option<Self> {
        let postgres = Postgres::start(version).await?;
        let account = |name| json!({"password": password(name)});
        let config = serde_json::from_value(json!({
            "name": "shop", "engine": "postgres", "address": format!("127.0.0.1:{}", postgres.port()),
            "database": DATABASE, "accounts": {"app_ro": account("app_ro"), "app_rw": account("app_rw")},
        }));
        let target = Target::new(&config.unwrap()).unwrap();
        target.keep_catalog();
        Some(Self { postgres, target, account: "app_ro".into() })
    }

    async fn run(&self, sql: &str) {
        self.postgres.admin().await.batch_execute(sql).await.unwrap();
    }

    async fn fresh(&self) -> Arc<Catalog> {
        self.target.fresh_catalog(&self.account).await.unwrap()
    }
}

const OBJECTS: &str = "
create schema \"odd.schema\";
create table public.sales (id int, dropped text, \"Odd name\" varchar(20), price numeric(10,2)[]);
alter table public.sales drop column dropped;
create view \"odd.schema\".v as select id from sales;
create materialized view mv as select id from sales;
create table parts (id int) partition by range (id);
create table parts_1 partition of parts for values from (1) to (9);
create sequence counter;
create type pair as (a int, b text);
create type mood as enum ('good', 'bad');
create type span as range (subtype = int);
create domain positive as int check (value > 0);
create function public.lower(int) returns int language sql as 'select 1';
create function trick(text) returns mood language sql as $$select 'good'::mood$$;
create cast (text as mood) with function trick(text);
create type shade as enum ('light', 'dark');
create function trap(shade) returns int language sql as 'select 1';
create cast (shade as int) with function trap(shade) as implicit;
create function alike(shade, shade) returns bool language sql as 'select true';
create type raw;
create function raw_in(cstring) returns raw language internal immutable strict as 'textin';
create function raw_out(raw) returns cstring language internal immutable strict as 'textout';
create type raw (input = raw_in, output = raw_out, like = text);
create function alike(raw, raw) returns bool language sql as 'select true';
create function same(raw, raw) returns bool language internal immutable strict as 'texteq';
create operator public.<@#> (leftarg = raw, rightarg = raw, function = alike);
create operator public.<@@> (leftarg = raw, rightarg = raw, function = same);
create table serial (id serial, other int generated always as identity, third int default nextval('counter'));
create operator public.#@# (leftarg = shade, rightarg = shade, function = alike);
create operator public.+ (leftarg = text, rightarg = text, function = pg_catalog.textcat);
create extension citext; create extension hstore; create extension isn; create extension pg_trgm;
";

async fn a_snapshot_tells_what_is_the_servers_own(version: Version) {
    let Some(scene) = Scene::on(version).await else { return };
    scene.run(OBJECTS).await;
    let catalog = scene.fresh().await;
    assert_eq!(catalog.major(), if version == Version::Fifteen { 15 } else { 18 });

    let sales = catalog.relation("public", "sales").unwrap();
    let columns: Vec<(&str, i16)> =
        sales.columns.iter().map(|column| (&*column.name, column.number)).collect();
    assert_eq!((sales.kind, columns), (b'r', vec![("id", 1), ("Odd name", 3), ("price", 4)]));
    assert_eq!(catalog.relation_of(sales.oid).unwrap().name, sales.name);
    let kinds = [
        ("odd.schema", "v", b'v'),
        ("public", "mv", b'm'),
        ("public", "parts", b'p'),
        ("public", "parts_1", b'r'),
        ("public", "counter", b'S'),
        ("public", "pair", b'c'),
        (PG_CATALOG, "pg_class", b'r'),
        ("information_schema", "tables", b'v'),
    ];
    for (schema, name, kind) in kinds {
        assert_eq!(catalog.relation(schema, name).unwrap().kind, kind, "{schema}.{name}");
    }
    assert!(catalog.relations().all(|relation| &*relation.schema != "pg_toast"));

    let harmless = |schema, name| catalog.type_named(schema, name).map(|kind| kind.harmless);
    for name in ["int4", "_int4", "text", "numeric", "jsonb", "name", "point", "oidvector", "int4range"] {
        assert_eq!(harmless(PG_CATALOG, name), Some(true), "{name}");
    }
    for name in ["int4multirange", "_int4multirange", "_int4range", "regclass", "xml", "tsquery"] {
        assert_eq!(harmless(PG_CATALOG, name), Some(true), "{name}");
    }
    for name in ["record", "_record", "anyelement", "anyarray", "cstring", "void", "trigger", "unknown"] {
        assert_eq!(harmless(PG_CATALOG, name), Some(false), "{name}");
    }
    for name in ["mood", "_mood", "span", "_span", "span_multirange", "citext", "_hstore", "isbn"] {
        assert_eq!(harmless("public", name), Some(true), "{name}");
    }
    for name in ["positive", "_positive", "shade", "_shade"] {
        assert_eq!(harmless("public", name), Some(false), "{name}");
    }
    assert_eq!(harmless("information_schema", "sql_identifier"), Some(true));
    for name in ["sales", "_sales", "pair"] {
        assert_eq!(harmless("public", name), None, "{name}");
    }

    let public = [Arc::<str>::from("public")];
    assert_eq!(catalog.function_schemas("lower"), public);
    assert!(catalog.function_schemas("upper").is_empty());
    assert!(catalog.function_schemas("_pg_truetypid").is_empty());
    assert!(["similarity", "lower", "_pg_truetypid"].iter().all(|name| catalog.somebody_has_function(name)));
    assert!(!["nosuchfn", "pg_backend_pid"].iter().any(|name| catalog.somebody_has_function(name)));
    assert_eq!(catalog.operator_schemas("+"), public);
    assert_eq!(catalog.operator_schemas("#@#"), public, "anybody can make values of an enum");
    assert_eq!(catalog.operator_schemas("<@#>"), public, "a constant becomes a value of any base type");
    assert!(catalog.operator_schemas("<@@>").is_empty(), "this one is in C, like its type");
    assert!(catalog.operator_schemas("=").is_empty(), "those of citext and hstore are in C");
    assert!(catalog.operator_schemas("%").is_empty());
    assert!(catalog.casts_to(catalog.type_named("public", "mood").unwrap().oid));
    assert!(catalog.casts_to(catalog.type_named("public", "_mood").unwrap().oid));
    let owner = |sequence| {
        let oid = catalog.relation("public", sequence).unwrap().oid;
        catalog.table_of_sequence(oid).map(|table| table.name.to_string())
    };
    assert_eq!(owner("serial_id_seq").as_deref(), Some("serial"));
    assert_eq!(owner("serial_other_seq").as_deref(), Some("serial"));
    assert_eq!(owner("counter"), None);
    assert!(!catalog.has_implicit_casts());
    assert!(!catalog.casts_to(catalog.type_named(PG_CATALOG, "text").unwrap().oid));
    for (schema, is_there) in [("odd.schema", true), ("public", true), ("nowhere", false)] {
        assert_eq!(catalog.has_schema(schema), is_there, "{schema}");
    }
}

#[tokio::test]
async fn a_snapshot_tells_what_is_the_servers_own_on_15() {
    a_snapshot_tells_what_is_the_servers_own(Version::Fifteen).await;
}

#[tokio::test]
async fn a_snapshot_tells_what_is_the_servers_own_on_18() {
    a_snapshot_tells_what_is_the_servers_own(Version::Eighteen).await;
}

#[tokio::test]
async fn what_somebody_put_into_pg_catalog_is_not_the_servers_own() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene
        .run(
            "set allow_system_table_mods = on;
             create function pg_catalog.lower(int) returns int language sql as 'select 1';
             create operator pg_catalog.+ (leftarg = text, rightarg = text, function = pg_catalog.textcat);
             create type pg_catalog.smuggled as range (subtype = int, subtype_diff = pg_catalog.int4range_subdiff);
             create domain pg_catalog.smuggled_too as int check (value > 0);",
        )
        .await;
    let catalog = scene.fresh().await;
    let own = [Arc::<str>::from(PG_CATALOG)];
    assert_eq!(catalog.function_schemas("lower"), own);
    assert_eq!(catalog.operator_schemas("+"), own);
    assert!(!catalog.type_named(PG_CATALOG, "smuggled_too").unwrap().harmless);
}

async fn every_change_of_a_name_makes_a_new_snapshot(version: Version) {
    let Some(scene) = Scene::on(version).await else { return };
    scene.run(OBJECTS).await;
    let mut version = scene.fresh().await.version();
    for change in [
        "create table other (id int)",
        "alter table other rename column id to number",
        "alter table other alter column number type bigint",
        "alter table other add column note text",
        "alter table other drop column note",
        "drop table other; create table other (number bigint)",
        "alter table other rename to another",
        "alter table another set schema \"odd.schema\"",
        "create or replace function public.lower(int) returns int language sql as 'select 2'",
        "create function public.lower(bigint) returns int language sql as 'select 1'",
        "drop function public.lower(bigint)",
        "create operator public.- (leftarg = text, rightarg = text, function = pg_catalog.textcat)",
        "create type another_mood as enum ('good', 'bad')",
        "drop type another_mood",
        "create domain number as int",
        "alter domain number add constraint small check (value < 9)",
        "alter domain number drop constraint small",
        "drop cast (text as mood)",
        "create schema more",
        "alter schema more rename to less",
        "alter extension citext drop operator public.= (citext, citext)",
        "alter sequence counter owned by serial.third",
        "alter sequence counter owned by none",
        "create table heir () inherits (sales)",
        "alter table heir no inherit sales",
        "alter view \"odd.schema\".v set (security_invoker)",
        "create or replace view \"odd.schema\".v with (security_invoker) as select id + 1 as id from sales",
        "create view over as select 1 as id",
        "create or replace view over as select id from \"odd.schema\".v",
        "create rule reads as on insert to sales do also select id from \"odd.schema\".v",
        "drop rule reads on sales",
        "alter view \"odd.schema\".v reset (security_invoker)",
    ] {
        scene.run(change).await;
        let after = scene.fresh().await.version();
        assert!(after > version, "{change}");
        version = after;
    }
}

#[tokio::test]
async fn every_change_of_a_name_makes_a_new_snapshot_on_15() {
    every_change_of_a_name_makes_a_new_snapshot(Version::Fifteen).await;
}

#[tokio::test]
async fn every_change_of_a_name_makes_a_new_snapshot_on_18() {
    every_change_of_a_name_makes_a_new_snapshot(Version::Eighteen).await;
}

/// What uses `v` of [`OBJECTS`], and what does not.
const OVER: &str = "
create view over as select id from \"odd.schema\".v;
create view further as select (select max(id) from over) as id;
create table ruled (id int);
create rule reads as on insert to ruled do also select id from further;
create materialized view stored as select id from further;
create view aside as select id from stored;
";

async fn views_that_read_with_their_callers_rights_are_known(version: Version) {
    let Some(scene) = Scene::on(version).await else { return };
    scene.run(OBJECTS).await;
    let query = async || {
        let catalog = scene.fresh().await;
        let view = catalog.relation("odd.schema", "v").unwrap().oid;
        let query = catalog.invokers(view).next().map(|(_, query)| query.split_whitespace());
        query.map(|words| words.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(query().await, None);
    for (setting, is_one) in
        [("security_invoker", true), ("security_invoker = 'OFF'", false), ("security_invoker = 1", true)]
    {
        scene.run(&format!("alter view \"odd.schema\".v set ({setting})")).await;
        assert_eq!(query().await.is_some(), is_one, "{setting}");
    }
    assert!(query().await.unwrap().ends_with("id FROM public.sales;"), "every name stands there in full");
    // Whoever is changing what it reads holds up nobody; meanwhile it gives nothing.
    let other = scene.postgres.admin().await;
    other.batch_execute("begin; lock table sales in access exclusive mode").await.unwrap();
    scene.run("create table unrelated (id int)").await;
    assert_eq!(query().await.as_deref(), Some(""));
    assert!(scene.fresh().await.relation("public", "unrelated").is_some());
    other.batch_execute("rollback").await.unwrap();
    assert!(query().await.unwrap().ends_with("id FROM public.sales;"));
    scene.run(OVER).await;
    let catalog = scene.fresh().await;
    for (name, uses_it) in
        [("over", true), ("further", true), ("ruled", true), ("stored", false), ("aside", false)]
    {
        let relation = catalog.relation("public", name).unwrap().oid;
        assert_eq!(
            (catalog.has_invokers(relation), catalog.invokers(relation).count()),
            (uses_it, uses_it.into())
        );
    }
    scene.run("alter view \"odd.schema\".v set (security_invoker = off, security_barrier)").await;
    assert_eq!(query().await, None);
}

#[tokio::test]
async fn views_that_read_with_their_callers_rights_are_known_on_15() {
    views_that_read_with_their_callers_rights_are_known(Version::Fifteen).await;
}

#[tokio::test]
async fn views_that_read_with_their_callers_rights_are_known_on_18() {
    views_that_read_with_their_callers_rights_are_known(Version::Eighteen).await;
}

#[tokio::test]
async fn a_snapshot_tells_when_the_configuration_was_read() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    let before = scene.fresh().await;
    assert!(!before.loaded().is_empty());
    scene.run("alter system set search_path = 'elsewhere'").await;
    assert_eq!(scene.fresh().await.loaded(), before.loaded());
    scene.run("select pg_reload_conf()").await;
    until("the server to read it", async || scene.fresh().await.loaded() != before.loaded()).await;
}

#[tokio::test]
async fn casts_that_nobody_asks_for_are_known() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene
        .run(
            "create function one(bool) returns int8 language sql as 'select 1::int8';
             create function one_2(bool) returns int2 language sql as 'select 1::int2'",
        )
        .await;
    for (cast, is_one) in [
        ("create cast (varchar as int) with inout as implicit", false),
        ("create cast (int8 as bytea) with function pg_catalog.int8send(int8) as implicit", false),
        ("create cast (bool as int8) with function one(bool) as implicit", true),
    ] {
        scene.run(cast).await;
        assert_eq!(scene.fresh().await.has_implicit_casts(), is_one, "{cast}");
    }
    assert!(!scene.fresh().await.has_assignment_casts());
    scene.run("create cast (bool as int2) with function one_2(bool) as assignment").await;
    assert!(scene.fresh().await.has_assignment_casts());
}

#[tokio::test]
async fn types_of_which_a_value_may_run_somebodys_function_are_known() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene
        .run(
            "create type colour as enum ('red');
             create type pair as (a colour, b int);
             create domain tint as colour;
             create type shades as range (subtype = colour);
             create type quiet as enum ('grey');
             create table plain (id int, a colour, b colour[], c pair, d tint, e shades, f quiet, g shades[]);
             create table whole (id int);
             create view seen as select id, a from plain;
             create function rank(colour) returns int language sql as 'select 1';
             create function word(whole) returns text language sql as $$select 'a'$$",
        )
        .await;
    let lively = async |name: &str| scene.fresh().await.relation("public", name).unwrap().lively.to_vec();
    let harmless = async || scene.fresh().await.type_named("public", "shades").unwrap().harmless;
    assert!(lively("plain").await.is_empty() && lively("whole").await.is_empty() && harmless().await);
    scene.run("create cast (colour as int) with function rank(colour)").await;
    assert_eq!(lively("plain").await, [0, 2, 3, 4, 5, 6, 8]);
    assert_eq!(lively("seen").await, [0, 2]);
    assert!(lively("whole").await.is_empty() && !harmless().await);
    scene.run("create cast (whole as text) with function word(whole) as implicit").await;
    assert_eq!(lively("whole").await, [0]);
    assert!(!scene.fresh().await.has_implicit_casts());
}

#[tokio::test]
async fn domains_that_somebodys_function_checks_are_known() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene
        .run(
            "create function peek(text) returns bool language plpgsql as 'begin return true; end';
             create domain plain as text check (value ~ '^[a-z]*$' and length(value) < 9 and value <> 'x');
             create domain listed as int check (value in (1, 2, 3) and value between 0 and 9) not null;
             create domain peeked as text check (peek(value));
             create domain told as text check (value <> current_setting('work_mem'));
             create domain over as plain check (value::peeked is not null);
             create type pair as (a peeked, b int);
             create type span as range (subtype = peeked);
             create type mood as enum ('good', 'bad');
             create domain happy as mood check (value <> 'bad');
             create domain many as text check (value is null or value::peeked[] is not null);
             create domain row_like as text check (value is null or value::pair is not null);
             create domain ranged as text check (value is null or value::span is not null);
             create domain made as text check (value is null or not isempty(span(value, value, '[]')));
             create function setting(text) returns text language internal strict as 'show_config_by_name';
             create domain asks as text check (value is distinct from setting(value));
             create table seen (a plain, b listed, c peeked, d told, e over, f peeked[], g pair, h plain[]);
             create table more (a many, b happy, c row_like, d ranged, e made, f asks);
             create table quiet (a plain, b listed, c happy)",
        )
        .await;
    let catalog = scene.fresh().await;
    assert_eq!(*catalog.relation("public", "seen").unwrap().lively, [0, 3, 4, 5, 6, 7]);
    assert_eq!(*catalog.relation("public", "more").unwrap().lively, [0, 1, 3, 4, 5, 6]);
    assert!(catalog.relation("public", "quiet").unwrap().lively.is_empty());
}

#[tokio::test]
async fn orders_of_somebodys_making_are_known() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    let order = |of: &str| {
        format!(
            "create function {of}_order({of}, {of}) returns int language sql as 'select 0';
             create operator class {of}_ops default for type {of} using btree as function 1 {of}_order({of}, {of})"
        )
    };
    scene.run("create type pair as (a int, b int); create table pairs (id int, p pair, q int)").await;
    assert!(scene.fresh().await.relation("public", "pairs").unwrap().lively.is_empty());
    scene.run(&order("pair")).await;
    assert_eq!(*scene.fresh().await.relation("public", "pairs").unwrap().lively, [0, 2]);
    assert!(!scene.fresh().await.has_implicit_casts());
    scene.run(&order("json")).await;
    assert!(scene.fresh().await.has_implicit_casts());
}

#[tokio::test]
async fn what_changes_no_name_keeps_the_snapshot() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene.run(OBJECTS).await;
    let before = scene.fresh().await;
    for work in [
        "insert into sales (id) values (1)",
        "truncate sales",
        "refresh materialized view mv",
        "vacuum analyze",
        "create temp table passing (id int); create temp view passing_too as select 1 as one",
        "vacuum full sales",
    ] {
        for statement in work.split("; ") {
            scene.run(statement).await;
        }
        assert!(Arc::ptr_eq(&before, &scene.fresh().await), "{work}");
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_again() {
    let mut scene = Scene::on(Version::Fifteen).await.unwrap();
    let before = scene.fresh().await;
    scene.postgres.stop();
    let lost = scene.target.fresh_catalog(&scene.account).await;
    assert!(matches!(lost, Err(BackError::Catalog(_))));
    scene.target.catalog.refresh().await;
    assert!(Arc::ptr_eq(&before, &scene.target.catalog.newest().unwrap()));
    scene.postgres.restart().await;
    scene.run("create table other (id int)").await;
    assert!(scene.fresh().await.relation("public", "other").is_some());
}

#[tokio::test]
async fn an_account_that_is_not_configured_learns_nothing() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    let refused = scene.target.fresh_catalog(&"postgres".into()).await;
    assert!(matches!(refused, Err(BackError::Account(_))));
}

#[tokio::test]
async fn many_who_ask_at_once_get_the_same_answer() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    let all = futures_util::future::join_all((0..100).map(|_| scene.fresh())).await;
    assert!(all.iter().all(|one| Arc::ptr_eq(one, &all[0])));
}

#[tokio::test]
async fn an_attended_catalog_follows_the_database_by_itself() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    let before = scene.fresh().await.version();
    let _attendance = scene.target.catalog.attend();
    let mut snapshots = scene.target.catalog.snapshots();
    scene.run("create table other (id int)").await;
    let newer = |snapshot: &Option<Arc<Snapshot>>| {
        snapshot.as_ref().is_some_and(|snapshot| snapshot.catalog.version() > before)
    };
    snapshots.wait_for(newer).await.unwrap();
    assert!(scene.target.catalog.newest().unwrap().relation("public", "other").is_some());
}

#[tokio::test]
async fn types_are_written_as_people_write_them() {
    let scene = Scene::on(Version::Fifteen).await.unwrap();
    scene.run(OBJECTS).await;
    scene.run("create table typed (a pair, b mood[], c citext, d timestamptz(3))").await;
    scene.fresh().await;
    let snapshot = scene.target.catalog.snapshots().borrow().clone().unwrap();
    let types = |table: &str| -> Vec<String> {
        let relation = snapshot.catalog.relation("public", table).unwrap();
        let spelled = |column| snapshot.spelling.of(relation, column).to_owned();
        relation.columns.iter().map(spelled).collect()
    };
    assert_eq!(types("sales"), ["integer", "character varying(20)", "numeric(10,2)[]"]);
    let typed = ["public.pair", "public.mood[]", "public.citext", "timestamp(3) with time zone"];
    assert_eq!(types("typed"), typed);
}

//! What there is in a database to ask for, as people find it at the control plane.

use postern_tests::{
    mysql::{self, server::BOTH},
    postgres::Version,
    process::{bound, postern},
    rest::Api,
    stage::{REPO, Stage, Wish},
    wait::until,
};
use serde_json::{Value, json};

const TABLES: &str = "
create schema \"odd.schema\";
create type mood as enum ('good', 'bad');
create table sales (id int, name varchar(20), price numeric(10,2), feeling mood[]);
create table \"odd.schema\".t (id int);
create view recent as select id from sales;
create materialized view summed as select sum(price) as total from sales;
create table parts (id int) partition by range (id);
create sequence counter; create index on sales (id);
";

async fn run(stage: &Stage, sql: &str) {
    stage.postgres.admin().await.batch_execute(sql).await.unwrap();
}

async fn shown(api: &Api) -> Value {
    api.get(&format!("/v1/repos/{REPO}")).await.ok()
}

async fn resource(api: &Api, name: &str) -> Option<Value> {
    let mut shown = shown(api).await;
    let all = shown["resources"].as_array_mut().unwrap();
    all.iter_mut().find(|found| found["resource"] == name).map(Value::take)
}

fn columns(of: &Value) -> Vec<(&str, &str)> {
    let all = of["columns"].as_array().unwrap();
    all.iter().map(|column| (column["name"].as_str().unwrap(), column["type"].as_str().unwrap())).collect()
}

fn kinds(shown: &Value) -> Vec<(&str, &str)> {
    let all = shown["resources"].as_array().unwrap();
    all.iter().map(|found| (found["resource"].as_str().unwrap(), found["kind"].as_str().unwrap())).collect()
}

async fn a_repo_shows_its_tables_and_follows_them(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    run(&stage, TABLES).await;
    until("the tables to be told", async || resource(&stage.api, "public.sales").await.is_some()).await;
    let sales = resource(&stage.api, "public.sales").await.unwrap();
    assert_eq!((&sales["schema"], &sales["table"]), (&json!("public"), &json!("sales")));
    let expected = [
        ("id", "integer"),
        ("name", "character varying(20)"),
        ("price", "numeric(10,2)"),
        ("feeling", "public.mood[]"),
    ];
    assert_eq!(columns(&sales), expected);
    let shown = shown(&stage.api).await;
    let expected = [
        ("\"odd.schema\".t", "table"),
        ("public.parts", "partitioned_table"),
        ("public.recent", "view"),
        ("public.sales", "table"),
        ("public.summed", "materialized_view"),
    ];
    assert_eq!(kinds(&shown), expected, "neither sequences nor indexes nor the server's own");

    run(&stage, "alter table sales rename column name to label; drop view recent; create table more (a int)")
        .await;
    until("the change to be told", async || resource(&stage.api, "public.more").await.is_some()).await;
    assert_eq!(columns(&resource(&stage.api, "public.sales").await.unwrap())[1].0, "label");
    assert_eq!(resource(&stage.api, "public.recent").await, None);
}

#[tokio::test]
async fn a_repo_shows_its_tables_and_follows_them_on_15() {
    a_repo_shows_its_tables_and_follows_them(Version::Fifteen).await;
}

#[tokio::test]
async fn a_repo_shows_its_tables_and_follows_them_on_18() {
    a_repo_shows_its_tables_and_follows_them(Version::Eighteen).await;
}

#[tokio::test]
async fn a_command_prints_a_repos_tables() {
    let stage = Stage::new().await;
    run(&stage, TABLES).await;
    until("the tables to be told", async || resource(&stage.api, "public.sales").await.is_some()).await;
    let (id, secret) = stage.api.credentials();
    let mut command = bound(postern(), "KILL");
    command.args(["repo", "show", REPO]).env("POSTERN_CONTROL", stage.control.url());
    let output = command.env("POSTERN_CLIENT_ID", id).env("POSTERN_CLIENT_SECRET", secret).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("public.sales ")).unwrap();
    let words: Vec<&str> = line.split_whitespace().take(4).collect();
    assert_eq!(words, ["public.sales", "table", "id", "integer,"]);
}

#[tokio::test]
async fn who_reads_the_catalog_leaves_no_connection_behind_when_nobody_attends() {
    let stage = Stage::new().await;
    run(&stage, TABLES).await;
    until("the tables to be told", async || resource(&stage.api, "public.sales").await.is_some()).await;
    until("the connection to be gone", async || {
        stage.postgres.backends("application_name = 'postern'").await == 0
    })
    .await;
}

#[tokio::test]
async fn a_control_plane_that_was_away_hears_what_changed_meanwhile() {
    let mut stage = Stage::new().await;
    run(&stage, "create table before (id int)").await;
    until("the table to be told", async || resource(&stage.api, "public.before").await.is_some()).await;
    stage.control.kill();
    run(&stage, "create table after (id int)").await;
    stage.control.restart().await;
    until("the new table to be told", async || resource(&stage.api, "public.after").await.is_some()).await;
    assert!(resource(&stage.api, "public.before").await.is_some());
}

const MYSQL_TABLES: &str = "
create table shop.sales (id int, name varchar(20), price numeric(10,2));
create table shop.`odd.name` (id int);
create view shop.recent as select id from shop.sales;
create table hr.people (id int);
";

#[tokio::test]
async fn a_mysql_repo_shows_its_tables_and_follows_them() {
    for version in BOTH {
        let Some(stage) = mysql::stage::Stage::on(version, mysql::stage::Wish::default()).await else {
            continue;
        };
        stage.mysql.admin().await.run(MYSQL_TABLES).await;
        until("the tables to be told", async || resource(&stage.api, "shop.sales").await.is_some()).await;
        let sales = resource(&stage.api, "shop.sales").await.unwrap();
        assert_eq!((&sales["schema"], &sales["table"]), (&json!("shop"), &json!("sales")));
        let int = if version.is_mariadb() { "int(11)" } else { "int" };
        assert_eq!(columns(&sales), [("id", int), ("name", "varchar(20)"), ("price", "decimal(10,2)")]);
        until("what one account alone sees to be told", async || {
            resource(&stage.api, "hr.people").await.is_some()
        })
        .await;
        let shown = shown(&stage.api).await;
        let expected = [
            ("hr.people", "table"),
            ("shop.\"odd.name\"", "table"),
            ("shop.recent", "view"),
            ("shop.sales", "table"),
        ];
        assert_eq!(kinds(&shown), expected, "none of the server's own");

        let change = "alter table shop.sales change name label varchar(20);
            drop view shop.recent; create table shop.more (a int)";
        stage.mysql.admin().await.run(change).await;
        until("the change to be told", async || resource(&stage.api, "shop.more").await.is_some()).await;
        until("the rest to be told", async || resource(&stage.api, "shop.recent").await.is_none()).await;
        assert_eq!(columns(&resource(&stage.api, "shop.sales").await.unwrap())[1].0, "label");
    }
}

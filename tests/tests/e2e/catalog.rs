//! What there is in a database to ask for, as people find it at the control plane.

use postern_tests::{
    postgres::Version,
    process::{bound, postern},
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

async fn shown(stage: &Stage) -> Value {
    stage.api.get(&format!("/v1/repos/{REPO}")).await.ok()
}

async fn resource(stage: &Stage, name: &str) -> Option<Value> {
    let mut shown = shown(stage).await;
    let all = shown["resources"].as_array_mut().unwrap();
    all.iter_mut().find(|found| found["resource"] == name).map(Value::take)
}

fn columns(of: &Value) -> Vec<(&str, &str)> {
    let all = of["columns"].as_array().unwrap();
    all.iter().map(|column| (column["name"].as_str().unwrap(), column["type"].as_str().unwrap())).collect()
}

async fn a_repo_shows_its_tables_and_follows_them(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    run(&stage, TABLES).await;
    until("the tables to be told", async || resource(&stage, "public.sales").await.is_some()).await;
    let sales = resource(&stage, "public.sales").await.unwrap();
    assert_eq!((&sales["schema"], &sales["table"]), (&json!("public"), &json!("sales")));
    let expected = [
        ("id", "integer"),
        ("name", "character varying(20)"),
        ("price", "numeric(10,2)"),
        ("feeling", "public.mood[]"),
    ];
    assert_eq!(columns(&sales), expected);
    let shown = shown(&stage).await;
    let kinds: Vec<(&str, &str)> = shown["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["resource"].as_str().unwrap(), found["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        ("\"odd.schema\".t", "table"),
        ("public.parts", "partitioned_table"),
        ("public.recent", "view"),
        ("public.sales", "table"),
        ("public.summed", "materialized_view"),
    ];
    assert_eq!(kinds, expected, "neither sequences nor indexes nor the server's own");

    run(&stage, "alter table sales rename column name to label; drop view recent; create table more (a int)")
        .await;
    until("the change to be told", async || resource(&stage, "public.more").await.is_some()).await;
    assert_eq!(columns(&resource(&stage, "public.sales").await.unwrap())[1].0, "label");
    assert_eq!(resource(&stage, "public.recent").await, None);
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
    until("the tables to be told", async || resource(&stage, "public.sales").await.is_some()).await;
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
    until("the tables to be told", async || resource(&stage, "public.sales").await.is_some()).await;
    until("the connection to be gone", async || {
        stage.postgres.backends("application_name = 'postern'").await == 0
    })
    .await;
}

#[tokio::test]
async fn a_control_plane_that_was_away_hears_what_changed_meanwhile() {
    let mut stage = Stage::new().await;
    run(&stage, "create table before (id int)").await;
    until("the table to be told", async || resource(&stage, "public.before").await.is_some()).await;
    stage.control.kill();
    run(&stage, "create table after (id int)").await;
    stage.control.restart().await;
    until("the new table to be told", async || resource(&stage, "public.after").await.is_some()).await;
    assert!(resource(&stage, "public.before").await.is_some());
}

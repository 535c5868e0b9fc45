//! Drivers for MySQL: each runs the same application directly and through the gate, over TLS, and must see the same.

use std::{fs::File, io::Write, path::PathBuf, process::Command};

use postern_tests::{
    folder::{Folder, fetched},
    mysql::{
        accounts::DATABASE,
        server::{BOTH, Version},
        stage::{Stage, Wish},
        sysbench::{number, sysbench},
        way::Way,
    },
    process::bound,
};

const ACCOUNT: &str = "app_rw";

fn application(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers/mysql").join(name)
}

fn with_tls() -> Wish {
    Wish { tls: true, ..Wish::default() }
}

fn output(way: &Way, mut command: Command) -> String {
    let scratch = Folder::new();
    let output = way.application(command.current_dir(scratch.path()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Fails unless an application says the same on both ways, but for the port.
fn same(ways: &[Way; 2], command: impl Fn() -> Command) {
    let [direct, through] =
        ways.each_ref().map(|way| output(way, command()).replace(&way.port.to_string(), "PORT"));
    assert_eq!(direct, through);
    assert!(direct.lines().count() > 5, "the application said too little: {direct}");
}

async fn both_alike(wish: impl Fn() -> Wish, command: impl Fn() -> Command) {
    for version in BOTH {
        let Some(stage) = Stage::on(version, wish()).await else { continue };
        let access = stage.access(ACCOUNT, "1h").await;
        same(&stage.ways(&access), &command);
    }
}

fn python(name: &str) -> Option<impl Fn() -> Command> {
    let (python, application) = (fetched("mysqlpython")?, application(name));
    Some(move || {
        let mut command = bound(python.join("venv/bin/python"), "KILL");
        command.arg(&application).env("PYTHONHASHSEED", "0");
        command
    })
}

fn node(name: &str) -> Option<impl Fn() -> Command> {
    let (node, application) = (fetched("mysqlnode")?, application(name));
    Some(move || {
        let mut command = bound("node", "KILL");
        command.arg(&application).env("NODE_PATH", node.join("node_modules")).env("TZ", "UTC");
        command
    })
}

#[tokio::test]
async fn pymysql_sees_no_difference() {
    let Some(command) = python("pymysql_app.py") else { return };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn pymysql_sees_no_difference_on_loopback_without_tls() {
    let Some(command) = python("pymysql_app.py") else { return };
    both_alike(Wish::default, command).await;
}

#[tokio::test]
async fn connector_python_sees_no_difference() {
    let Some(command) = python("connector_python_app.py") else { return };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn sqlalchemy_sees_no_difference() {
    let Some(command) = python("sqlalchemy_app.py") else { return };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn django_sees_no_difference() {
    let Some(command) = python("django_app.py") else { return };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn mysqlclient_sees_no_difference() {
    let Some(site) = fetched("mysqlclient").map(|part| part.join("site")) else { return };
    let command = || {
        let mut command = bound("/usr/bin/python3", "KILL");
        command.arg(application("mysqlclient_app.py")).env("PYTHONPATH", &site).env("LD_LIBRARY_PATH", &site);
        command
    };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn mysql2_for_node_sees_no_difference() {
    let Some(command) = node("mysql2_app.js") else { return };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn mariadb_for_node_sees_no_difference() {
    let Some(command) = node("mariadb_app.js") else { return };
    both_alike(with_tls, command).await;
}

#[tokio::test]
async fn connector_j_sees_no_difference() {
    let Some(java) = fetched("mysqljava") else { return };
    let command = || {
        let mut command = bound("java", "KILL");
        let jars = format!("{}/*", java.join("jars").display());
        command.args(["-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", &jars]);
        command.arg(application("ConnectorJApp.java"));
        command
    };
    both_alike(with_tls, command).await;
}

/// What people type; with `--force` the client goes on after an error.
const SCRIPT: &str = "
select version(), current_user(), database(), @@character_set_client, @@sql_mode;
create table app (id int primary key auto_increment, name varchar(20), price decimal(12,2), raw blob, at datetime);
insert into app (name, price, raw, at) values ('ä', 1.5, x'00ff', '2024-02-29'), (null, -2, '', '2024-03-01 01:02:03');
select * from app;
select 1/0, cast('12x' as signed);
show warnings;
insert into app (name) values ('much too long for this column');
insert into app (id) values (1);
select nonsense from nowhere;
selec 1;
update app set price = price + 1 where id > 0;
delete from app where id = 2;
show create table app;
describe app;
explain select * from app where id = 1;
show databases;
show tables;
show full columns from app;
show index from app;
set names latin1;
select 'x', hex('a'), @@character_set_results;
set names utf8mb4;
delimiter //
create procedure several() begin select 1 as one; select 2 as two; signal sqlstate '01000' set message_text = 'careful'; end//
delimiter ;
call several();
show warnings;
drop procedure several;
start transaction;
delete from app;
rollback;
select count(*) from app;
prepare s from 'select ? + 1';
set @a = 41;
execute s using @a;
use hr;
select database();
lock tables shop.app write;
unlock tables;
select repeat('x', 100000);
kill query 4294967295;
drop table shop.app;
";

/// What the version's own client makes of [`SCRIPT`], metadata and warnings included.
fn typed(stage: &Stage, way: &Way) -> (String, String) {
    let folder = Folder::new();
    let script = folder.write("script.sql", SCRIPT);
    let mut command = way.command(&stage.mysql, stage.mysql.client());
    command.args([
        "--force",
        "--table",
        "--verbose",
        "--show-warnings",
        "--column-type-info",
        "--unbuffered",
    ]);
    command.args(["--default-character-set=utf8mb4", DATABASE]).stdin(File::open(script).unwrap());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

async fn the_stock_client_sees_no_difference(version: Version, wish: Wish) {
    let Some(stage) = Stage::on(version, wish).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let [direct, through] = stage.ways(&access).map(|way| typed(&stage, &way));
    assert!(direct == through, "{direct:?}\n{through:?}");
    assert!(direct.0.contains("careful") && direct.1.contains("ERROR 1146"), "too little: {direct:?}");
}

#[tokio::test]
async fn mysql_9_sees_no_difference() {
    the_stock_client_sees_no_difference(Version::MySql9, with_tls()).await;
}

#[tokio::test]
async fn mysql_9_sees_no_difference_on_loopback_without_tls() {
    the_stock_client_sees_no_difference(Version::MySql9, Wish::default()).await;
}

#[tokio::test]
async fn mariadb_10_sees_no_difference() {
    the_stock_client_sees_no_difference(Version::MariaDb10, with_tls()).await;
}

#[tokio::test]
async fn mariadb_10_sees_no_difference_on_loopback_without_tls() {
    the_stock_client_sees_no_difference(Version::MariaDb10, Wish::default()).await;
}

#[tokio::test]
async fn mariadb_11_sees_no_difference() {
    the_stock_client_sees_no_difference(Version::MariaDb11, with_tls()).await;
}

const SAMPLE: &str = "
create table work1.item (id int primary key auto_increment, name varchar(50) not null, mood enum('fine', 'so so'),
  photo varbinary(40), at datetime, doc json, key (name));
insert into work1.item (name, mood, photo, at, doc)
  with recursive n (n) as (select 1 union all select n + 1 from n where n < 900)
  select concat('näme ', n), if(n % 2, 'fine', 'so so'), unhex(sha2(n, 256)), '2024-02-29', json_object('n', n) from n;
create view work1.fine as select id, name from work1.item where mood = 'fine';
create trigger work1.tidy before insert on work1.item for each row set new.name = trim(new.name);
create procedure work1.total() select count(*) from work1.item;
create event work1.nightly on schedule every 1 day disable do delete from work1.item where id < 0
";

fn dump(stage: &Stage, way: &Way) -> Vec<u8> {
    let mut command = way.command(&stage.mysql, stage.mysql.dump());
    command.args(["--single-transaction", "--no-tablespaces", "--routines", "--events", "--triggers"]);
    command.args(["--hex-blob", "--skip-dump-date", "--databases", "work1"]);
    if stage.mysql.version() == Version::MySql9 {
        command.arg("--set-gtid-purged=OFF");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

async fn a_dump_makes_the_round(version: Version) {
    let Some(stage) = Stage::on(version, with_tls()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let [direct, through] = stage.ways(&access);
    let mut app = stage.mysql.direct(ACCOUNT).await;
    app.run("create database work1 character set utf8mb4").await;
    app.run(SAMPLE).await;
    let before = dump(&stage, &direct);
    assert!(before == dump(&stage, &through), "the dump through the gate is another");
    app.run("drop database work1").await;
    let folder = Folder::new();
    let file = folder.path().join("dump.sql");
    File::create(&file).unwrap().write_all(&before).unwrap();
    let mut restore = through.command(&stage.mysql, stage.mysql.client());
    let output = restore.stdin(File::open(&file).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(before == dump(&stage, &direct), "what was restored through the gate is another");
}

#[tokio::test]
async fn a_dump_makes_the_round_on_mariadb_10() {
    a_dump_makes_the_round(Version::MariaDb10).await;
}

#[tokio::test]
async fn a_dump_makes_the_round_on_mysql_9() {
    a_dump_makes_the_round(Version::MySql9).await;
}

#[tokio::test]
async fn sysbench_runs_through_the_gate() {
    if fetched("sysbench").is_none() {
        return;
    }
    for version in BOTH {
        let Some(stage) = Stage::on(version, with_tls()).await else { continue };
        let access = stage.access(ACCOUNT, "1h").await;
        let [_, through] = stage.ways(&access);
        let step = |step, threads| {
            let size = ["--tables=2", "--table-size=500", threads, "--events=200", "--time=0", step];
            sysbench(&stage.mysql, &through, "oltp_read_write.lua", &size)
        };
        step("prepare", "--threads=1");
        let said = step("run", "--threads=4");
        // What is ignored are deadlocks of the threads with one another.
        assert!(number(&said, "transactions:") + number(&said, "ignored errors:") >= 200.0, "{said}");
        assert!(number(&said, "reconnects:") < 1.0, "{said}");
        step("cleanup", "--threads=1");
    }
}

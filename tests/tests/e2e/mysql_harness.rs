//! The harness for MySQL proves itself on direct connections, so that a failure elsewhere is the gate's.

use std::process::Command;

use postern_tests::mysql::{
    accounts::{Account, DATABASE, accounts, password},
    login::{DEPRECATE_EOF, LogIn},
    server::{Mysql, Version},
    way::Way,
    wire::{PING, Raw},
};

/// The stock client, logged in as an account.
fn client(mysql: &Mysql, account: &Account) -> Command {
    let mut command = Way::direct(mysql, account.name).command(mysql, mysql.client());
    command.args(["--batch", "--skip-column-names"]);
    if account.name == "by_cert" {
        command.arg(format!("--ssl-cert={}", mysql.file("client.crt").display()));
        command.arg(format!("--ssl-key={}", mysql.file("client.key").display()));
    }
    command
}

async fn every_account_logs_in(version: Version) {
    let Some(mysql) = Mysql::start(version).await else { return };
    for account in accounts(version) {
        let output = client(&mysql, &account).args(["-e", "select user()"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("{}@localhost\n", account.name), "{output:?}");
    }
    let mut wrong = Raw::connect(mysql.port()).await;
    let refused = wrong.log_in(&LogIn { password: "wrong", ..mysql.login("app_rw") }).await.unwrap_err();
    assert_eq!((refused.code, refused.state.as_str()), (1045, "28000"));
}

#[tokio::test]
async fn every_account_logs_in_directly_on_mariadb_10() {
    every_account_logs_in(Version::MariaDb10).await;
}

#[tokio::test]
async fn every_account_logs_in_directly_on_mariadb_11() {
    every_account_logs_in(Version::MariaDb11).await;
}

#[tokio::test]
async fn every_account_logs_in_directly_on_mysql_9() {
    every_account_logs_in(Version::MySql9).await;
}

async fn the_raw_client_reads_what_is_said(version: Version) {
    let Some(mysql) = Mysql::start(version).await else { return };
    for capabilities in [LogIn::new("", "").capabilities, LogIn::new("", "").capabilities & !DEPRECATE_EOF] {
        let mut raw = Raw::connect(mysql.port()).await;
        let greeting = raw.log_in(&LogIn { capabilities, ..mysql.login("app_rw") }).await.unwrap();
        let version = greeting.version.trim_start_matches("5.5.5-");
        assert_eq!(raw.value("select version()").await, version);
        assert_eq!(raw.value("select connection_id()").await, greeting.connection.to_string());
        let answer =
            raw.ask("select 'ü' as a, null as b union all select repeat('x', 70000), 1/0").await.unwrap();
        assert_eq!(answer.columns, ["a", "b"]);
        assert_eq!(answer.rows[0], [Some("ü".to_owned()), None]);
        assert_eq!((answer.rows.len(), answer.rows[1][0].as_ref().unwrap().len()), (2, 70_000));
        assert_eq!(answer.warnings, 1);
        let refused = raw.ask("select nonsense").await.unwrap_err();
        assert_eq!((refused.code, refused.state.as_str()), (1054, "42S22"));
        raw.run("create table t (id int); insert into t values (1), (2)").await;
        assert_eq!(raw.ask("update t set id = id + 1").await.unwrap().affected, 2);
        let long = format!("select length('{}')", "y".repeat(20_000_000));
        assert_eq!(raw.value(&long).await, "20000000");
        raw.run("drop table t").await;
        raw.command(PING, &[]).await;
        assert_eq!(raw.next().await.unwrap().kind(), 0);
    }
}

#[tokio::test]
async fn the_raw_client_reads_what_mariadb_10_says() {
    the_raw_client_reads_what_is_said(Version::MariaDb10).await;
}

#[tokio::test]
async fn the_raw_client_reads_what_mysql_9_says() {
    the_raw_client_reads_what_is_said(Version::MySql9).await;
}

#[tokio::test]
async fn a_server_that_was_stopped_comes_back_with_what_was_committed() {
    let mut mysql = Mysql::start(Version::MariaDb10).await.unwrap();
    let mut app = mysql.direct("app_rw").await;
    app.run("create table kept (id int); insert into kept values (7)").await;
    mysql.stop();
    assert!(app.ask("select 1").await.is_err());
    mysql.restart().await;
    let mut raw = Raw::connect(mysql.port()).await;
    let login = LogIn { tls: None, database: DATABASE, ..LogIn::new("app_rw", password("app_rw")) };
    raw.log_in(&login).await.unwrap();
    assert_eq!(raw.value("select id from kept").await, "7");
    assert_eq!(mysql.connections("user = 'app_rw'").await, 1);
    let (folder, port) = (mysql.file(""), mysql.port());
    drop(mysql);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

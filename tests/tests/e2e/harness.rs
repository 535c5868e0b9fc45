//! The harness proves itself on direct connections, so that a failure elsewhere is the gate's.

use postern_tests::{
    cut::Wire,
    postgres::{DATABASE, Postgres, Version, password},
    stage::connect,
    wait::until,
    wire::{PROTOCOL_3_0, Raw, startup, tls_config},
};
use tokio_postgres::NoTls;

#[tokio::test]
async fn every_account_logs_in_directly_on_15() {
    every_account_logs_in(Version::Fifteen).await;
}

#[tokio::test]
async fn every_account_logs_in_directly_on_18() {
    every_account_logs_in(Version::Eighteen).await;
}

async fn every_account_logs_in(version: Version) {
    let Some(postgres) = Postgres::start(version).await else { return };
    for account in ["app_rw", "app_ro", "by_md5", "by_cleartext", "by_trust"] {
        let client = connect(&postgres.direct(account)).await;
        let row = client.query_one("select current_user::text", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), account);
    }
    let mut wrong = postgres.direct("app_rw");
    let refused = wrong.password("wrong").connect(NoTls).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn the_raw_client_speaks_inside_tls() {
    let postgres = Postgres::start(Version::Fifteen).await.unwrap();
    let ca = std::fs::read_to_string(postgres.file("ca.crt")).unwrap();
    let raw = Raw::connect(postgres.port()).await;
    let mut raw = raw.request_tls(tls_config(&ca, &[])).await.unwrap();
    raw.log_in(&[("user", "by_cleartext"), ("database", DATABASE)], password("by_cleartext")).await.unwrap();
    let answer = raw.ask("select 'deep'").await;
    assert_eq!(answer[1].first_column().as_deref(), Some("deep"));
    raw.send(&startup(PROTOCOL_3_0, &[])).await;
    assert_eq!(raw.last_error().await.unwrap().code(), "08P01");
}

#[tokio::test]
async fn a_frozen_wire_delivers_once_it_thaws_and_a_severed_one_breaks() {
    let postgres = Postgres::start(Version::Fifteen).await.unwrap();
    let wire = Wire::to(postgres.port()).await;
    let mut through = tokio_postgres::Config::new();
    through.host("127.0.0.1").port(wire.port()).user("app_rw").password(password("app_rw")).dbname(DATABASE);
    let client = connect(&through).await;
    wire.freeze();
    let answer = client.query_one("select 1", &[]);
    tokio::pin!(answer);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), &mut answer).await.is_err());
    wire.heal();
    answer.await.unwrap();
    wire.sever();
    until("the connection to break", async || client.is_closed()).await;
    assert_eq!(wire.connections(), 1);
}

#[tokio::test]
async fn nothing_of_a_server_is_left_when_it_goes() {
    let postgres = Postgres::start(Version::Fifteen).await.unwrap();
    let (folder, port) = (postgres.file(""), postgres.port());
    drop(postgres);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

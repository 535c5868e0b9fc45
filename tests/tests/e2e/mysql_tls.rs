//! TLS towards MySQL's clients and towards the server, and every way in which the server lets an account in.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use postern_tests::{
    certs::Authority,
    folder::Folder,
    mysql::{
        accounts::accounts,
        login::{LogIn, ORDINARY, SSL},
        server::Version,
        stage::{Stage, Wish},
        wire::Raw,
    },
    stage::{ALICE, Access, whole},
    wait::until,
    wire::tls_config,
};
use rustix::process::Signal;
use tokio::net::TcpStream;

on_both! {
    a_client_may_name_any_plugin_inside_tls
    without_a_certificate_tls_is_not_offered
    a_renewed_certificate_is_shown_after_a_hangup_and_sessions_stay
    no_token_is_asked_for_in_clear_text_from_elsewhere
    the_server_may_ask_for_any_kind_of_password
    the_server_may_ask_for_any_credential_inside_tls
    the_server_may_ask_for_any_credential_inside_verified_tls
    a_server_with_the_wrong_certificate_gets_no_password
}

fn with_tls() -> Wish {
    Wish { tls: true, ..Wish::default() }
}

/// What clients of all ages announce, and what nobody has.
const PLUGINS: [&str; 7] = [
    "",
    "mysql_native_password",
    "caching_sha2_password",
    "sha256_password",
    "mysql_clear_password",
    "client_ed25519",
    "no_such_plugin",
];

async fn a_client_may_name_any_plugin_inside_tls(version: Version) {
    let Some(stage) = Stage::on(version, with_tls()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    for plugin in PLUGINS {
        for capabilities in [ORDINARY, LogIn::new("", "").capabilities] {
            let login = LogIn { plugin, capabilities, ..stage.login(&access) };
            let outcome = stage.raw_as(&login).await;
            let mut raw = outcome.unwrap_or_else(|refusal| panic!("{plugin}: {refusal:?}"));
            assert_eq!(raw.value("select 7").await, "7", "{plugin}");
        }
    }
}

async fn without_a_certificate_tls_is_not_offered(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let greeting = raw.log_in(&stage.login(&access)).await.unwrap();
    assert_eq!(greeting.capabilities & SSL, 0);
    let tls = tls_config(&Authority::new().pem(), &[]);
    let refused = stage.raw_as(&LogIn { tls: Some(tls), ..stage.login(&access) }).await;
    assert!(refused.is_err(), "TLS without a certificate");
}

async fn a_renewed_certificate_is_shown_after_a_hangup_and_sessions_stay(version: Version) {
    let Some(mut stage) = Stage::on(version, with_tls()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let mut open = stage.raw(&access).await.unwrap();
    let renewed = Authority::new();
    stage.renew_certificate(&renewed);
    stage.sidecar.process().signal(Signal::HUP);
    let login = LogIn { tls: Some(tls_config(&renewed.pem(), &[])), ..stage.login(&access) };
    until("the new certificate", async || stage.raw_as(&login).await.is_ok()).await;
    assert_eq!(open.value("select 1").await, "1");
}

/// An address of this machine that is not loopback, if it has one. Nothing is sent.
fn outside_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let IpAddr::V4(address) = socket.local_addr().ok()?.ip() else { return None };
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

async fn no_token_is_asked_for_in_clear_text_from_elsewhere(version: Version) {
    let Some(address) = outside_address() else {
        eprintln!("SKIPPED: this machine has no address but loopback");
        return;
    };
    for tls in [false, true] {
        let wish = Wish { tls, host: "0.0.0.0".to_owned(), ..Wish::default() };
        let Some(stage) = Stage::on(version, wish).await else { return };
        let access = stage.access("app_ro", "1h").await;
        let Ok(stream) = TcpStream::connect((address, stage.sidecar.port())).await else { continue };
        let mut raw = Raw::over(stream);
        if let Ok(greeting) = raw.greeting().await {
            raw.reply(&LogIn { tls: None, ..stage.login(&access) }.response(&greeting)).await;
            let said = raw.rest().await;
            assert!(said.iter().all(|packet| packet.kind() == 0xff), "asked in the clear: {said:?}");
        }
        if tls {
            let mut raw = Raw::over(TcpStream::connect((address, stage.sidecar.port())).await.unwrap());
            raw.log_in(&stage.login(&access)).await.unwrap();
        }
    }
}

async fn every_account_gets_in(version: Version, repo: &str) {
    let by_cert = ("by_cert".to_owned(), "cert = \"{db}/client.crt\"\nkey = \"{db}/client.key\"".to_owned());
    let wish = Wish { repo: repo.to_owned(), accounts: vec![by_cert], ..Wish::default() };
    let Some(stage) = Stage::on(version, wish).await else { return };
    let encrypted = !repo.contains("disable");
    for account in accounts(version).iter().filter(|account| encrypted || account.name != "by_cert") {
        let access = stage.access(account.name, "1h").await;
        let mut raw = stage.raw(&access).await.unwrap();
        let user = raw.value("select substring_index(current_user(), '@', 1)").await;
        assert_eq!(user, account.name);
        let cipher = raw.ask("show status like 'ssl_cipher'").await.unwrap().rows[0][1].clone();
        assert_eq!(!cipher.unwrap_or_default().is_empty(), encrypted, "{}", account.name);
    }
}

async fn the_server_may_ask_for_any_kind_of_password(version: Version) {
    every_account_gets_in(version, "tls = \"disable\"").await;
}

async fn the_server_may_ask_for_any_credential_inside_tls(version: Version) {
    every_account_gets_in(version, "tls = \"require\"").await;
}

async fn the_server_may_ask_for_any_credential_inside_verified_tls(version: Version) {
    every_account_gets_in(version, "tls = \"verify-full\"\nca = \"{db}/ca.crt\"").await;
}

#[tokio::test]
async fn mariadb_11_may_ask_for_any_kind_of_password() {
    every_account_gets_in(Version::MariaDb11, "tls = \"disable\"").await;
}

#[tokio::test]
async fn mariadb_11_may_ask_for_any_credential_inside_verified_tls() {
    every_account_gets_in(Version::MariaDb11, "tls = \"verify-full\"\nca = \"{db}/ca.crt\"").await;
}

async fn a_server_with_the_wrong_certificate_gets_no_password(version: Version) {
    let folder = Folder::new();
    let stranger = folder.write("stranger.pem", Authority::new().pem());
    for mode in ["verify-ca", "verify-full"] {
        let repo = format!("tls = \"{mode}\"\nca = \"{}\"", stranger.display());
        let Some(stage) = Stage::on(version, Wish { repo, ..Wish::default() }).await else { return };
        let access: Access = stage.api.access(whole(ALICE, "app_ro", "1h")).await;
        until("the refusal", async || {
            let refused = stage.raw(&access).await.err().expect("a stranger was trusted");
            [1130, 1040, 2013].contains(&refused.code)
        })
        .await;
    }
}

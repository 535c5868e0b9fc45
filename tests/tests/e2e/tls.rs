//! TLS towards clients and towards the database, and every way in which the database lets an account in.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use postern_tests::{
    postgres::Version,
    stage::{Access, REPO, Stage, Wish},
    wait::until,
    wire::{GSSENC_REQUEST, PROTOCOL_3_0, PROTOCOL_3_2, Raw, startup, tls_config},
};
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::access::psql;

fn with_tls() -> Wish {
    Wish { tls: true, ..Wish::default() }
}

async fn log_in(mut raw: Raw, access: &Access) {
    raw.log_in(&[("user", &access.account), ("database", REPO)], &access.token).await.unwrap();
    assert_eq!(raw.ask("select 7").await[1].first_column().as_deref(), Some("7"));
}

#[tokio::test]
async fn a_client_may_ask_for_tls_first() {
    let stage = Stage::with(with_tls()).await;
    let access = stage.access("app_ro", "1h").await;
    let raw = Raw::connect(stage.sidecar.port()).await;
    log_in(raw.request_tls(tls_config(&stage.authority, &[])).await.unwrap(), &access).await;
}

#[tokio::test]
async fn a_client_may_start_with_tls_if_it_names_the_protocol() {
    let stage = Stage::with(with_tls()).await;
    let access = stage.access("app_ro", "1h").await;
    let raw = Raw::connect(stage.sidecar.port()).await;
    log_in(raw.into_tls(tls_config(&stage.authority, &[b"postgresql"])).await.unwrap(), &access).await;
    for protocols in [&[][..], &[&b"http/1.1"[..]]] {
        let raw = Raw::connect(stage.sidecar.port()).await;
        if let Ok(mut raw) = raw.into_tls(tls_config(&stage.authority, protocols)).await {
            raw.send(&startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO)])).await;
            assert!(raw.rest().await.iter().all(|message| message.kind != b'R'), "direct TLS needs ALPN");
        }
    }
}

#[tokio::test]
async fn psql_18_verifies_the_gate_with_direct_tls_and_the_newest_protocol() {
    let Some(stage) = Stage::on(Version::Eighteen, with_tls()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let folder = postern_tests::folder::Folder::new();
    let ca = folder.write("ca.pem", &stage.authority);
    let trusting = format!("sslmode=verify-full sslrootcert={}", ca.display());
    for more in ["", "sslnegotiation=direct", "max_protocol_version=latest", "channel_binding=disable"] {
        let output = psql(&stage, &format!("{trusting} {more}"), &access, "select 'in'");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "in", "{more}: {output:?}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_hangup_and_sessions_stay() {
    let mut stage = Stage::with(with_tls()).await;
    let access = stage.access("app_ro", "1h").await;
    let mut open = stage.raw(&access).await.unwrap();
    let renewed = postern_tests::certs::Authority::new();
    stage.renew_certificate(&renewed);
    stage.sidecar.process().signal(Signal::HUP);
    until("the new certificate", async || {
        let raw = Raw::connect(stage.sidecar.port()).await;
        raw.request_tls(tls_config(&renewed.pem(), &[])).await.is_ok()
    })
    .await;
    assert_eq!(open.ask("select 1").await.last().unwrap().kind, b'Z');
}

#[tokio::test]
async fn encryption_by_gss_is_declined_and_tls_may_follow() {
    let stage = Stage::with(with_tls()).await;
    let access = stage.access("app_ro", "1h").await;
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(&GSSENC_REQUEST).await;
    assert_eq!(raw.byte().await, Some(b'N'));
    log_in(raw.request_tls(tls_config(&stage.authority, &[])).await.unwrap(), &access).await;
}

#[tokio::test]
async fn without_a_certificate_tls_is_declined() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(&postern_tests::wire::SSL_REQUEST).await;
    assert_eq!(raw.byte().await, Some(b'N'));
    log_in(raw, &access).await;
}

#[tokio::test]
async fn an_unknown_minor_protocol_and_option_are_negotiated_down() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    for (version, option) in
        [(PROTOCOL_3_0, ""), (PROTOCOL_3_2, ""), (0x0003_0063, ""), (PROTOCOL_3_2, "_pq_.new")]
    {
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        let mut parameters = vec![("user", "app_ro"), ("database", REPO)];
        if !option.is_empty() {
            parameters.push((option, "1"));
        }
        raw.send(&startup(version, &parameters)).await;
        let mut first = raw.next().await.unwrap();
        if version == 0x0003_0063 || !option.is_empty() {
            assert_eq!(first.kind, b'v', "{version:x}");
            first = raw.next().await.unwrap();
        } else if first.kind == b'v' {
            first = raw.next().await.unwrap();
        }
        assert_eq!((first.kind, &first.body[..]), (b'R', &[0, 0, 0, 3][..]), "{version:x}");
        raw.send(&postern_tests::wire::frame(b'p', &postern_tests::wire::zero_terminated(&access.token)))
            .await;
        assert_eq!(raw.until(b'Z').await.last().unwrap().kind, b'Z', "{version:x}");
    }
}

/// An address of this machine that is not loopback, if it has one. Nothing is sent.
fn outside_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let IpAddr::V4(address) = socket.local_addr().ok()?.ip() else { return None };
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[tokio::test]
async fn no_password_is_asked_for_in_clear_text_from_elsewhere() {
    let Some(address) = outside_address() else {
        eprintln!("SKIPPED: this machine has no address but loopback");
        return;
    };
    for tls in [false, true] {
        let stage = Stage::with(Wish { tls, host: "0.0.0.0".to_owned(), ..Wish::default() }).await;
        let access = stage.access("app_ro", "1h").await;
        let Ok(stream) = TcpStream::connect((address, stage.sidecar.port())).await else { continue };
        let mut raw = Raw::over(stream);
        raw.send(&startup(PROTOCOL_3_0, &[("user", &access.account), ("database", REPO)])).await;
        let said = raw.rest().await;
        assert!(said.iter().all(|message| message.kind == b'E'), "asked in the clear: {said:?}");
        if tls {
            let raw = Raw::over(TcpStream::connect((address, stage.sidecar.port())).await.unwrap());
            log_in(raw.request_tls(tls_config(&stage.authority, &[])).await.unwrap(), &access).await;
        }
    }
}

async fn every_account_gets_in(version: Version, repo: &str) {
    let by_cert = ("by_cert".to_owned(), "cert = \"{db}/client.crt\"\nkey = \"{db}/client.key\"".to_owned());
    let wish = Wish { repo: repo.to_owned(), accounts: vec![by_cert], ..Wish::default() };
    let Some(stage) = Stage::on(version, wish).await else { return };
    let encrypted = !repo.contains("disable");
    let mut accounts = vec!["app_rw", "app_ro", "by_md5", "by_cleartext", "by_trust"];
    accounts.extend(encrypted.then_some("by_cert"));
    for account in accounts {
        let access = stage.access(account, "1h").await;
        let client = stage.connect(&access).await;
        let sql = "select current_user::text, ssl from pg_stat_ssl where pid = pg_backend_pid()";
        let row = client.query_one(sql, &[]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, bool>(1)), (account, encrypted));
    }
}

#[tokio::test]
async fn the_database_may_ask_for_any_kind_of_password() {
    every_account_gets_in(Version::Fifteen, "tls = \"disable\"").await;
}

#[tokio::test]
async fn the_database_may_ask_for_any_credential_inside_tls() {
    every_account_gets_in(Version::Fifteen, "tls = \"require\"").await;
}

#[tokio::test]
async fn postgresql_18_may_ask_for_any_credential_inside_verified_tls() {
    every_account_gets_in(Version::Eighteen, "tls = \"verify-full\"\nca = \"{db}/ca.crt\"").await;
}

#[tokio::test]
async fn a_database_with_the_wrong_certificate_gets_no_password() {
    let folder = postern_tests::folder::Folder::new();
    let stranger = folder.write("stranger.pem", postern_tests::certs::Authority::new().pem());
    for mode in ["verify-ca", "verify-full"] {
        let repo = format!("tls = \"{mode}\"\nca = \"{}\"", stranger.display());
        let stage = Stage::with(Wish { repo, ..Wish::default() }).await;
        let request = stage.request(postern_tests::stage::ALICE, "app_ro", "1h").await;
        stage.approve(&request).await;
        let token = stage.token(postern_tests::stage::ALICE).await;
        until("the refusal", async || {
            let refused = stage.raw_as("app_ro", &token).await.err().expect("a stranger was trusted");
            ["08006", "57P03"].contains(&refused.code())
        })
        .await;
    }
}

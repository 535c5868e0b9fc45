//! `OAUTHBEARER` (RFC 7628): clients of PostgreSQL 18 log in through the browser.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use postern_tests::{
    folder::fetched,
    gate::Extra,
    issuer::Issuer,
    oidc::Idp,
    port,
    process::bound,
    stage::{ALICE, REPO, Stage, Wish},
    wire::{Fields, PROTOCOL_3_0, Raw, frame, startup},
};
use serde_json::{Value, json};

const BY_TOKEN: (&str, &str) = ("options", "-c postern.login=oauth");

/// A client's first answer to `AuthenticationSASL`.
fn initial(mechanism: &str, data: &str) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    frame(b'p', &[mechanism.as_bytes(), b"\0", &length, data.as_bytes()].concat())
}

/// Start-up and first answer; what the server said to both.
async fn begin(stage: &Stage, data: &str) -> (Raw, Vec<u8>) {
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(&startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO), BY_TOKEN])).await;
    let offer = raw.next().await.unwrap();
    assert_eq!((offer.kind, &offer.body[..]), (b'R', &b"\0\0\0\x0aOAUTHBEARER\0\0"[..]));
    raw.send(&initial("OAUTHBEARER", data)).await;
    let answer = raw.next().await.unwrap();
    (raw, [&[answer.kind][..], &answer.body].concat())
}

async fn with_issuer(issuer: &Issuer, listener: &str) -> Stage {
    let extra = Extra { listener: listener.to_owned(), ..Extra::default() };
    Stage::with(Wish { control: issuer.section(), extra, ..Wish::default() }).await
}

#[tokio::test]
async fn a_client_learns_where_to_log_in_and_comes_back_with_a_token() {
    let issuer = Issuer::start().await;
    let stage = with_issuer(&issuer, "").await;
    let access = stage.access("app_ro", "1h").await;

    let (mut raw, answer) = begin(&stage, "n,,\x01auth=\x01\x01").await;
    let signpost: Value = serde_json::from_slice(answer.strip_prefix(b"R\0\0\0\x0b").unwrap()).unwrap();
    let address = format!("{}/.well-known/openid-configuration", issuer.url);
    let expected =
        json!({"status": "invalid_token", "scope": "openid profile email", "openid-configuration": address});
    assert_eq!(signpost, expected);
    raw.send(&frame(b'p', b"\x01")).await;
    assert_eq!(raw.last_error().await.unwrap().code(), "28P01");

    for token in [&issuer.token(ALICE, 600), &access.token] {
        let (mut raw, answer) = begin(&stage, &format!("n,,\x01auth=Bearer {token}\x01\x01")).await;
        assert_eq!(answer, b"R\0\0\0\0");
        raw.until(b'Z').await;
        assert_eq!(raw.ask("select 7").await[1].first_column().as_deref(), Some("7"));
    }
}

#[tokio::test]
async fn a_token_that_does_not_count_is_refused_in_two_steps() {
    let (issuer, stranger) = (Issuer::start().await, Issuer::start().await);
    let stage = with_issuer(&issuer, "").await;
    stage.access("app_ro", "1h").await;
    let forged = stranger.token(ALICE, 600);
    let (mut raw, answer) = begin(&stage, &format!("n,,\x01auth=Bearer {forged}\x01\x01")).await;
    assert!(answer.starts_with(b"R\0\0\0\x0b{"), "{}", answer.escape_ascii());
    raw.send(&frame(b'p', b"\x01")).await;
    let refusal: Fields = raw.last_error().await.unwrap();
    assert_eq!(refusal.code(), "28P01");
    for (mechanism, data) in [
        ("SCRAM-SHA-256", "n,,n=,r=abc"),
        ("OAUTHBEARER", "n,,\x01auth=Bearer a\x01"),
        ("OAUTHBEARER", "p=tls-exporter,,\x01auth=\x01\x01"),
    ] {
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        raw.send(&startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO), BY_TOKEN])).await;
        raw.next().await.unwrap();
        raw.send(&initial(mechanism, data)).await;
        assert_eq!(raw.last_error().await.unwrap().code(), "08P01", "{mechanism}");
    }
}

#[tokio::test]
async fn a_listener_may_ask_for_tokens_and_a_client_for_a_password() {
    let issuer = Issuer::start().await;
    let stage = with_issuer(&issuer, "login = \"oauth\"").await;
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(&startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO)])).await;
    assert!(raw.next().await.unwrap().body.starts_with(b"\0\0\0\x0aOAUTHBEARER"));
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let by_password = [("user", "app_ro"), ("database", REPO), ("options", "-c postern.login=password")];
    let refusal = raw.log_in(&by_password, &issuer.token(ALICE, 600)).await.err().unwrap();
    assert_eq!(refusal.code(), "28000", "known, and without a grant");
}

/// psql 18 with what it needs for a login in the browser; nothing when it could not be fetched.
fn psql_18() -> Option<std::process::Command> {
    let psql = fetched("psql18")?.join("root/usr/lib/postgresql/18/bin/psql");
    let mut command = bound(psql, "KILL");
    // Without this libpq goes to issuers over TLS only.
    command.env("PGOAUTHDEBUG", "UNSAFE");
    Some(command)
}

#[tokio::test]
async fn psql_18_logs_in_through_the_browser() {
    let Some(mut psql) = psql_18() else { return };
    let Some(idp) = Idp::start(port::free()).await else { return };
    let stage = Stage::with(Wish { control: idp.section(), ..Wish::default() }).await;
    stage.access("app_ro", "1h").await;
    let conninfo = format!(
        "host=127.0.0.1 port={} dbname={REPO} user=app_ro oauth_issuer={} oauth_client_id=psql \
         options='-c postern.login=oauth'",
        stage.sidecar.port(),
        idp.url()
    );
    psql.arg(conninfo).args(["-XAtqc", "select 'in'"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = psql.spawn().expect("psql runs");
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = tokio::task::spawn_blocking(move || {
        let prompt = said.find(|line| line.contains("and enter the code")).expect("psql tells where to go");
        (prompt.rsplit(' ').next().unwrap().to_owned(), said)
    });
    let (code, said) = told.await.unwrap();
    idp.approve(&format!("{}/device?user_code={code}", idp.url()), ALICE).await;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(answer, "in", "{output:?} {:?}", said.collect::<Vec<_>>());
}

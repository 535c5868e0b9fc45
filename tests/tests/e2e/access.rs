//! From a request to an answer of the database, and every way of being turned away.

use std::process::{Command, Output};

use postern_tests::{
    postgres::{DATABASE, Version, password},
    process::bound,
    stage::{ALICE, Access, BOB, REPO, Stage, Wish},
    wait::{until, until_some},
};
use serde_json::json;

/// Runs this version's psql through the gate.
pub(crate) fn psql(stage: &Stage, conninfo: &str, access: &Access, sql: &str) -> Output {
    psql_command(stage, conninfo, access, sql).output().expect("psql runs")
}

/// This version's psql on its way through the gate.
pub(crate) fn psql_command(stage: &Stage, conninfo: &str, access: &Access, sql: &str) -> Command {
    let mut command = bound(stage.postgres.program("psql"), "KILL");
    let all = format!(
        "host=127.0.0.1 port={} dbname={REPO} user={} {conninfo}",
        stage.sidecar.port(),
        access.account
    );
    command.arg(all).args(["-XAtqc", sql]).env("PGPASSWORD", &access.token).env("PGCONNECT_TIMEOUT", "30");
    command
}

fn answer(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn whole_way(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let request = stage.request(ALICE, "app_rw", "2h").await;
    assert_eq!(request["status"], "PENDING");
    let early = stage.raw_as("app_rw", &stage.token(ALICE).await).await.err().unwrap();
    assert_eq!(early.code(), "28000");
    stage.approve(&request).await;
    let access = stage.access("app_rw", "2h").await;
    let said = answer(&psql(&stage, "", &access, "select current_user, current_database()"));
    assert_eq!(said, format!("app_rw|{DATABASE}"));
    let direct = stage.postgres.direct("app_rw");
    let direct = postern_tests::stage::connect(&direct).await;
    let version: String = direct.query_one("show server_version", &[]).await.unwrap().get(0);
    assert_eq!(answer(&psql(&stage, "", &access, "show server_version")), version);
}

#[tokio::test]
async fn a_person_asks_another_approves_and_the_database_answers() {
    whole_way(Version::Fifteen).await;
}

#[tokio::test]
async fn a_person_asks_another_approves_and_postgresql_18_answers() {
    whole_way(Version::Eighteen).await;
}

#[tokio::test]
async fn the_user_name_may_carry_the_identity_if_it_is_ones_own() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let mut raw = stage.raw_as(&format!("{ALICE}:app_ro"), &access.token).await.unwrap();
    assert_eq!(raw.ask("select current_user").await[1].first_column().as_deref(), Some("app_ro"));
    let refused = stage.raw_as(&format!("{BOB}:app_ro"), &access.token).await.err().unwrap();
    assert_eq!((refused.get('S'), refused.code()), ("FATAL", "28P01"));
}

#[tokio::test]
async fn the_database_is_found_by_the_repos_name_and_by_its_own_and_by_no_other() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    for (name, known) in [(REPO, true), (DATABASE, true), ("postgres", false), ("nowhere", false)] {
        let mut raw = postern_tests::wire::Raw::connect(stage.sidecar.port()).await;
        let outcome = raw.log_in(&[("user", "app_ro"), ("database", name)], &access.token).await;
        assert_eq!(outcome.is_ok(), known, "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_bad_credential_is_refused_with_28p01() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let mut almost = access.token.clone();
    almost.pop();
    let long = "p".repeat(5000);
    for bad in ["", "pst_", "wrong", &almost, &long, password("app_ro"), &access.token.to_uppercase()] {
        let refused = stage.raw_as("app_ro", bad).await.err().unwrap_or_else(|| panic!("{bad:?} was let in"));
        assert_eq!((refused.get('S'), refused.code()), ("FATAL", "28P01"), "{bad:?}");
        assert!(bad.is_empty() || !format!("{refused:?}").contains(bad), "the error repeats the credential");
    }
}

#[tokio::test]
async fn an_expired_access_token_is_refused_with_28p01() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let brief = stage.api.post("/v1/access-tokens", json!({"for": ALICE, "expires_in": 2})).await.ok();
    let brief = brief["token"].as_str().unwrap();
    let refused = until_some("the token to expire", async || {
        stage.raw_as("app_ro", brief).await.err().filter(|error| error.code() != "28000")
    })
    .await;
    assert_eq!(refused.code(), "28P01");
    stage.raw(&access).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_access_token_is_refused_with_28p01() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let other = stage.api.post("/v1/access-tokens", json!({"for": ALICE})).await.ok();
    let (id, text) = (other["id"].as_str().unwrap(), other["token"].as_str().unwrap());
    until("the token to be known", async || stage.raw_as("app_ro", text).await.is_ok()).await;
    stage.api.delete(&format!("/v1/access-tokens/{id}")).await.ok();
    let refused = until_some("the token to be void", async || stage.raw_as("app_ro", text).await.err()).await;
    assert_eq!(refused.code(), "28P01");
    stage.raw(&access).await.unwrap();
}

#[tokio::test]
async fn without_a_grant_the_refusal_says_how_to_get_one() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let bob = stage.token(BOB).await;
    let of_bob = until_some("Bob's token to be known", async || {
        stage.raw_as("app_ro", &bob).await.err().filter(|error| error.code() != "28P01")
    })
    .await;
    let other_account = stage.raw_as("app_rw", &access.token).await.err().unwrap();
    let no_account = stage.raw_as("nobody_has_this", &access.token).await.err().unwrap();
    for refused in [of_bob, other_account, no_account] {
        assert_eq!((refused.get('S'), refused.code()), ("FATAL", "28000"));
        let hint = refused.get('H');
        assert!(
            hint.contains("postern request create") && hint.contains(&stage.control.url()),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_grant_that_is_yet_to_begin_opens_when_its_time_comes() {
    let stage = Stage::new().await;
    stage.access("app_rw", "1h").await;
    let soon = Command::new("date").args(["-u", "-d", "+4 seconds", "+%FT%TZ"]).output().unwrap();
    let soon = String::from_utf8_lossy(&soon.stdout).trim().to_owned();
    let request = json!({
        "for": ALICE, "repo": REPO, "account": "app_ro", "duration": "1h", "reason": "OPS-1", "not_before": soon,
    });
    let request = stage.api.post("/v1/requests", request).await.ok();
    let grant = stage.approve(&request).await;
    let shown = stage.api.get(&format!("/v1/grants/{grant}")).await.ok();
    let token = stage.token(ALICE).await;
    if shown["state"] == "SCHEDULED" {
        until("the refusal before the time", async || {
            stage.raw_as("app_ro", &token).await.err().is_none_or(|error| error.code() == "28000")
        })
        .await;
    }
    until("the grant to begin", async || stage.raw_as("app_ro", &token).await.is_ok()).await;
    let shown = stage.api.get(&format!("/v1/grants/{grant}")).await.ok();
    assert!(shown["not_before"].as_str().unwrap() >= soon.trim_end_matches('Z'), "{shown}");
}

#[tokio::test]
async fn a_limited_grant_is_never_taken_for_a_whole_one() {
    let stage = Stage::new().await;
    let admin = stage.postgres.admin().await;
    admin.batch_execute("create table public.ledger (id int)").await.expect("the superuser may");
    admin.batch_execute("grant all on public.ledger to app_ro").await.expect("the superuser may");
    let request = json!({
        "for": ALICE, "repo": REPO, "account": "app_ro", "duration": "1h", "reason": "OPS-1",
        "resources": [{"resource": "public.ledger", "privileges": ["SELECT"]}],
    });
    let request = stage.api.post("/v1/requests", request).await.ok();
    stage.approve(&request).await;
    let token = stage.token(ALICE).await;
    let mut raw =
        until_some("the grant and the token to be known", async || stage.raw_as("app_ro", &token).await.ok())
            .await;
    let errors = async |raw: &mut postern_tests::wire::Raw, sql: &str| -> Vec<String> {
        let answer = raw.ask(sql).await;
        answer
            .iter()
            .filter(|message| message.kind == b'E')
            .map(|message| message.fields().code().to_owned())
            .collect()
    };
    assert_eq!(errors(&mut raw, "select count(*) from public.ledger").await, Vec::<String>::new());
    assert_eq!(errors(&mut raw, "select pg_sleep(0)").await, ["42501"]);
    assert_eq!(errors(&mut raw, "delete from public.ledger").await, ["42501"]);
}

#[tokio::test]
async fn a_client_is_told_a_minute_ahead_that_its_grant_will_expire() {
    let stage = Stage::new().await;
    let access = stage.access("app_ro", 65).await;
    let mut raw = stage.raw(&access).await.unwrap();
    let notice =
        until_some("the notice", async || raw.next().await.filter(|message| message.kind == b'N')).await;
    assert!(notice.fields().message().contains("expire"), "{notice:?}");
    assert_eq!(raw.ask("select 1").await.last().unwrap().kind, b'Z');
}

#[tokio::test]
async fn a_session_leaves_a_trace_and_no_secret_anywhere() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    stage.connect(&access).await.batch_execute("create table t (id int)").await.unwrap();
    let _ = stage.raw_as("app_rw", "pst_a-wrong-one-that-must-not-show").await;
    stage.revoke(&access).await;
    until("the audit record", async || {
        stage.sidecar.audit().iter().any(|record| record["grant"] == access.grant.as_str())
    })
    .await;
    until("the control plane to have it", async || {
        let all = stage.api.get("/v1/audit?limit=500").await.ok();
        let items = all["items"].as_array().unwrap();
        items.iter().any(|record| record["kind"].as_str().is_some_and(|kind| kind.starts_with("session.")))
    })
    .await;
    until("the gauges to be true", async || {
        stage.sidecar.metrics().await.contains("postern_feed_connected 1")
    })
    .await;
    let shown = [
        stage.sidecar.process().said(),
        stage.control.process().said(),
        json!(stage.sidecar.audit()).to_string(),
        stage.api.get("/v1/audit?limit=500").await.ok().to_string(),
        stage.sidecar.metrics().await,
        stage.control.metrics().await,
    ];
    for secret in [&access.token, "rw's secret", "ro-secret", "pst_a-wrong-one", stage.api.credentials().1] {
        assert!(!shown.iter().any(|text| text.contains(secret)), "a secret shows");
    }
    for metric in ["postern_sessions_opened_total", "postern_sessions_ended_total", "postern_build_info"] {
        assert!(shown[4].contains(metric), "no {metric} in {}", shown[4]);
    }
}

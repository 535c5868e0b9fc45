//! From a request to an answer of a MySQL server, and every way of being turned away.

use std::process::Output;

use postern_tests::{
    mysql::{
        accounts::{DATABASE, password},
        answer::Refusal,
        login::LogIn,
        server::Version,
        stage::{Stage, Wish},
        wire::Raw,
    },
    stage::{ALICE, Access, BOB, whole},
    wait::{until, until_some},
};
use serde_json::json;

on_both! {
    a_person_asks_another_approves_and_the_server_answers
    the_user_name_may_carry_the_identity_if_it_is_ones_own
    a_bad_credential_is_refused_with_1045
    an_expired_access_token_is_refused_with_1045
    a_withdrawn_access_token_is_refused_with_1045
    without_a_grant_the_refusal_says_how_to_get_one
    a_server_that_is_not_there_is_said_to_be_so
    the_stock_client_shows_the_whole_refusal
    becoming_another_user_is_judged_as_a_login
}

/// Runs this version's own client through the gate.
fn typed(stage: &Stage, access: &Access, sql: &str) -> Output {
    let [_, through] = stage.ways(access);
    let mut command = through.command(&stage.mysql, stage.mysql.client());
    command.args(["--batch", "--skip-column-names", DATABASE, "--execute", sql]).output().expect("it runs")
}

fn refused(refusal: &Refusal) -> (u16, &str) {
    (refusal.code, refusal.state.as_str())
}

async fn with_token(stage: &Stage, user: &str, token: &str) -> Result<Raw, Refusal> {
    stage.raw_as(&LogIn { tls: stage.tls(), ..LogIn::new(user, token) }).await
}

async fn a_person_asks_another_approves_and_the_server_answers(version: Version) {
    let Some(stage) = Stage::on(version, Wish { tls: true, ..Wish::default() }).await else { return };
    let request = stage.api.request(whole(ALICE, "app_rw", "2h")).await;
    assert_eq!(request["status"], "PENDING");
    let early = with_token(&stage, "app_rw", &stage.api.token_for(ALICE).await).await.err().unwrap();
    assert_eq!(refused(&early), (1045, "28000"));
    stage.api.approve(&request).await;
    let access = stage.access("app_rw", "2h").await;
    let output = typed(&stage, &access, "select current_user(), database(), version()");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let direct = stage.mysql.direct("app_rw").await.value("select version()").await;
    assert_eq!(said, format!("app_rw@%\t{DATABASE}\t{direct}\n"), "{output:?}");
}

async fn the_user_name_may_carry_the_identity_if_it_is_ones_own(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let mut raw = with_token(&stage, &format!("{ALICE}:app_ro"), &access.token).await.unwrap();
    assert_eq!(raw.value("select current_user()").await, "app_ro@%");
    let other = with_token(&stage, &format!("{BOB}:app_ro"), &access.token).await.err().unwrap();
    assert_eq!(refused(&other), (1045, "28000"));
}

async fn a_bad_credential_is_refused_with_1045(version: Version) {
    let Some(stage) = Stage::on(version, Wish { tls: true, ..Wish::default() }).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let mut almost = access.token.clone();
    almost.pop();
    let (long, mut told) = ("p".repeat(5000), Vec::new());
    for bad in ["", "pst_", "wrong", &almost, &long, password("app_ro"), &access.token.to_uppercase()] {
        let refusal = with_token(&stage, "app_ro", bad).await.err();
        let refusal = refusal.unwrap_or_else(|| panic!("{bad:?} was let in"));
        assert_eq!(refused(&refusal), (1045, "28000"), "{bad:?}");
        assert!(bad.is_empty() || !refusal.message.contains(bad), "the error repeats the credential");
        told.push(refusal.message);
    }
    for stranger in ["no_such_account", "nobody@example.com:app_ro"] {
        let refusal = with_token(&stage, stranger, &almost).await.err().unwrap();
        told.push(refusal.message.replace(stranger, "app_ro"));
    }
    assert!(told.iter().skip(1).all(|one| *one == told[1]), "what was wrong is not said: {told:?}");
}

async fn an_expired_access_token_is_refused_with_1045(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let brief = stage.api.post("/v1/access-tokens", json!({"for": ALICE, "expires_in": 2})).await.ok();
    let brief = brief["token"].as_str().unwrap();
    let refusal = until_some("the token to expire", async || {
        let refusal = with_token(&stage, "app_ro", brief).await.err();
        refusal.filter(|refusal| !refusal.message.contains("no active grant"))
    })
    .await;
    assert_eq!(refused(&refusal), (1045, "28000"));
    stage.raw(&access).await.unwrap();
}

async fn a_withdrawn_access_token_is_refused_with_1045(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let other = stage.api.post("/v1/access-tokens", json!({"for": ALICE})).await.ok();
    let (id, text) = (other["id"].as_str().unwrap(), other["token"].as_str().unwrap());
    until("the token to be known", async || with_token(&stage, "app_ro", text).await.is_ok()).await;
    stage.api.delete(&format!("/v1/access-tokens/{id}")).await.ok();
    let refusal =
        until_some("the token to be void", async || with_token(&stage, "app_ro", text).await.err()).await;
    assert_eq!(refused(&refusal), (1045, "28000"));
    stage.raw(&access).await.unwrap();
}

async fn without_a_grant_the_refusal_says_how_to_get_one(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let bob = stage.api.token_for(BOB).await;
    let of_bob = until_some("Bob's token to be known", async || {
        let refusal = with_token(&stage, "app_ro", &bob).await.err();
        refusal.filter(|refusal| refusal.message.contains("no active grant"))
    })
    .await;
    let other_account = with_token(&stage, "app_rw", &access.token).await.err().unwrap();
    let no_account = with_token(&stage, "nobody_has_this", &access.token).await.err().unwrap();
    for refusal in [of_bob, other_account, no_account] {
        assert_eq!(refused(&refusal), (1045, "28000"));
        let told = &refusal.message;
        assert!(told.contains("postern request create") && told.contains(&stage.control.url()), "{told}");
    }
}

async fn a_server_that_is_not_there_is_said_to_be_so(version: Version) {
    let Some(mut stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access("app_ro", "1h").await;
    stage.mysql.stop();
    let refusal = stage.raw(&access).await.err().unwrap();
    assert!([1130, 1040, 2013].contains(&refusal.code), "{refusal:?}");
    stage.mysql.restart().await;
    until("the server to be reached again", async || stage.raw(&access).await.is_ok()).await;
}

async fn the_stock_client_shows_the_whole_refusal(version: Version) {
    let Some(stage) = Stage::on(version, Wish { tls: true, ..Wish::default() }).await else { return };
    let access = stage.access("app_ro", "1h").await;
    let other = Access { account: "app_rw".to_owned(), ..access };
    let output = typed(&stage, &other, "select 1");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ERROR 1045 (28000)") && said.contains("postern request create"), "{said}");
}

async fn becoming_another_user_is_judged_as_a_login(version: Version) {
    let Some(stage) = Stage::on(version, Wish { tls: true, ..Wish::default() }).await else { return };
    let access = stage.access("app_rw", "1h").await;
    let other = stage.access("app_ro", "1h").await;
    let (login, to_other) = (stage.login(&access), stage.login(&other));
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let greeting = raw.log_in(&login).await.unwrap();
    raw.run("set @kept = 5; create temporary table left_over (id int)").await;
    raw.change_user(&to_other, &greeting).await.unwrap();
    assert_eq!(raw.value("select concat_ws(' ', current_user(), @kept)").await, "app_ro@%");
    assert_eq!(raw.ask("select * from left_over").await.unwrap_err().code, 1146);
    raw.change_user(&login, &greeting).await.unwrap();
    assert_eq!(raw.value("select current_user()").await, "app_rw@%");
    stage.revoke(&other).await;
    let told = raw.change_user(&to_other, &greeting).await.unwrap_err();
    assert_eq!(refused(&told), (1045, "28000"));
    assert!(raw.ask("select 1").await.is_err(), "a refused change of user leaves nothing behind");
    stage.raw(&access).await.unwrap();
}

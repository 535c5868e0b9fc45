//! SIGKILL at any moment: an acknowledged revocation is never forgotten, and a crash opens nothing.

use std::{env, time::Duration};

use postern_service::random;
use postern_tests::{
    stage::{Access, Stage, Wish},
    wait::{patiently, until},
};
use reqwest::Method;
use serde_json::json;

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Control,
    Sidecar,
}

fn rounds() -> u32 {
    env::var("POSTERN_TEST_CRASHES").map_or(20, |count| count.parse().unwrap()) / 2
}

fn random_below(limit: u64) -> u64 {
    u64::from_be_bytes(random::bytes::<8>().unwrap()) % limit
}

async fn kill_and_restart(stage: &mut Stage, victim: Victim, after: Duration) {
    tokio::time::sleep(after).await;
    match victim {
        Victim::Control => {
            stage.control.kill();
            stage.control.restart().await;
        }
        Victim::Sidecar => {
            stage.sidecar.kill();
            stage.sidecar.relaunch();
        }
    }
}

/// Revokes, and says whether that was acknowledged.
async fn revoke(stage: &Stage, access: &Access) -> bool {
    let path = format!("/v1/grants/{}/revoke", access.grant);
    let answer = stage.api.try_call(Method::POST, &path, Some(json!({"reason": "crash"}))).await;
    answer.is_ok_and(|answer| answer.status.is_success())
}

async fn one_round(stage: &mut Stage, victim: Victim) {
    let access = stage.access("app_rw", "1h").await;
    let mut open = stage.raw(&access).await.unwrap();
    let after = Duration::from_micros(random_below(40_000));
    eprintln!("{victim:?} dies {after:?} after the call");
    // The call goes out over a connection of its own process's, so that it races with the SIGKILL.
    let api = postern_tests::rest::Api::new(
        &stage.control.url(),
        stage.api.credentials().0,
        stage.api.credentials().1,
    );
    api.get("/v1/grants").await.ok();
    let path = format!("/v1/grants/{}/revoke", access.grant);
    let call = tokio::spawn(async move {
        let answer = api.try_call(Method::POST, &path, Some(json!({"reason": "crash"}))).await;
        answer.is_ok_and(|answer| answer.status.is_success())
    });
    kill_and_restart(stage, victim, after).await;
    let acknowledged = patiently("the call to end", call).await.unwrap();
    stage.sidecar.be_ready().await;
    let grant = stage.api.get(&format!("/v1/grants/{}", access.grant)).await.ok();
    if acknowledged {
        assert_eq!(grant["state"], "REVOKED", "an acknowledged revocation was forgotten");
    } else if grant["state"] == "ACTIVE" {
        assert!(revoke(stage, &access).await);
    }
    let told = patiently("the session to end", open.last_error()).await;
    assert!(told.is_none_or(|error| error.code() == "57P01"));
    until("the refusal", async || match stage.raw(&access).await {
        Ok(_) => panic!("a revoked grant was let in"),
        Err(error) => error.code() == "28000",
    })
    .await;
}

async fn killed_again_and_again(victim: Victim) {
    let mut stage = Stage::with(Wish { lease: "5s".to_owned(), ..Wish::default() }).await;
    for _ in 0..rounds() {
        one_round(&mut stage, victim).await;
    }
}

#[tokio::test]
async fn a_revocation_outlives_the_control_plane_killed_at_any_moment() {
    killed_again_and_again(Victim::Control).await;
}

#[tokio::test]
async fn a_revocation_outlives_the_sidecar_killed_at_any_moment() {
    killed_again_and_again(Victim::Sidecar).await;
}

#[tokio::test]
async fn a_grant_revoked_while_the_sidecar_is_down_is_not_served_when_it_is_back() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    stage.sidecar.kill();
    stage.revoke(&access).await;
    stage.sidecar.relaunch();
    stage.sidecar.be_ready().await;
    assert_eq!(stage.raw(&access).await.err().unwrap().code(), "28000");
}

#[tokio::test]
async fn a_grant_revoked_while_the_network_is_cut_ends_when_it_heals() {
    let stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let mut open = stage.raw(&access).await.unwrap();
    stage.control_wire.sever();
    let answer = stage.revoke(&access).await;
    let acknowledged =
        answer["sidecars"].as_array().unwrap().iter().any(|sidecar| sidecar["acknowledged"] == true);
    assert!(!acknowledged, "{answer}");
    stage.control_wire.heal();
    let told = open.last_error().await.unwrap();
    assert_eq!(told.code(), "57P01");
    assert!(told.message().contains("revoked") && told.message().contains(&access.grant), "{told:?}");
}

#[tokio::test]
async fn a_database_that_is_down_is_said_to_be_and_served_again_when_back() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_rw", "1h").await;
    let mut open = stage.raw(&access).await.unwrap();
    stage.postgres.stop();
    assert!(
        open.rest().await.iter().all(|message| b"EN".contains(&message.kind)),
        "an answer without a database"
    );
    let refused = stage.raw(&access).await.err().unwrap();
    assert!(["08006", "57P03"].contains(&refused.code()), "{refused:?}");
    stage.postgres.restart().await;
    until("the database to be served again", async || stage.raw(&access).await.is_ok()).await;
}

//! SIGKILL at any moment: an acknowledged revocation is never forgotten, and a crash opens nothing.

use std::{collections::BTreeMap, env, time::Duration};

use postern_service::random;
use postern_tests::{
    gate::Control,
    office::people,
    postgres::{Postgres, Version},
    rest::Api,
    stage::{ALICE, Access, BOB, Stage, Wish, whole},
    wait::{patiently, until},
};
use reqwest::Method;
use serde_json::{Value, json};

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
    let (id, secret) = stage.api.credentials();
    let api = Api::new(&stage.control.url(), id, secret);
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

/// What a client did to one request before the control plane died, as far as it was told.
#[derive(Debug, Default)]
struct Deed {
    request: Option<String>,
    grant: Option<String>,
    cancelled: bool,
    revoked: bool,
}

/// Asks for three seconds of access, until the control plane is gone: some requests are cancelled, some grants revoked,
/// and the rest is left to time.
async fn busy(api: Api, seed: u64) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for number in seed.. {
        let mut deed = Deed::default();
        let gone = step(&api, number, &mut deed).await.is_none();
        deeds.push(deed);
        if gone {
            return deeds;
        }
    }
    deeds
}

async fn step(api: &Api, number: u64, deed: &mut Deed) -> Option<()> {
    let call = async |path: String, body: Value| {
        let answer = api.try_call(Method::POST, &path, Some(body)).await.ok()?;
        // Time may have been quicker.
        assert!(answer.status.is_success() || answer.status.as_u16() == 409, "{answer:?}");
        Some(answer.status.is_success().then_some(answer.body))
    };
    let filed = call("/v1/requests".to_owned(), whole(ALICE, "app_ro", "3s")).await??;
    let id = filed["id"].as_str()?.to_owned();
    deed.request = Some(id.clone());
    if number.is_multiple_of(4) {
        return Some(());
    }
    if number % 4 == 1 {
        deed.cancelled = call(format!("/v1/requests/{id}/cancel"), json!({})).await?.is_some();
        return Some(());
    }
    let approve = json!({"decision": "approve", "by": BOB});
    let Some(approved) = call(format!("/v1/requests/{id}/reviews"), approve).await? else { return Some(()) };
    let grant = approved["grant"].as_str()?.to_owned();
    deed.grant = Some(grant.clone());
    if number % 4 == 3 {
        let revoke = call(format!("/v1/grants/{grant}/revoke"), json!({"reason": "over"})).await?;
        deed.revoked = revoke.is_some();
    }
    Some(())
}

/// How often the trail tells of each of these kinds, by the id of what it tells of.
async fn told(api: &Api, kinds: &[&str], id: impl Fn(&Value) -> Value) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for kind in kinds {
        let page = api.get(&format!("/v1/audit?limit=1000&kind={kind}")).await.ok();
        assert_eq!(page["next"], Value::Null, "there is more than one page of {kind}");
        for item in page["items"].as_array().unwrap() {
            found.entry(id(item).as_str().unwrap().to_owned()).or_default().push((*kind).to_owned());
        }
    }
    found
}

const OUTCOMES: [&str; 4] = ["request.approved", "request.rejected", "request.cancelled", "request.expired"];
const ENDS: [&str; 2] = ["grant.revoked", "grant.expired"];

async fn nothing_acknowledged_is_lost(api: &Api, deeds: &[Deed]) {
    let outcomes = told(api, &OUTCOMES, |item| item["detail"]["request"].clone()).await;
    let ends = told(api, &ENDS, |item| item["grant"].clone()).await;
    assert!(outcomes.values().chain(ends.values()).all(|told| told.len() == 1), "{outcomes:?} {ends:?}");
    for deed in deeds {
        let Some(id) = &deed.request else { continue };
        let request = api.get(&format!("/v1/requests/{id}")).await.ok();
        assert_eq!(outcomes.get(id).map(Vec::len), Some(1), "{deed:?}: {request}");
        assert!(!deed.cancelled || request["status"] == "CANCELLED", "{deed:?}: {request}");
        let Some(id) = &deed.grant else { continue };
        let grant = api.get(&format!("/v1/grants/{id}")).await.ok();
        assert_eq!(ends.get(id).map(Vec::len), Some(1), "{deed:?}: {grant}");
        assert!(!deed.revoked || grant["state"] == "REVOKED", "{deed:?}: {grant}");
    }
}

/// Whether time still has something to do.
async fn has_something_due(api: &Api) -> bool {
    for path in ["/v1/requests?status=PENDING", "/v1/grants?state=ACTIVE"] {
        if api.get(path).await.ok()["items"] != json!([]) {
            return true;
        }
    }
    false
}

async fn killed_between_deeds(mut control: Control) {
    let api = control.bootstrap();
    people(&api).await;
    let rule = json!({"requesters": ["*"], "repos": ["*"], "accounts": ["*"], "whole": true, "pending_ttl": "4s",
                      "approvals": [{"from": ["*"], "count": 1}]});
    api.put("/v1/rules/open", rule).await.ok();
    let mut deeds = Vec::new();
    for round in 0..3 {
        let clients = (0..4).map(|number| {
            let (id, secret) = api.credentials();
            tokio::spawn(busy(Api::new(&control.url(), id, secret), number + round))
        });
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(300 + random_below(1_200))).await;
        control.kill();
        for client in clients {
            deeds.extend(patiently("the client to notice", client).await.unwrap());
        }
        control.restart().await;
    }
    assert!(deeds.iter().any(|deed| deed.revoked || deed.cancelled), "{deeds:?}");
    until("everything due to be done", async || !has_something_due(&api).await).await;
    nothing_acknowledged_is_lost(&api, &deeds).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_each_due_thing_happens_once_however_often_it_is_killed() {
    killed_between_deeds(Control::start().await).await;
}

#[tokio::test]
async fn the_same_holds_on_a_server() {
    let store = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
    store.admin().await.batch_execute("create database control").await.unwrap();
    killed_between_deeds(
        Control::on(&format!("postgres://postgres@127.0.0.1:{}/control", store.port())).await,
    )
    .await;
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

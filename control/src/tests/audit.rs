//! The audit trail.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postern_service::audit::{Chain, Event, Record, Verifier};
use reqwest::Method;
use serde_json::{Value, json};

use super::{House, sidecar::Sidecar};
use crate::domain::Permission;

#[tokio::test]
async fn every_change_of_state_is_in_one_unbroken_chain() {
    let house = House::new().await.with_people().await;
    let grant = house.granted().await;
    house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({"reason": "over"})).await.expect(200);
    let page = house.admin.get("/v1/audit?limit=1000").await.expect(200);
    let records: Vec<Record> = serde_json::from_value(page["items"].clone()).unwrap();
    let mut verifier = Verifier::default();
    for record in &records {
        verifier.check(record).unwrap();
    }
    let heads = house.admin.get("/v1/audit/heads").await.expect(200);
    let (count, hash) = verifier.head();
    assert_eq!(heads["items"], json!([{"chain": "control", "count": count, "hash": hash, "cut": null}]));
    let mut kinds = BTreeMap::new();
    for record in &records {
        *kinds.entry(record.kind.as_str()).or_insert(0) += 1;
    }
    for kind in [
        "api_client.created",
        "identity.created",
        "rule.created",
        "request.created",
        "request.reviewed",
        "request.approved",
        "grant.created",
        "grant.revoked",
    ] {
        assert!(kinds.contains_key(kind), "{kind} is missing in {kinds:?}");
    }
    let revoked = records.iter().find(|record| record.kind == "grant.revoked").unwrap();
    assert!(revoked.actor.starts_with("client:admin"));
    assert_eq!((revoked.identity.as_str(), revoked.grant.as_str()), ("alice@example.com", grant.as_str()));
    assert_eq!(revoked.detail["reason"], "over");
}

#[tokio::test]
async fn records_are_filtered_paged_and_sent_as_lines() {
    let house = House::new().await.with_people().await;
    house.filed().await;
    let by_repo = house.admin.get("/v1/audit?repo=sales").await.expect(200);
    assert_eq!(by_repo["items"].as_array().unwrap().len(), 1);
    let of_alice =
        house.admin.get("/v1/audit?identity=alice@example.com&kind=request.created").await.expect(200);
    assert_eq!(of_alice["items"].as_array().unwrap().len(), 1);
    assert_eq!(house.admin.get("/v1/audit?until=1h").await.expect(200)["items"], json!([]));
    assert_eq!(house.admin.get("/v1/audit?since=yesterday").await.problem(400), "malformed");
    let first = house.admin.get("/v1/audit?limit=2").await.expect(200);
    let path = format!("/v1/audit?limit=1000&after={}", first["next"].as_str().unwrap());
    let rest = house.admin.get(&path).await.expect(200);
    let paged = first["items"].as_array().unwrap().iter().chain(rest["items"].as_array().unwrap());
    let request = house.admin.request(Method::GET, "/v1/audit").header("Accept", "application/x-ndjson");
    let text = request.send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(paged.cloned().collect::<Vec<_>>(), lines);
}

pub(super) fn records(chain: &str, count: usize) -> Vec<Record> {
    let mut chain = Chain::new(chain);
    (0..count).map(|_| chain.append(Timestamp::UNIX_EPOCH, Event::new("session.opened"))).collect()
}

#[tokio::test]
async fn records_are_found_by_their_own_time_however_late_or_early_they_came_in() {
    let house = House::new().await.with_people().await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    let now = house.plane.clock.now().timestamp();
    let hour = SignedDuration::from_hours(1);
    let mut chain = Chain::new("sidecar:edge-1:i-1");
    let mut send = async |at: Timestamp, kind: &'static str| {
        let body = json!({"records": [chain.append(at, Event::new(kind))]});
        sidecar.wire.post("/v1/sidecar/audit", body).await.expect(204);
    };
    send(now, "test.in_time").await;
    send(now + 20 * hour, "test.ahead").await;
    house.clock.advance(Duration::from_hours(20));
    send(now, "test.late").await;
    let admin = house.client("later", &Permission::ALL).await;
    let found = async |query: &str| {
        let page = admin.get(&format!("/v1/audit?limit=1000&{query}")).await.expect(200);
        let kinds =
            page["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap().to_owned());
        kinds.filter(|kind| kind.starts_with("test.")).collect::<Vec<_>>()
    };
    assert_eq!(found("since=1h").await, ["test.ahead"]);
    assert_eq!(found("since=1d").await, ["test.in_time", "test.ahead", "test.late"]);
    assert_eq!(found("until=1h").await, ["test.in_time", "test.late"]);
    house.clock.advance(Duration::from_hours(40 * 24));
    let admin = house.client("much-later", &Permission::ALL).await;
    let page = admin.get("/v1/audit?since=30d&kind=api_client.created").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_sidecars_chain_is_taken_once_and_in_order() {
    let house = House::new().await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    let all = records("sidecar:edge-1:i-1", 5);
    let send = |records: &[Record]| {
        let body = json!({"records": records});
        let wire = sidecar.wire.clone();
        async move { wire.post("/v1/sidecar/audit", body).await }
    };
    send(&all[..3]).await.expect(204);
    send(&all[1..4]).await.expect(204);
    send(&all[..4]).await.expect(204);
    send(&[]).await.expect(204);
    let stored = house.admin.get("/v1/audit?chain=sidecar:edge-1:i-1").await.expect(200);
    assert_eq!(stored["items"], serde_json::to_value(&all[..4]).unwrap());
    let mut forged = all[4].clone();
    forged.identity = "mallory@example.com".to_owned();
    assert_eq!(send(&[forged.clone()]).await.problem(409), "conflict");
    forged.hash = forged.true_hash();
    forged.prev = "0".repeat(64);
    assert_eq!(send(&[forged]).await.problem(409), "conflict");
    let gap = records("sidecar:edge-1:i-2", 3);
    assert_eq!(send(&gap[1..]).await.problem(409), "conflict");
    for foreign in ["control", "sidecar:edge-2:i-1", "sidecar:edge-1", "sidecar:edge-10:i"] {
        assert_eq!(send(&records(foreign, 1)).await.problem(403), "forbidden", "{foreign}");
    }
}

#[tokio::test]
async fn no_secret_is_in_the_trail_or_in_the_store() {
    let house = House::new().await.with_people().await;
    let token = house.admin.post("/v1/access-tokens", json!({"for": "alice@example.com"})).await.expect(201);
    let client = house.admin.post("/v1/api-clients", json!({"name": "bot"})).await.expect(201);
    let sidecar = house.admin.post("/v1/sidecars", json!({"name": "edge-1"})).await.expect(201);
    let secrets =
        [&token["token"], &client["client_secret"], &sidecar["token"]].map(|secret| secret.as_str().unwrap());
    let trail = house.admin.get("/v1/audit?limit=1000").await.expect(200).to_string();
    let stored = house.ground.everything();
    for secret in secrets {
        assert!(!trail.contains(secret));
        assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

async fn send(sidecar: &Sidecar, records: &[Record]) -> super::Answer {
    sidecar.wire.post("/v1/sidecar/audit", json!({"records": records})).await
}

#[tokio::test]
async fn records_that_were_lost_are_a_record_in_the_chain() {
    let house = House::new().await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    let mut chain = Chain::new("sidecar:edge-1:i-1");
    let lost = Event::new("records.lost").with("lost", 12);
    let all = [Event::new("session.opened"), lost, Event::new("session.closed")]
        .map(|event| chain.append(Timestamp::UNIX_EPOCH, event));
    send(&sidecar, &all[..2]).await.expect(204);
    send(&sidecar, &all[1..]).await.expect(204);
    let stored = house.admin.get("/v1/audit?chain=sidecar:edge-1:i-1").await.expect(200);
    assert_eq!(stored["items"], serde_json::to_value(&all).unwrap());
    assert_eq!(stored["items"][1]["detail"], json!({"lost": 12}));
}

#[tokio::test]
async fn a_batch_is_bounded_and_one_beyond_that_is_answered() {
    let house = House::new().await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    let all = records("sidecar:edge-1:i-1", 501);
    assert_eq!(send(&sidecar, &all).await.problem(413), "too-large");
    send(&sidecar, &all[..500]).await.expect(204);
    let mut chain = Chain::new("sidecar:edge-1:i-2");
    let large = Event::new("session.opened").with("text", "x".repeat(5 << 20));
    let large = chain.append(Timestamp::UNIX_EPOCH, large);
    assert_eq!(send(&sidecar, &[large]).await.problem(413), "too-large");
}

#[tokio::test]
async fn a_chain_that_was_begun_anew_is_told_apart_from_one_that_is_known() {
    let house = House::new().await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    let all = records("sidecar:edge-1:i-1", 3);
    send(&sidecar, &all).await.expect(204);
    let mut chain = Chain::new("sidecar:edge-1:i-1");
    let other = [(); 3].map(|()| chain.append(Timestamp::UNIX_EPOCH, Event::new("session.closed")));
    let answer = send(&sidecar, &other).await;
    assert!(answer.body["detail"].as_str().unwrap().contains("#2"), "{}", answer.body);
    assert_eq!(answer.problem(409), "conflict");
}

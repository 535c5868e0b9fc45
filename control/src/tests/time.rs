//! What time does to requests and grants, with a clock that is moved by hand.

use std::time::Duration;

use postern_protocol::gate::{Change, EndCause};
use serde_json::json;

use super::{House, alices, sidecar::Sidecar};
use crate::actions::timers;

const HOUR: Duration = Duration::from_hours(1);

async fn count(house: &House, kind: &str) -> usize {
    let page = house.admin.get(&format!("/v1/audit?kind={kind}")).await.expect(200);
    page["items"].as_array().unwrap().len()
}

/// An access token lasts five minutes; the clock is moved by hours.
async fn signed_in_again(house: &mut House) {
    let name = postern_service::random::id("again").unwrap();
    house.admin = house.client(&name, &crate::domain::Permission::ALL).await;
}

#[tokio::test]
async fn a_request_that_nobody_decides_expires_once() {
    let mut house = House::new().await.with_people().await;
    let id = house.filed().await;
    house.clock.advance(HOUR);
    signed_in_again(&mut house).await;
    let path = format!("/v1/requests/{id}");
    assert_eq!(house.admin.get(&path).await.expect(200)["status"], "EXPIRED");
    let late = house.admin.post(&format!("{path}/reviews"), json!({"decision": "approve"})).await;
    assert_eq!(late.body["state"], "EXPIRED");
    assert_eq!(late.problem(409), "already-decided");
    for _ in 0..3 {
        timers::settle(&house.plane).await.unwrap();
    }
    assert_eq!(count(&house, "request.expired").await, 1);
}

#[tokio::test]
async fn a_grant_expires_once_and_the_sidecar_is_told() {
    let mut house = House::new().await.with_people().await;
    let id = house.granted().await;
    let (_sidecar, mut feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    house.clock.advance(2 * HOUR);
    signed_in_again(&mut house).await;
    let path = format!("/v1/grants/{id}");
    assert_eq!(house.admin.get(&path).await.expect(200)["state"], "EXPIRED");
    assert_eq!(house.admin.post(&format!("{path}/revoke"), json!({})).await.problem(409), "grant-ended");
    for _ in 0..3 {
        timers::settle(&house.plane).await.unwrap();
    }
    let (_, changes) = feed.changes().await;
    assert!(matches!(&changes[..], [Change::GrantEnded { cause: EndCause::Expired, .. }]));
    assert_eq!(count(&house, "grant.expired").await, 1);
    let grant = house.admin.get(&path).await.expect(200);
    assert_eq!(
        (grant["state"].as_str(), grant["ended"]["cause"].as_str()),
        (Some("EXPIRED"), Some("expired"))
    );
}

#[tokio::test]
async fn a_grant_that_begins_later_is_scheduled_until_then() {
    let mut house = House::new().await.with_people().await;
    let later = crate::clock::Clock::now(&*house.clock).as_millis() + 3_600_000;
    let mut ask = alices("2h");
    ask["not_before"] = json!(jiff::Timestamp::from_millisecond(later).unwrap().to_string());
    let request = house.admin.post("/v1/requests", ask).await.expect(201);
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    let approved = house.admin.post(&path, json!({"decision": "approve"})).await.expect(200);
    assert_eq!(approved["grant_state"], "SCHEDULED");
    let path = format!("/v1/grants/{}", approved["grant"].as_str().unwrap());
    assert_eq!(
        house.admin.get("/v1/grants?state=scheduled").await.expect(200)["items"][0]["state"],
        "SCHEDULED"
    );
    house.clock.advance(HOUR);
    signed_in_again(&mut house).await;
    for _ in 0..3 {
        timers::settle(&house.plane).await.unwrap();
    }
    assert_eq!(house.admin.get(&path).await.expect(200)["state"], "ACTIVE");
    assert_eq!(count(&house, "grant.began").await, 1);
    house.clock.advance(2 * HOUR);
    signed_in_again(&mut house).await;
    timers::settle(&house.plane).await.unwrap();
    assert_eq!(house.admin.get(&path).await.expect(200)["state"], "EXPIRED");
}

#[tokio::test]
async fn what_has_run_out_is_put_away() {
    let mut house = House::new().await.with_people().await;
    house
        .admin
        .post("/v1/access-tokens", json!({"for": "alice@example.com", "expires_in": "1h"}))
        .await
        .expect(201);
    let started = crate::clock::Clock::now(&*house.clock);
    house.clock.advance(2 * HOUR);
    assert_eq!(house.admin.get("/v1/requests").await.problem(401), "unauthenticated");
    signed_in_again(&mut house).await;
    timers::tidy(&house.plane, started).await.unwrap();
    assert_eq!(house.admin.get("/v1/access-tokens").await.expect(200)["items"], json!([]));
    let mut tx = house.plane.store.read().await.unwrap();
    let left = tx.find(crate::store::Table::AccessTokens, &crate::store::Filter::default()).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn sessions_of_a_sidecar_that_is_gone_are_forgotten() {
    let mut house = House::new().await.with_people().await;
    let (sidecar, feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let start = json!({"id": "s_1", "grant": "g_1", "identity": "alice@example.com", "repo": "sales",
                       "account": "app_ro", "client": "10.0.0.7:1", "application": "", "started_at": 0});
    let report = json!({"instance": "i-1", "all": true, "started": [start], "ended": []});
    sidecar.wire.post("/v1/sidecar/sessions", report).await.expect(204);
    let started = crate::clock::Clock::now(&*house.clock);
    house.clock.advance(HOUR);
    signed_in_again(&mut house).await;
    timers::tidy(&house.plane, started).await.unwrap();
    assert_eq!(house.admin.get("/v1/sessions").await.expect(200)["items"].as_array().unwrap().len(), 1);
    drop(feed);
    while house.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"] == true {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    timers::tidy(&house.plane, started).await.unwrap();
    assert_eq!(house.admin.get("/v1/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let house = House::new().await.with_people().await;
    let grant = house.granted().await;
    house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({"reason": "over"})).await.expect(200);
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    house.plane.hub.stop();
    let House { ground, clock, .. } = house;
    let house = House::on(ground, clock).await;
    assert_eq!(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200)["state"], "REVOKED");
    let sidecar =
        Sidecar { wire: super::Client { token: sidecar.wire.token, ..house.admin.clone() }, ..sidecar };
    sidecar.hello(&["sales"]).await;
    let snapshot = sidecar.feed(None).await.snapshot().await;
    assert!(snapshot.grants.is_empty());
    assert_eq!(snapshot.ended.len(), 1);
}

//! Several control planes on one PostgreSQL.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::{Change, Message};
use postern_service::audit::Record;
use serde_json::json;

use super::{
    Client, House, alices,
    ground::Ground,
    sidecar::{Feed, Sidecar},
};
use crate::{actions::timers, clock::HandClock};

/// Two on one store.
async fn two() -> (House, House) {
    let (ground, clock) = (Arc::new(Ground::postgres().await), HandClock::new());
    let first = House::on(Arc::clone(&ground), Arc::clone(&clock)).await.with_people().await;
    (first, House::on(ground, clock).await)
}

/// The same sidecar, whose calls go to another control plane.
fn moved(sidecar: Sidecar, to: &House) -> Sidecar {
    Sidecar { wire: Client { url: to.url.clone(), ..sidecar.wire }, ..sidecar }
}

/// A sidecar that says hello to one control plane and has its feed open at the other, to which it also acknowledges.
async fn served_across(first: &House, second: &House) -> (Sidecar, Feed) {
    let sidecar = Sidecar::enrol(first, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let sidecar = moved(sidecar, second);
    let mut feed = sidecar.feed(None).await;
    let position = feed.snapshot().await.position;
    sidecar.ack(position, true).await;
    (sidecar, feed)
}

async fn acknowledge(sidecar: &Sidecar, feed: &mut Feed) -> Vec<Change> {
    let (position, changes) = feed.changes().await;
    sidecar.ack(position, false).await;
    changes
}

#[tokio::test]
async fn a_revocation_at_one_waits_for_a_sidecar_of_the_other() {
    let (first, second) = two().await;
    let (mut sidecar, mut feed) = served_across(&first, &second).await;
    for acks_at in [&second, &first] {
        sidecar = moved(sidecar, acks_at);
        let (grant, _) = tokio::join!(first.granted(), acknowledge(&sidecar, &mut feed));
        let path = format!("/v1/grants/{grant}/revoke");
        let revoke = first.admin.post(&path, json!({"reason": "over"}));
        let (answer, changes) = tokio::join!(revoke, acknowledge(&sidecar, &mut feed));
        assert!(matches!(&changes[..], [Change::GrantEnded { .. }]), "{changes:?}");
        let sidecars = &answer.expect(200)["sidecars"];
        assert_eq!((&sidecars[0]["name"], &sidecars[0]["acknowledged"]), (&json!("edge-1"), &json!(true)));
    }
}

#[tokio::test]
async fn every_control_plane_shows_every_sidecar() {
    let (first, second) = two().await;
    let (sidecar, feed) = served_across(&first, &second).await;
    let pulse = json!({"instance": "i-1", "applied": 7, "sessions": 3});
    sidecar.wire.post("/v1/sidecar/pulse", pulse).await.expect(204);
    timers::beat(&second.plane, true).await.unwrap();
    for house in [&first, &second] {
        let shown = house.admin.get("/v1/sidecars/edge-1").await.expect(200);
        assert_eq!((&shown["connected"], &shown["sessions"]), (&json!(true), &json!(3)), "{shown}");
        assert_eq!(house.admin.get("/v1/repos/sales").await.expect(200)["sidecars"][0]["connected"], true);
    }
    drop(feed);
    while second.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"] == true {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    timers::beat(&second.plane, true).await.unwrap();
    assert_eq!(first.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"], false);
}

#[tokio::test]
async fn sidecars_of_a_control_plane_that_is_gone_are_listed_and_not_waited_for() {
    let (first, second) = two().await;
    let (sidecar, mut feed) = served_across(&first, &second).await;
    let (grant, _) = tokio::join!(first.granted(), acknowledge(&sidecar, &mut feed));
    first.clock.advance(Duration::from_secs(6));
    timers::beat(&first.plane, true).await.unwrap();
    assert_eq!(first.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"], false);
    let path = format!("/v1/grants/{grant}/revoke");
    let sidecars = &first.admin.post(&path, json!({})).await.expect(200)["sidecars"];
    assert_eq!((&sidecars[0]["name"], &sidecars[0]["acknowledged"]), (&json!("edge-1"), &json!(false)));
}

#[tokio::test]
async fn a_control_plane_that_takes_its_leave_is_not_waited_for() {
    let (first, second) = two().await;
    let (_sidecar, _feed) = served_across(&first, &second).await;
    assert_eq!(first.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"], true);
    timers::leave(&second.plane).await.unwrap();
    assert_eq!(first.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"], false);
}

#[tokio::test]
async fn a_sidecar_revoked_at_one_is_told_by_the_other() {
    let (first, second) = two().await;
    let (sidecar, mut feed) = served_across(&first, &second).await;
    first.admin.delete("/v1/sidecars/edge-1?reason=lost").await.expect(204);
    let Some(Message::Retire { reason, .. }) = feed.news().await else { panic!("not told") };
    assert_eq!(reason, "lost");
    assert!(feed.next().await.is_none());
    let path = "/v1/sidecar/feed?instance=i-1&nonce=n";
    assert_eq!(sidecar.wire.get(path).await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn what_is_due_happens_once_whoever_sees_it_first() {
    let (first, second) = two().await;
    for _ in 0..5 {
        first.granted().await;
        first.filed().await;
    }
    first.clock.advance(Duration::from_hours(3));
    let settling = (0..8).map(|n| {
        let plane = Arc::clone(if n % 2 == 0 { &first.plane } else { &second.plane });
        tokio::spawn(async move { timers::settle(&plane).await })
    });
    for settled in futures_util::future::join_all(settling).await {
        settled.unwrap().unwrap();
    }
    let again = first.client("again", &crate::domain::Permission::ALL).await;
    for (kind, count) in [("grant.expired", 5), ("request.expired", 5)] {
        let page = again.get(&format!("/v1/audit?kind={kind}")).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{kind}");
    }
}

#[tokio::test]
async fn the_audit_chain_and_the_change_log_are_one_however_many_write() {
    let (first, second) = two().await;
    let filing = (0..40).map(|n| {
        let admin = if n % 2 == 0 { &first.admin } else { &second.admin };
        admin.post("/v1/requests", alices("1h"))
    });
    for filed in futures_util::future::join_all(filing).await {
        filed.expect(201);
    }
    let page = second.admin.get("/v1/audit?chain=control&limit=1000").await.expect(200);
    let records: Vec<Record> = serde_json::from_value(page["items"].clone()).unwrap();
    assert!(records.iter().filter(|record| record.kind == "request.created").count() == 40);
    for (seq, pair) in records.windows(2).enumerate() {
        assert_eq!((pair[1].seq, &pair[1].prev), (seq as u64 + 1, &pair[0].hash));
        assert_eq!(pair[1].hash, pair[1].true_hash());
        assert!(pair[1].at >= pair[0].at);
    }
}

#[tokio::test]
async fn a_guesser_is_slowed_down_by_all_of_them() {
    let (first, second) = two().await;
    let form = [("grant_type", "client_credentials"), ("client_id", "c_1"), ("client_secret", "guess")];
    let guess = async |house: &House| {
        let sent = super::http().post(format!("{}/v1/users/oidc/token", house.url)).form(&form).send().await;
        sent.unwrap().status().as_u16()
    };
    for _ in 0..10 {
        assert_eq!(guess(&first).await, 401);
    }
    assert_eq!(guess(&first).await, 429);
    while guess(&second).await != 429 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_key_that_was_used_at_one_is_known_to_the_other() {
    let (first, second) = two().await;
    let mut answers = Vec::new();
    for house in [&first, &second] {
        let client = Client { url: house.url.clone(), ..first.admin.clone() };
        let call = client.request(reqwest::Method::POST, "/v1/requests").header("Idempotency-Key", "k-1");
        answers.push(super::answer(call.json(&alices("1h")).send().await.unwrap()).await.expect(201));
    }
    assert_eq!(answers[0]["id"], answers[1]["id"]);
}

//! The feed: what sidecars are told, and what a caller hears of their acknowledgements.

use postern_protocol::gate::{Change, EndCause, Issuer, Message, Naming, Scope};
use serde_json::json;

use super::{House, alices, sidecar::Sidecar};

async fn served() -> (House, Sidecar, super::sidecar::Feed) {
    let house = House::new().await.with_people().await;
    let (sidecar, feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    (house, sidecar, feed)
}

/// Approves a request of alice's in the background, while the sidecar acknowledges the grant.
async fn granted(house: &House, sidecar: &Sidecar, feed: &mut super::sidecar::Feed) -> String {
    let acknowledge = async {
        let (position, changes) = feed.changes().await;
        assert!(matches!(changes[..], [Change::Grant(_)]));
        sidecar.ack(position, false).await;
    };
    tokio::join!(house.granted(), acknowledge).0
}

#[tokio::test]
async fn a_revocation_answers_with_what_the_sidecar_said() {
    let (house, sidecar, mut feed) = served().await;
    let grant = granted(&house, &sidecar, &mut feed).await;
    let path = format!("/v1/grants/{grant}/revoke");
    let revoke = house.admin.post(&path, json!({"reason": "over"}));
    let acknowledge = async {
        let (position, changes) = feed.changes().await;
        let [Change::GrantEnded { cause, by, reason, revision, .. }] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!((*cause, reason.as_str(), *revision), (EndCause::Revoked, "over", 2));
        assert!(by.starts_with("client:admin"), "{by}");
        sidecar.ack(position, false).await;
    };
    let (answer, ()) = tokio::join!(revoke, acknowledge);
    let body = answer.expect(200);
    assert_eq!(body["grant"]["state"], "REVOKED");
    let expected =
        json!([{"name": "edge-1", "acknowledged": true, "sessions_ended": 3, "milliseconds": 1.5}]);
    assert_eq!(body["sidecars"], expected);
}

#[tokio::test]
async fn a_sidecar_that_says_nothing_is_reported_as_such() {
    let (house, sidecar, mut feed) = served().await;
    let grant = granted(&house, &sidecar, &mut feed).await;
    let body = house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({})).await.expect(200);
    let expected =
        json!([{"name": "edge-1", "acknowledged": false, "sessions_ended": 0, "milliseconds": 0.0}]);
    assert_eq!(body["sidecars"], expected);
}

#[tokio::test]
async fn a_sidecar_that_is_away_is_listed_until_it_was_silent_for_long() {
    let (house, sidecar, mut feed) = served().await;
    let first = granted(&house, &sidecar, &mut feed).await;
    let second = granted(&house, &sidecar, &mut feed).await;
    drop(feed);
    while house.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"] == true {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let revoke = async |grant: &str| {
        house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({})).await.expect(200)["sidecars"]
            .clone()
    };
    let away = json!([{"name": "edge-1", "acknowledged": false, "sessions_ended": 0, "milliseconds": 0.0}]);
    assert_eq!(revoke(&first).await, away);
    house.clock.advance(std::time::Duration::from_secs(121));
    assert_eq!(revoke(&second).await, json!([]));
}

#[tokio::test]
async fn an_acknowledgement_of_something_else_does_not_count() {
    let (house, sidecar, mut feed) = served().await;
    let grant = granted(&house, &sidecar, &mut feed).await;
    let path = format!("/v1/grants/{grant}/revoke");
    let revoke = house.admin.post(&path, json!({}));
    let acknowledge = async {
        let (position, _) = feed.changes().await;
        sidecar.ack(position - 1, false).await;
        sidecar.ack(position + 1, false).await;
        sidecar.ack(position - 1, true).await;
    };
    let (answer, ()) = tokio::join!(revoke, acknowledge);
    assert_eq!(answer.expect(200)["sidecars"][0]["acknowledged"], false);
}

#[tokio::test]
async fn a_snapshot_that_shows_the_revocation_counts() {
    let (house, sidecar, mut feed) = served().await;
    let grant = granted(&house, &sidecar, &mut feed).await;
    let path = format!("/v1/grants/{grant}/revoke");
    let revoke = house.admin.post(&path, json!({}));
    let acknowledge = async {
        let (position, _) = feed.changes().await;
        sidecar.ack(position, true).await;
    };
    let (answer, ()) = tokio::join!(revoke, acknowledge);
    assert_eq!(answer.expect(200)["sidecars"][0]["acknowledged"], true);
}

#[tokio::test]
async fn a_revocation_stands_when_the_caller_goes_away() {
    let (house, sidecar, mut feed) = served().await;
    let grant = granted(&house, &sidecar, &mut feed).await;
    let path = format!("/v1/grants/{grant}/revoke");
    {
        let call = house.admin.post(&path, json!({"reason": "gone"}));
        let told = feed.changes();
        tokio::select! {
            _ = call => panic!("nobody has acknowledged"),
            (_, changes) = told => assert!(matches!(changes[..], [Change::GrantEnded { .. }])),
        }
    }
    let body = house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200);
    assert_eq!(body["state"], "REVOKED");
}

#[tokio::test]
async fn a_snapshot_has_what_holds_and_how_the_rest_ended() {
    let house = House::new().await.with_people().await;
    let (living, over) = (house.granted().await, house.granted().await);
    house.admin.post(&format!("/v1/grants/{over}/revoke"), json!({"reason": "done"})).await.expect(200);
    let token = house.admin.post("/v1/access-tokens", json!({"for": "alice@example.com"})).await.expect(201);
    house.admin.put("/v1/identities/dave@example.com", json!({"enabled": false})).await.expect(200);
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let mut feed = sidecar.feed(None).await;
    let snapshot = feed.snapshot().await;
    assert_eq!(snapshot.grants.len(), 1);
    assert_eq!(snapshot.grants[0].id.as_str(), living);
    assert_eq!(snapshot.grants[0].scope, Scope::Whole);
    assert!(
        matches!(&snapshot.ended[..], [Change::GrantEnded { grant, reason, .. }] if grant.as_str() == over && reason == "done")
    );
    assert_eq!(snapshot.tokens[0].id.as_str(), token["id"]);
    let secret = token["token"].as_str().unwrap();
    assert_eq!(snapshot.tokens[0].sha256, postern_service::random::sha256_hex(secret.as_bytes()));
    assert_eq!(snapshot.disabled_identities[0].as_str(), "dave@example.com");
    assert_eq!(feed.id, snapshot.position.to_string());
}

#[tokio::test]
async fn a_large_snapshot_comes_in_parts() {
    let house = House::new().await.with_people().await;
    let rule = json!({"requesters": ["*"], "repos": ["sales"], "accounts": ["*"], "whole": true,
                      "priority": 5, "auto_approve": "true"});
    house.admin.put("/v1/rules/open", rule).await.expect(201);
    for _ in 0..21 {
        let filings = (0..50).map(|_| house.admin.post("/v1/requests", alices("1h")));
        for answer in futures_util::future::join_all(filings).await {
            answer.expect(201);
        }
    }
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let mut feed = sidecar.feed(None).await;
    let mut sizes = Vec::new();
    loop {
        let Some(Message::Snapshot(part)) = feed.news().await else { panic!("{sizes:?}") };
        sizes.push(part.grants.len());
        if part.last {
            break;
        }
    }
    assert_eq!(sizes, [0, 1_000, 50]);
}

#[tokio::test]
async fn a_feed_resumes_where_it_was_cut() {
    let (house, sidecar, mut feed) = served().await;
    let first = granted(&house, &sidecar, &mut feed).await;
    let position = feed.id.parse().unwrap();
    drop(feed);
    let missed = [house.granted().await, house.granted().await];
    let mut feed = sidecar.feed(Some(position)).await;
    for id in missed {
        let (_, changes) = feed.changes().await;
        assert!(matches!(&changes[..], [Change::Grant(grant)] if grant.id.as_str() == id && id != first));
    }
}

#[tokio::test]
async fn a_position_of_before_the_control_planes_start_gets_a_snapshot() {
    let (house, sidecar, mut feed) = served().await;
    granted(&house, &sidecar, &mut feed).await;
    let position = feed.id.parse().unwrap();
    drop(feed);
    let House { ground, clock, .. } = house;
    let house = House::on(ground, clock).await;
    let wire = super::Client { url: house.url.clone(), ..sidecar.wire.clone() };
    let sidecar = Sidecar { wire, ..sidecar };
    sidecar.hello(&["sales"]).await;
    let mut first = sidecar.feed(Some(position)).await;
    assert_eq!(first.snapshot().await.grants.len(), 1);
    // Only what it has said that it applied is something to resume from.
    let mut second = sidecar.feed(Some(position)).await;
    let snapshot = second.snapshot().await;
    sidecar.ack(snapshot.position, true).await;
    let mut third = sidecar.feed(Some(snapshot.position)).await;
    assert!(matches!(third.next().await, Some(Message::Beat { .. })));
}

#[tokio::test]
async fn a_position_that_the_log_never_had_or_no_longer_has_gets_a_snapshot() {
    let (house, sidecar, feed) = served().await;
    drop(feed);
    house.granted().await;
    let mut ahead = sidecar.feed(Some(1_000_000)).await;
    assert_eq!(ahead.snapshot().await.grants.len(), 1);
    let mut work = crate::work::Work::begin(&house.plane).await.unwrap();
    let later = work.now().plus(postern_protocol::duration::Span::from_secs(1));
    work.tx_mut().prune_log(later).await.unwrap();
    work.commit().await.unwrap();
    let mut behind = sidecar.feed(Some(0)).await;
    assert_eq!(behind.snapshot().await.grants.len(), 1);
}

#[tokio::test]
async fn a_sidecar_hears_nothing_of_repos_that_it_does_not_serve() {
    let house = House::new().await.with_people().await;
    let grant = house.granted().await;
    let sidecar = Sidecar::enrol(&house, "edge-2").await;
    sidecar.hello(&["hr"]).await;
    let mut feed = sidecar.feed(None).await;
    assert!(feed.snapshot().await.grants.is_empty());
    let body = house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({})).await.expect(200);
    assert_eq!(body["sidecars"], json!([]));
    let Some(Message::Beat { .. }) = feed.next().await else { panic!("told of another's repo") };
}

#[tokio::test]
async fn beats_carry_the_newest_position() {
    let (house, sidecar, mut feed) = served().await;
    granted(&house, &sidecar, &mut feed).await;
    let newest: u64 = feed.id.parse().unwrap();
    assert!(matches!(feed.next().await, Some(Message::Beat { position }) if position == newest));
    assert!(matches!(feed.next().await, Some(Message::Beat { position }) if position == newest));
}

#[tokio::test]
async fn a_revoked_sidecar_is_told_and_stays_out() {
    let (house, sidecar, mut feed) = served().await;
    assert_eq!(house.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"], true);
    house.admin.delete("/v1/sidecars/edge-1?reason=lost").await.expect(204);
    let Some(Message::Retire { by, reason }) = feed.news().await else { panic!("not told") };
    assert!(by.starts_with("client:admin") && reason == "lost");
    assert!(feed.next().await.is_none());
    let path = "/v1/sidecar/feed?instance=i-1&nonce=n";
    assert_eq!(sidecar.wire.get(path).await.problem(401), "unauthenticated");
    assert_eq!(house.admin.get("/v1/sidecars/edge-1").await.problem(404), "not-found");
}

#[tokio::test]
async fn a_feed_without_hello_and_a_hello_under_another_name_are_refused() {
    let house = House::new().await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    assert_eq!(sidecar.wire.get("/v1/sidecar/feed?instance=i-1&nonce=n").await.problem(409), "conflict");
    let hello = json!({"name": "edge-2", "instance": "i", "version": "0", "repos": []});
    assert_eq!(sidecar.wire.post("/v1/sidecar/hello", hello).await.problem(403), "forbidden");
}

#[tokio::test]
async fn a_newer_feed_of_one_process_takes_the_place_of_the_older() {
    let (_house, sidecar, mut old) = served().await;
    let mut new = sidecar.feed(None).await;
    new.snapshot().await;
    assert!(old.news().await.is_none());
    assert!(matches!(new.next().await, Some(Message::Beat { .. })));
}

#[tokio::test]
async fn a_killed_session_is_ended_by_its_sidecar_alone_even_if_that_was_away() {
    let (house, sidecar, feed) = served().await;
    let (_other, mut other_feed) = Sidecar::serving(&house, "edge-2", &["sales"]).await;
    let start = json!({"id": "s_1", "grant": "g_1", "identity": "alice@example.com", "repo": "sales",
                       "account": "app_ro", "client": "10.0.0.7:50412", "application": "psql", "started_at": 0});
    let report = json!({"instance": "i-1", "all": true, "started": [start], "ended": []});
    sidecar.wire.post("/v1/sidecar/sessions", report).await.expect(204);
    let sessions = house.admin.get("/v1/sessions").await.expect(200);
    assert_eq!(sessions["items"][0]["id"], "s_1");
    assert_eq!(sessions["items"][0]["sidecar"], "edge-1");
    drop(feed);
    house.admin.post("/v1/sessions/s_1/kill", json!({"reason": "runaway"})).await.expect(200);
    let mut feed = sidecar.feed(None).await;
    let kills = feed.snapshot().await.kills;
    assert!(
        matches!(&kills[..], [Change::Kill { session, reason, .. }] if session.as_str() == "s_1" && reason == "runaway")
    );
    assert!(matches!(other_feed.next().await, Some(Message::Beat { .. })));
    let report = json!({"instance": "i-1", "all": false, "started": [],
                        "ended": [{"id": "s_1", "cause": "killed", "ended_at": 1}]});
    sidecar.wire.post("/v1/sidecar/sessions", report).await.expect(204);
    assert_eq!(house.admin.get("/v1/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn switching_a_repo_or_an_identity_off_reaches_the_sidecar() {
    let (house, sidecar, mut feed) = served().await;
    let acknowledge = async {
        let (position, changes) = feed.changes().await;
        sidecar.ack(position, false).await;
        changes
    };
    let off = json!({"ephemeral_access": false, "reason": "audit"});
    let (answer, changes) = tokio::join!(house.admin.patch("/v1/repos/sales", off), acknowledge);
    let body = answer.expect(200);
    assert_eq!(body["ephemeral_access"], false);
    assert_eq!(body["outcomes"][0]["acknowledged"], true);
    assert!(matches!(&changes[..], [Change::Repo { enabled: false, .. }]));
    assert_eq!(house.admin.post("/v1/requests", alices("1h")).await.problem(409), "conflict");
    let acknowledge = async {
        let (position, changes) = feed.changes().await;
        sidecar.ack(position, false).await;
        changes
    };
    let off = json!({"enabled": false, "reason": "left"});
    let (answer, changes) =
        tokio::join!(house.admin.put("/v1/identities/alice@example.com", off), acknowledge);
    assert_eq!(answer.expect(200)["sidecars"][0]["acknowledged"], true);
    assert!(matches!(&changes[..], [Change::Identity { enabled: false, .. }]));
    assert_eq!(house.admin.post("/v1/requests", alices("1h")).await.problem(403), "identity-disabled");
}

#[tokio::test]
async fn feeds_end_at_once_when_the_program_stops() {
    let (house, _sidecar, mut feed) = served().await;
    house.plane.hub.stop();
    assert!(feed.news().await.is_none());
}

#[tokio::test]
async fn a_feed_begins_with_the_trusted_issuers_and_tells_when_they_change() {
    let (house, sidecar, mut feed) = served().await;
    let naming = Naming::Person {
        identity_claim: "email".to_owned(),
        groups_claim: "groups".to_owned(),
        scope: "openid".to_owned(),
    };
    let audiences = vec!["postern".to_owned()];
    let issuer = Issuer { url: "http://127.0.0.1:1".to_owned(), audiences, naming, ca: None };
    house.plane.trust(vec![issuer.clone()]);
    assert_eq!(feed.issuers().await, std::slice::from_ref(&issuer));
    let mut again = sidecar.feed(None).await;
    assert_eq!(again.message().await, Some(Message::Issuers(vec![issuer])));
}

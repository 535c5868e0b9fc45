//! Requests that sidecars file for clients which wait at their doors.

use serde_json::{Value, json};

use super::{House, sidecar::Sidecar};

fn knock(identity: &str, groups: &[&str]) -> Value {
    json!({"identity": identity, "groups": groups, "repo": "sales", "account": "app_ro", "duration": "1h", "reason": "INC-42"})
}

/// A rule for engineering under which clients may knock.
async fn open_door(house: &House) {
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_ro"], "whole": true,
        "max_duration": "8h", "approvals": [{"from": ["group:dba"], "count": 1}], "knock": true,
    });
    house.admin.put("/v1/rules/sales", rule).await.expect(200);
}

async fn review(house: &House, id: &Value, decision: &str) {
    let review = json!({"decision": decision, "reason": "so it is", "by": "bob@example.com"});
    let path = format!("/v1/requests/{}/reviews", id.as_str().unwrap());
    house.admin.post(&path, review).await.expect(200);
}

#[tokio::test]
async fn a_wish_becomes_one_request_of_the_identitys_own() {
    let house = House::new().await.with_people().await;
    let (edge, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    open_door(&house).await;
    let alices = knock("Alice@Example.com", &[]);
    let first = edge.wire.post("/v1/sidecar/knocks", alices.clone()).await.expect(200);
    assert_eq!(first["state"], "waiting");
    assert_eq!(edge.wire.post("/v1/sidecar/knocks", alices.clone()).await.expect(200), first);
    let request =
        house.admin.get(&format!("/v1/requests/{}", first["request"].as_str().unwrap())).await.expect(200);
    assert_eq!((&request["identity"], &request["reason"]), (&json!("alice@example.com"), &json!("INC-42")));
    review(&house, &first["request"], "deny").await;
    let path = format!("/v1/sidecar/knocks/{}", first["request"].as_str().unwrap());
    let denied = edge.wire.get(&path).await.expect(200);
    assert_eq!(
        (&denied["state"], &denied["word"]),
        (&json!("refused"), &json!("was refused by bob@example.com: so it is"))
    );

    let second = edge.wire.post("/v1/sidecar/knocks", alices).await.expect(200);
    assert_ne!(second["request"], first["request"], "what was refused is over");
    review(&house, &second["request"], "approve").await;
    let path = format!("/v1/sidecar/knocks/{}", second["request"].as_str().unwrap());
    assert_eq!(edge.wire.get(&path).await.expect(200)["state"], "granted");
}

#[tokio::test]
async fn nothing_is_filed_that_the_rule_the_identity_or_the_sidecar_does_not_allow() {
    let house = House::new().await.with_people().await;
    let (edge, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let (other, _other_feed) = Sidecar::serving(&house, "edge-2", &["hr"]).await;
    let refused = async |sidecar: &Sidecar, knock: Value| {
        sidecar.wire.post("/v1/sidecar/knocks", knock).await.problem(403)
    };
    assert_eq!(refused(&edge, knock("alice@example.com", &[])).await, "no-rule", "the rule has no `knock`");
    open_door(&house).await;
    assert_eq!(refused(&edge, knock("dave@example.com", &[])).await, "no-rule");
    assert_eq!(
        refused(&other, knock("alice@example.com", &[])).await,
        "forbidden",
        "it does not serve the repo"
    );
    house.admin.put("/v1/identities/alice@example.com", json!({"enabled": false})).await.expect(200);
    assert_eq!(refused(&edge, knock("alice@example.com", &[])).await, "identity-disabled");
    assert_eq!(house.admin.get("/v1/requests").await.expect(200)["items"], json!([]));
    let id = house.admin.get("/v1/identities/erin@example.com").await;
    assert_eq!(id.status, 404);
}

#[tokio::test]
async fn the_groups_of_a_credential_count_for_its_request_alone() {
    let house = House::new().await.with_people().await;
    let (edge, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    open_door(&house).await;
    let erin = "erin@example.com";
    assert_eq!(edge.wire.post("/v1/sidecar/knocks", knock(erin, &["sales"])).await.problem(403), "no-rule");
    house.admin.get(&format!("/v1/identities/{erin}")).await.problem(404);
    edge.wire.post("/v1/sidecar/knocks", knock(erin, &["engineering"])).await.expect(200);
    let known = house.admin.get(&format!("/v1/identities/{erin}")).await.expect(200);
    assert_eq!(known["groups"], json!([]), "a sidecar puts nobody into a group: {known}");
}

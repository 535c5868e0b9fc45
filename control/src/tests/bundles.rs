//! Bundles, which are decided as one, and favourites.

use serde_json::{Value, json};

use super::House;
use crate::domain::Permission;

/// Two repos, each with approvers of its own, and a bundle over both.
async fn house() -> House {
    let house = House::new().await.with_people().await;
    for (name, group) in [("sales", "dba"), ("hr", "security")] {
        let rule = json!({"requesters": ["group:engineering"], "repos": [name], "accounts": ["*"], "whole": true,
                          "approvals": [{"from": [format!("group:{group}")]}]});
        let put = house.admin.put(&format!("/v1/rules/{name}"), rule).await;
        assert!(put.status.is_success(), "{put:?}");
    }
    let parts = json!([{"repo": "sales", "account": "app_ro", "resources": [{"resource": "public.orders"}]},
                       {"repo": "hr", "account": "app_ro"}]);
    let bundle = json!({"description": "what on-call needs", "parts": parts});
    let made = house.admin.put("/v1/bundles/oncall", bundle).await.expect(201);
    assert_eq!(made["parts"][0]["resources"][0]["privileges"], json!(["SELECT"]));
    house
}

async fn asked(house: &House) -> (String, Vec<String>) {
    let ask = json!({"bundle": "oncall", "duration": "1h", "reason": "OPS-1", "for": "alice@example.com"});
    let first = house.admin.post("/v1/requests", ask).await.expect(201);
    assert_eq!((first["repo"].as_str(), first["status"].as_str()), (Some("sales"), Some("PENDING")));
    assert_eq!(first["bundle"]["name"], "oncall");
    let all: Vec<String> = serde_json::from_value(first["bundle"]["requests"].clone()).unwrap();
    assert_eq!(all.len(), 2);
    (format!("/v1/requests/{}", all[0]), all.iter().map(|id| format!("/v1/requests/{id}")).collect())
}

async fn states(house: &House, all: &[String]) -> Vec<Value> {
    let mut states = Vec::new();
    for path in all {
        states.push(house.admin.get(path).await.expect(200)["status"].clone());
    }
    states
}

fn by(who: &str, decision: &str) -> Value {
    json!({"decision": decision, "by": who})
}

#[tokio::test]
async fn a_bundle_becomes_grants_when_everybody_has_approved() {
    let house = house().await;
    let (first, all) = asked(&house).await;
    let reviews = format!("{first}/reviews");
    let recorded = house.admin.post(&reviews, by("bob@example.com", "approve")).await.expect(200);
    assert_eq!(recorded["status"], "PENDING");
    assert_eq!(
        house.admin.post(&reviews, by("bob@example.com", "approve")).await.problem(409),
        "already-reviewed"
    );
    assert_eq!(
        house.admin.post(&reviews, by("alice@example.com", "approve")).await.problem(403),
        "own-request"
    );
    let approved = house.admin.post(&reviews, by("dave@example.com", "approve")).await.expect(200);
    assert_eq!(
        (approved["status"].as_str(), approved["grant_state"].as_str()),
        (Some("APPROVED"), Some("ACTIVE"))
    );
    assert_eq!(states(&house, &all).await, ["APPROVED", "APPROVED"]);
    let grants = house.admin.get("/v1/grants").await.expect(200);
    let repos: Vec<&Value> = grants["items"].as_array().unwrap().iter().map(|grant| &grant["repo"]).collect();
    assert_eq!(repos, ["hr", "sales"]);
}

#[tokio::test]
async fn what_is_said_of_one_part_holds_for_the_whole_bundle() {
    let house = house().await;
    let (_, all) = asked(&house).await;
    house.admin.post(&format!("{}/reviews", all[1]), by("dave@example.com", "deny")).await.expect(200);
    assert_eq!(states(&house, &all).await, ["REJECTED", "REJECTED"]);
    let late = house.admin.post(&format!("{}/reviews", all[0]), by("bob@example.com", "approve")).await;
    assert_eq!(late.problem(409), "already-decided");
    let again = house.admin.post(&format!("{}/again", all[0]), json!({})).await.expect(201);
    let id = again["bundle"]["requests"][1].as_str().unwrap();
    house.admin.post(&format!("/v1/requests/{id}/cancel"), json!({})).await.expect(200);
    let first = format!("/v1/requests/{}", again["id"].as_str().unwrap());
    assert_eq!(house.admin.get(&first).await.expect(200)["status"], "CANCELLED");
}

#[tokio::test]
async fn a_bundle_is_asked_for_as_it_is_and_whole_or_not_at_all() {
    let house = house().await;
    let (first, _) = asked(&house).await;
    assert_eq!(house.admin.patch(&first, json!({"duration": "30m"})).await.problem(409), "conflict");
    let ask = json!({"bundle": "oncall", "duration": "1h", "for": "alice@example.com"});
    for (field, value) in [("repo", json!("sales")), ("break_glass", json!(true))] {
        let mut odd = ask.clone();
        odd[field] = value;
        assert_eq!(house.admin.post("/v1/requests", odd).await.problem(422), "invalid", "{field}");
    }
    house.admin.delete("/v1/rules/hr").await.expect(204);
    let before = house.admin.get("/v1/requests").await.expect(200)["items"].as_array().unwrap().len();
    assert_eq!(house.admin.post("/v1/requests", ask.clone()).await.problem(403), "no-rule");
    assert_eq!(house.admin.get("/v1/requests").await.expect(200)["items"].as_array().unwrap().len(), before);
    let bot = house.client("bot", &[Permission::AccessRequest]).await;
    assert_eq!(bot.get("/v1/bundles/oncall").await.expect(200)["name"], "oncall");
    assert_eq!(bot.delete("/v1/bundles/oncall").await.problem(403), "missing-permission");
    house.admin.delete("/v1/bundles/oncall").await.expect(204);
    assert_eq!(house.admin.post("/v1/requests", ask).await.problem(404), "not-found");
}

#[tokio::test]
async fn favourites_are_the_callers_own() {
    let house = house().await;
    let (ann, ben) = (
        house.client("ann", &[Permission::AccessRequest]).await,
        house.client("ben", &[Permission::AccessRequest]).await,
    );
    let keep =
        json!({"name": "usual", "repo": "sales", "account": "app_ro", "duration": "1h", "reason": "OPS-1"});
    let kept = ann.post("/v1/favourites", keep.clone()).await.expect(201);
    assert_eq!(ann.post("/v1/favourites", keep).await.problem(409), "exists");
    assert_eq!(ann.get("/v1/favourites").await.expect(200)["items"][0], kept);
    assert_eq!(ben.get("/v1/favourites").await.expect(200)["items"], json!([]));
    let path = format!("/v1/favourites/{}", kept["id"].as_str().unwrap());
    assert_eq!(ben.delete(&path).await.problem(404), "not-found");
    ann.delete(&path).await.expect(204);
    assert_eq!(ann.get("/v1/favourites").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_dry_run_of_a_bundle_says_what_becomes_of_each_part_and_files_nothing() {
    let house = house().await;
    let ask = json!({"bundle": "oncall", "duration": "1h", "reason": "OPS-1", "for": "alice@example.com"});
    let forecast = house.admin.post("/v1/requests?dry_run=true", ask.clone()).await.expect(200);
    let parts = forecast["parts"].as_array().unwrap();
    let told =
        |part: &Value| (part["rule"].clone(), part["approvers"].clone(), part["grant"]["scope"].clone());
    assert_eq!(
        parts.iter().map(told).collect::<Vec<_>>(),
        [
            (json!("sales"), json!(["bob@example.com", "carol@example.com"]), json!("limited")),
            (json!("hr"), json!(["dave@example.com"]), json!("whole")),
        ]
    );
    assert_eq!((&forecast["rule"], &forecast["approved_at_once"]), (&json!("sales"), &json!(false)));
    assert_eq!(house.admin.get("/v1/requests").await.expect(200)["items"], json!([]));
    let sales = json!({"requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["*"], "whole": true,
                       "auto_approve": "true"});
    house.admin.put("/v1/rules/sales", sales).await.expect(200);
    // One part that would be approved by itself waits for the other.
    let forecast = house.admin.post("/v1/requests?dry_run=true", ask.clone()).await.expect(200);
    assert_eq!(forecast["approved_at_once"], false);
    house.admin.delete("/v1/rules/hr").await.expect(204);
    assert_eq!(house.admin.post("/v1/requests?dry_run=true", ask).await.problem(403), "no-rule");
}

//! Deciding by a link.

use reqwest::Method;
use serde_json::{Value, json};

use super::{House, http};
use crate::domain::Permission;

/// A link of bob's to a request of alice's, as a path.
async fn link(house: &House, id: &str, approver: &str) -> String {
    let made =
        house.admin.post(&format!("/v1/requests/{id}/links"), json!({"for": approver})).await.expect(201);
    let url = made["url"].as_str().unwrap();
    url.strip_prefix("http://postern.example").unwrap().to_owned()
}

async fn look(house: &House, path: &str) -> (u16, String) {
    let response = http().get(format!("{}{path}", house.url)).send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(
        response.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'")
    );
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn decide(house: &House, path: &str, form: &[(&str, &str)]) -> u16 {
    let request = http().request(Method::POST, format!("{}{path}", house.url)).form(form);
    request.send().await.unwrap().status().as_u16()
}

async fn status(house: &House, id: &str) -> Value {
    house.admin.get(&format!("/v1/requests/{id}")).await.expect(200)["status"].clone()
}

#[tokio::test]
async fn a_link_shows_the_request_and_decides_it_once() {
    let house = House::new().await.with_people().await;
    let id = house.filed().await;
    let path = link(&house, &id, "bob@example.com").await;
    for _ in 0..2 {
        let (code, text) = look(&house, &path).await;
        assert!(code == 200 && text.contains("alice@example.com") && text.contains("OPS-1"), "{text}");
        assert_eq!(status(&house, &id).await, "PENDING");
    }
    assert_eq!(decide(&house, &path, &[("reason", "fine")]).await, 400);
    assert_eq!(decide(&house, &path, &[("decision", "approve"), ("reason", "fine")]).await, 200);
    let request = house.admin.get(&format!("/v1/requests/{id}")).await.expect(200);
    assert_eq!(
        (&request["status"], &request["reviews"][0]["by"]),
        (&json!("APPROVED"), &json!("bob@example.com"))
    );
    assert_eq!(decide(&house, &path, &[("decision", "deny")]).await, 409);
    assert!(look(&house, &path).await.1.contains("APPROVED already"));
    let trail = house.admin.get("/v1/audit?kind=request.reviewed").await.expect(200);
    let (record, detail) = (&trail["items"][0], &trail["items"][0]["detail"]);
    assert_eq!((&record["actor"], &detail["through"]), (&json!("bob@example.com"), &json!("review link")));
}

#[tokio::test]
async fn a_link_is_one_approvers_and_one_requests() {
    let house = House::new().await.with_people().await;
    let (id, other) = (house.filed().await, house.filed().await);
    let path = link(&house, &id, "bob@example.com").await;
    let elsewhere = path.replace(&id, &other);
    let parts: Vec<&str> = path.split('.').collect();
    // "carol@example.com"
    let carols = format!("{}.Y2Fyb2xAZXhhbXBsZS5jb20.{}", parts[0], parts[2]);
    for forged in [elsewhere, carols, format!("{path}A"), "/review/x".to_owned(), format!("/review/{id}..")] {
        assert_eq!(look(&house, &forged).await.0, 404, "{forged}");
        assert_eq!(decide(&house, &forged, &[("decision", "approve")]).await, 404, "{forged}");
    }
    // dave may not approve under this rule, whatever link he has.
    let daves = link(&house, &id, "dave@example.com").await;
    assert_eq!(decide(&house, &daves, &[("decision", "approve")]).await, 403);
    let own =
        house.admin.post(&format!("/v1/requests/{id}/links"), json!({"for": "alice@example.com"})).await;
    assert_eq!(own.problem(403), "own-request");
    let manager = house.client("manager", &[Permission::AccessManagement]).await;
    let refused = manager.post(&format!("/v1/requests/{id}/links"), json!({"for": "bob@example.com"})).await;
    assert_eq!(refused.problem(403), "missing-permission");
    assert_eq!(status(&house, &id).await, "PENDING");
}

#[tokio::test]
async fn not_even_an_administrator_decides_about_themselves_in_anothers_name() {
    let house = House::new().await.with_people().await;
    let root = house.person("root@example.com", &["engineering"]).await;
    let ask = json!({"repo": "sales", "account": "app_ro", "duration": "1h", "reason": "OPS-1"});
    let request = root.post("/v1/requests", ask).await.expect(201);
    let path = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    assert_eq!(request["status"], "PENDING");
    let link = root.post(&format!("{path}/links"), json!({"for": "bob@example.com"})).await;
    assert_eq!(link.problem(403), "own-request");
    let review = json!({"decision": "approve", "by": "bob@example.com"});
    assert_eq!(root.post(&format!("{path}/reviews"), review).await.problem(403), "own-request");
    assert_eq!(house.admin.get(&path).await.expect(200)["status"], "PENDING");
}

#[tokio::test]
async fn a_link_ends_with_what_it_showed() {
    let house = House::new().await.with_people().await;
    let (amended, late) = (house.filed().await, house.filed().await);
    let old = link(&house, &amended, "bob@example.com").await;
    house.clock.advance(std::time::Duration::from_secs(1));
    house.admin.patch(&format!("/v1/requests/{amended}"), json!({"duration": "8h"})).await.expect(200);
    assert_eq!(decide(&house, &old, &[("decision", "approve")]).await, 404);
    house.admin.patch(&format!("/v1/requests/{amended}"), json!({"duration": "2h"})).await.expect(200);
    assert_eq!(decide(&house, &old, &[("decision", "approve")]).await, 404, "amended back");
    let path = link(&house, &late, "bob@example.com").await;
    house.clock.advance(std::time::Duration::from_hours(2));
    assert_eq!(decide(&house, &path, &[("decision", "approve")]).await, 409);
}

#[tokio::test]
async fn a_link_ends_with_its_approver_and_is_used_from_its_own_page_alone() {
    let house = House::new().await.with_people().await;
    let id = house.filed().await;
    let path = link(&house, &id, "bob@example.com").await;
    let form = [("decision", "approve")];
    let foreign =
        http().post(format!("{}{path}", house.url)).header("Origin", "https://evil.example").form(&form);
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    house.admin.put("/v1/identities/bob@example.com", json!({"enabled": false})).await.expect(200);
    assert_eq!(look(&house, &path).await.0, 403);
    assert_eq!(decide(&house, &path, &form).await, 403);
    assert_eq!(status(&house, &id).await, "PENDING");
}

#[tokio::test]
async fn a_link_of_a_bundle_shows_and_decides_all_of_it() {
    let house = House::new().await.with_people().await;
    let rule = json!({"requesters": ["*"], "repos": ["stock"], "accounts": ["app_rw"], "whole": true,
        "max_duration": "8h", "approvals": [{"from": ["group:dba"], "count": 1}]});
    house.admin.put("/v1/rules/stock", rule).await.expect(201);
    let parts = json!([{"repo": "sales", "account": "app_ro"}, {"repo": "stock", "account": "app_rw"}]);
    house.admin.put("/v1/bundles/month-end", json!({"parts": parts})).await.expect(201);
    let ask = json!({"bundle": "month-end", "duration": "1h", "reason": "OPS-1", "for": "alice@example.com"});
    let filed = house.admin.post("/v1/requests", ask).await.expect(201);
    let id = filed["id"].as_str().unwrap();
    let path = link(&house, id, "bob@example.com").await;
    let (_, text) = look(&house, &path).await;
    assert!(
        ["sales", "stock", "app_ro", "app_rw", "month-end"].iter().all(|word| text.contains(word)),
        "{text}"
    );
    assert_eq!(decide(&house, &path, &[("decision", "approve")]).await, 200);
    let granted = house.admin.get("/v1/grants").await.expect(200);
    assert_eq!(granted["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_somebody_wrote_is_text_on_the_page() {
    let house = House::new().await.with_people().await;
    let ask = json!({"repo": "sales", "account": "app_ro", "duration": "1h", "for": "alice@example.com",
        "reason": "<script>alert(1)</script>"});
    let id = house.admin.post("/v1/requests", ask).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (_, text) = look(&house, &link(&house, &id, "bob@example.com").await).await;
    assert!(text.contains("&lt;script&gt;") && !text.contains("<script>"), "{text}");
}

//! From a request over reviews to a grant, and what is refused on the way.

use serde_json::{Value, json};

use super::{House, alices};
use crate::domain::Permission;

#[tokio::test]
async fn an_approved_request_becomes_an_active_grant() {
    let house = House::new().await.with_people().await;
    let request = house.admin.post("/v1/requests", alices("2h")).await.expect(201);
    assert_eq!(request["status"], "PENDING");
    assert_eq!(request["rule"], "sales");
    assert_eq!(request["duration"], "2h");
    assert_eq!(request["grant"], Value::Null);
    let id = request["id"].as_str().unwrap();
    assert!(id.starts_with("r_"));
    let review = json!({"decision": "approve", "reason": "fine", "by": "bob@example.com"});
    let reviewed = house.admin.post(&format!("/v1/requests/{id}/reviews"), review).await.expect(200);
    assert_eq!(reviewed["status"], "APPROVED");
    assert_eq!(reviewed["grant_state"], "ACTIVE");
    assert_eq!(reviewed["reviews"][0]["by"], "bob@example.com");
    assert_eq!(reviewed["reviews"][0]["decision"], "approve");
    let grant =
        house.admin.get(&format!("/v1/grants/{}", reviewed["grant"].as_str().unwrap())).await.expect(200);
    assert_eq!(grant["request"], id);
    assert_eq!(grant["scope"], "whole");
    assert_eq!(grant["state"], "ACTIVE");
    assert_eq!(grant["identity"], "alice@example.com");
    let (from, to): (jiff::Timestamp, jiff::Timestamp) = (
        grant["not_before"].as_str().unwrap().parse().unwrap(),
        grant["expires_at"].as_str().unwrap().parse().unwrap(),
    );
    assert_eq!(to.as_second() - from.as_second(), 7_200);
}

#[tokio::test]
async fn resources_make_a_limited_grant() {
    let house = House::new().await.with_people().await;
    let mut ask = alices("3600");
    ask["duration"] = json!(3_600);
    ask["resources"] = json!([
        {"resource": "public.sales.id"},
        {"resource": "public.sales.id", "privileges": ["select"]},
        {"resource": "public.orders", "privileges": ["SELECT"]},
    ]);
    let request = house.admin.post("/v1/requests", ask).await.expect(201);
    let resources = json!([
        {"resource": "public.orders", "privileges": ["SELECT"]},
        {"resource": "public.sales.id", "privileges": ["SELECT"]},
    ]);
    assert_eq!(request["resources"], resources);
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    let approved = house.admin.post(&path, json!({"decision": "approve"})).await.expect(200);
    let grant = format!("/v1/grants/{}", approved["grant"].as_str().unwrap());
    let before = house.admin.get(&grant).await.expect(200);
    assert_eq!((before["scope"].as_str(), &before["resources"]), (Some("limited"), &resources));
    let more = json!({"resources": [{"resource": "public.sales.name"}]});
    assert_eq!(house.admin.patch(&grant, more).await.problem(422), "invalid");
    let less = json!({"resources": [{"resource": "public.orders.id"}]});
    let shrunk = house.admin.patch(&grant, less).await.expect(200);
    assert_eq!(shrunk["resources"], json!([{"resource": "public.orders.id", "privileges": ["SELECT"]}]));
    assert_eq!(shrunk["revision"], 2);
}

#[tokio::test]
async fn a_request_that_no_rule_covers_is_refused_with_what_is_missing() {
    let house = House::new().await.with_people().await;
    for (field, value, word) in [
        ("for", json!("dave@example.com"), "dave@example.com"),
        ("repo", json!("hr"), "hr"),
        ("account", json!("app_rw"), "app_rw"),
        ("duration", json!("9h"), "8h"),
        ("resources", json!([{"resource": "public.customers"}]), "public.customers"),
        ("resources", json!([{"resource": "public.orders", "privileges": ["UPDATE"]}]), "UPDATE"),
    ] {
        let mut ask = alices("2h");
        ask[field] = value;
        let answer = house.admin.post("/v1/requests", ask).await;
        assert!(answer.body["detail"].as_str().unwrap().contains(word), "{}", answer.body);
        assert_eq!(answer.problem(403), "no-rule");
    }
    let trail = house.admin.get("/v1/audit?kind=request.refused").await.expect(200);
    assert_eq!(trail["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn nonsense_in_a_request_is_refused_and_named() {
    let house = House::new().await.with_people().await;
    for (field, value, word) in [
        ("duration", json!("soon"), "duration"),
        ("duration", json!(0), "duration"),
        ("resources", json!([{"resource": "sales"}]), "sales"),
        ("resources", json!([{"resource": "public.sales", "privileges": ["DROP"]}]), "DROP"),
        ("resources", json!([{"resource": "public.sales.id", "privileges": ["DELETE"]}]), "DELETE"),
        ("colour", json!("red"), "colour"),
        ("repo", json!(7), "repo"),
        ("not_before", json!("tomorrow"), "not_before"),
        ("break_glass", json!("yes"), "break_glass"),
        ("reason", json!("x".repeat(4_001)), "reason"),
        ("reason", json!("\u{1b}[2J"), "reason"),
    ] {
        let mut ask = alices("2h");
        ask[field] = value;
        let answer = house.admin.post("/v1/requests", ask).await;
        assert_eq!(answer.status, 422, "{field}: {}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(word), "{}", answer.body);
    }
}

#[tokio::test]
async fn nobody_reviews_their_own_request_and_nobody_approves_twice() {
    let house = House::new().await.with_people().await;
    let two = json!({"requesters": ["*"], "repos": ["sales"], "accounts": ["*"], "whole": true, "priority": 9,
                     "approvals": [{"from": ["group:dba", "group:engineering"], "count": 2}]});
    house.admin.put("/v1/rules/two", two).await.expect(201);
    let path = format!("/v1/requests/{}/reviews", house.filed().await);
    let by = |who: &str| json!({"decision": "approve", "by": who});
    assert_eq!(house.admin.post(&path, by("alice@example.com")).await.problem(403), "own-request");
    assert_eq!(house.admin.post(&path, by("dave@example.com")).await.problem(403), "not-an-approver");
    assert_eq!(house.admin.post(&path, by("nobody@example.com")).await.problem(403), "not-an-approver");
    let first = house.admin.post(&path, by("bob@example.com")).await.expect(200);
    assert_eq!(first["status"], "PENDING");
    assert_eq!(house.admin.post(&path, by("bob@example.com")).await.problem(409), "already-reviewed");
    assert_eq!(house.admin.post(&path, by("carol@example.com")).await.expect(200)["status"], "APPROVED");
    let late = house.admin.post(&path, json!({"decision": "deny"})).await;
    assert_eq!(late.body["state"], "APPROVED");
    assert_eq!(late.problem(409), "already-decided");
}

#[tokio::test]
async fn a_bot_does_not_review_what_it_asked_for_itself() {
    let house = House::new().await.with_people().await;
    let bot = house.client("bot", &[Permission::AccessRequest, Permission::AccessManagement]).await;
    let mut ask = alices("1h");
    ask.as_object_mut().unwrap().remove("for");
    let request = bot.post("/v1/requests", ask).await.expect(201);
    assert_eq!(request["identity"], "client:bot");
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    assert_eq!(bot.post(&path, json!({"decision": "approve"})).await.problem(403), "own-request");
    let approved = house.admin.post(&path, json!({"decision": "approve"})).await.expect(200);
    assert_eq!(approved["status"], "APPROVED");
    let extend = format!("/v1/grants/{}/extend", approved["grant"].as_str().unwrap());
    let asked = bot.post(&extend, json!({"duration": "1h"})).await.expect(202);
    assert_eq!((asked["status"].as_str(), &asked["reviews"]), (Some("PENDING"), &json!([])));
}

#[tokio::test]
async fn a_denial_needs_a_single_voice_and_is_final() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/requests/{}", house.filed().await);
    let deny = json!({"decision": "deny", "reason": "not today", "by": "carol@example.com"});
    let denied = house.admin.post(&format!("{path}/reviews"), deny).await.expect(200);
    assert_eq!((denied["status"].as_str(), &denied["grant"]), (Some("REJECTED"), &Value::Null));
    let late = house.admin.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(late.body["state"], "REJECTED");
    assert_eq!(late.problem(409), "already-decided");
    assert_eq!(house.admin.post(&format!("{path}/again"), json!({})).await.expect(201)["status"], "PENDING");
}

#[tokio::test]
async fn an_approver_can_shorten_but_not_lengthen() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/requests/{}/reviews", house.filed().await);
    let review =
        |duration: &str| json!({"decision": "approve", "duration": duration, "by": "bob@example.com"});
    assert_eq!(house.admin.post(&path, review("3h")).await.problem(422), "invalid");
    let approved = house.admin.post(&path, review("30m")).await.expect(200);
    let grant =
        house.admin.get(&format!("/v1/grants/{}", approved["grant"].as_str().unwrap())).await.expect(200);
    let (from, to): (jiff::Timestamp, jiff::Timestamp) = (
        grant["not_before"].as_str().unwrap().parse().unwrap(),
        grant["expires_at"].as_str().unwrap().parse().unwrap(),
    );
    assert_eq!(to.as_second() - from.as_second(), 1_800);
}

#[tokio::test]
async fn amending_starts_the_reviews_anew() {
    let house = House::new().await.with_people().await;
    let rule = json!({"requesters": ["*"], "repos": ["*"], "accounts": ["*"], "whole": true, "priority": 9,
                      "approvals": [{"from": ["group:dba"], "count": 2}]});
    house.admin.put("/v1/rules/two", rule).await.expect(201);
    let path = format!("/v1/requests/{}", house.filed().await);
    let by = |who: &str| json!({"decision": "approve", "by": who});
    house.admin.post(&format!("{path}/reviews"), by("bob@example.com")).await.expect(200);
    let amended = house.admin.patch(&path, json!({"duration": "4h"})).await.expect(200);
    assert_eq!((amended["duration"].as_str(), &amended["reviews"]), (Some("4h"), &json!([])));
    let again = house.admin.post(&format!("{path}/reviews"), by("bob@example.com")).await.expect(200);
    assert_eq!(again["status"], "PENDING");
    let less = house.admin.patch(&path, json!({"duration": "1h"})).await.expect(200);
    assert_eq!(less["reviews"].as_array().unwrap().len(), 1);
    let other = house.admin.patch(&path, json!({"reason": "something else"})).await.expect(200);
    assert_eq!(other["reviews"], json!([]), "who approved had read another reason");
}

#[tokio::test]
async fn a_rule_that_was_withdrawn_or_narrowed_no_longer_carries_a_request() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/requests/{}/reviews", house.filed().await);
    let narrower = json!({"requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_ro"],
                          "approvals": [{"from": ["group:dba"]}]});
    house.admin.put("/v1/rules/sales", narrower).await.expect(200);
    let approve = json!({"decision": "approve", "by": "bob@example.com"});
    assert_eq!(house.admin.post(&path, approve.clone()).await.problem(409), "rule-changed");
    house.admin.delete("/v1/rules/sales").await.expect(204);
    assert_eq!(house.admin.post(&path, json!({"decision": "approve"})).await.problem(409), "rule-changed");
    assert_eq!(house.admin.post(&path, json!({"decision": "deny"})).await.expect(200)["status"], "REJECTED");
}

#[tokio::test]
async fn a_requester_who_left_the_group_is_no_longer_covered() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/requests/{}/reviews", house.filed().await);
    house.admin.put("/v1/identities/alice@example.com", json!({"groups": []})).await.expect(200);
    assert_eq!(house.admin.post(&path, json!({"decision": "approve"})).await.problem(409), "rule-changed");
}

#[tokio::test]
async fn of_two_decisions_at_once_exactly_one_counts() {
    let house = House::new().await.with_people().await;
    for _ in 0..10 {
        let path = format!("/v1/requests/{}", house.filed().await);
        let (reviews, cancel) = (format!("{path}/reviews"), format!("{path}/cancel"));
        let approve = |who: &str| json!({"decision": "approve", "by": who});
        let answers = tokio::join!(
            house.admin.post(&reviews, approve("bob@example.com")),
            house.admin.post(&reviews, approve("carol@example.com")),
            house.admin.post(&cancel, json!({})),
            house.admin.post(&reviews, json!({"decision": "deny"})),
        );
        let mut codes =
            [answers.0.status, answers.1.status, answers.2.status, answers.3.status].map(|s| s.as_u16());
        codes.sort_unstable();
        assert_eq!(codes, [200, 409, 409, 409]);
        let request = house.admin.get(&path).await.expect(200);
        let has_grant = request["grant"] != Value::Null;
        assert_eq!(has_grant, request["status"] == "APPROVED");
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let house = House::new().await.with_people().await;
    let forecast = house.admin.post("/v1/requests?dry_run=true", alices("2h")).await.expect(200);
    assert_eq!(forecast["rule"], "sales");
    assert_eq!(forecast["approvers"], json!(["bob@example.com", "carol@example.com"]));
    assert_eq!(forecast["grant"]["scope"], "whole");
    assert_eq!(house.admin.get("/v1/requests").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn requests_are_listed_the_newest_first_page_by_page_and_filtered() {
    let house = House::new().await.with_people().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, house.filed().await);
    }
    house.admin.post(&format!("/v1/requests/{}/cancel", ids[0]), json!({})).await.expect(200);
    let (mut seen, mut path) = (Vec::new(), "/v1/requests?limit=2".to_owned());
    loop {
        let page = house.admin.get(&path).await.expect(200);
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/requests?limit=2&after={next}");
    }
    assert_eq!(seen, ids);
    for (query, count) in [
        ("status=cancelled", 1),
        ("status=PENDING", 4),
        ("identity=alice@example.com", 5),
        ("identity=bob@example.com", 0),
        ("repo=sales&status=PENDING", 4),
    ] {
        let page = house.admin.get(&format!("/v1/requests?{query}")).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(house.admin.get("/v1/requests?status=open").await.problem(400), "malformed");
    assert_eq!(house.admin.get("/v1/requests?stauts=PENDING").await.problem(400), "malformed");
    assert_eq!(house.admin.get("/v1/requests?limit=0").await.problem(400), "malformed");
}

#[tokio::test]
async fn a_client_without_management_sees_its_own_alone() {
    let house = House::new().await.with_people().await;
    let theirs = house.filed().await;
    let bot = house.client("bot", &[Permission::AccessRequest]).await;
    let mut ask = alices("1h");
    assert_eq!(bot.post("/v1/requests", ask.clone()).await.problem(403), "missing-permission");
    ask.as_object_mut().unwrap().remove("for");
    let own = bot.post("/v1/requests", ask).await.expect(201)["id"].as_str().unwrap().to_owned();
    let seen = bot.get("/v1/requests").await.expect(200);
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert_eq!(bot.get(&format!("/v1/requests/{theirs}")).await.problem(404), "not-found");
    assert_eq!(bot.post(&format!("/v1/requests/{theirs}/cancel"), json!({})).await.problem(404), "not-found");
    let approve = json!({"decision": "approve"});
    let approved = house.admin.post(&format!("/v1/requests/{own}/reviews"), approve).await.expect(200);
    let grant = approved["grant"].as_str().unwrap();
    assert_eq!(bot.get("/v1/grants").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let revoked =
        bot.post(&format!("/v1/grants/{grant}/revoke"), json!({"reason": "done"})).await.expect(200);
    assert_eq!(revoked["grant"]["state"], "REVOKED");
    let again = house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({})).await;
    assert_eq!(again.body["state"], "REVOKED");
    assert_eq!(again.problem(409), "grant-ended");
}

#[tokio::test]
async fn a_grant_is_extended_within_its_rule() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/grants/{}/extend", house.granted().await);
    let extended = house.admin.post(&path, json!({"duration": "1h", "reason": "longer"})).await.expect(200);
    assert_eq!(extended["revision"], 2);
    assert_eq!(house.admin.post(&path, json!({"duration": "8h"})).await.problem(403), "forbidden");
    assert_eq!(house.admin.post(&path, json!({"duration": 0})).await.problem(422), "invalid");
    house.admin.delete("/v1/rules/sales").await.expect(204);
    assert_eq!(house.admin.post(&path, json!({"duration": "1h"})).await.problem(409), "rule-changed");
}

#[tokio::test]
async fn an_identity_that_is_deactivated_loses_everything() {
    let house = House::new().await.with_people().await;
    let (grant, request) = (house.granted().await, house.filed().await);
    house.admin.post("/v1/access-tokens", json!({"for": "alice@example.com"})).await.expect(201);
    let off =
        house.admin.put("/v1/identities/alice@example.com", json!({"enabled": false})).await.expect(200);
    assert_eq!((off["enabled"].as_bool(), &off["groups"]), (Some(false), &json!(["engineering"])));
    let state = |body: Value, field: &str| body[field].as_str().unwrap().to_owned();
    assert_eq!(state(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200), "state"), "REVOKED");
    assert_eq!(
        state(house.admin.get(&format!("/v1/requests/{request}")).await.expect(200), "status"),
        "CANCELLED"
    );
    assert_eq!(house.admin.get("/v1/access-tokens").await.expect(200)["items"], json!([]));
    let token = house.admin.post("/v1/access-tokens", json!({"for": "alice@example.com"})).await;
    assert_eq!(token.problem(403), "identity-disabled");
}

#[tokio::test]
async fn an_account_that_the_repo_does_not_have_is_refused() {
    let house = House::new().await.with_people().await;
    let (_sidecar, _feed) = super::sidecar::Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let mut ask = alices("1h");
    ask["account"] = json!("app_rx");
    let answer = house.admin.post("/v1/requests", ask).await;
    assert!(answer.body["detail"].as_str().unwrap().contains("app_ro, app_rw"), "{}", answer.body);
    assert_eq!(answer.problem(422), "invalid");
}

#[tokio::test]
async fn an_e_mail_address_means_the_same_person_in_every_case() {
    let house = House::new().await.with_people().await;
    let mut ask = alices("2h");
    ask["for"] = json!("Alice@Example.com");
    let request = house.admin.post("/v1/requests", ask).await.expect(201);
    assert_eq!(request["identity"], "alice@example.com");
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    let by = |who: &str| json!({"decision": "approve", "by": who});
    assert_eq!(house.admin.post(&path, by("ALICE@example.com")).await.problem(403), "own-request");
    assert_eq!(
        house.admin.post(&path, by("BOB@example.com")).await.expect(200)["reviews"][0]["by"],
        "bob@example.com"
    );
    let listed = house.admin.get("/v1/grants?identity=ALICE@EXAMPLE.COM").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let off =
        house.admin.put("/v1/identities/ALICE@example.com", json!({"enabled": false})).await.expect(200);
    assert_eq!(
        (off["name"].as_str(), off["groups"][0].as_str()),
        (Some("alice@example.com"), Some("engineering"))
    );
    assert_eq!(house.admin.post("/v1/requests", alices("1h")).await.problem(403), "identity-disabled");
    let token = json!({"for": "aLICE@example.com"});
    assert_eq!(house.admin.post("/v1/access-tokens", token).await.problem(403), "identity-disabled");
    for odd in ["alice\u{200b}@example.com", "system", "rule:sales"] {
        let token = json!({"for": odd});
        assert_eq!(house.admin.post("/v1/access-tokens", token).await.problem(422), "invalid", "{odd}");
    }
}

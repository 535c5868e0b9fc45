//! Rules from files, and rules that two people change at once.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, House, answer};
use crate::domain::Permission;

fn rule(name: &str, duration: &str) -> Value {
    json!({"name": name, "requesters": ["*"], "repos": [name], "accounts": ["app_ro"], "whole": true,
        "max_duration": duration})
}

async fn apply(house: &House, file: &str, rules: Value, query: &str) -> Answer {
    house.admin.post(&format!("/v1/apply{query}"), json!({"file": file, "rules": rules})).await
}

fn told(answer: &Value) -> Vec<(String, String)> {
    let word = |change: &Value, field: &str| change[field].as_str().unwrap().to_owned();
    answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (word(change, "action"), word(change, "name")))
        .collect()
}

async fn names(house: &House) -> Vec<String> {
    let rules = house.admin.get("/v1/rules").await.expect(200);
    let mut names: Vec<String> = rules["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[tokio::test]
async fn a_file_creates_changes_and_deletes_what_it_owns_and_nothing_else() {
    let house = House::new().await;
    house.admin.put("/v1/rules/by-hand", rule("by-hand", "1h")).await.expect(201);
    apply(&house, "other.toml", json!([rule("other", "1h")]), "").await.expect(200);
    let first = json!([rule("a", "1h"), rule("b", "1h")]);
    let made = apply(&house, "team.toml", first.clone(), "").await.expect(200);
    assert_eq!(told(&made), pairs(&[("create", "a"), ("create", "b")]));
    assert_eq!(told(&apply(&house, "team.toml", first, "").await.expect(200)), []);
    let second = json!([rule("b", "2h"), rule("c", "1h")]);
    let tried = apply(&house, "team.toml", second.clone(), "?dry_run=true").await.expect(200);
    let expected = pairs(&[("delete", "a"), ("change", "b"), ("create", "c")]);
    assert_eq!((told(&tried), &tried["applied"]), (expected.clone(), &json!(false)));
    assert_eq!(names(&house).await, ["a", "b", "by-hand", "other"]);
    assert_eq!(told(&apply(&house, "team.toml", second, "").await.expect(200)), expected);
    assert_eq!(names(&house).await, ["b", "by-hand", "c", "other"]);
    assert_eq!(house.admin.get("/v1/rules/b").await.expect(200)["max_duration"], "2h");
    assert_eq!(tried["changes"][1]["before"]["max_duration"], "1h");
}

#[tokio::test]
async fn a_file_takes_nobody_elses_rule_and_nobody_takes_its_own() {
    let house = House::new().await;
    house.admin.put("/v1/rules/by-hand", rule("by-hand", "1h")).await.expect(201);
    let refused = apply(&house, "team.toml", json!([rule("a", "1h"), rule("by-hand", "1h")]), "").await;
    assert_eq!(refused.problem(409), "conflict");
    assert_eq!(names(&house).await, ["by-hand"]);
    let adopted =
        apply(&house, "taker.toml", json!([rule("by-hand", "1h")]), "?adopt=true").await.expect(200);
    assert_eq!(told(&adopted), pairs(&[("change", "by-hand")]));
    assert_eq!(house.admin.get("/v1/rules/by-hand").await.expect(200)["owner"], "file:taker.toml");
    let of_another = apply(&house, "team.toml", json!([rule("by-hand", "1h")]), "?adopt=true").await;
    assert_eq!(of_another.problem(409), "conflict");
    apply(&house, "team.toml", json!([rule("a", "1h")]), "").await.expect(200);
    assert_eq!(house.admin.delete("/v1/rules/a").await.problem(409), "conflict");
    assert_eq!(house.admin.put("/v1/rules/a", rule("a", "2h")).await.problem(409), "conflict");
    assert_eq!(apply(&house, "x.toml", json!([rule("a", "1h")]), "").await.problem(409), "conflict");
    let twice = apply(&house, "team.toml", json!([rule("a", "1h"), rule("a", "2h")]), "").await.expect(422);
    assert_eq!(twice["detail"], "rule `a`: named twice");
}

#[tokio::test]
async fn a_bundle_that_somebody_changed_meanwhile_stays_as_it_is() {
    let house = House::new().await;
    let part = |account: &str| json!({"parts": [{"repo": "sales", "account": account}]});
    let made = house.admin.request(Method::PUT, "/v1/bundles/b").json(&part("app_ro")).send().await.unwrap();
    let tag = made.headers()["etag"].to_str().unwrap().to_owned();
    house.admin.put("/v1/bundles/b", part("app_rw")).await.expect(200);
    for method in [Method::PUT, Method::DELETE] {
        let call = house.admin.request(method, "/v1/bundles/b").header("If-Match", &tag);
        let refused = answer(call.json(&part("other")).send().await.unwrap()).await;
        assert_eq!(refused.problem(412), "changed-since");
    }
    assert_eq!(house.admin.get("/v1/bundles/b").await.expect(200)["parts"][0]["account"], "app_rw");
}

#[tokio::test]
async fn of_many_who_change_the_same_state_one_succeeds() {
    let house = House::new().await;
    house.admin.put("/v1/rules/a", rule("a", "1h")).await.expect(201);
    let shown = house.admin.request(Method::GET, "/v1/rules/a").send().await.unwrap();
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    let calls = (2..22).map(|hours| {
        let body = rule("a", &format!("{hours}h"));
        let request = house.admin.request(Method::PUT, "/v1/rules/a").header("If-Match", &tag).json(&body);
        async move { answer(request.send().await.unwrap()).await.status.as_u16() }
    });
    let mut answers = futures_util::future::join_all(calls).await;
    answers.sort_unstable();
    assert_eq!((answers[0], &answers[1..]), (200, &[412; 19][..]));
}

#[tokio::test]
async fn nobody_approves_what_was_amended_after_they_had_seen_it() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/requests/{}", house.filed().await);
    let shown = house.admin.request(Method::GET, &path).send().await.unwrap();
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    house.admin.patch(&path, json!({"duration": "8h"})).await.expect(200);
    let review = json!({"decision": "approve", "by": "bob@example.com"});
    let call = house.admin.request(Method::POST, &format!("{path}/reviews")).header("If-Match", &tag);
    assert_eq!(answer(call.json(&review).send().await.unwrap()).await.problem(412), "changed-since");
    let call = house.admin.request(Method::PATCH, &path).header("If-Match", &tag);
    let less = json!({"duration": "1h"});
    assert_eq!(answer(call.json(&less).send().await.unwrap()).await.problem(412), "changed-since");
    let now = house.admin.get(&path).await.expect(200);
    assert_eq!((&now["status"], &now["duration"]), (&json!("PENDING"), &json!("8h")));
}

#[tokio::test]
async fn who_may_not_make_rules_applies_no_file() {
    let house = House::new().await;
    let others = Permission::ALL.into_iter().filter(|one| *one != Permission::ModifyPolicies);
    let client = house.client("almost", &others.collect::<Vec<_>>()).await;
    let file = json!({"file": "team.toml", "rules": [rule("a", "1h")]});
    for query in ["", "?dry_run=true"] {
        let refused = client.post(&format!("/v1/apply{query}"), file.clone()).await;
        assert_eq!(refused.problem(403), "missing-permission");
    }
    for odd in ["", "a\nb", " "] {
        let refused = apply(&house, odd, json!([rule("a", "1h")]), "").await;
        assert_eq!(refused.problem(422), "invalid", "{odd:?}");
    }
    assert!(names(&house).await.is_empty());
}

#[tokio::test]
async fn a_change_of_what_somebody_changed_meanwhile_is_refused() {
    let house = House::new().await;
    house.admin.put("/v1/rules/a", rule("a", "1h")).await.expect(201);
    let send = async |method: Method, tag: &str, hours: &str| {
        let request =
            house.admin.request(method, "/v1/rules/a").header("If-Match", tag).json(&rule("a", hours));
        answer(request.send().await.unwrap()).await
    };
    let shown = house.admin.request(Method::GET, "/v1/rules/a").send().await.unwrap();
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    send(Method::PUT, &tag, "2h").await.expect(200);
    assert_eq!(send(Method::PUT, &tag, "3h").await.problem(412), "changed-since");
    assert_eq!(send(Method::DELETE, &tag, "3h").await.problem(412), "changed-since");
    assert_eq!(send(Method::DELETE, "W/\"x\"", "3h").await.problem(412), "changed-since");
    send(Method::DELETE, "*", "3h").await.expect(204);
    assert_eq!(send(Method::PUT, "*", "3h").await.problem(412), "changed-since");
}

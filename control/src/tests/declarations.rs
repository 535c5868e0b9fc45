//! Bundles, webhooks and repos from files.

use serde_json::{Value, json};

use super::{Answer, House, sidecar::Sidecar};
use crate::domain::Permission;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

async fn apply(house: &House, says: Value, query: &str) -> Answer {
    let mut body = says;
    body["file"] = json!("team.toml");
    house.admin.post(&format!("/v1/apply{query}"), body).await
}

fn told(answer: &Value) -> Vec<String> {
    let word = |change: &Value, field: &str| change[field].as_str().unwrap().to_owned();
    let changes = answer["changes"].as_array().unwrap().iter();
    changes.map(|change| ["action", "kind", "name"].map(|field| word(change, field)).join(" ")).collect()
}

fn bundle(account: &str) -> Value {
    let resource = json!({"resource": "public.sales", "privileges": ["SELECT"]});
    json!({"name": "oncall", "parts": [{"repo": "sales", "account": account, "resources": [resource]}]})
}

fn hook(secret: &str) -> Value {
    json!({"name": "ops", "url": "https://hooks.example.com/a", "types": ["grant.*"], "secret": secret})
}

fn repo(open: bool) -> Value {
    json!({"name": "sales", "ephemeral_access": open})
}

async fn repo_shown(house: &House) -> (Value, Value) {
    let shown = house.admin.get("/v1/repos/sales").await.expect(200);
    (shown["ephemeral_access"].clone(), shown["owner"].clone())
}

#[tokio::test]
async fn a_file_makes_changes_and_deletes_bundles_webhooks_and_what_it_says_of_repos() {
    let house = House::new().await;
    let (_, mut feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let first = json!({"bundles": [bundle("app_ro")], "webhooks": [hook(KEY)], "repos": [repo(false)]});
    let made = ["create bundle oncall", "create repo sales", "create webhook ops"];
    let tried = apply(&house, first.clone(), "?dry_run=true").await.expect(200);
    assert_eq!((told(&tried), &tried["applied"]), (made.map(str::to_owned).to_vec(), &json!(false)));
    assert_eq!(repo_shown(&house).await, (json!(true), Value::Null));
    assert_eq!(house.admin.get("/v1/bundles/oncall").await.status, 404);
    assert_eq!(told(&apply(&house, first.clone(), "").await.expect(200)), made);
    assert_eq!(repo_shown(&house).await, (json!(false), json!("file:team.toml")));
    assert!(format!("{:?}", feed.changes().await).contains("enabled: false"));
    assert_eq!(told(&apply(&house, first, "").await.expect(200)), [""; 0]);

    let second = json!({"bundles": [bundle("app_rw")], "webhooks": [hook(OTHER_KEY)]});
    let changed = apply(&house, second, "").await.expect(200);
    assert_eq!(told(&changed), ["change bundle oncall", "delete repo sales", "change webhook ops"]);
    assert_eq!(house.admin.get("/v1/bundles/oncall").await.expect(200)["parts"][0]["account"], "app_rw");
    assert_eq!(repo_shown(&house).await, (json!(false), Value::Null), "what is not said opens nothing");
    assert!(changed["changes"][2]["after"]["secret"].as_str().unwrap().contains("another"));
    let everything =
        [changed.to_string(), house.admin.get("/v1/audit?limit=1000").await.expect(200).to_string()];
    for secret in [KEY, OTHER_KEY] {
        assert!(everything.iter().all(|text| !text.contains(secret.strip_prefix("whsec_").unwrap())));
    }
    let emptied = apply(&house, json!({}), "").await.expect(200);
    assert_eq!(told(&emptied), ["delete bundle oncall", "delete webhook ops"]);
    assert_eq!(house.admin.get("/v1/webhooks").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn what_belongs_to_a_file_is_changed_there_and_a_repo_can_be_closed_by_hand_all_the_same() {
    let house = House::new().await;
    Sidecar::enrol(&house, "edge-1").await.hello(&["sales"]).await;
    let says = json!({"bundles": [bundle("app_ro")], "webhooks": [hook(KEY)], "repos": [repo(true)]});
    apply(&house, says.clone(), "").await.expect(200);
    let id = house.admin.get("/v1/webhooks").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/webhooks/{id}");
    let parts = json!({"parts": [{"repo": "sales", "account": "app_ro"}]});
    for refused in [
        house.admin.put("/v1/bundles/oncall", parts.clone()).await,
        house.admin.delete("/v1/bundles/oncall").await,
        house.admin.patch(&path, json!({"enabled": false})).await,
        house.admin.post(&format!("{path}/rotate"), json!({})).await,
        house.admin.delete(&path).await,
    ] {
        assert_eq!(refused.problem(409), "conflict");
    }
    let close = json!({"ephemeral_access": false, "reason": "a leak"});
    house.admin.patch("/v1/repos/sales", close).await.expect(200);
    assert_eq!(repo_shown(&house).await, (json!(false), json!("rest")));
    let at = house.plane.clock.now().timestamp();
    let by = house.admin.get("/v1/audit?kind=repo.disabled").await.expect(200)["items"][0]["actor"].clone();
    let caution = format!("reopens what was closed by {} at {at}: a leak", by.as_str().unwrap());
    for query in ["", "?dry_run=true"] {
        let refused = apply(&house, says.clone(), query).await;
        assert!(refused.body["detail"].as_str().unwrap().contains(&caution), "{:#}", refused.body);
        assert_eq!(refused.problem(409), "conflict");
    }
    let tried = apply(&house, says.clone(), "?adopt=true&dry_run=true").await.expect(200);
    assert_eq!(tried["changes"][0]["caution"], json!(caution));
    assert_eq!(repo_shown(&house).await.0, json!(false), "no file opens it by the way");
    assert_eq!(told(&apply(&house, says, "?adopt=true").await.expect(200)), ["change repo sales"]);
    let closed = json!({"bundles": [bundle("app_ro")], "webhooks": [hook(KEY)], "repos": [repo(false)]});
    apply(&house, closed, "").await.expect(200);
    let opened = house.admin.patch("/v1/repos/sales", json!({"ephemeral_access": true})).await;
    assert_eq!(opened.problem(409), "conflict");
}

#[tokio::test]
async fn what_makes_no_sense_is_named_and_nothing_of_the_file_is_done() {
    let house = House::new().await;
    for (says, words) in [
        (json!({"repos": [repo(true)]}), "repo `sales`: there is none"),
        (json!({"webhooks": [hook("whsec_c2hvcnQ=")]}), "webhook `ops`: secret:"),
        (json!({"webhooks": [{"name": "ops", "url": "https://a.example"}]}), "webhook `ops`: secret:"),
        (json!({"webhooks": [{"name": "ops", "url": "file:///x", "secret": KEY}]}), "webhook `ops`: url:"),
        (
            json!({"webhooks": [{"name": "o", "url": "https://a.example", "format": "teams", "secret": KEY}]}),
            "URL is the secret",
        ),
        (json!({"bundles": [{"name": "oncall", "parts": []}]}), "bundle `oncall`: parts:"),
        (json!({"bundles": [bundle("a"), bundle("b")]}), "bundle `oncall`: named twice"),
        (json!({"repos": [{"name": "sales"}]}), "ephemeral_access"),
    ] {
        let mut says = says;
        says["rules"] = json!([{"name": "r", "requesters": ["*"], "repos": ["*"], "accounts": ["*"]}]);
        let refused = apply(&house, says, "").await;
        assert!(refused.body["detail"].as_str().unwrap().contains(words), "{:#}", refused.body);
        assert_eq!(refused.problem(422), "invalid");
    }
    assert_eq!(house.admin.get("/v1/rules").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn each_kind_takes_the_permission_of_its_own_routes_also_for_what_goes() {
    let house = House::new().await;
    Sidecar::enrol(&house, "edge-1").await.hello(&["sales"]).await;
    let rule = json!({"name": "r", "requesters": ["*"], "repos": ["*"], "accounts": ["*"]});
    let kinds = [
        (Permission::ModifyPolicies, json!({"file": "f", "rules": [rule]})),
        (Permission::ModifyPolicies, json!({"file": "f", "bundles": [bundle("app_ro")]})),
        (Permission::ModifyIntegrations, json!({"file": "f", "webhooks": [hook(KEY)]})),
        (Permission::ModifySidecarsAndRepositories, json!({"file": "f", "repos": [repo(false)]})),
    ];
    for (number, (needed, says)) in kinds.iter().enumerate() {
        let others: Vec<_> = Permission::ALL.into_iter().filter(|one| one != needed).collect();
        let without = house.client(&format!("without-{number}"), &others).await;
        let with = house.client(&format!("with-{number}"), &[*needed]).await;
        for query in ["", "?dry_run=true"] {
            let refused = without.post(&format!("/v1/apply{query}"), says.clone()).await;
            assert_eq!(refused.problem(403), "missing-permission", "{says}");
        }
        with.post("/v1/apply", says.clone()).await.expect(200);
        let emptied = without.post("/v1/apply", json!({"file": "f"})).await;
        assert_eq!(emptied.problem(403), "missing-permission", "{says}");
        with.post("/v1/apply", json!({"file": "f"})).await.expect(200);
        without.post("/v1/apply", json!({"file": "f"})).await.expect(200);
    }
}

#[tokio::test]
async fn nobody_waits_for_a_file_that_makes_no_sense() {
    let house = House::new().await;
    let rule = |more: Value| {
        let mut rule = json!({"name": "r", "requesters": ["*"], "repos": ["*"], "accounts": ["*"]});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    // Whoever holds this has the store for themselves.
    let alone = house.plane.store.write().await.unwrap();
    for (more, words) in [
        (json!({"reason": {"pattern": "(\\w{1,50}){1,20}"}}), "rule `r`: reason.pattern:"),
        (json!({"auto_approve": "true &&"}), "rule `r`: auto_approve:"),
    ] {
        let refused = apply(&house, json!({"rules": [rule(more)]}), "").await;
        assert!(refused.body["detail"].as_str().unwrap().contains(words), "{:#}", refused.body);
        assert_eq!(refused.problem(422), "invalid");
    }
    drop(alone);
    let usual = json!({"reason": {"pattern": "^[A-Z]{2,10}-[0-9]+: \\w{3,30}"}});
    apply(&house, json!({"rules": [rule(usual)]}), "").await.expect(200);
}

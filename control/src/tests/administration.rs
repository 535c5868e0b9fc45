//! Rules, clients, sidecars, repos, access tokens.

use serde_json::{Value, json};

use super::{House, sidecar::Sidecar};
use crate::{
    actions::{
        Failure,
        apply::{Declaration, Difference, File, apply},
    },
    domain::{Owner, permissions_of},
};

fn rule() -> Value {
    json!({"requesters": ["*"], "repos": ["*"], "accounts": ["*"]})
}

#[tokio::test]
async fn rules_are_made_shown_replaced_and_deleted() {
    let house = House::new().await;
    let mut named = rule();
    named["name"] = json!("open");
    let made = house.admin.post("/v1/rules", named.clone()).await.expect(201);
    assert_eq!((made["max_duration"].as_str(), made["owner"].as_str()), (Some("8h"), Some("rest")));
    assert_eq!(house.admin.post("/v1/rules", named.clone()).await.problem(409), "exists");
    assert_eq!(house.admin.put("/v1/rules/other", named).await.problem(422), "invalid");
    let mut wider = rule();
    wider["max_duration"] = json!("1d");
    assert_eq!(house.admin.put("/v1/rules/open", wider).await.expect(200)["max_duration"], "1d");
    assert_eq!(house.admin.get("/v1/rules/open").await.expect(200)["name"], "open");
    assert_eq!(house.admin.get("/v1/rules").await.expect(200)["items"].as_array().unwrap().len(), 1);
    house.admin.delete("/v1/rules/open").await.expect(204);
    assert_eq!(house.admin.get("/v1/rules/open").await.problem(404), "not-found");
}

#[tokio::test]
async fn a_rule_that_this_version_cannot_keep_is_refused() {
    let house = House::new().await;
    let mut bounded = rule();
    bounded["whole"] = json!(true);
    bounded["limits"] = json!({"max_rows": 5});
    let answer = house.admin.put("/v1/rules/r", bounded).await;
    assert_eq!(answer.body["detail"], "not supported yet: limits beside whole = true");
    assert_eq!(answer.problem(422), "not-supported");
    let mut typo = rule();
    typo["aprovals"] = json!([]);
    let answer = house.admin.put("/v1/rules/r", typo).await;
    assert!(answer.body["detail"].as_str().unwrap().contains("aprovals"));
    assert_eq!(answer.problem(422), "invalid");
}

async fn from_file(house: &House, names: &[&str]) -> Result<Vec<Difference>, Failure> {
    let rule = |name: &&str| {
        let mut rule = rule();
        rule["name"] = json!(name);
        serde_json::from_value(rule).unwrap()
    };
    let rules = names.iter().map(rule).collect();
    let permissions = permissions_of(true);
    let file = File { owner: Owner::file(), actor: "file:rules", permissions: &permissions, adopt: false };
    apply(&house.plane, &file, Declaration { rules, ..Declaration::default() }, false).await
}

#[tokio::test]
async fn the_rules_file_owns_its_rules_and_no_others() {
    let house = House::new().await;
    house.admin.put("/v1/rules/mine", rule()).await.expect(201);
    from_file(&house, &["a", "b"]).await.unwrap();
    from_file(&house, &["b", "c"]).await.unwrap();
    let names = |page: Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(house.admin.get("/v1/rules").await.expect(200)), ["mine", "b", "c"]);
    assert_eq!(house.admin.put("/v1/rules/b", rule()).await.problem(409), "conflict");
    assert_eq!(house.admin.delete("/v1/rules/c").await.problem(409), "conflict");
    let clash = from_file(&house, &["d", "mine"]).await.unwrap_err();
    assert!(clash.to_string().contains("`mine`"), "{clash}");
    assert_eq!(names(house.admin.get("/v1/rules").await.expect(200)), ["mine", "b", "c"]);
    assert!(from_file(&house, &["e", "e"]).await.is_err());
}

#[tokio::test]
async fn an_api_clients_secret_is_shown_once() {
    let house = House::new().await;
    let body = json!({"name": "bot", "permissions": ["access_request"]});
    let made = house.admin.post("/v1/api-clients", body.clone()).await.expect(201);
    assert!(made["client_id"].as_str().unwrap().starts_with("c_"));
    let secret = made["client_secret"].as_str().unwrap();
    assert_eq!(house.admin.post("/v1/api-clients", body).await.problem(409), "exists");
    let list = house.admin.get("/v1/api-clients").await.expect(200);
    assert!(!list.to_string().contains(secret));
    let unknown = json!({"name": "x", "permissions": ["everything"]});
    assert_eq!(house.admin.post("/v1/api-clients", unknown).await.problem(422), "invalid");
    assert_eq!(house.admin.post("/v1/api-clients/c_0/rotate", json!({})).await.problem(404), "not-found");
}

#[tokio::test]
async fn sidecars_and_repos_show_what_was_said_in_hello() {
    let house = House::new().await;
    let (sidecar, feed) = Sidecar::serving(&house, "edge-1", &["sales", "hr"]).await;
    let welcome = sidecar.hello(&["sales", "hr"]).await;
    assert_eq!(welcome["public_url"], "http://postern.example");
    let pulse = json!({"instance": "i-1", "applied": 7, "sessions": 2});
    sidecar.wire.post("/v1/sidecar/pulse", pulse).await.expect(204);
    let shown = house.admin.get("/v1/sidecars/edge-1").await.expect(200);
    assert_eq!((shown["connected"].as_bool(), shown["version"].as_str()), (Some(true), Some("0.1.0")));
    assert_eq!((shown["applied"].as_u64(), shown["sessions"].as_u64()), (Some(7), Some(2)));
    assert_eq!(shown["repos"].as_array().unwrap().len(), 2);
    let repo = house.admin.get("/v1/repos/sales").await.expect(200);
    assert_eq!(
        (repo["engine"].as_str(), repo["listen"].as_str()),
        (Some("postgres"), Some("127.0.0.1:15432"))
    );
    assert_eq!(repo["accounts"], json!(["app_ro", "app_rw"]));
    assert_eq!(repo["ephemeral_access"], true);
    assert_eq!(repo["sidecars"], json!([{"name": "edge-1", "listen": "127.0.0.1:15432", "connected": true}]));
    assert_eq!(house.admin.get("/v1/repos").await.expect(200)["items"].as_array().unwrap().len(), 2);
    drop(feed);
    while house.admin.get("/v1/sidecars/edge-1").await.expect(200)["connected"] == true {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_sidecars_name_is_taken_once_and_makes_sense() {
    let house = House::new().await;
    Sidecar::enrol(&house, "edge-1").await;
    assert_eq!(house.admin.post("/v1/sidecars", json!({"name": "edge-1"})).await.problem(409), "exists");
    for name in ["", "a:b", "a/b", " a", "*"] {
        assert_eq!(
            house.admin.post("/v1/sidecars", json!({"name": name})).await.problem(422),
            "invalid",
            "{name}"
        );
    }
}

#[tokio::test]
async fn access_tokens_have_their_form_and_their_limits() {
    let house = House::new().await;
    let made = house.admin.post("/v1/access-tokens", json!({"for": "new@example.com"})).await.expect(201);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("pst_") && token.len() <= 64, "{}", token.len());
    assert_eq!(made["identity"], "new@example.com");
    assert_eq!(house.admin.get("/v1/identities/new@example.com").await.expect(200)["groups"], json!([]));
    let own = house.admin.post("/v1/access-tokens", json!({"expires_in": "10m"})).await.expect(201);
    assert!(own["identity"].as_str().unwrap().starts_with("client:admin"));
    let too_long = json!({"for": "new@example.com", "expires_in": "1000d"});
    assert_eq!(house.admin.post("/v1/access-tokens", too_long).await.problem(422), "invalid");
    let path = format!("/v1/access-tokens/{}", made["id"].as_str().unwrap());
    house.admin.delete(&path).await.expect(204);
    assert_eq!(house.admin.delete(&path).await.problem(404), "not-found");
    let list = house.admin.get("/v1/access-tokens").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert!(list["items"][0].get("token").is_none());
}

#[tokio::test]
async fn an_api_client_that_is_deleted_loses_what_it_was_granted() {
    let house = House::new().await;
    let open = json!({"requesters": ["client:bot"], "repos": ["*"], "accounts": ["*"], "whole": true,
                      "auto_approve": "true"});
    house.admin.put("/v1/rules/open", open).await.expect(201);
    let bot = house.client("bot", &[crate::domain::Permission::AccessRequest]).await;
    bot.post("/v1/access-tokens", json!({})).await.expect(201);
    let ask = json!({"repo": "sales", "account": "app_ro", "duration": "1h"});
    let request = bot.post("/v1/requests", ask).await.expect(201);
    assert_eq!(
        (request["status"].as_str(), request["grant_state"].as_str()),
        (Some("APPROVED"), Some("ACTIVE"))
    );
    let clients = house.admin.get("/v1/api-clients").await.expect(200);
    let id =
        clients["items"].as_array().unwrap().iter().find(|client| client["name"] == "bot").unwrap()["id"]
            .clone();
    house.admin.delete(&format!("/v1/api-clients/{}", id.as_str().unwrap())).await.expect(204);
    let grant =
        house.admin.get(&format!("/v1/grants/{}", request["grant"].as_str().unwrap())).await.expect(200);
    assert_eq!(grant["state"], "REVOKED");
    assert_eq!(house.admin.get("/v1/access-tokens").await.expect(200)["items"], json!([]));
}

//! People who call: what is theirs, what a rule gives them, and how it ends.

use serde_json::{Value, json};

use super::{Answer, Client, House, answer};
use crate::{
    actions::{
        logins::{self, Proven},
        oauth,
    },
    domain::LoginKind,
    work::Work,
};

/// Somebody who has signed in on the command line.
struct Signed {
    client: Client,
    refresh: String,
}

impl House {
    /// Signs somebody in, as if the SSO provider had named these groups.
    pub(super) async fn person(&self, name: &str, groups: &[&str]) -> Client {
        self.signed(name, groups).await.client
    }

    async fn signed(&self, name: &str, groups: &[&str]) -> Signed {
        let proven = Proven {
            identity: name.to_owned(),
            issued_at: self.plane.clock.now(),
            groups: Some(groups.iter().map(|group| (*group).to_owned()).collect()),
            issuer: "https://idp.example".to_owned(),
            sub: name.to_owned(),
            sid: None,
        };
        let mut work = Work::begin(&self.plane).await.unwrap();
        let login = logins::begin(&mut work, &proven, LoginKind::CommandLine, None).await.unwrap();
        let pair = logins::first_pair(&mut work, &login, &self.plane).await.unwrap();
        work.commit().await.unwrap();
        let client = Client { token: pair.access.reveal().to_owned(), ..self.admin.clone() };
        Signed { client, refresh: pair.refresh.reveal().to_owned() }
    }

    async fn refresh(&self, token: &str) -> Answer {
        let form =
            [("grant_type", "refresh_token"), ("client_id", oauth::COMMAND_LINE), ("refresh_token", token)];
        let request = self.admin.http.post(format!("{}/v1/users/oidc/token", self.url)).form(&form);
        answer(request.send().await.unwrap()).await
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

fn own(duration: &str) -> Value {
    json!({"repo": "sales", "account": "app_ro", "duration": duration, "reason": "OPS-1"})
}

#[tokio::test]
async fn people_ask_for_themselves_and_whom_the_rule_names_decides() {
    let house = House::new().await.with_people().await;
    let alice = house.person("alice@example.com", &[]).await;
    let (bob, dave) =
        (house.person("bob@example.com", &[]).await, house.person("dave@example.com", &[]).await);
    let filed = alice.post("/v1/requests", own("1h")).await.expect(201);
    let path = format!("/v1/requests/{}", filed["id"].as_str().unwrap());
    let reviews = format!("{path}/reviews");
    let yes = json!({"decision": "approve"});
    assert_eq!(alice.post(&reviews, yes.clone()).await.problem(403), "own-request");
    assert_eq!(dave.post(&reviews, yes.clone()).await.problem(403), "not-an-approver");
    assert_eq!(dave.get(&path).await.problem(404), "not-found");
    bob.get(&path).await.expect(200);
    for (client, waiting) in [(&alice, 0), (&bob, 1), (&dave, 0)] {
        let list = client.get("/v1/requests?to_review=true").await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), waiting, "{list}");
    }
    assert_eq!(bob.post(&format!("{path}/cancel"), json!({})).await.problem(404), "not-found");
    let approved = bob.post(&reviews, yes).await.expect(200);
    assert_eq!(approved["reviews"][0]["by"], "bob@example.com");
    let grant = format!("/v1/grants/{}", approved["grant"].as_str().unwrap());
    assert_eq!(bob.get(&grant).await.problem(404), "not-found");
    assert_eq!(dave.post(&format!("{grant}/revoke"), json!({})).await.problem(404), "not-found");
    alice.post(&format!("{grant}/revoke"), json!({"reason": "done"})).await.expect(200);
}

#[tokio::test]
async fn people_see_their_own_and_what_rules_give_them() {
    let house = House::new().await.with_people().await;
    house.granted().await;
    let other =
        json!({"requesters": ["eve@example.com"], "repos": ["vault"], "accounts": ["*"], "whole": true});
    house.admin.put("/v1/rules/other", other).await.expect(201);
    let alice = house.person("alice@example.com", &[]).await;
    let eve = house.person("eve@example.com", &[]).await;
    for list in ["/v1/requests", "/v1/requests?mine=true", "/v1/grants"] {
        assert_eq!(alice.get(list).await.expect(200)["items"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(eve.get(list).await.expect(200)["items"].as_array().unwrap().len(), 0, "{list}");
        let others =
            format!("{list}{}identity=alice@example.com", if list.contains('?') { "&" } else { "?" });
        assert_eq!(eve.get(&others).await.expect(200)["items"].as_array().unwrap().len(), 0, "{others}");
    }
    assert_eq!(names(&alice.get("/v1/rules").await.expect(200)), ["sales"]);
    assert_eq!(names(&eve.get("/v1/rules").await.expect(200)), ["other"]);
    assert_eq!(eve.get("/v1/rules/sales").await.problem(404), "not-found");
    let token = alice.post("/v1/access-tokens", json!({})).await.expect(201);
    assert_eq!(token["identity"], "alice@example.com");
    let revoke = format!("/v1/access-tokens/{}", token["id"].as_str().unwrap());
    assert_eq!(eve.delete(&revoke).await.problem(404), "not-found");
    alice.delete(&revoke).await.expect(204);
    let for_bob = json!({"for": "bob@example.com"});
    assert_eq!(alice.post("/v1/access-tokens", for_bob).await.problem(403), "missing-permission");
    for path in ["/v1/identities", "/v1/audit", "/v1/api-clients", "/v1/sidecars"] {
        assert_eq!(alice.get(path).await.problem(403), "missing-permission", "{path}");
    }
}

#[tokio::test]
async fn a_person_sees_the_repos_of_their_rules_and_no_others() {
    let house = House::new().await.with_people().await;
    let sidecar = super::sidecar::Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales", "vault"]).await;
    let alice = house.person("alice@example.com", &[]).await;
    assert_eq!(names(&alice.get("/v1/repos").await.expect(200)), ["sales"]);
    alice.get("/v1/repos/sales").await.expect(200);
    assert_eq!(alice.get("/v1/repos/vault").await.problem(404), "not-found");
    assert_eq!(alice.get("/v1/repos/vault/resources").await.problem(404), "not-found");
}

#[tokio::test]
async fn an_administrator_may_do_everything_but_decide_on_their_own() {
    let house = House::new().await.with_people().await;
    let root = house.person("root@example.com", &["engineering"]).await;
    let by_group = house.person("carla@example.com", &["admins"]).await;
    by_group.get("/v1/identities").await.expect(200);
    let mine = root.post("/v1/requests", own("1h")).await.expect(201);
    let reviews = |request: &Value| format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    let yes = json!({"decision": "approve"});
    assert_eq!(root.post(&reviews(&mine), yes.clone()).await.problem(403), "own-request");
    let decided = by_group.post(&reviews(&mine), yes).await.expect(200);
    assert_eq!(decided["status"], "APPROVED");
    let me = root.get("/v1/users/me").await.expect(200);
    assert_eq!(me["name"], "root@example.com");
    assert_eq!(me["permissions"].as_array().unwrap().len(), 13);
}

#[tokio::test]
async fn groups_are_those_of_the_last_sign_in_and_those_that_were_given_here() {
    let house = House::new().await.with_people().await;
    let alice = house.person("Alice@Example.com", &["oncall", "bad\ngroup"]).await;
    let me = async |client: &Client| client.get("/v1/users/me").await.expect(200)["groups"].clone();
    assert_eq!(me(&alice).await, json!(["engineering", "oncall"]));
    house.person("alice@example.com", &["dba"]).await;
    assert_eq!(me(&alice).await, json!(["dba", "engineering"]));
    let shown = house.admin.get("/v1/identities/alice@example.com").await.expect(200);
    assert_eq!(shown["groups"], json!(["dba", "engineering"]));
    assert_eq!(shown["groups_from"]["login"], json!(["dba"]));
}

#[tokio::test]
async fn a_persons_refresh_token_is_good_once_and_a_copy_ends_the_login() {
    let house = House::new().await.with_people().await;
    let alice = house.signed("alice@example.com", &[]).await;
    let second = house.refresh(&alice.refresh).await.expect(200);
    let renewed =
        Client { token: second["access_token"].as_str().unwrap().to_owned(), ..alice.client.clone() };
    renewed.get("/v1/users/me").await.expect(200);
    let other = house.signed("alice@example.com", &[]).await;
    assert_eq!(house.refresh(&alice.refresh).await.expect(400)["error"], "invalid_grant");
    renewed.get("/v1/users/me").await.expect(401);
    house.refresh(second["refresh_token"].as_str().unwrap()).await.expect(400);
    other.client.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn a_login_ends_with_its_day_however_often_it_is_renewed() {
    let house = House::new().await.with_people().await;
    let mut refresh = house.signed("alice@example.com", &[]).await.refresh;
    for _ in 0..3 {
        house.clock.advance(std::time::Duration::from_hours(7));
        let pair = house.refresh(&refresh).await.expect(200);
        refresh = pair["refresh_token"].as_str().unwrap().to_owned();
    }
    house.clock.advance(std::time::Duration::from_hours(7));
    house.refresh(&refresh).await.expect(400);
}

#[tokio::test]
async fn whoever_is_deactivated_is_out_at_once_and_cannot_sign_in() {
    let house = House::new().await.with_people().await;
    let alice = house.signed("alice@example.com", &[]).await;
    let path = "/v1/identities/alice@example.com";
    house.admin.put(path, json!({"enabled": false})).await.expect(200);
    alice.client.get("/v1/users/me").await.expect(401);
    house.refresh(&alice.refresh).await.expect(400);
    let proven = Proven {
        identity: "ALICE@example.com".to_owned(),
        issued_at: house.plane.clock.now(),
        groups: None,
        issuer: "https://idp.example".to_owned(),
        sub: "alice".to_owned(),
        sid: None,
    };
    let mut work = Work::begin(&house.plane).await.unwrap();
    assert!(logins::begin(&mut work, &proven, LoginKind::Browser, None).await.is_err());
    drop(work);
    house.admin.put(path, json!({"enabled": true})).await.expect(200);
    alice.client.get("/v1/users/me").await.expect(401);
}

#[tokio::test]
async fn a_persons_refresh_token_needs_no_secret_and_a_clients_does() {
    let house = House::new().await;
    let body = json!({"name": "bot", "permissions": ["access_request"]});
    let made = house.admin.post("/v1/api-clients", body).await.expect(201);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", made["client_id"].as_str().unwrap()),
        ("client_secret", made["client_secret"].as_str().unwrap()),
    ];
    let request = house.admin.http.post(format!("{}/v1/users/oidc/token", house.url)).form(&form);
    let pair = answer(request.send().await.unwrap()).await.expect(200);
    house.refresh(pair["refresh_token"].as_str().unwrap()).await.expect(400);
}

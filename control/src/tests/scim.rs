//! What a directory sees, and what its word does to people. The bodies are those that Okta and Entra send.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Client, House, alices};
use crate::domain::Permission;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A directory with its static token.
struct Directory {
    wire: Client,
}

impl Directory {
    async fn of(house: &House, name: &str) -> Self {
        let made = house.admin.post("/v1/api-clients", json!({"name": name, "scim": true})).await.expect(201);
        assert_eq!((&made["scim"], &made["permissions"]), (&json!(true), &json!(["modify_users"])));
        let token = made["client_secret"].as_str().unwrap().to_owned();
        assert!(token.starts_with("pscim_"));
        Self { wire: Client { token, ..house.admin.clone() } }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.wire.request(method, &format!("/scim/v2{path}"));
        if let Some(body) = body {
            request =
                request.header("Content-Type", "application/scim+json; charset=utf-8").body(body.to_string());
        }
        super::answer(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.expect(200)
    }

    /// What fits a filter.
    async fn find(&self, kind: &str, filter: &str) -> Vec<Value> {
        let query = [("filter", filter)];
        let request = self.wire.request(Method::GET, &format!("/scim/v2/{kind}")).query(&query);
        let list = super::answer(request.send().await.unwrap()).await.expect(200);
        assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
        list["Resources"].as_array().unwrap().clone()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await.expect(201)
    }

    async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.call(Method::PATCH, path, Some(json!({"schemas": [PATCH], "Operations": operations}))).await
    }

    /// A user of this name, as Okta provisions it; its path.
    async fn user(&self, name: &str) -> String {
        let user = self.post("/Users", okta_user(name)).await;
        format!("/Users/{}", user["id"].as_str().unwrap())
    }

    /// A group with these members, by their paths; its path.
    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|path| json!({"value": id(path)})).collect();
        let group =
            self.post("/Groups", json!({"schemas": [GROUP], "displayName": name, "members": members}));
        format!("/Groups/{}", group.await["id"].as_str().unwrap())
    }
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn okta_user(name: &str) -> Value {
    json!({
        "schemas": [USER], "userName": name, "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": name, "type": "work"}], "displayName": "Test User",
        "locale": "en-US", "externalId": format!("00u-{name}"), "groups": [], "password": "1mz050nq", "active": true,
    })
}

#[track_caller]
fn refused(answer: Answer, status: u16, word: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{:#}", answer.body);
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(answer.body["status"], status.to_string());
    assert_eq!(answer.body["scimType"].as_str(), word, "{:#}", answer.body);
    assert!(answer.body["detail"].is_string());
}

async fn identity(house: &House, name: &str) -> Value {
    house.admin.get(&format!("/v1/identities/{name}")).await.expect(200)
}

#[tokio::test]
async fn okta_provisions_a_user_and_shuts_it_out() {
    let house = House::new().await.with_people().await;
    let okta = Directory::of(&house, "okta").await;
    assert!(okta.find("Users", r#"userName eq "Alice@Example.com""#).await.is_empty());
    let user = okta.post("/Users", okta_user("Alice@Example.com")).await;
    assert_eq!((&user["userName"], &user["active"]), (&json!("Alice@Example.com"), &json!(true)));
    assert_eq!(user["meta"]["resourceType"], "User");
    assert!(user.get("password").is_none());
    let path = format!("/Users/{}", user["id"].as_str().unwrap());
    assert_eq!(okta.get(&path).await, user);
    assert_eq!(okta.find("Users", r#"userName eq "alice@example.com""#).await, std::slice::from_ref(&user));
    assert_eq!(okta.find("Users", r#"externalId eq "00u-Alice@Example.com""#).await, [user]);
    let (grant, pending) = (house.granted().await, house.filed().await);
    let token = house.admin.post("/v1/access-tokens", json!({"for": "alice@example.com"})).await.expect(201);
    let answer = okta.patch(&path, json!([{"op": "replace", "value": {"active": false}}])).await;
    assert_eq!(answer.expect(200)["active"], false);
    let alice = identity(&house, "alice@example.com").await;
    assert_eq!((&alice["enabled"], &alice["disabled_by"]), (&json!(false), &json!(["directory"])));
    assert_eq!(alice["source"], "directory");
    assert_eq!(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200)["state"], "REVOKED");
    assert_eq!(house.admin.get(&format!("/v1/requests/{pending}")).await.expect(200)["status"], "CANCELLED");
    let tokens = house.admin.get("/v1/access-tokens").await.expect(200);
    assert!(tokens["items"].as_array().unwrap().iter().all(|left| left["id"] != token["id"]));
    assert_eq!(house.admin.post("/v1/requests", alices("1h")).await.problem(403), "identity-disabled");
    let back = house.admin.put("/v1/identities/alice@example.com", json!({"enabled": true})).await;
    assert_eq!(back.problem(409), "conflict");
    okta.patch(&path, json!([{"op": "replace", "value": {"active": true}}])).await.expect(200);
    assert_eq!(identity(&house, "alice@example.com").await["enabled"], true);
    assert_eq!(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200)["state"], "REVOKED");
    house.admin.post("/v1/requests", alices("1h")).await.expect(201);
}

#[tokio::test]
async fn entra_provisions_a_user_changes_it_and_shuts_it_out() {
    let house = House::new().await;
    let entra = Directory::of(&house, "entra").await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let user = json!({
        "schemas": [USER, enterprise], "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "userName": "bob@example.com",
        "active": true, "emails": [{"primary": true, "type": "work", "value": "bob@example.com"}],
        "meta": {"resourceType": "User"}, "name": {"formatted": "Bob B", "familyName": "B", "givenName": "Bob"}, "roles": [],
        enterprise: {"department": "IT"},
    });
    let path = format!("/Users/{}", entra.post("/Users", user).await["id"].as_str().unwrap());
    let operations = json!([
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "robert@example.com"},
        {"op": "Replace", "path": "name.familyName", "value": "Builder"},
        {"op": "Add", "path": format!("{enterprise}:manager"), "value": "u_boss"},
    ]);
    let user = entra.patch(&path, operations).await.expect(200);
    assert_eq!(user["emails"][0]["value"], "robert@example.com");
    assert_eq!(user["name"]["familyName"], "Builder");
    assert_eq!(user[enterprise], json!({"department": "IT", "manager": {"value": "u_boss"}}));
    assert_eq!(user["schemas"], json!([USER, enterprise]));
    let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(entra.patch(&path, off).await.expect(200)["active"], false);
    assert_eq!(identity(&house, "bob@example.com").await["enabled"], false);
    assert_eq!(entra.find("Users", r#"active eq false and userName eq "bob@example.com""#).await.len(), 1);
    entra.call(Method::DELETE, &path, None).await.expect(204);
    refused(entra.call(Method::GET, &path, None).await, 404, None);
    refused(entra.call(Method::DELETE, &path, None).await, 404, None);
}

#[tokio::test]
async fn groups_of_the_directory_are_groups_of_the_rules() {
    let house = House::new().await.with_people().await;
    let entra = Directory::of(&house, "entra").await;
    let (erin, frank) = (entra.user("erin@example.com").await, entra.user("frank@example.com").await);
    let group = entra.group("dba", &[]).await;
    assert_eq!(entra.find("Groups", r#"displayName eq "DBA""#).await.len(), 1);
    let request = house.filed().await;
    let approve = async |by: &str| {
        let review = json!({"decision": "approve", "by": format!("{by}@example.com")});
        house.admin.post(&format!("/v1/requests/{request}/reviews"), review).await
    };
    assert_eq!(approve("erin").await.problem(403), "not-an-approver");
    let both = json!([{"value": id(&erin)}, {"value": id(&frank)}]);
    entra.patch(&group, json!([{"op": "Add", "path": "members", "value": both}])).await.expect(204);
    assert_eq!(identity(&house, "erin@example.com").await["groups"], json!(["dba"]));
    let shown = entra.get(&erin).await;
    assert_eq!(
        (&shown["groups"][0]["value"], &shown["groups"][0]["display"]),
        (&json!(id(&group)), &json!("dba"))
    );
    let out = json!([{"op": "Remove", "path": "members", "value": [{"value": id(&frank)}]}]);
    entra.patch(&group, out).await.expect(204);
    assert_eq!(approve("frank").await.problem(403), "not-an-approver");
    let rename = json!([{"op": "replace", "value": {"id": id(&group), "displayName": "databases"}}]);
    let named = format!("{group}?attributes=displayName");
    assert_eq!(entra.patch(&named, rename).await.expect(200)["displayName"], "databases");
    assert_eq!(identity(&house, "erin@example.com").await["groups"], json!(["databases"]));
    assert_eq!(approve("erin").await.problem(403), "not-an-approver");
    entra.patch(&group, json!([{"op": "Replace", "path": "displayName", "value": "dba"}])).await.expect(204);
    assert_eq!(approve("erin").await.expect(200)["status"], "APPROVED");
    let members = entra.get(&group).await["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1);
    assert_eq!(members[0]["value"], id(&erin));
    assert!(entra.get(&format!("{group}?excludedAttributes=members")).await.get("members").is_none());
    entra.call(Method::DELETE, &group, None).await.expect(204);
    assert_eq!(identity(&house, "erin@example.com").await["groups"], json!([]));
}

#[tokio::test]
async fn groups_of_administrator_and_directory_add_up() {
    let house = House::new().await.with_people().await;
    let okta = Directory::of(&house, "okta").await;
    let bob = okta.user("bob@example.com").await;
    okta.group("oncall", &[&bob]).await;
    let known = identity(&house, "bob@example.com").await;
    assert_eq!(known["groups"], json!(["dba", "oncall"]));
    let from = json!({"administrator": ["dba"], "directory": ["oncall"], "login": []});
    assert_eq!(known["groups_from"], from);
    house.admin.put("/v1/identities/bob@example.com", json!({"groups": []})).await.expect(200);
    assert_eq!(identity(&house, "bob@example.com").await["groups"], json!(["oncall"]));
}

#[tokio::test]
async fn a_renamed_user_takes_nothing_along_and_inherits_nothing() {
    let house = House::new().await.with_people().await;
    let okta = Directory::of(&house, "okta").await;
    let (alice, bob) = (okta.user("alice@example.com").await, okta.user("bob@example.com").await);
    okta.group("oncall", &[&bob]).await;
    let grant = house.granted().await;
    let rename = |name: &str| json!([{"op": "Replace", "path": "userName", "value": name}]);
    refused(okta.patch(&bob, rename("Alice@example.com")).await, 409, Some("uniqueness"));
    okta.patch(&alice, rename("alice.smith@example.com")).await.expect(200);
    assert_eq!(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200)["state"], "REVOKED");
    assert_eq!(identity(&house, "alice@example.com").await["enabled"], false);
    // Somebody else gets the name, and what an administrator said of the one before is not said of this one.
    okta.patch(&bob, rename("alice@example.com")).await.expect(200);
    let heir = identity(&house, "alice@example.com").await;
    assert_eq!((&heir["enabled"], &heir["groups"]), (&json!(true), &json!(["oncall"])));
    assert_eq!(
        house.admin.get("/v1/grants?identity=alice@example.com&state=ACTIVE").await.expect(200)["items"],
        json!([])
    );
    assert_eq!(identity(&house, "bob@example.com").await["enabled"], false);
}

#[tokio::test]
async fn a_new_name_is_no_way_past_an_administrator() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    let path = okta.user("mallory@example.com").await;
    house.admin.put("/v1/identities/mallory@example.com", json!({"enabled": false})).await.expect(200);
    let rename = json!([{"op": "replace", "value": {"userName": "m@example.com"}}]);
    okta.patch(&path, rename).await.expect(200);
    assert_eq!(identity(&house, "m@example.com").await["disabled_by"], json!(["administrator"]));
    house.admin.put("/v1/identities/m@example.com", json!({"enabled": true})).await.expect(200);
}

#[tokio::test]
async fn a_name_that_others_left_grants_behind_under_comes_without_them() {
    let house = House::new().await.with_people().await;
    let okta = Directory::of(&house, "okta").await;
    let grant = house.granted().await;
    let carol = okta.user("carol@example.com").await;
    let operation = json!([{"op": "replace", "value": {"userName": "alice@example.com"}}]);
    okta.patch(&carol, operation).await.expect(200);
    assert_eq!(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200)["state"], "REVOKED");
    assert_eq!(identity(&house, "alice@example.com").await["groups"], json!([]));
}

#[tokio::test]
async fn an_approval_of_somebody_who_was_shut_out_or_left_the_group_does_not_count() {
    let house = House::new().await.with_people().await;
    let okta = Directory::of(&house, "okta").await;
    let two = json!({
        "requesters": ["*"], "repos": ["*"], "accounts": ["*"], "whole": true, "priority": 5,
        "approvals": [{"from": ["group:approvers"], "count": 2}],
    });
    house.admin.put("/v1/rules/two", two).await.expect(201);
    let mut people = Vec::new();
    for name in ["p1", "p2", "p3", "p4"] {
        people.push(okta.user(&format!("{name}@example.com")).await);
    }
    let members: Vec<&str> = people.iter().map(String::as_str).collect();
    let group = okta.group("approvers", &members).await;
    let request = house.filed().await;
    let approve = async |by: &str| {
        let review = json!({"decision": "approve", "by": format!("{by}@example.com")});
        house.admin.post(&format!("/v1/requests/{request}/reviews"), review).await.expect(200)["status"]
            .clone()
    };
    assert_eq!(approve("p1").await, "PENDING");
    okta.patch(&people[0], json!([{"op": "Replace", "path": "active", "value": "False"}])).await.expect(200);
    assert_eq!(approve("p2").await, "PENDING");
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(&people[1]))}]);
    okta.patch(&group, out).await.expect(204);
    assert_eq!(approve("p3").await, "PENDING");
    assert_eq!(approve("p4").await, "APPROVED");
}

#[tokio::test]
async fn whoever_leaves_the_requesters_keeps_the_grant_and_the_trail_says_so() {
    let house = House::new().await.with_people().await;
    let grant = house.granted().await;
    house.admin.put("/v1/identities/alice@example.com", json!({"groups": ["sales"]})).await.expect(200);
    assert_eq!(house.admin.get(&format!("/v1/grants/{grant}")).await.expect(200)["state"], "ACTIVE");
    let trail = house.admin.get("/v1/audit?kind=grant.unfounded").await.expect(200);
    let told: Vec<&Value> = trail["items"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 1, "{trail:#}");
    assert_eq!((&told[0]["grant"], &told[0]["identity"]), (&json!(grant), &json!("alice@example.com")));
    let unfounded = async || {
        let list = house.admin.get("/v1/grants?unfounded=true").await.expect(200);
        list["items"].as_array().unwrap().iter().map(|grant| grant["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(unfounded().await, [json!(grant)]);
    house.admin.put("/v1/identities/alice@example.com", json!({"groups": ["engineering"]})).await.expect(200);
    assert_eq!(unfounded().await, [] as [Value; 0]);
    house.admin.delete("/v1/rules/sales").await.expect(204);
    assert_eq!(unfounded().await, [json!(grant)]);
}

#[tokio::test]
async fn an_administrators_word_outlasts_what_the_directory_repeats() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    let path = okta.user("alice@example.com").await;
    house.admin.put("/v1/identities/alice@example.com", json!({"enabled": false})).await.expect(200);
    let mut again = okta_user("alice@example.com");
    again["title"] = json!("DBA");
    okta.call(Method::PUT, &path, Some(again)).await.expect(200);
    assert_eq!(identity(&house, "alice@example.com").await["enabled"], false);
    for active in [false, true] {
        okta.patch(&path, json!([{"op": "replace", "value": {"active": active}}])).await.expect(200);
    }
    assert_eq!(identity(&house, "alice@example.com").await["enabled"], false);
    house.admin.put("/v1/identities/alice@example.com", json!({"enabled": true})).await.expect(200);
}

#[tokio::test]
async fn a_user_that_comes_back_begins_with_nothing() {
    let house = House::new().await.with_people().await;
    let okta = Directory::of(&house, "okta").await;
    let path = okta.user("alice@example.com").await;
    okta.call(Method::DELETE, &path, None).await.expect(204);
    assert_eq!(identity(&house, "alice@example.com").await["enabled"], false);
    let again = okta.user("alice@example.com").await;
    assert_ne!(path, again);
    let alice = identity(&house, "alice@example.com").await;
    assert_eq!((&alice["enabled"], &alice["groups"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_user_is_replaced_as_a_whole_and_only_in_the_version_that_is_known() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    let path = okta.user("alice@example.com").await;
    let put = async |tag: &str, body: Value| {
        let request = okta.wire.request(Method::PUT, &format!("/scim/v2{path}")).header("If-Match", tag);
        request.json(&body).send().await.unwrap()
    };
    let small = json!({"schemas": [USER], "userName": "alice@example.com"});
    let answer = put("W/\"1\"", small.clone()).await;
    assert_eq!((answer.status(), answer.headers()["etag"].to_str().unwrap()), (StatusCode::OK, "W/\"2\""));
    assert_eq!(answer.headers()["content-type"], "application/scim+json");
    let user = okta.get(&path).await;
    assert!(user.get("name").is_none() && user.get("externalId").is_none());
    refused(super::answer(put("W/\"1\"", small.clone()).await).await, 412, None);
    assert_eq!(put("*", small).await.headers()["etag"], "W/\"2\"");
    let known = okta.wire.request(Method::GET, &format!("/scim/v2{path}")).header("If-None-Match", "W/\"2\"");
    assert_eq!(known.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    refused(
        okta.call(Method::PUT, &path, Some(json!({"displayName": "x"}))).await,
        400,
        Some("invalidValue"),
    );
}

#[tokio::test]
async fn lists_come_in_pages_filtered_and_sorted() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    for name in ["c", "a", "e", "b", "d"] {
        okta.user(&format!("{name}@example.com")).await;
    }
    let names = async |query: &str| {
        let list = okta.get(&format!("/Users?{query}")).await;
        let names =
            list["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap());
        let short: String = names.filter_map(|name| name.chars().next()).collect();
        (short, list["totalResults"].as_u64().unwrap(), list["startIndex"].as_u64().unwrap())
    };
    assert_eq!(names("").await, ("caebd".to_owned(), 5, 1));
    assert_eq!(names("sortBy=userName&startIndex=2&count=2").await, ("bc".to_owned(), 5, 2));
    assert_eq!(names("sortBy=emails&sortOrder=descending&count=3").await, ("edc".to_owned(), 5, 1));
    assert_eq!(names("startIndex=-3&count=-1").await, (String::new(), 5, 1));
    assert_eq!(names("startIndex=9").await, (String::new(), 5, 9));
    assert_eq!(names("filter=userName%20gt%20%22c%22&sortBy=username").await, ("cde".to_owned(), 3, 1));
    let few = okta.get("/Users?attributes=userName&count=1").await["Resources"][0].clone();
    let fields: Vec<&String> = few.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["id", "schemas", "userName"]);
    let answer = okta.call(Method::GET, "/Users?filter=userName%20is%20%22c%22", None).await;
    refused(answer, 400, Some("invalidFilter"));
    refused(okta.call(Method::GET, "/Users?count=many", None).await, 400, Some("invalidValue"));
}

#[tokio::test]
async fn names_are_unique_and_members_are_users() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    let alice = okta.user("alice@example.com").await;
    let again = okta.call(Method::POST, "/Users", Some(okta_user("ALICE@example.com"))).await;
    refused(again, 409, Some("uniqueness"));
    let same = json!({"userName": "alice", "emails": [{"value": "alice@example.com"}]});
    refused(okta.call(Method::POST, "/Users", Some(same)).await, 409, Some("uniqueness"));
    refused(
        okta.call(Method::POST, "/Users", Some(json!({"userName": "client:x"}))).await,
        400,
        Some("invalidValue"),
    );
    let group = okta.group("dba", &[&alice]).await;
    let twin = json!({"displayName": "DBA"});
    refused(okta.call(Method::POST, "/Groups", Some(twin)).await, 409, Some("uniqueness"));
    for member in
        [json!({"value": "u_nobody"}), json!({"value": id(&group), "type": "Group"}), json!({"display": "x"})]
    {
        let operation = json!([{"op": "add", "path": "members", "value": [member]}]);
        refused(okta.patch(&group, operation).await, 400, Some("invalidValue"));
    }
    assert_eq!(okta.get(&group).await["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_directorys_token_opens_scim_and_nothing_else() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    assert_eq!(okta.wire.get("/v1/identities").await.problem(401), "unauthenticated");
    assert_eq!(okta.wire.get("/v1/api-clients").await.problem(401), "unauthenticated");
    let clients = house.admin.get("/v1/api-clients").await.expect(200);
    let client = clients["items"].as_array().unwrap().iter().find(|client| client["name"] == "okta").unwrap();
    let id = client["id"].as_str().unwrap();
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", &okta.wire.token)];
    let sent = house.admin.http.post(format!("{}/v1/users/oidc/token", house.url)).form(&form).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::UNAUTHORIZED);
    let rotate = format!("/v1/api-clients/{id}/rotate");
    let new = house.admin.post(&rotate, json!({"grace": "2m"})).await.expect(200);
    let renewed = Client { token: new["client_secret"].as_str().unwrap().to_owned(), ..house.admin.clone() };
    for token in [&okta.wire, &renewed] {
        token.get("/scim/v2/Users").await.expect(200);
    }
    house.clock.advance(std::time::Duration::from_mins(2));
    refused(okta.wire.get("/scim/v2/Users").await, 401, None);
    renewed.get("/scim/v2/Users").await.expect(200);
    house.admin.delete(&format!("/v1/api-clients/{id}")).await.expect(204);
    refused(renewed.get("/scim/v2/Users").await, 401, None);
    let mixed = json!({"name": "x", "scim": true, "permissions": ["view_audit_logs"]});
    assert_eq!(house.admin.post("/v1/api-clients", mixed).await.problem(422), "invalid");
}

#[tokio::test]
async fn a_directory_finds_out_what_there_is() {
    let house = House::new().await;
    let okta = Directory::of(&house, "okta").await;
    let config = okta.get("/ServiceProviderConfig").await;
    assert_eq!((&config["patch"]["supported"], &config["bulk"]["supported"]), (&json!(true), &json!(false)));
    assert_eq!(okta.get("/ResourceTypes").await["totalResults"], 2);
    assert_eq!(okta.get("/ResourceTypes/User").await["schema"], USER);
    assert_eq!(okta.get("/Schemas").await["totalResults"], 3);
    let schema = okta.get(&format!("/Schemas/{USER}")).await;
    let name =
        schema["attributes"].as_array().unwrap().iter().find(|entry| entry["name"] == "userName").unwrap();
    assert_eq!((&name["uniqueness"], &name["required"]), (&json!("server"), &json!(true)));
    refused(okta.call(Method::GET, "/Schemas/urn:x", None).await, 404, None);
    refused(okta.call(Method::POST, "/Bulk", Some(json!({}))).await, 404, None);
    refused(okta.call(Method::DELETE, "/Users", None).await, 405, None);
    let plain =
        okta.wire.request(Method::POST, "/scim/v2/Users").header("Content-Type", "text/plain").body("{}");
    refused(super::answer(plain.send().await.unwrap()).await, 415, None);
}

#[tokio::test]
async fn without_modify_roles_only_a_directory_makes_administrators() {
    let house = House::new().await;
    let users = house.client("users", &[Permission::ModifyUsers]).await;
    let path = "/v1/identities/mallory@example.com";
    assert_eq!(users.put(path, json!({"groups": ["admins"]})).await.problem(403), "forbidden");
    users.put(path, json!({"groups": ["dba"]})).await.expect(200);
    users.post("/v1/api-clients", json!({"name": "entra", "scim": true})).await.problem(403);
    let user = |name: &str| json!({"schemas": [USER], "userName": name});
    let carol = users.post("/scim/v2/Users", user("carol@example.com")).await.expect(201);
    let member = json!([{"value": carol["id"]}]);
    let group = |name: &str| json!({"schemas": [GROUP], "displayName": name, "members": member});
    users.post("/scim/v2/Groups", group("admins")).await.expect(403);
    let ops = users.post("/scim/v2/Groups", group("ops")).await.expect(201);
    users.put(&format!("/scim/v2/Groups/{}", ops["id"].as_str().unwrap()), group("admins")).await.expect(403);
    Directory::of(&house, "okta").await.post("/Groups", group("admins")).await;
    let carols = format!("/scim/v2/Users/{}", carol["id"].as_str().unwrap());
    users.put(&carols, user("mallory@example.com")).await.expect(403);
}

//! Every route with every permission, from the one table.

use axum::http::Method;
use serde_json::json;

use super::House;
use crate::{
    api::{Access, operations},
    domain::Permission::{
        self, AccessManagement, AccessManagementProxyManage, AccessManagementProxyRequest, AccessRequest,
        ModifyPolicies, ModifySidecarsAndRepositories, ModifyUsers, ViewAuditLogs,
        ViewSidecarsAndRepositories,
    },
};

/// What the contract says of each call: who may make it. Calls that it does not list say so themselves.
const CONTRACT: &[(&str, &str, &[Permission])] = &[
    ("GET", "/v1/sidecars", SEE),
    ("GET", "/v1/sidecars/{name}", SEE),
    ("POST", "/v1/sidecars", SIDECARS),
    ("DELETE", "/v1/sidecars/{name}", SIDECARS),
    ("GET", "/v1/repos", SEE),
    ("GET", "/v1/repos/{name}", SEE),
    ("PATCH", "/v1/repos/{name}", SIDECARS),
    ("GET", "/v1/rules", POLICIES),
    ("POST", "/v1/rules", POLICIES),
    ("GET", "/v1/rules/{name}", POLICIES),
    ("PUT", "/v1/rules/{name}", POLICIES),
    ("DELETE", "/v1/rules/{name}", POLICIES),
    ("POST", "/v1/requests", &[AccessRequest, AccessManagementProxyRequest]),
    ("GET", "/v1/requests", OWN),
    ("GET", "/v1/requests/{id}", OWN),
    ("PATCH", "/v1/requests/{id}", OWN),
    ("POST", "/v1/requests/{id}/cancel", OWN),
    ("POST", "/v1/requests/{id}/again", &[AccessRequest, AccessManagementProxyRequest]),
    ("POST", "/v1/requests/{id}/reviews", &[AccessManagement, AccessManagementProxyManage]),
    ("GET", "/v1/grants", OWN),
    ("GET", "/v1/grants/{id}", OWN),
    ("POST", "/v1/grants/{id}/revoke", OWN),
    ("PATCH", "/v1/grants/{id}", &[AccessManagement]),
    ("GET", "/v1/sessions", &[AccessManagement]),
    ("POST", "/v1/sessions/{id}/kill", &[AccessManagement]),
    ("POST", "/v1/access-tokens", &[AccessRequest, AccessManagementProxyRequest]),
    ("GET", "/v1/audit", &[ViewAuditLogs]),
    ("GET", "/v1/api-clients", USERS),
    ("POST", "/v1/api-clients", USERS),
    ("POST", "/v1/api-clients/{id}/rotate", USERS),
    ("DELETE", "/v1/api-clients/{id}", USERS),
    ("GET", "/scim/v2/Users", USERS),
    ("POST", "/scim/v2/Users", USERS),
    ("GET", "/scim/v2/Users/{id}", USERS),
    ("PUT", "/scim/v2/Users/{id}", USERS),
    ("PATCH", "/scim/v2/Users/{id}", USERS),
    ("DELETE", "/scim/v2/Users/{id}", USERS),
    ("GET", "/scim/v2/Groups", USERS),
    ("POST", "/scim/v2/Groups", USERS),
    ("GET", "/scim/v2/Groups/{id}", USERS),
    ("PUT", "/scim/v2/Groups/{id}", USERS),
    ("PATCH", "/scim/v2/Groups/{id}", USERS),
    ("DELETE", "/scim/v2/Groups/{id}", USERS),
];

/// Whose own things they are is asked behind the route.
const OWN: &[Permission] = &[AccessRequest, AccessManagementProxyRequest, AccessManagement];
const SEE: &[Permission] = &[ViewSidecarsAndRepositories, ModifySidecarsAndRepositories];
const SIDECARS: &[Permission] = &[ModifySidecarsAndRepositories];
const POLICIES: &[Permission] = &[ModifyPolicies];
const USERS: &[Permission] = &[ModifyUsers];

fn path(pattern: &str) -> String {
    pattern.replace("{id}", "x_0").replace("{name}", "nobody")
}

/// The calls that the OpenAPI document describes for clients, and who may make each.
async fn calls(house: &House) -> Vec<(Method, String, Vec<Permission>)> {
    let document = house.admin.get("/openapi.json").await.expect(200);
    let mut calls = Vec::new();
    for operation in operations() {
        let Access::Client(any) = operation.rule.access else { continue };
        let (method, path) = (operation.method.as_str(), operation.path);
        let described = &document["paths"][path][method.to_lowercase()];
        assert!(described["security"][0]["client"].is_array(), "{method} {path}");
        let line = CONTRACT.iter().find(|line| (line.0, line.1) == (method, path));
        calls.push((operation.method, path.to_owned(), line.map_or(any, |line| line.2).to_vec()));
    }
    for (method, path, _) in CONTRACT {
        assert!(calls.iter().any(|call| call.0.as_str() == *method && call.1 == *path), "{method} {path}");
    }
    calls
}

#[tokio::test]
async fn a_route_opens_for_its_permissions_and_for_no_other() {
    let house = House::new().await;
    let mut clients = vec![(None, house.client("none", &[]).await)];
    for permission in Permission::ALL {
        clients.push((Some(permission), house.client(permission.as_str(), &[permission]).await));
    }
    for (method, pattern, any) in calls(&house).await {
        for (permission, client) in &clients {
            let path = path(&pattern);
            let mut request = client.request(method.clone(), &path);
            if ![Method::GET, Method::DELETE].contains(&method) {
                // A body that is nowhere valid: whoever is let in gets another error.
                request = request.json(&json!({"no such field": true}));
            }
            // What is answered may be a stream without an end; the status says enough.
            let status = request.send().await.unwrap().status();
            let may = permission.is_some_and(|permission| any.contains(&permission));
            assert!(!status.is_server_error(), "{method} {path} {permission:?}: {status}");
            assert_eq!(may, status != 403, "{method} {path} {permission:?}: {status}");
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_but_the_public_routes_answers() {
    let house = House::new().await;
    for operation in operations() {
        let public = operation.rule.access == Access::Public;
        for token in ["", "wrong"] {
            let url = format!("{}{}", house.url, path(operation.path));
            let mut request = house.admin.http.request(operation.method.clone(), url);
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            let answer = super::answer(request.send().await.unwrap()).await;
            assert!(public || answer.status == 401, "{} {answer:?}", operation.path);
        }
    }
}

#[tokio::test]
async fn a_client_is_no_sidecar_and_a_sidecar_no_client() {
    let house = House::new().await;
    let sidecar = super::sidecar::Sidecar::enrol(&house, "edge-1").await;
    assert_eq!(sidecar.wire.get("/v1/requests").await.problem(401), "unauthenticated");
    assert_eq!(house.admin.post("/v1/sidecar/pulse", json!({})).await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn nobody_gets_hold_of_permissions_that_they_lack_by_way_of_a_client() {
    let house = House::new().await;
    let made =
        house.admin.post("/v1/api-clients", json!({"name": "strong", "permissions": ["access_management"]}));
    let strong = format!("/v1/api-clients/{}", made.await.expect(201)["id"].as_str().unwrap());
    let users = house.client("users", &[ModifyUsers, ViewAuditLogs]).await;
    let roles = house.client("roles", &[ModifyUsers, Permission::ModifyRoles]).await;
    let all = |name: &str| json!({"name": name, "permissions": Permission::ALL});
    assert_eq!(users.post("/v1/api-clients", all("x")).await.problem(403), "forbidden");
    assert_eq!(users.post(&format!("{strong}/rotate"), json!({})).await.problem(403), "forbidden");
    assert_eq!(users.delete(&strong).await.problem(403), "forbidden");
    let own = json!({"name": "y", "permissions": ["modify_users", "view_audit_logs"]});
    let own = users.post("/v1/api-clients", own).await.expect(201);
    let own = format!("/v1/api-clients/{}", own["id"].as_str().unwrap());
    users.post(&format!("{own}/rotate"), json!({})).await.expect(200);
    users.delete(&own).await.expect(204);
    roles.post("/v1/api-clients", all("z")).await.expect(201);
    roles.post(&format!("{strong}/rotate"), json!({})).await.expect(200);
    roles.delete(&strong).await.expect(204);
}

//! Every route with every permission, from the one table.

use axum::http::Method;
use serde_json::json;

use super::House;
use crate::{
    api::{Access, operations},
    domain::Permission,
};

fn path(pattern: &str) -> String {
    pattern.replace("{id}", "x_0").replace("{name}", "nobody")
}

#[tokio::test]
async fn a_route_opens_for_its_permissions_and_for_no_other() {
    let house = House::new().await;
    let mut clients = Vec::new();
    for permission in Permission::ALL {
        clients.push((permission, house.client(permission.as_str(), &[permission]).await));
    }
    for operation in operations() {
        let Access::Client(any) = operation.rule.access else { continue };
        for (permission, client) in &clients {
            let (method, path) = (operation.method.clone(), path(operation.path));
            // A body that is nowhere valid: whoever is let in gets another error.
            let body = json!({"no such field": true});
            let answer = match method {
                // Nor is such a place in a list: a stream that opened would not end.
                Method::GET => client.get(&format!("{path}?after=none")).await,
                Method::DELETE => client.delete(&path).await,
                other => client.send(other, &path, body).await,
            };
            let refused = answer.body["type"] == "missing-permission";
            assert_eq!(refused, answer.status == 403, "{} {path} {permission}: {answer:?}", operation.method);
            assert_eq!(
                !refused,
                any.contains(permission),
                "{} {path} {permission}: {answer:?}",
                operation.method
            );
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
            if !public {
                assert_eq!(answer.problem(401), "unauthenticated", "{}", operation.path);
            }
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
    let users = house.client("users", &[Permission::ModifyUsers, Permission::ViewAuditLogs]).await;
    let roles = house.client("roles", &[Permission::ModifyUsers, Permission::ModifyRoles]).await;
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

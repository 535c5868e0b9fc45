//! The surface as a whole: the OpenAPI document, errors, idempotency.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Client, House, alices, answer};
use crate::api::operations;

#[tokio::test]
async fn the_document_describes_every_route_and_nothing_else() {
    let house = House::new().await;
    let document = house.admin.get("/openapi.json").await.expect(200);
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            described.insert(format!("{} {path}", method.to_uppercase()));
            assert!(!operation["responses"].as_object().unwrap().is_empty(), "{method} {path}");
            assert!(operation["summary"].is_string());
        }
    }
    let served: BTreeSet<String> =
        operations().iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
    assert_eq!(described, served);
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let house = House::new().await;
    let document = house.admin.get("/openapi.json").await.expect(200);
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.contains(&"#/components/schemas/Problem"));
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_wrong_way_in_is_answered_with_a_problem() {
    let house = House::new().await;
    assert_eq!(house.admin.get("/v1/nothing").await.problem(404), "not-found");
    assert_eq!(house.admin.delete("/v1/requests").await.problem(405), "method-not-allowed");
    let send = async |media: &str, body: String| {
        let request = house.admin.request(Method::POST, "/v1/rules").header("Content-Type", media).body(body);
        answer(request.send().await.unwrap()).await
    };
    assert_eq!(send("text/plain", "{}".to_owned()).await.problem(415), "media-type");
    assert_eq!(send("application/json", "{".to_owned()).await.problem(400), "malformed");
    assert_eq!(send("application/json", "[]".to_owned()).await.problem(422), "invalid");
    assert_eq!(send("application/json", " ".repeat((1 << 20) + 1)).await.problem(413), "too-large");
    let problem = house.admin.request(Method::GET, "/v1/nothing").send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
}

async fn keyed(client: &Client, key: &str, path: &str, body: Value) -> Answer {
    let request = client.request(Method::POST, path).header("Idempotency-Key", key).json(&body);
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_write_that_is_sent_twice_is_done_once() {
    let house = House::new().await.with_people().await;
    let first = keyed(&house.admin, "k1", "/v1/requests", alices("1h")).await.expect(201);
    let second = keyed(&house.admin, "k1", "/v1/requests", alices("1h")).await.expect(201);
    assert_eq!(first, second);
    assert_eq!(house.admin.get("/v1/requests").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let other = keyed(&house.admin, "k1", "/v1/requests", alices("2h")).await;
    assert_eq!(other.problem(422), "idempotency-key-reused");
    let somebody = house.client("somebody", &crate::domain::Permission::ALL).await;
    assert_ne!(keyed(&somebody, "k1", "/v1/requests", alices("1h")).await.expect(201)["id"], first["id"]);
    let refused = keyed(&house.admin, "k2", "/v1/requests", alices("9h")).await.problem(403);
    assert_eq!(keyed(&house.admin, "k2", "/v1/requests", alices("9h")).await.problem(403), refused);
}

#[tokio::test]
async fn writes_at_once_with_one_key_are_one_write() {
    let house = House::new().await.with_people().await;
    let calls = (0..8).map(|_| keyed(&house.admin, "k", "/v1/requests", alices("1h")));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status.as_u16())), "{answers:?}");
    assert_eq!(house.admin.get("/v1/requests").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_secret_is_not_kept_for_a_repetition() {
    let house = House::new().await.with_people().await;
    let body = json!({"for": "alice@example.com"});
    keyed(&house.admin, "k", "/v1/access-tokens", body.clone()).await.expect(201);
    assert_eq!(
        keyed(&house.admin, "k", "/v1/access-tokens", body).await.problem(409),
        "idempotency-key-in-use"
    );
    assert_eq!(house.admin.get("/v1/access-tokens").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

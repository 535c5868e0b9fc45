//! The stream of events.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Client, House, alices, answer};
use crate::{domain::Permission, work::Work};

/// An open stream of events.
struct Reader {
    bytes: std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<Vec<u8>>> + Send>>,
    text: String,
}

impl Reader {
    async fn open(client: &Client, path: &str, last: Option<&str>) -> Self {
        let mut request = client.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()));
        Self { bytes: Box::pin(bytes), text: String::new() }
    }

    /// The next event, beats aside; nothing when the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with(':') {
                    continue;
                }
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
                };
                let value: Value = serde_json::from_str(field("data")).unwrap();
                assert_eq!(
                    (value["id"].as_str(), value["type"].as_str()),
                    (Some(field("id")), Some(field("event")))
                );
                return Some(value);
            }
            let chunk = timeout(Duration::from_secs(10), self.bytes.next()).await.unwrap()?.ok()?;
            self.text.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    async fn kinds(&mut self, count: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            kinds.push(self.next().await.unwrap()["type"].as_str().unwrap().to_owned());
        }
        kinds
    }
}

#[tokio::test]
async fn whoever_follows_hears_of_a_request_its_decision_and_its_grant() {
    let house = House::new().await.with_people().await;
    let mut reader = Reader::open(&house.admin, "/v1/events", None).await;
    let grant = house.granted().await;
    house.admin.post(&format!("/v1/grants/{grant}/revoke"), json!({"reason": "over"})).await.expect(200);
    let created = reader.next().await.unwrap();
    assert_eq!(created["type"], "request.created");
    assert_eq!((&created["identity"], &created["repo"]), (&json!("alice@example.com"), &json!("sales")));
    assert_eq!(reader.kinds(3).await, ["request.reviewed", "request.approved", "grant.created"]);
    let revoked = reader.next().await.unwrap();
    assert_eq!(revoked["type"], "grant.revoked");
    assert_eq!((&revoked["grant"], &revoked["request"]), (&json!(grant), &created["request"]));
    assert_eq!(revoked["detail"]["reason"], "over");
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let house = House::new().await.with_people().await;
    let mut reader = Reader::open(&house.admin, "/v1/events", None).await;
    house.filed().await;
    let seen = reader.next().await.unwrap();
    drop(reader);
    house.granted().await;
    let mut reader = Reader::open(&house.admin, "/v1/events", seen["id"].as_str()).await;
    let kinds = ["request.created", "request.reviewed", "request.approved", "grant.created"];
    assert_eq!(reader.kinds(4).await, kinds);
}

#[tokio::test]
async fn a_reader_gets_the_types_that_it_names() {
    let house = House::new().await.with_people().await;
    let mut reader = Reader::open(&house.admin, "/v1/events?type=grant.*,request.created", None).await;
    house.granted().await;
    assert_eq!(reader.kinds(2).await, ["request.created", "grant.created"]);
    assert_eq!(house.admin.get("/v1/events?type=Grant%20made").await.problem(422), "invalid");
    let mut hr = Reader::open(&house.admin, "/v1/events?repo=hr&after=0", None).await;
    let rule = json!({"requesters": ["*"], "repos": ["hr"], "accounts": ["app_ro"], "whole": true});
    house.admin.put("/v1/rules/hr", rule).await.expect(201);
    let ask = json!({"repo": "hr", "account": "app_ro", "duration": "1h", "reason": "x", "for": "alice@example.com"});
    house.admin.post("/v1/requests", ask).await.expect(201);
    assert_eq!(hr.next().await.unwrap()["repo"], "hr");
}

#[tokio::test]
async fn an_id_that_nothing_can_be_followed_from_is_answered_clearly() {
    let house = House::new().await.with_people().await;
    assert_eq!(house.admin.get("/v1/events?after=100000").await.problem(410), "events-gone");
    assert_eq!(house.admin.get("/v1/events?after=-1").await.problem(400), "malformed");
    assert_eq!(house.admin.get("/v1/events?after=x").await.problem(400), "malformed");
    let odd = house.admin.request(Method::GET, "/v1/events").header("Last-Event-ID", "last");
    assert_eq!(answer(odd.send().await.unwrap()).await.problem(400), "malformed");
    let reader = house.client("reader", &[Permission::AccessRequest]).await;
    assert_eq!(reader.get("/v1/events").await.problem(403), "missing-permission");
}

#[tokio::test]
async fn what_a_transaction_dropped_is_no_event() {
    let house = House::new().await.with_people().await;
    let mut reader = Reader::open(&house.admin, "/v1/events", None).await;
    let mut work = Work::begin(&house.plane).await.unwrap();
    work.note(postern_service::audit::Event::new("request.created"));
    drop(work);
    assert_eq!(house.admin.post("/v1/requests", alices("9h")).await.problem(403), "no-rule");
    let event = reader.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["identity"]),
        (&json!("request.refused"), &json!("alice@example.com"))
    );
}

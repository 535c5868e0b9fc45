//! A store that cannot be used: its disk has no room, somebody else holds it, its server is gone. Callers are told so in
//! plain words, and nothing that was acknowledged is lost.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, Response, header::RETRY_AFTER};
use serde_json::Value;

use super::{Client, House, alices, answer, ground::Ground};
use crate::{
    clock::HandClock,
    store::{Place, SqliteStore, Store},
};

fn file(ground: &Ground) -> &std::path::Path {
    let Place::Sqlite(file) = ground.place() else { panic!("this is a file") };
    file
}

async fn on(store: SqliteStore, ground: &Arc<Ground>, clock: &Arc<HandClock>) -> House {
    House::around(Arc::new(store), Arc::clone(ground), Arc::clone(clock)).await.with_people().await
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items.rev().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Calls, and expects to hear these words and to be told when to come again.
async fn unavailable(client: &Client, method: Method, path: &str, words: &str) {
    let body = (method != Method::GET).then(|| alices("1h"));
    let mut call = client.request(method, path);
    if let Some(body) = body {
        call = call.json(&body);
    }
    says_unavailable(call.send().await.unwrap(), words).await;
}

/// This answer says that the store cannot do it, in these words, and that a later try may succeed.
async fn says_unavailable(response: Response, words: &str) {
    assert!(response.headers().contains_key(RETRY_AFTER), "{response:?}");
    let answer = answer(response).await;
    let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.starts_with(words) && detail.contains("nothing was done"), "{detail}");
    assert_eq!(answer.problem(503), "unavailable");
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_that_was_acknowledged_is_lost() {
    let (ground, clock) = (Arc::new(Ground::sqlite()), HandClock::new());
    let small = SqliteStore::open_with_room_for(file(&ground), 400).await.unwrap();
    let house = on(small, &ground, &clock).await;
    let mut filed = Vec::new();
    // What one request finds no room for may still do for the next, so it is the refusal itself that is looked at.
    let refusal = loop {
        let call = house.admin.request(Method::POST, "/v1/requests").json(&alices("1h"));
        let response = call.send().await.unwrap();
        if response.status() != 201 {
            break response;
        }
        filed.push(answer(response).await.body["id"].as_str().unwrap().to_owned());
        assert!(filed.len() < 10_000, "there is no end to the room");
    };
    says_unavailable(refusal, "the store is full").await;
    assert_eq!(ids(&house.admin.get("/v1/requests?limit=1000").await.expect(200)), filed);
    drop(house);
    let roomy = House::on(ground, clock).await;
    assert_eq!(ids(&roomy.admin.get("/v1/requests?limit=1000").await.expect(200)), filed);
    roomy.admin.post("/v1/requests", alices("1h")).await.expect(201);
}

#[tokio::test]
async fn who_finds_the_store_held_by_others_is_told_to_come_again() {
    let (ground, clock) = (Arc::new(Ground::sqlite()), HandClock::new());
    let store = SqliteStore::open_impatiently(file(&ground), Duration::from_secs(1)).await.unwrap();
    let house = on(store, &ground, &clock).await;
    let other = SqliteStore::open(file(&ground)).await.unwrap();
    let held = other.write().await.unwrap();
    unavailable(&house.admin, Method::POST, "/v1/requests", "the store is busy").await;
    house.admin.get("/v1/requests").await.expect(200);
    drop(held);
    let mut readers = Vec::new();
    while let Ok(reader) = house.plane.store.read().await {
        readers.push(reader);
    }
    unavailable(&house.admin, Method::GET, "/v1/requests", "the store does not answer").await;
    let directory = house.admin.request(Method::GET, "/scim/v2/Users").send().await.unwrap();
    assert_eq!((directory.status().as_u16(), directory.headers().contains_key(RETRY_AFTER)), (503, true));
    drop(readers);
    while house.admin.post("/v1/requests", alices("1h")).await.status != 201 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_calls_while_the_stores_server_is_gone_is_told_so_and_nothing_of_what_it_said() {
    let mut ground = Ground::postgres().await;
    let clock = HandClock::new();
    let server = ground.server.take();
    let house = House::on(Arc::new(ground), clock).await.with_people().await;
    let mut server = server.unwrap();
    server.stop();
    unavailable(&house.admin, Method::POST, "/v1/requests", "the store does not answer").await;
    server.restart().await;
    house.admin.post("/v1/requests", alices("1h")).await.expect(201);
}

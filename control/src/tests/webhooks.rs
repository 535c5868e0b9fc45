//! Webhooks, against a receiver of our own on this machine.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Answer, House, answer};
use crate::{
    domain::Permission,
    outbound::{Outbound, Policy},
    outbox::{Couriers, step},
    webhooks::Webhooks,
};

/// A call that came in.
#[derive(Clone, Debug)]
struct Call {
    headers: HashMap<String, String>,
    text: String,
    body: Value,
}

/// Somebody who is told.
#[derive(Clone, Default)]
struct Receiver {
    calls: Arc<Mutex<Vec<Call>>>,
    /// What it answers; 200 when nothing is set.
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let router = Router::new().route("/hook", post(take)).with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn will_answer(&self, answers: &[u16]) {
        self.answers.lock().unwrap().extend(answers.iter().rev());
    }

    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn kinds(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.body["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let text = String::from_utf8(body.to_vec()).unwrap();
    let call = Call { headers: headers.collect(), body: serde_json::from_str(&text).unwrap(), text };
    receiver.calls.lock().unwrap().push(call);
    StatusCode::from_u16(receiver.answers.lock().unwrap().pop().unwrap_or(200)).unwrap()
}

/// A control plane that may call this machine.
struct Post {
    house: House,
    couriers: Couriers,
}

impl Post {
    async fn new() -> Self {
        let house = House::new().await.with_people().await;
        let policy = Policy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let couriers: Couriers = Arc::new(vec![Box::new(Webhooks::new(Outbound::new(policy).unwrap()))]);
        let post = Self { house, couriers };
        post.settle().await;
        post
    }

    async fn webhook(&self, body: Value) -> Value {
        self.house.admin.post("/v1/webhooks", body).await.expect(201)
    }

    /// Tells everything that can be told now.
    async fn settle(&self) {
        while step(&self.house.plane, &self.couriers).await.unwrap() > 0 {}
    }

    async fn deliveries(&self, state: &str) -> Vec<Value> {
        let page = self.house.admin.get(&format!("/v1/webhook-deliveries?state={state}")).await.expect(200);
        page["items"].as_array().unwrap().clone()
    }

    async fn patch(&self, id: &Value, tag: &str, body: Value) -> Answer {
        let path = format!("/v1/webhooks/{}", id.as_str().unwrap());
        let request = self.house.admin.request(Method::PATCH, &path).header("If-Match", tag).json(&body);
        answer(request.send().await.unwrap()).await
    }
}

fn signature(secret: &str, call: &Call) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed =
        format!("{}.{}.{}", call.headers["webhook-id"], call.headers["webhook-timestamp"], call.text);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[tokio::test]
async fn a_webhook_is_told_what_it_asked_for_in_order_and_signed() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    let made =
        post.webhook(json!({"name": "bot", "url": url, "types": ["request.created", "grant.*"]})).await;
    let grant = post.house.granted().await;
    post.settle().await;
    let calls = receiver.calls();
    let kinds: Vec<_> = calls.iter().map(|call| call.body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["request.created", "grant.created"]);
    assert_eq!(calls[1].body["data"]["grant"], json!(grant));
    for call in &calls {
        let secret = made["secret"].as_str().unwrap();
        assert_eq!(call.headers["webhook-signature"], signature(secret, call));
        assert_eq!(call.headers["content-type"], "application/json");
    }
    let shown =
        post.house.admin.get(&format!("/v1/webhooks/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert!(shown.get("secret").is_none());
    assert_eq!(post.deliveries("DELIVERED").await.len(), 2);
}

#[tokio::test]
async fn what_failed_is_tried_again_with_the_same_id_and_holds_up_its_own_subject_alone() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    post.webhook(json!({"name": "bot", "url": url, "types": ["request.*"]})).await;
    receiver.will_answer(&[503]);
    let first = post.house.filed().await;
    post.settle().await;
    post.house.admin.post(&format!("/v1/requests/{first}/cancel"), json!({})).await.expect(200);
    let second = post.house.filed().await;
    post.settle().await;
    let calls = receiver.calls();
    let told: Vec<_> = calls.iter().map(|call| call.body["data"]["request"].as_str().unwrap()).collect();
    assert_eq!(told, [&first, &second]);
    let waiting = &post.deliveries("DUE").await[0];
    assert_eq!((&waiting["attempts"], waiting["outcome"].as_str().unwrap()), (&json!(1), "503"));
    assert_eq!(post.deliveries("QUEUED").await.len(), 1);
    post.house.clock.advance(Duration::from_secs(10));
    post.settle().await;
    let later = receiver.calls();
    assert_eq!(later[0].headers["webhook-id"], calls[0].headers["webhook-id"]);
    assert_eq!(later[1].body["type"], "request.cancelled");
    assert_eq!(later.len(), 2);
}

#[tokio::test]
async fn a_webhook_that_fails_for_days_is_switched_off_and_says_so() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    let made = post.webhook(json!({"name": "bot", "url": url, "types": ["request.created"]})).await;
    post.house.filed().await;
    receiver.will_answer(&[500; 20]);
    for _ in 0..14 {
        post.settle().await;
        post.house.clock.advance(Duration::from_hours(11));
    }
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let admin = post.house.client("again", &Permission::ALL).await;
    let shown = admin.get(&path).await.expect(200);
    assert_eq!((&shown["enabled"], shown["disabled_why"].is_string()), (&json!(false), true));
    let audit = admin.get("/v1/audit?kind=webhook.disabled").await.expect(200);
    assert_eq!(audit["items"][0]["detail"]["name"], "bot");
    receiver.calls();
    admin.patch(&path, json!({"enabled": true})).await.expect(200);
    let failed = admin.get("/v1/webhook-deliveries?state=FAILED").await.expect(200)["items"][0]["id"].clone();
    receiver.answers.lock().unwrap().clear();
    admin
        .post(&format!("/v1/webhook-deliveries/{}/again", failed.as_str().unwrap()), json!({}))
        .await
        .expect(200);
    post.settle().await;
    assert_eq!(receiver.kinds(), ["request.created"]);
}

#[tokio::test]
async fn who_answers_gone_is_told_nothing_more() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    post.webhook(json!({"name": "bot", "url": url, "types": ["request.created"]})).await;
    receiver.will_answer(&[410]);
    post.house.filed().await;
    post.settle().await;
    post.house.filed().await;
    post.settle().await;
    assert_eq!(receiver.calls().len(), 1);
    let webhooks = post.house.admin.get("/v1/webhooks").await.expect(200);
    assert_eq!(webhooks["items"][0]["enabled"], false);
}

#[tokio::test]
async fn a_new_key_signs_beside_the_old_one_for_a_day() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    let made = post.webhook(json!({"name": "bot", "url": url, "types": ["request.created"]})).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let rotated = post.house.admin.post(&format!("{path}/rotate"), json!({})).await.expect(200);
    post.house.admin.post(&format!("{path}/ping"), json!({})).await.expect(201);
    post.settle().await;
    let call = &receiver.calls()[0];
    assert_eq!(call.body["type"], "webhook.ping");
    let both = [&rotated, &made].map(|webhook| signature(webhook["secret"].as_str().unwrap(), call));
    assert_eq!(call.headers["webhook-signature"], both.join(" "));
    post.house.clock.advance(Duration::from_hours(25));
    let admin = post.house.client("again", &Permission::ALL).await;
    admin.post(&format!("{path}/ping"), json!({})).await.expect(201);
    post.settle().await;
    let call = &receiver.calls()[0];
    assert_eq!(call.headers["webhook-signature"], signature(rotated["secret"].as_str().unwrap(), call));
}

#[tokio::test]
async fn pagerduty_teams_and_mattermost_are_told_in_their_own_language() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    let types = json!(["request.created", "request.cancelled"]);
    let pager =
        json!({"name": "a-pager", "url": url, "types": types, "format": "pagerduty", "routing_key": "R1"});
    post.webhook(pager).await;
    for format in ["teams", "mattermost"] {
        let made = post
            .webhook(json!({"name": format, "url": url, "types": ["request.created"], "format": format}))
            .await;
        assert!(!made["url"].as_str().unwrap().contains("hook"), "{made}");
    }
    let ask = json!({"repo": "sales", "account": "app_ro", "duration": "1h", "for": "alice@example.com",
        "reason": "@all [see](http://evil)"});
    let id = post.house.admin.post("/v1/requests", ask).await.expect(201)["id"].as_str().unwrap().to_owned();
    post.settle().await;
    let calls = receiver.calls();
    let find = |field: &str| calls.iter().map(|call| &call.body).find(|body| !body[field].is_null()).unwrap();
    let alert = find("routing_key");
    assert_eq!((&alert["event_action"], &alert["routing_key"]), (&json!("trigger"), &json!("R1")));
    assert_eq!(alert["payload"]["summary"], "alice@example.com asks for access to sales");
    let text = find("text")["text"].as_str().unwrap();
    assert!(
        text.contains(&format!("/requests/{id}")) && !text.contains("@all") && !text.contains("[see]("),
        "{text}"
    );
    let card = &find("attachments")["attachments"][0]["content"];
    assert_eq!((&card["type"], card["body"][1]["facts"].is_array()), (&json!("AdaptiveCard"), true));
    post.house.admin.post(&format!("/v1/requests/{id}/cancel"), json!({})).await.expect(200);
    post.settle().await;
    let over = &receiver.calls()[0].body;
    assert_eq!((&over["event_action"], &over["dedup_key"]), (&json!("resolve"), &alert["dedup_key"]));
}

#[tokio::test]
async fn a_rule_names_the_webhooks_that_hear_of_its_requests() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    post.webhook(json!({"name": "on-call", "url": url, "types": ["request.created"], "named_only": true}))
        .await;
    post.house.filed().await;
    post.settle().await;
    assert!(receiver.calls().is_empty());
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_ro"], "whole": true,
        "priority": 1, "notify": {"webhooks": ["on-call"]},
    });
    post.house.admin.put("/v1/rules/told", rule).await.expect(201);
    post.house.filed().await;
    post.settle().await;
    assert_eq!(receiver.kinds(), ["request.created"]);
}

#[tokio::test]
async fn two_who_change_a_webhook_at_once_do_not_undo_each_other() {
    let post = Post::new().await;
    let made = post.webhook(json!({"name": "bot", "url": "https://hooks.example/x"})).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let shown = post.house.admin.request(Method::GET, &path).send().await.unwrap();
    let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
    post.patch(&made["id"], &tag, json!({"enabled": false})).await.expect(200);
    let late = post.patch(&made["id"], &tag, json!({"types": ["grant.*"]})).await;
    assert_eq!(late.problem(412), "changed-since");
    post.patch(&made["id"], "*", json!({"types": ["grant.*"]})).await.expect(200);
}

#[tokio::test]
async fn an_address_of_this_network_is_not_called_unless_it_is_allowed() {
    let post = Post::new().await;
    let (receiver, url) = Receiver::start().await;
    post.webhook(json!({"name": "bot", "url": url, "types": ["request.created"]})).await;
    let closed: Couriers =
        Arc::new(vec![Box::new(Webhooks::new(Outbound::new(Policy::new(Vec::new())).unwrap()))]);
    step(&post.house.plane, &closed).await.unwrap();
    post.house.filed().await;
    assert_eq!(step(&post.house.plane, &closed).await.unwrap(), 1);
    assert!(receiver.calls().is_empty());
    let failed = &post.deliveries("FAILED").await[0];
    assert!(failed["outcome"].as_str().unwrap().contains("not a public address"), "{failed}");
}

#[tokio::test]
async fn a_webhook_that_makes_no_sense_is_refused() {
    let post = Post::new().await;
    for (body, word) in [
        (json!({"name": "x", "url": "ftp://example.com"}), "url"),
        (json!({"name": "x", "url": "https://u:p@example.com"}), "url"),
        (json!({"name": "x", "url": "https://example.com", "types": ["Nonsense!"]}), "types"),
        (json!({"name": "x", "url": "https://example.com", "format": "pagerduty"}), "routing_key"),
        (json!({"name": "x", "url": "https://example.com", "routing_key": "r"}), "routing_key"),
        (json!({"name": "", "url": "https://example.com"}), "webhook"),
    ] {
        let refused = post.house.admin.post("/v1/webhooks", body).await.expect(422);
        assert!(refused["detail"].as_str().unwrap().contains(word), "{refused}");
    }
}

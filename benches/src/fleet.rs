//! A thousand sidecars at one control plane: how long until all of them know of a revocation, and what that costs it.
//!
//! They are feed connections of this program, each with a token of its own: they say hello, read their feed, acknowledge
//! what it brings and say once a second that they are there, as a sidecar does. They run on the same cores.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_tests::{
    gate::Control,
    office::{ALICE, enrol, people},
    postgres::{Postgres, Version},
    rest::Api,
    stage::{REPO, whole},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    control::{Store, milliseconds, open},
    process::{processor_ms, resident_kib},
    table::{median, percentile},
};

const SIDECARS: usize = 1_000;
const REVOCATIONS: usize = 20;

/// So many of them share connections.
const CLIENTS: usize = 32;
const REST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(1);

/// What a sidecar tells the bench.
#[derive(Debug)]
enum Heard {
    /// It has the whole snapshot.
    Everything,
    /// A grant is over.
    Ended(String, Instant),
}

/// One sidecar.
struct Member {
    http: reqwest::Client,
    base: String,
    name: String,
    token: String,
    heard: mpsc::UnboundedSender<Heard>,
}

impl Member {
    /// At the end nobody answers any more.
    async fn post(&self, what: &str, body: &Value) {
        let request = self.http.post(format!("{}/v1/sidecar/{what}", self.base)).bearer_auth(&self.token);
        let Ok(sent) = request.json(body).send().await else { return };
        assert!(sent.status().is_success(), "{what}: {}", sent.text().await.unwrap_or_default());
    }

    async fn run(self) {
        let served = json!({"name": REPO, "engine": "postgres", "database": "data", "listen": "127.0.0.1:1",
                            "accounts": ["app_ro"]});
        let hello = json!({"name": self.name, "instance": "i", "version": "0.1.0", "repos": [served]});
        self.post("hello", &hello).await;
        let url = format!("{}/v1/sidecar/feed?instance=i&nonce=n", self.base);
        let feed = self.http.get(url).bearer_auth(&self.token).timeout(Duration::from_hours(1)).send();
        let mut feed = feed.await.expect("the control plane answers");
        assert!(feed.status().is_success(), "the feed opens");
        let (mut text, mut applied) = (Vec::new(), 0);
        let mut pulse = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                chunk = feed.chunk() => {
                    let Ok(Some(chunk)) = chunk else { return };
                    text.extend_from_slice(&chunk);
                    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = text.drain(..=end).collect();
                        if let Some(message) = message(&line) {
                            applied = self.take(&message).await.unwrap_or(applied);
                        }
                    }
                }
                _ = pulse.tick() => {
                    self.post("pulse", &json!({"instance": "i", "applied": applied, "sessions": 0})).await;
                }
            }
        }
    }

    /// Acknowledges what is to be acknowledged; its position.
    async fn take(&self, message: &Value) -> Option<u64> {
        let arrived = Instant::now();
        let snapshot = &message["snapshot"];
        let said = if snapshot["last"] == true { snapshot } else { &message["changes"] };
        let position = said["position"].as_u64()?;
        let whole = !snapshot.is_null();
        if whole {
            let _ = self.heard.send(Heard::Everything);
        }
        for change in said["changes"].as_array().into_iter().flatten() {
            if let Some(grant) = change["grant_ended"]["grant"].as_str() {
                let _ = self.heard.send(Heard::Ended(grant.to_owned(), arrived));
            }
        }
        let ack = json!({"instance": "i", "position": position, "snapshot": whole, "sessions_ended": 0,
                         "milliseconds": 0.1});
        self.post("acks", &ack).await;
        Some(position)
    }
}

/// The message of an event, as it stands; a sidecar would verify it.
fn message(line: &[u8]) -> Option<Value> {
    let claims = line.strip_prefix(b"data: ")?.split(|byte| *byte == b'.').nth(1)?;
    let mut envelope: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(envelope["message"].take())
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(LONGEST).build().expect("a client can be made")
}

/// Lets all of them connect; how long that took, in milliseconds.
async fn connect(base: &str, tokens: Vec<String>) -> (f64, mpsc::UnboundedReceiver<Heard>) {
    let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
    let (heard, mut news) = mpsc::unbounded_channel();
    let begun = Instant::now();
    for (number, (token, http)) in tokens.into_iter().zip(clients.iter().cycle()).enumerate() {
        let (http, base, heard) = (http.clone(), base.to_owned(), heard.clone());
        tokio::spawn(Member { http, base, name: format!("edge-{number}"), token, heard }.run());
    }
    for _ in 0..SIDECARS {
        let connected = timeout(LONGEST, news.recv()).await.expect("all of them connect in time");
        assert!(matches!(connected, Some(Heard::Everything)), "{connected:?}");
    }
    (milliseconds(begun), news)
}

/// Revokes a grant: until the last sidecar has read of it, until the call is answered, and how many had acknowledged.
async fn revoke(api: &Api, news: &mut mpsc::UnboundedReceiver<Heard>) -> (f64, f64, usize) {
    let request = api.request(whole(ALICE, "app_ro", "8h")).await;
    let grant = api.approve(&request).await;
    let begun = Instant::now();
    let answer = api.post(&format!("/v1/grants/{grant}/revoke"), json!({"reason": "over"})).await.ok();
    let answered = milliseconds(begun);
    let mut last = begun;
    for _ in 0..SIDECARS {
        let told = timeout(LONGEST, news.recv()).await.expect("all of them hear of it");
        let Some(Heard::Ended(ended, at)) = told else { panic!("{told:?}") };
        assert_eq!(ended, grant);
        last = last.max(at);
    }
    let sidecars = answer["sidecars"].as_array().expect("a list");
    let acknowledged = sidecars.iter().filter(|sidecar| sidecar["acknowledged"] == true).count();
    (last.duration_since(begun).as_secs_f64() * 1e3, answered, acknowledged)
}

async fn measure(store: Store, control: &mut Control) {
    let api = control.bootstrap();
    people(&api).await;
    let mut tokens = Vec::new();
    for number in 0..SIDECARS {
        tokens.push(enrol(&api, &format!("edge-{number}")).await);
    }
    let process = control.process().id();
    let before = (resident_kib(process), processor_ms(process));
    let (connected, mut news) = connect(&control.url(), tokens).await;
    let connecting = processor_ms(process) - before.1;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let at_rest = processor_ms(process);
    tokio::time::sleep(REST).await;
    let at_rest = (processor_ms(process) - at_rest) / REST.as_secs_f64() / 10.0;
    let (mut heard, mut answered, mut fewest) = (Vec::new(), Vec::new(), SIDECARS);
    let busy = processor_ms(process);
    for _ in 0..REVOCATIONS {
        let (last, answer, acknowledged) = revoke(&api, &mut news).await;
        heard.push(last);
        answered.push(answer);
        fewest = fewest.min(acknowledged);
    }
    #[allow(clippy::cast_precision_loss)]
    let each = (processor_ms(process) - busy) / REVOCATIONS as f64;
    let memory = resident_kib(process) / 1024.0;
    println!(
        "| {store:?} | {connected:.0} | {connecting:.0} | {:.1} | {memory:.0} | {at_rest:.0} % | {:.0}, {:.0} | {:.0}, {:.0} | {fewest} | {each:.0} |",
        before.0 / 1024.0,
        median(heard.clone()),
        percentile(heard, 1.0),
        median(answered.clone()),
        percentile(answered, 1.0),
    );
}

/// Runs the section.
pub(crate) async fn run() {
    println!("\n### {SIDECARS} sidecars at one control plane; {REVOCATIONS} grants are given and revoked\n");
    println!(
        "| store | all connected (ms) | processor for that (ms) | memory without them (MiB) | with them | processor at \
         rest | revoke to the last sidecar, half and longest (ms) | to the answer | acknowledged, at least | processor \
         for a grant and its end (ms) |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for store in [Store::File, Store::Server] {
        let server = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
        let mut control = open(store, &server).await;
        measure(store, &mut control).await;
    }
}

//! A sidecar as the control plane sees one: says hello, reads its feed, verifies every message, acknowledges.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use postern_protocol::gate::{Ack, Change, Envelope, Issuer, Message, Position, SidecarToken};
use serde_json::{Value, json};

use super::{Client, House};

/// A sidecar that has its token.
pub(super) struct Sidecar {
    pub(super) wire: Client,
    pub(super) token: SidecarToken,
    pub(super) name: String,
    pub(super) instance: String,
}

/// Its open feed.
pub(super) struct Feed {
    response: reqwest::Response,
    text: String,
    key: DecodingKey,
    name: String,
    nonce: String,
    next_seq: u64,
    /// `id:` of the newest event.
    pub(super) id: String,
}

impl Sidecar {
    pub(super) async fn enrol(house: &House, name: &str) -> Self {
        let body = house.admin.post("/v1/sidecars", json!({"name": name})).await.expect(201);
        Self::with_token(house, name, body["token"].as_str().unwrap())
    }

    pub(super) fn with_token(house: &House, name: &str, token: &str) -> Self {
        let token: SidecarToken = token.parse().unwrap();
        let wire = Client { token: token.reveal().to_owned(), ..house.admin.clone() };
        Self { wire, token, name: name.to_owned(), instance: "i-1".to_owned() }
    }

    /// Enrols one that serves these repos, and applies the snapshot that its feed begins with.
    pub(super) async fn serving(house: &House, name: &str, repos: &[&str]) -> (Self, Feed) {
        let sidecar = Self::enrol(house, name).await;
        sidecar.hello(repos).await;
        let mut feed = sidecar.feed(None).await;
        let position = feed.snapshot().await.position;
        sidecar.ack(position, true).await;
        // A beat in the middle of a leap of the clock would find that nobody has looked into the store for that long.
        feed.beat().await;
        (sidecar, feed)
    }

    pub(super) async fn hello(&self, repos: &[&str]) -> Value {
        let repos: Vec<Value> = repos
            .iter()
            .map(|repo| {
                json!({"name": repo, "engine": "postgres", "database": repo, "listen": "127.0.0.1:15432",
                       "accounts": ["app_ro", "app_rw"]})
            })
            .collect();
        let hello = json!({"name": self.name, "instance": self.instance, "version": "0.1.0", "repos": repos});
        self.wire.post("/v1/sidecar/hello", hello).await.expect(200)
    }

    pub(super) async fn feed(&self, after: Option<Position>) -> Feed {
        let nonce = postern_service::random::id("n").unwrap();
        let mut path = format!("/v1/sidecar/feed?instance={}&nonce={nonce}", self.instance);
        if let Some(after) = after {
            path = format!("{path}&after={after}");
        }
        let response = self.wire.request(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Feed {
            response,
            text: String::new(),
            key: DecodingKey::from_ed_components(self.token.key()).unwrap(),
            name: self.name.clone(),
            nonce,
            next_seq: 0,
            id: String::new(),
        }
    }

    pub(super) async fn ack(&self, position: Position, snapshot: bool) {
        let ack =
            Ack { instance: self.instance.clone(), position, snapshot, sessions_ended: 3, milliseconds: 1.5 };
        self.wire.post("/v1/sidecar/acks", serde_json::to_value(ack).unwrap()).await.expect(204);
    }
}

impl Feed {
    /// The next message, or `None` when the feed has ended. Fails when a message is not signed or not in its place.
    pub(super) async fn message(&mut self) -> Option<Message> {
        let event = loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                break event;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        };
        let mut lines = event.lines();
        assert_eq!(lines.next(), Some("event: gate"));
        self.id = lines.next().unwrap().strip_prefix("id: ").unwrap().to_owned();
        let jws = lines.next().unwrap().strip_prefix("data: ").unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.required_spec_claims.clear();
        validation.set_audience(&[&self.name]);
        let envelope = decode::<Envelope>(jws, &self.key, &validation).unwrap().claims;
        assert_eq!(envelope.nonce, self.nonce);
        assert_eq!(envelope.seq, self.next_seq);
        self.next_seq += 1;
        Some(envelope.message)
    }

    /// The next message that is not about issuers.
    pub(super) async fn next(&mut self) -> Option<Message> {
        loop {
            let message = self.message().await?;
            if !matches!(message, Message::Issuers(_)) {
                return Some(message);
            }
        }
    }

    /// The next message about issuers.
    pub(super) async fn issuers(&mut self) -> Vec<Issuer> {
        loop {
            if let Message::Issuers(issuers) = self.message().await.expect("the feed goes on") {
                return issuers;
            }
        }
    }

    /// The next message that is about grants.
    pub(super) async fn news(&mut self) -> Option<Message> {
        loop {
            match self.next().await? {
                Message::Beat { .. } | Message::Issuers(_) => {}
                news @ (Message::Snapshot(_) | Message::Changes { .. } | Message::Retire { .. }) => {
                    return Some(news);
                }
            }
        }
    }

    /// Waits for a beat; the next one comes a second later.
    pub(super) async fn beat(&mut self) {
        while !matches!(self.message().await.expect("the feed goes on"), Message::Beat { .. }) {}
    }

    /// The next changes.
    pub(super) async fn changes(&mut self) -> (Position, Vec<Change>) {
        match self.news().await {
            Some(Message::Changes { position, changes }) => (position, changes),
            other => panic!("not changes: {other:?}"),
        }
    }

    /// A whole snapshot, its parts put together.
    pub(super) async fn snapshot(&mut self) -> postern_protocol::gate::Snapshot {
        let mut whole = postern_protocol::gate::Snapshot::default();
        loop {
            let Some(Message::Snapshot(part)) = self.news().await else { panic!("not a snapshot") };
            assert!(part.grants.len() <= 1_000);
            whole.position = part.position;
            whole.last = part.last;
            whole.grants.extend(part.grants);
            whole.tokens.extend(part.tokens);
            whole.disabled_repos.extend(part.disabled_repos);
            whole.disabled_identities.extend(part.disabled_identities);
            whole.kills.extend(part.kills);
            whole.drain = whole.drain.or(part.drain);
            whole.ended.extend(part.ended);
            if whole.last {
                return whole;
            }
        }
    }
}

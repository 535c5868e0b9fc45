//! Tests over real HTTP: what a program sees, and what a sidecar sees.

mod access;
mod administration;
mod apply;
mod audit;
mod backup;
mod bundles;
mod declarations;
mod events;
mod feed;
mod fleet;
mod full;
mod ground;
mod knocks;
mod limits;
mod links;
mod migrations;
mod model;
mod people;
mod permissions;
mod planes;
mod races;
mod reports;
mod resources;
mod retention;
mod rules;
mod scim;
mod server;
mod shared_store;
mod sidecar;
mod sign_in;
mod slack;
mod store;
mod surface;
mod time;
mod web;
mod webhooks;

use std::{sync::Arc, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) use ground::Ground;

use crate::{
    actions::{clients, timers},
    api,
    clock::HandClock,
    domain::{Permission, Permissions},
    feed::bus,
    oidc::RelyingParty,
    places::Places,
    plane::{ControlPlane, Settings},
    server::Server,
    store::Store,
};

/// A control plane that serves on a free port, with a clock that stands still, and a client with every permission.
struct House {
    plane: Arc<ControlPlane>,
    clock: Arc<HandClock>,
    url: String,
    admin: Client,
    ground: Arc<Ground>,
}

/// An API client that has signed in.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// An answer: status and JSON (null when there was none).
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// A problem of this status, by its word.
    #[track_caller]
    fn problem(self, status: u16) -> String {
        assert_eq!(self.body["status"], status, "{:#}", self.body);
        self.expect(status)["type"].as_str().unwrap().to_owned()
    }
}

fn http() -> reqwest::Client {
    let _ = postern_service::tls::provider().as_ref().clone().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status();
    // A stream does not end; what it carries is for other tests.
    let media = response.headers().get("content-type").and_then(|media| media.to_str().ok());
    if media.is_some_and(|media| media.starts_with("text/event-stream")) {
        return Answer { status, body: Value::Null };
    }
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, body }
}

impl Client {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        answer(self.request(method, path).json(&body).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, body).await
    }
}

impl House {
    async fn new() -> Self {
        Self::on(Ground::new().await.into(), HandClock::new()).await
    }

    async fn on(ground: Arc<Ground>, clock: Arc<HandClock>) -> Self {
        let store = ground.open().await;
        Self::around(store, ground, clock).await
    }

    /// On a store that is open already.
    async fn around(store: Arc<dyn Store>, ground: Arc<Ground>, clock: Arc<HandClock>) -> Self {
        let shared: Arc<dyn crate::clock::Clock> = Arc::<HandClock>::clone(&clock);
        let (plane, outbox) = ControlPlane::new(store, shared, settings()).await.unwrap();
        timers::beat(&plane, true).await.unwrap();
        tokio::spawn(bus::run(Arc::clone(&plane), outbox));
        let url = serve(&plane, api::router(Arc::clone(&plane), Arc::default())).await;
        let name = postern_service::random::id("admin").unwrap();
        let admin = sign_in(&plane, &url, &name, Permission::ALL.into_iter().collect()).await;
        Self { plane, clock, url, admin, ground }
    }

    /// A client with just these permissions.
    async fn client(&self, name: &str, permissions: &[Permission]) -> Client {
        sign_in(&self.plane, &self.url, name, permissions.iter().copied().collect()).await
    }

    /// alice (engineering), bob and carol (dba), dave (security), and a rule under which dba approves.
    async fn with_people(self) -> Self {
        for (name, groups) in [
            ("alice@example.com", json!(["engineering"])),
            ("bob@example.com", json!(["dba"])),
            ("carol@example.com", json!(["dba"])),
            ("dave@example.com", json!(["security"])),
        ] {
            self.admin.put(&format!("/v1/identities/{name}"), json!({"groups": groups})).await.expect(200);
        }
        let rule = json!({
            "requesters": ["group:engineering", "client:bot"], "repos": ["sales"], "accounts": ["app_ro"],
            "resources": ["public.sales.*", "public.orders"], "privileges": ["SELECT"], "whole": true,
            "max_duration": "8h", "approvals": [{"from": ["group:dba"], "count": 1}],
        });
        self.admin.put("/v1/rules/sales", rule).await.expect(201);
        self
    }

    /// A pending request of alice's.
    async fn filed(&self) -> String {
        let request = self.admin.post("/v1/requests", alices("2h")).await.expect(201);
        request["id"].as_str().unwrap().to_owned()
    }

    /// A grant of alice's.
    async fn granted(&self) -> String {
        let id = self.filed().await;
        let review = json!({"decision": "approve", "by": "bob@example.com"});
        let request = self.admin.post(&format!("/v1/requests/{id}/reviews"), review).await.expect(200);
        request["grant"].as_str().unwrap().to_owned()
    }
}

/// Serves this on a free port.
async fn serve(plane: &ControlPlane, router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server { listener, tls: None, router, places: Places::default() };
    tokio::spawn(server.run(plane.hub.stopping(), Duration::from_secs(1)));
    url
}

/// root@example.com and the group `admins` may do everything.
fn settings() -> Settings {
    let admins = ["root@example.com", "group:admins"].map(str::to_owned).to_vec();
    let (client_id, client_secret) = ("postern".to_owned(), "hush".into());
    let relying_party = Some(RelyingParty { client_id, client_secret, scopes: vec!["openid".to_owned()] });
    Settings { public_url: "http://postern.example".to_owned(), admins, relying_party }
}

/// A whole request of alice's.
fn alices(duration: &str) -> Value {
    json!({"repo": "sales", "account": "app_ro", "duration": duration, "reason": "OPS-1", "for": "alice@example.com"})
}

async fn sign_in(plane: &Arc<ControlPlane>, url: &str, name: &str, permissions: Permissions) -> Client {
    let (client, secret) = clients::create(plane, "test", name, permissions).await.unwrap();
    let form =
        [("grant_type", "client_credentials"), ("client_id", &client.id), ("client_secret", secret.reveal())];
    let http = http();
    let sent = http.post(format!("{url}/v1/users/oidc/token")).form(&form).send().await.unwrap();
    let token = answer(sent).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    Client { http, url: url.to_owned(), token }
}

//! The Slack app against a double of Slack: what people see, and what nobody can bring about.

mod connect;
mod dialog;
mod requests;
mod safety;
mod transport;

use std::{sync::Arc, time::Duration};

use postern_tests::{
    slack::{Message, Slack as Double, Way, rendered},
    wait::until,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use super::{House, sidecar::Sidecar};
use crate::{
    domain::Delivery,
    outbox::{self, Courier},
    slack::{self, Slack, SlackConfig, SlackCourier},
    store::{Filter, find_all},
};

const ALICE: &str = "UALICE";
const BOB: &str = "UBOB";
const CAROL: &str = "UCAROL";
const DAVE: &str = "UDAVE";
/// Somebody of another company.
const GUEST: &str = "UGUEST";

/// A control plane whose app is in a workspace.
struct Floor {
    house: House,
    slack: Double,
    sidecar: Option<Sidecar>,
    _tasks: JoinSet<()>,
}

/// The section of the configuration.
#[derive(serde::Deserialize)]
struct File {
    slack: SlackConfig,
}

impl Floor {
    /// Everybody's e-mail address is trusted, and calls come over HTTP.
    async fn new() -> Self {
        Self::with(false, "email").await
    }

    async fn with(socket_mode: bool, link: &str) -> Self {
        Self::around(House::new().await.with_people().await, socket_mode, link).await
    }

    async fn around(house: House, socket_mode: bool, link: &str) -> Self {
        let double = Double::start().await;
        double.haste(1_000);
        for (id, name) in [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol"), (DAVE, "dave")] {
            double.add(id, &format!("{name}@example.com"), json!({}));
        }
        double.add(GUEST, "bob@example.com", json!({"is_ultra_restricted": true}));
        let File { slack: config } = toml::from_str(&double.config(socket_mode, link)).unwrap();
        config.check(true).unwrap();
        let app = Slack::new(Arc::clone(&house.plane), config, 1_000).unwrap();
        let mut tasks = slack::start(&app);
        let couriers: Vec<Box<dyn Courier>> = vec![Box::new(SlackCourier(Arc::clone(&app)))];
        tasks.spawn(outbox::run(Arc::clone(&house.plane), Arc::new(couriers)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = slack::router(Arc::clone(&app));
        tokio::spawn(async move { axum::serve(listener, router).await });
        if !socket_mode {
            double.reach(Way::Http(base));
        }
        until("the app to know its workspace", async || app.is_at_work()).await;
        Self { house, slack: double, sidecar: None, _tasks: tasks }
    }
}

impl Floor {
    /// The same, with a sidecar that serves `sales` and has found two tables in it.
    async fn with_sales() -> Self {
        let floor = Self::new().await;
        let sidecar = Sidecar::enrol(&floor.house, "edge-1").await;
        sidecar.hello(&["sales"]).await;
        let columns = json!([{"name": "id", "type": "integer"}, {"name": "note", "type": "text"}]);
        let table =
            |name: &str| json!({"schema": "public", "table": name, "kind": "table", "columns": columns});
        let tables = [table("customers"), table("orders"), table("sales")];
        let report = json!({"repo": "sales", "after": null, "through": null, "tables": tables});
        sidecar.wire.post("/v1/sidecar/resources", report).await.expect(204);
        for user in [ALICE, BOB, CAROL, DAVE] {
            floor.slack.command(user, "connect").await;
        }
        Self { sidecar: Some(sidecar), ..floor }
    }

    /// The sidecar finds these tables instead.
    async fn catalog(&self, tables: &[Value]) {
        let report = json!({"repo": "sales", "after": null, "through": null, "tables": tables});
        let sidecar = self.sidecar.as_ref().unwrap();
        sidecar.wire.post("/v1/sidecar/resources", report).await.expect(204);
    }

    /// Somebody types `/postern request …` and sends the dialog off as it opens.
    async fn ask(&self, user: &str, words: &str) {
        self.slack.command(user, &format!("request {words}")).await;
        let wrong = self.slack.dialog(user).await.submit().await;
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// Alice asks for `app_ro` of `sales` and of `hr` by one bundle; the latter is approved by this group.
    async fn bundle(&self, group: &str) {
        let rule = json!({
            "requesters": ["group:engineering"], "repos": ["hr"], "accounts": ["app_ro"], "whole": true,
            "max_duration": "8h", "approvals": [{"from": [format!("group:{group}")]}],
        });
        self.house.admin.put("/v1/rules/hr", rule).await.expect(201);
        let parts = ["sales", "hr"].map(|repo| json!({"repo": repo, "account": "app_ro"}));
        self.house
            .admin
            .put("/v1/bundles/oncall", json!({"description": "", "parts": parts}))
            .await
            .expect(201);
        let ask =
            json!({"bundle": "oncall", "duration": "1h", "reason": "OPS-1", "for": "alice@example.com"});
        self.house.admin.post("/v1/requests", ask).await.expect(201);
    }

    /// The newest card whose title says so.
    async fn card(&self, standing: &str) -> Message {
        let fits = |message: &Message| {
            rendered(message).lines().next().is_some_and(|title| title.contains(standing))
        };
        self.slack.posted(&format!("a card that says {standing}"), fits).await
    }

    /// The newest request.
    async fn request_id(&self) -> String {
        let list = self.house.admin.get("/v1/requests").await.expect(200);
        list["items"][0]["id"].as_str().unwrap().to_owned()
    }

    /// How often the outbox has tried in vain.
    async fn tried(&self) -> u32 {
        let mut tx = self.house.plane.store.read().await.unwrap();
        let all = find_all::<Delivery>(&mut *tx, &Filter::default()).await.unwrap();
        all.iter().map(|delivery| delivery.attempts).sum()
    }

    /// How much is still to be brought.
    async fn open_deliveries(&self) -> usize {
        let mut tx = self.house.plane.store.read().await.unwrap();
        let all = find_all::<Delivery>(&mut *tx, &Filter::default()).await.unwrap();
        all.iter().filter(|delivery| delivery.is_open()).count()
    }

    /// Time goes on, but no faster than that an attempt comes to its end.
    async fn later(&self) {
        self.house.clock.advance(Duration::from_secs(2));
        sleep(Duration::from_millis(150)).await;
    }
}

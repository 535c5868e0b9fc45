//! The Slack app against a double of Slack: what people see, and what nobody can bring about.

mod transport;

use std::sync::Arc;

use postern_tests::{
    slack::{Slack as Double, Way},
    wait::until,
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use super::House;
use crate::slack::{self, Slack, SlackConfig};

const ALICE: &str = "UALICE";
const BOB: &str = "UBOB";
const CAROL: &str = "UCAROL";
const DAVE: &str = "UDAVE";
/// Somebody of another company.
const GUEST: &str = "UGUEST";

/// A control plane whose app is in a workspace.
struct Floor {
    _house: House,
    slack: Double,
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
        config.check().unwrap();
        let app = Slack::new(Arc::clone(&house.plane), config, 1_000).unwrap();
        let tasks = slack::start(&app);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = slack::router(Arc::clone(&app));
        tokio::spawn(async move { axum::serve(listener, router).await });
        if !socket_mode {
            double.reach(Way::Http(base));
        }
        until("the app to know its workspace", async || app.is_at_work()).await;
        Self { _house: house, slack: double, _tasks: tasks }
    }
}

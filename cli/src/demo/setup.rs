//! Sets the scene over the same REST calls that an administrator would use: a client, a sidecar, two people, a rule.

use std::time::Duration;

use postern_service::{random, secret::Secret};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    children::Children,
    files::{self, SIDECAR, Shops},
    home::Home,
    issuer,
    ports::Ports,
};
use crate::{
    error::Error,
    print::text,
    rest::{Client, Connection, Credentials, base_url},
};

const START_WITHIN: Duration = Duration::from_secs(30);

/// What the demo hands to whoever tries it.
pub(super) struct Scene {
    /// An API client with every permission.
    pub(super) admin: Credentials,
    /// Alice's access token. She asks.
    pub(super) alice: Secret,
    /// Bob's. He decides.
    pub(super) bob: Secret,
}

/// Starts control plane and sidecar and fills them with life.
pub(super) async fn run(
    home: &Home,
    ports: &Ports,
    shops: &Shops,
    children: &mut Children,
) -> Result<Scene, Error> {
    let secret = random::token().map_err(|error| Error::Failed(error.to_string()))?;
    let secret = Secret::from(secret);
    let config = files::write_control(home, ports, &secret)?;
    issuer::start(ports, secret).await?;
    let (id, secret) = postern_control::bootstrap_client(&config, "admin").await?;
    let admin = Credentials { id, secret };
    children.start_service(home, "control", &config)?;
    ready(children, "the control plane", ports.control_admin).await?;

    let client = sign_in(ports, admin.clone()).await?;
    let enrolled = client.post(&["v1", "sidecars"], &json!({ "name": SIDECAR })).await?;
    let config = files::write_sidecar(home, ports, shops, &text(&enrolled["token"]))?;
    children.start_service(home, "sidecar", &config)?;
    people_and_rule(&client).await?;
    let alice = access_token(&client, "alice@example.com").await?;
    let bob = access_token(&client, "bob@example.com").await?;

    ready(children, "the sidecar", ports.sidecar_admin).await?;
    children.until("the feed", START_WITHIN, async || is_connected(&client).await).await?;
    Ok(Scene { admin, alice, bob })
}

async fn sign_in(ports: &Ports, admin: Credentials) -> Result<Client, Error> {
    let base = base_url(&format!("http://127.0.0.1:{}", ports.control))?;
    Connection { control: None, ca: None }.sign_in_as(base, admin).await
}

async fn people_and_rule(client: &Client) -> Result<(), Error> {
    for (who, groups) in
        [("alice@example.com", &["engineering"][..]), ("bob@example.com", &["engineering", "dba"])]
    {
        client.put(&["v1", "identities", who], &json!({ "groups": groups, "enabled": true })).await?;
    }
    let rule = json!({
        "name": "demo",
        "requesters": ["*"],
        "repos": ["*"],
        "accounts": ["*"],
        "whole": true,
        "privileges": ["SELECT", "INSERT", "UPDATE", "DELETE"],
        "max_duration": "1d",
        "approvals": [{ "from": ["group:dba"], "count": 1 }],
    });
    client.put(&["v1", "rules", "demo"], &rule).await.map(drop)
}

async fn access_token(client: &Client, identity: &str) -> Result<Secret, Error> {
    let issued =
        client.post(&["v1", "access-tokens"], &json!({ "for": identity, "expires_in": "24h" })).await?;
    match issued["token"].as_str() {
        Some(token) => Ok(token.into()),
        None => Err(Error::Answer("no token in the answer".to_owned())),
    }
}

async fn ready(children: &mut Children, what: &str, port: u16) -> Result<(), Error> {
    let url = format!("http://127.0.0.1:{port}/readyz");
    let asks = reqwest::Client::builder().no_proxy().build();
    let asks = asks.map_err(|error| Error::Failed(error.to_string()))?;
    let says_so = async || asks.get(&url).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK);
    children.until(what, START_WITHIN, says_so).await
}

async fn is_connected(client: &Client) -> bool {
    let sidecar = client.get(&["v1", "sidecars", SIDECAR], &[]).await;
    sidecar.is_ok_and(|sidecar: Value| sidecar["connected"] == true)
}

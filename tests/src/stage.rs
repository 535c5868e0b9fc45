//! The whole scene: a database, a control plane, a sidecar between them, and a way to get from nothing to a grant.

use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::{Client, Config, NoTls};

use crate::{
    certs::Authority,
    cut::Wire,
    folder::Folder,
    gate::{Control, Extra, Sidecar, SidecarWish},
    office::Office,
    port,
    postgres::{DATABASE, Postgres, Version},
    rest::Api,
    wait::until,
    wire::{Fields, Raw},
};

pub use crate::office::{ALICE, Access, BOB, enrol, open_rule};

/// The one repo.
pub const REPO: &str = "sales";

/// What differs from the ordinary stage. Everything ordinary: [`Wish::default`].
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The lease; `60s` if empty.
    pub lease: String,
    /// Whether clients can have TLS.
    pub tls: bool,
    /// The listener's address; `127.0.0.1` if empty.
    pub host: String,
    /// Lines for the sidecar's `[[repo]]` table; `{db}` stands for the database server's data folder.
    pub repo: String,
    /// Lines for an account's table instead of its password, by account; `{db}` as above.
    pub accounts: Vec<(String, String)>,
    /// Lines for the top of the sidecar's file.
    pub top: String,
    /// The database behind the repo; [`DATABASE`] if empty.
    pub database: String,
    /// More databases of the server, each behind a repo of its own name.
    pub more: Vec<String>,
    /// Whether the sidecar reaches the database over [`Stage::database_wire`]. Otherwise that wire hangs loose.
    pub database_wire: bool,
    /// Tables for the control plane's file.
    pub control: String,
    /// Where the control plane listens; anywhere if absent.
    pub control_port: Option<u16>,
    /// Lines for elsewhere in the sidecar's file.
    pub extra: Extra,
}

/// Everything that runs for one test.
#[derive(Debug)]
pub struct Stage {
    /// The sidecar.
    pub sidecar: Sidecar,
    /// The wire between sidecar and control plane.
    pub control_wire: Wire,
    /// The wire between sidecar and database.
    pub database_wire: Wire,
    /// An API client that may do everything.
    pub api: Api,
    /// The control plane.
    pub control: Control,
    /// The database.
    pub postgres: Postgres,
    /// The authority behind the sidecar's certificate, PEM.
    pub authority: String,
    folder: Folder,
}

/// A request for a whole grant at [`REPO`].
pub fn whole(identity: &str, account: &str, duration: impl Serialize) -> Value {
    json!({"for": identity, "repo": REPO, "account": account, "duration": duration, "reason": "OPS-1"})
}

impl Stage {
    /// The ordinary stage on PostgreSQL 15.
    pub async fn new() -> Self {
        Self::with(Wish::default()).await
    }

    /// A stage on PostgreSQL 15 with something out of the ordinary.
    pub async fn with(wish: Wish) -> Self {
        Self::on(Version::Fifteen, wish).await.expect("PostgreSQL 15 is installed: see tests/deps.sh")
    }

    /// A stage on this version; `None` when it could not be fetched.
    pub async fn on(version: Version, wish: Wish) -> Option<Self> {
        Some(Self::around(Postgres::start(version).await?, wish).await)
    }

    /// A stage around a server that is there already.
    pub async fn around(postgres: Postgres, wish: Wish) -> Self {
        let port = wish.control_port.unwrap_or_else(port::free);
        let Office { control_wire, api, control, sidecar_token } = Office::open_at(port, &wish.control).await;
        let database_wire = Wire::to(postgres.port()).await;
        let (folder, authority) = (Folder::new(), Authority::new());
        let tls = wish.tls.then(|| authority.server(&["localhost", "127.0.0.1"]).write(&folder, "server"));
        let or = |text: String, ordinary: &str| if text.is_empty() { ordinary.to_owned() } else { text };
        let data = postgres.file("").to_string_lossy().trim_end_matches('/').to_owned();
        let placed = |text: String| text.replace("{db}", &data);
        let sidecar = Sidecar::start(&SidecarWish {
            token: sidecar_token,
            control_port: control_wire.port(),
            database_port: if wish.database_wire { database_wire.port() } else { postgres.port() },
            database: or(wish.database, DATABASE),
            more: wish.more,
            lease: or(wish.lease, "60s"),
            host: or(wish.host, "127.0.0.1"),
            tls,
            repo: placed(wish.repo),
            top: wish.top,
            extra: wish.extra,
            accounts: wish.accounts.into_iter().map(|(name, lines)| (name, placed(lines))).collect(),
        })
        .await;
        let authority = authority.pem();
        Self { sidecar, control_wire, database_wire, api, control, postgres, authority, folder }
    }

    /// Puts a certificate of another authority in the place of the sidecar's. It takes effect when the sidecar reads it.
    pub fn renew_certificate(&self, authority: &Authority) {
        authority.server(&["localhost", "127.0.0.1"]).write(&self.folder, "server");
    }

    /// Files a request for `identity` and returns it.
    pub async fn request(&self, identity: &str, account: &str, duration: impl Serialize) -> Value {
        self.api.request(whole(identity, account, duration)).await
    }

    /// Approves a request as Bob and returns the grant's id.
    pub async fn approve(&self, request: &Value) -> String {
        self.api.approve(request).await
    }

    /// An access token for `identity`.
    pub async fn token(&self, identity: &str) -> String {
        self.api.token_for(identity).await
    }

    /// From nothing to an approved whole grant for Alice, known to the sidecar.
    pub async fn access(&self, account: &str, duration: impl Serialize) -> Access {
        let access = self.api.access(whole(ALICE, account, duration)).await;
        until("the grant to reach the sidecar", async || self.raw(&access).await.is_ok()).await;
        access
    }

    /// From nothing to an approved grant of these resources at a repo for Alice, known to the sidecar.
    pub async fn limited(&self, repo: &str, account: &str, resources: &Value) -> Access {
        let request = json!({
            "for": ALICE, "repo": repo, "account": account, "duration": "8h", "reason": "OPS-1", "resources": resources,
        });
        let access = self.api.access(request).await;
        let mut refusal = Fields::default();
        until(&format!("the limited grant to open {repo}"), async || {
            let outcome = self.raw_to(repo, account, &access.token).await;
            refusal = outcome.err().unwrap_or_default();
            assert!(!refusal.get('D').contains("limited"), "{refusal:?}");
            refusal == Fields::default()
        })
        .await;
        access
    }

    /// Revokes a grant and returns what the control plane answered.
    pub async fn revoke(&self, access: &Access) -> Value {
        self.api.revoke(access).await
    }

    /// The configuration for a connection through the gate.
    pub fn through(&self, access: &Access) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.sidecar.port()).dbname(REPO);
        config.user(&access.account).password(&access.token);
        config
    }

    /// A connection through the gate.
    pub async fn connect(&self, access: &Access) -> Client {
        connect(&self.through(access)).await
    }

    /// A connection through the gate whose every byte the test decides, logged in.
    pub async fn raw(&self, access: &Access) -> Result<Raw, Fields> {
        self.raw_as(&access.account, &access.token).await
    }

    /// A log-in at the gate with any user name and password.
    pub async fn raw_as(&self, user: &str, password: &str) -> Result<Raw, Fields> {
        self.raw_to(REPO, user, password).await
    }

    /// The same at any repo.
    pub async fn raw_to(&self, repo: &str, user: &str, password: &str) -> Result<Raw, Fields> {
        let mut raw = Raw::connect(self.sidecar.port()).await;
        raw.log_in(&[("user", user), ("database", repo)], password).await?;
        Ok(raw)
    }
}

/// A connection; a failure fails the test.
pub async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the connection is let in");
    tokio::spawn(connection);
    client
}

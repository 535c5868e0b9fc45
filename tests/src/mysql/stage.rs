//! The whole scene on MySQL: a server, a control plane, a sidecar between them, and a way to get from nothing to a
//! grant.

use std::sync::Arc;

use rustls::ClientConfig;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    accounts::{DATABASE, accounts, password},
    answer::Refusal,
    login::LogIn,
    server::{Mysql, Version},
    way::Way,
    wire::Raw,
};
use crate::{
    certs::Authority,
    cut::Wire,
    folder::Folder,
    gate::{Control, Extra, Frame, Sidecar, account_tables},
    office::{ALICE, Access, Office},
    rest::Api,
    stage::{REPO, whole},
    wait::until,
    wire::tls_config,
};

/// What differs from the ordinary stage. Everything ordinary: [`Wish::default`].
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The lease; `60s` if empty.
    pub lease: String,
    /// Whether clients can have TLS.
    pub tls: bool,
    /// The listener's address; `127.0.0.1` if empty.
    pub host: String,
    /// Lines for the sidecar's `[[repo]]` table, `tls = "disable"` if empty; `{db}` stands for the server's data folder.
    pub repo: String,
    /// Lines for an account's table instead of its password, by account; `{db}` as above.
    pub accounts: Vec<(String, String)>,
    /// Lines for the top of the sidecar's file.
    pub top: String,
    /// Whether the sidecar reaches the server over [`Stage::database_wire`]. Otherwise that wire hangs loose.
    pub database_wire: bool,
    /// Tables for the control plane's file.
    pub control: String,
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
    /// The wire between sidecar and server.
    pub database_wire: Wire,
    /// An API client that may do everything.
    pub api: Api,
    /// The control plane.
    pub control: Control,
    /// The server.
    pub mysql: Mysql,
    /// The authority behind the sidecar's certificate, PEM.
    pub authority: String,
    /// Whether clients can have TLS.
    tls: bool,
    folder: Folder,
}

fn or(text: &str, ordinary: &str) -> String {
    if text.is_empty() { ordinary.to_owned() } else { text.to_owned() }
}

/// The `[[repo]]` table for the server behind `port`.
fn repo_table(wish: &Wish, mysql: &Mysql, port: u16) -> String {
    let data = mysql.file("").to_string_lossy().trim_end_matches('/').to_owned();
    let lines = or(&wish.repo, "tls = \"disable\"").replace("{db}", &data);
    let placed = |(name, lines): &(String, String)| (name.clone(), lines.replace("{db}", &data));
    let own: Vec<_> = wish.accounts.iter().map(placed).collect();
    let known: Vec<_> =
        accounts(mysql.version()).iter().map(|account| (account.name, account.password)).collect();
    let accounts = account_tables(&known, &own);
    format!(
        "[[repo]]\nname = \"{REPO}\"\nengine = \"mysql\"\naddress = \"127.0.0.1:{port}\"\n{lines}\n{accounts}"
    )
}

impl Stage {
    /// A stage on this version; `None` when it could not be fetched.
    pub async fn on(version: Version, wish: Wish) -> Option<Self> {
        Some(Self::around(Mysql::start(version).await?, wish).await)
    }

    /// A stage around a server that is there already.
    pub async fn around(mysql: Mysql, wish: Wish) -> Self {
        let Office { control_wire, api, control, sidecar_token } = Office::open_with(&wish.control).await;
        let database_wire = Wire::to(mysql.port()).await;
        let (folder, authority) = (Folder::new(), Authority::new());
        let tls = wish.tls.then(|| authority.server(&["localhost", "127.0.0.1"]).write(&folder, "server"));
        let frame = Frame {
            token: sidecar_token,
            control_port: control_wire.port(),
            lease: or(&wish.lease, "60s"),
            host: or(&wish.host, "127.0.0.1"),
            tls,
            top: wish.top.clone(),
            extra: wish.extra.clone(),
        };
        let port = if wish.database_wire { database_wire.port() } else { mysql.port() };
        let mut sidecar = Sidecar::serving(&frame, &[REPO.to_owned()], &repo_table(&wish, &mysql, port));
        sidecar.be_ready().await;
        let authority = authority.pem();
        Self { sidecar, control_wire, database_wire, api, control, mysql, authority, tls: wish.tls, folder }
    }

    /// Puts a certificate of another authority in the place of the sidecar's. It takes effect when the sidecar reads it.
    pub fn renew_certificate(&self, authority: &Authority) {
        authority.server(&["localhost", "127.0.0.1"]).write(&self.folder, "server");
    }

    /// From nothing to an approved whole grant for Alice, known to the sidecar.
    pub async fn access(&self, account: &str, duration: impl Serialize) -> Access {
        self.granted(whole(ALICE, account, duration)).await
    }

    /// From nothing to an approved grant of these resources for Alice, known to the sidecar.
    pub async fn limited(&self, account: &str, resources: &Value) -> Access {
        let mut request = whole(ALICE, account, "1h");
        if let Some(fields) = request.as_object_mut() {
            fields.insert("resources".to_owned(), resources.clone());
        }
        self.granted(request).await
    }

    async fn granted(&self, request: Value) -> Access {
        let access = self.api.access(request).await;
        let mut refusal = Refusal::default();
        until("the grant to reach the sidecar", async || {
            let outcome = self.raw(&access).await;
            refusal = outcome.err().unwrap_or_default();
            refusal == Refusal::default()
        })
        .await;
        access
    }

    /// Revokes a grant and returns what the control plane answered.
    pub async fn revoke(&self, access: &Access) -> Value {
        self.api.revoke(access).await
    }

    /// Takes resources away from a grant.
    pub async fn shrink(&self, access: &Access, resources: Value) {
        let path = format!("/v1/grants/{}", access.grant);
        self.api.patch(&path, json!({"resources": resources})).await.ok();
    }

    /// For a client that wants TLS with the gate, if the gate has it.
    pub fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.then(|| tls_config(&self.authority, &[]))
    }

    /// How to log in through the gate: over TLS if the gate has it.
    pub fn login<'a>(&self, access: &'a Access) -> LogIn<'a> {
        LogIn { tls: self.tls(), database: DATABASE, ..LogIn::new(&access.account, &access.token) }
    }

    /// A connection through the gate whose every byte the test decides, logged in.
    pub async fn raw(&self, access: &Access) -> Result<Raw, Refusal> {
        self.raw_as(&self.login(access)).await
    }

    /// A log-in at the gate in any way.
    pub async fn raw_as(&self, login: &LogIn<'_>) -> Result<Raw, Refusal> {
        let mut raw = Raw::connect(self.sidecar.port()).await;
        raw.log_in(login).await?;
        Ok(raw)
    }

    /// How to log in as the same account directly.
    pub fn direct<'a>(&self, access: &'a Access) -> LogIn<'a> {
        LogIn { password: password(&access.account), ..self.mysql.login(&access.account) }
    }

    /// Past the gate and through it, as the same account.
    pub fn ways(&self, access: &Access) -> [Way; 2] {
        let authority = self.tls.then(|| self.folder.write("authority.pem", &self.authority));
        let (user, password) = (access.account.clone(), access.token.clone());
        let through = Way { port: self.sidecar.port(), user, password, authority };
        [Way::direct(&self.mysql, &access.account), through]
    }
}

//! Control plane and sidecar as child processes, with the configuration files that an operator would write.

use std::{fmt::Write, path::PathBuf, process::Command, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    folder::Folder,
    port,
    postgres::ACCOUNTS,
    process::{Process, bound, postern},
    rest::{Api, install_tls},
    wait::{PATIENCE, until},
};

/// The sidecar of a test that has one.
const ORDINARY_NAME: &str = "edge-1";

/// A running control plane.
#[derive(Debug)]
pub struct Control {
    process: Process,
    folder: Folder,
    port: u16,
    admin_port: u16,
}

async fn answers(url: &str) -> bool {
    install_tls();
    let http =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
    http.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
}

fn launch(part: &str, folder: &Folder) -> Process {
    let mut command = bound(postern(), "KILL");
    command.arg(part).arg("--config").arg(folder.path().join(format!("{part}.toml"))).env("NO_COLOR", "1");
    Process::start(command, &folder.path().join(format!("{part}.log")), Signal::KILL)
}

impl Control {
    /// Starts one on an empty store.
    pub async fn start() -> Self {
        Self::launch(port::free(), "sqlite:control.db", "", "").await
    }

    /// Starts one on an empty store, with these tables in its file.
    pub async fn start_with(tables: &str) -> Self {
        Self::launch(port::free(), "sqlite:control.db", "", tables).await
    }

    /// The same at this port.
    pub async fn start_at(port: u16, tables: &str) -> Self {
        Self::launch(port, "sqlite:control.db", "", tables).await
    }

    /// Starts one on this store.
    pub async fn on(store: &str) -> Self {
        Self::launch(port::free(), store, "", "").await
    }

    /// Starts one on this store, behind a load balancer on this machine: whoever calls counts as many.
    pub async fn behind_balancer(store: &str) -> Self {
        Self::launch(port::free(), store, "proxies = [\"127.0.0.0/8\"]\n", "").await
    }

    async fn launch(port: u16, store: &str, keys: &str, tables: &str) -> Self {
        let folder = Folder::new();
        let admin_port = port::free();
        folder.write(
            "control.toml",
            format!(
                "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
                 store = \"{store}\"\n{keys}[admin]\nlisten = \"127.0.0.1:{admin_port}\"\n{tables}"
            ),
        );
        let process = launch("control", &folder);
        let mut control = Self { process, folder, port, admin_port };
        control.be_ready().await;
        control
    }

    async fn be_ready(&mut self) {
        let url = format!("{}/readyz", self.url());
        until("the control plane", async || {
            assert!(self.process.is_running(), "the control plane ended:\n{}", self.process.said());
            answers(&url).await
        })
        .await;
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        answers(&format!("{}/readyz", self.url())).await
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("control.toml")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Everything that its metrics say.
    pub async fn metrics(&self) -> String {
        metrics(self.admin_port).await
    }

    /// Makes the API client that may do everything.
    pub fn bootstrap(&self) -> Api {
        let mut command = Command::new(postern());
        command.args(["control", "--config"]).arg(self.config()).args(["--bootstrap-client", "admin"]);
        let output = command.output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let word = |name: &str| {
            let found = said.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {name} in {said:?} {output:?}")).to_owned()
        };
        Api::new(&self.url(), &word("client_id"), &word("client_secret"))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.end(Signal::KILL, PATIENCE);
    }

    /// SIGTERM, and waits until it has ended.
    pub fn stop(&mut self) {
        self.process.end(Signal::TERM, PATIENCE);
    }

    /// Starts it again on the same store and ports.
    pub async fn restart(&mut self) {
        self.process = launch("control", &self.folder);
        self.be_ready().await;
    }
}

async fn metrics(port: u16) -> String {
    install_tls();
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let answer =
        http.get(format!("http://127.0.0.1:{port}/metrics")).send().await.expect("metrics are served");
    answer.text().await.expect("metrics are text")
}

/// Lines for a sidecar's file that most tests do without.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// For `[tls]`.
    pub tls: String,
    /// For `[[listener]]`.
    pub listener: String,
    /// Whole tables.
    pub tables: String,
}

/// What a test wants of its sidecar.
#[derive(Clone, Debug)]
pub struct SidecarWish {
    /// Its enrolment token.
    pub token: String,
    /// The port of the control plane, or of a wire to it.
    pub control_port: u16,
    /// The port of the database, or of a wire to it.
    pub database_port: u16,
    /// The database behind the repo.
    pub database: String,
    /// More databases of the same server, each behind a repo of its own name.
    pub more: Vec<String>,
    /// The lease, such as `60s`.
    pub lease: String,
    /// The address of its listener: `127.0.0.1`, or `0.0.0.0` to be reached from elsewhere.
    pub host: String,
    /// Server certificate and key, if clients are to have TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Lines for the `[[repo]]` table, such as `tls = "require"`; without any, `tls = "disable"`.
    pub repo: String,
    /// Lines for the top of the file.
    pub top: String,
    /// Lines for `[repo.accounts.NAME]` instead of the password, by account.
    pub accounts: Vec<(String, String)>,
    /// Lines for elsewhere.
    pub extra: Extra,
}

/// What the file of every sidecar says, whatever databases it serves.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its enrolment token.
    pub token: String,
    /// The port of the control plane, or of a wire to it.
    pub control_port: u16,
    /// The lease, such as `60s`.
    pub lease: String,
    /// The address of its listener.
    pub host: String,
    /// Server certificate and key, if clients are to have TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Lines for the top of the file.
    pub top: String,
    /// Lines for elsewhere.
    pub extra: Extra,
}

/// A running sidecar that serves the repo `sales`.
#[derive(Debug)]
pub struct Sidecar {
    process: Process,
    folder: Folder,
    port: u16,
    admin_port: u16,
}

/// `[repo.accounts.NAME]` for each of `accounts` (name and password), with the lines of `own` in place of the password.
pub(crate) fn account_tables(accounts: &[(&str, &str)], own: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, password) in accounts {
        let own = own.iter().find(|(account, _)| account == name).map(|(_, lines)| lines.clone());
        let ordinary =
            if password.is_empty() { String::new() } else { format!("password = {}", json!(password)) };
        let lines = own.unwrap_or(ordinary);
        let _ = writeln!(text, "[repo.accounts.{name}]\n{lines}");
    }
    text
}

impl SidecarWish {
    fn frame(&self) -> Frame {
        let Self { token, control_port, lease, host, tls, top, extra, .. } = self.clone();
        Frame { token, control_port, lease, host, tls, top, extra }
    }

    fn repo_table(&self, name: &str, database: &str) -> String {
        let lines = if self.repo.is_empty() { "tls = \"disable\"" } else { &self.repo };
        let (port, accounts) = (self.database_port, account_tables(&ACCOUNTS, &self.accounts));
        format!(
            "[[repo]]\nname = \"{name}\"\nengine = \"postgres\"\naddress = \"127.0.0.1:{port}\"\n\
             database = \"{database}\"\n{lines}\n{accounts}"
        )
    }

    fn repo_tables(&self) -> String {
        let others: String = self.more.iter().map(|name| self.repo_table(name, name)).collect();
        self.repo_table("sales", &self.database) + &others
    }
}

impl Frame {
    fn file(&self, name: &str, (port, admin_port): (u16, u16), repos: &[String], tables: &str) -> String {
        let Self { control_port, lease, host, top, extra, .. } = self;
        let tls = self.tls.as_ref().map_or_else(String::new, |(cert, key)| {
            format!("[tls]\ncert = {}\nkey = {}\n{}", json!(cert), json!(key), extra.tls)
        });
        format!(
            "name = \"{name}\"\n{top}\n\
             [control]\nurl = \"http://127.0.0.1:{control_port}\"\ntoken = {{ file = \"sidecar.token\" }}\n\
             lease = \"{lease}\"\n{tls}\
             [admin]\nlisten = \"127.0.0.1:{admin_port}\"\n[audit]\nfile = \"audit.jsonl\"\n\
             {}[[listener]]\nlisten = \"{host}:{port}\"\nrepos = {}\n{}\n{tables}",
            extra.tables,
            json!(repos),
            extra.listener
        )
    }
}

impl Sidecar {
    /// Starts one; it may not be ready yet.
    pub fn launch(wish: &SidecarWish) -> Self {
        Self::launch_as(ORDINARY_NAME, wish)
    }

    /// Starts one of this name; it may not be ready yet.
    pub fn launch_as(name: &str, wish: &SidecarWish) -> Self {
        let repos = [&["sales".to_owned()], &wish.more[..]].concat();
        Self::serving_as(name, &wish.frame(), &repos, &wish.repo_tables())
    }

    /// Starts one whose listener serves `repos`, described by `tables`; it may not be ready yet.
    pub fn serving(frame: &Frame, repos: &[String], tables: &str) -> Self {
        Self::serving_as(ORDINARY_NAME, frame, repos, tables)
    }

    fn serving_as(name: &str, frame: &Frame, repos: &[String], tables: &str) -> Self {
        let folder = Folder::new();
        let (port, admin_port) = (port::free(), port::free());
        folder.write("sidecar.token", &frame.token);
        folder.write("sidecar.toml", frame.file(name, (port, admin_port), repos, tables));
        let process = launch("sidecar", &folder);
        Self { process, folder, port, admin_port }
    }

    /// Starts one and waits until it is ready.
    pub async fn start(wish: &SidecarWish) -> Self {
        let mut sidecar = Self::launch(wish);
        sidecar.be_ready().await;
        sidecar
    }

    /// Waits until it says that it is ready.
    pub async fn be_ready(&mut self) {
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        until("the sidecar", async || {
            assert!(self.process.is_running(), "the sidecar ended:\n{}", self.process.said());
            answers(&url).await
        })
        .await;
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        answers(&format!("http://127.0.0.1:{}/readyz", self.admin_port)).await
    }

    /// The port of its listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Everything that its metrics say.
    pub async fn metrics(&self) -> String {
        metrics(self.admin_port).await
    }

    /// How many sessions it says that there are.
    pub async fn sessions(&self) -> f64 {
        let metrics = self.metrics().await;
        let active = metrics.lines().filter(|line| line.starts_with("postern_sessions_active{"));
        active.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Its local audit records.
    pub fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.end(Signal::KILL, PATIENCE);
    }

    /// SIGTERM. It may take its time to end.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Starts it again with the same configuration; it may not be ready yet.
    pub fn relaunch(&mut self) {
        self.process = launch("sidecar", &self.folder);
    }
}

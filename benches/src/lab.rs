//! Everything that is measured: one PostgreSQL, and five ways to it.

use std::path::PathBuf;

use postern_tests::{
    certs::Authority,
    folder::Folder,
    gate::{Control, Extra, Sidecar, SidecarWish},
    port,
    postgres::{DATABASE, Postgres, Version, give_to_server, password},
    process::{Process, bound, bound_as_ordinary_user},
    rest::Api,
    stage::{ALICE, BOB, REPO, enrol, open_rule},
    wait::until,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{bare, process::worker};

/// One way to the database.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) database: &'static str,
    /// What logs a client in on this way, whatever the account.
    pub(crate) token: Option<String>,
}

impl Way {
    /// The password of an account on this way.
    pub(crate) fn password(&self, account: &str) -> String {
        let own = match password(account) {
            // PgBouncer takes no empty one, and the database none at all.
            "" => "trusted",
            own => own,
        };
        self.token.clone().unwrap_or_else(|| own.to_owned())
    }
}

/// The whole laboratory.
#[derive(Debug)]
pub(crate) struct Lab {
    /// Direct, bare relay, HAProxy, PgBouncer, Postern.
    pub(crate) ways: Vec<Way>,
    pub(crate) postgres: Postgres,
    pub(crate) sidecar: Sidecar,
    pub(crate) bare: Process,
    haproxy: Process,
    pgbouncer: Process,
    pub(crate) api: Api,
    _control: Control,
    _folder: Folder,
}

/// HAProxy, from one port to another.
pub(crate) fn haproxy(folder: &Folder, listen: u16, database: u16) -> Process {
    let file = folder.write(
        "haproxy.cfg",
        format!(
            "global\n maxconn 4000\n nbthread 2\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n \
             timeout server 1h\nfrontend f\n bind 127.0.0.1:{listen}\n default_backend b\nbackend b\n \
             server s 127.0.0.1:{database}\n"
        ),
    );
    let mut command = bound("/usr/sbin/haproxy", "KILL");
    command.arg("-db").arg("-f").arg(file);
    Process::start(command, &folder.path().join("haproxy.log"), Signal::KILL)
}

fn pgbouncer(folder: &Folder, listen: u16, database: u16, tls: &(PathBuf, PathBuf)) -> Process {
    let users = folder
        .write("users.txt", format!("\"app_rw\" \"{}\"\n\"by_trust\" \"trusted\"\n", password("app_rw")));
    let file = folder.write(
        "pgbouncer.ini",
        format!(
            "[databases]\n{DATABASE} = host=127.0.0.1 port={database} dbname={DATABASE}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {listen}\nauth_type = plain\nauth_file = {}\n\
             pool_mode = session\nmax_client_conn = 4000\ndefault_pool_size = 1100\nserver_reset_query =\n\
             log_connections = 0\nlog_disconnections = 0\nunix_socket_dir =\n\
             client_tls_sslmode = allow\nclient_tls_cert_file = {}\nclient_tls_key_file = {}\n\
             ignore_startup_parameters = extra_float_digits\n",
            users.display(),
            tls.0.display(),
            tls.1.display()
        ),
    );
    for path in [&users, &file, &tls.0, &tls.1] {
        give_to_server(path);
    }
    let mut command = bound_as_ordinary_user("/usr/sbin/pgbouncer", "KILL");
    command.arg(file);
    Process::start(command, &folder.path().join("pgbouncer.log"), Signal::KILL)
}

impl Lab {
    /// Starts it all and fills pgbench's tables.
    pub(crate) async fn new() -> Self {
        let postgres = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
        let admin = postgres.admin().await;
        admin.batch_execute("grant all on schema public to by_trust").await.expect("the superuser may");
        let control = Control::start().await;
        let api = control.bootstrap();
        for name in [ALICE, BOB] {
            api.put(&format!("/v1/identities/{name}"), json!({"groups": ["dba"], "enabled": true}))
                .await
                .ok();
        }
        open_rule(&api).await;
        let folder = Folder::new();
        let authority = Authority::new();
        let tls = authority.server(&["localhost", "127.0.0.1"]).write(&folder, "server");
        let bouncer_tls = authority.server(&["localhost", "127.0.0.1"]).write(&folder, "bouncer");
        let sidecar = Sidecar::start(&SidecarWish {
            token: enrol(&api, "edge-1").await,
            control_port: control.port(),
            database_port: postgres.port(),
            database: DATABASE.to_owned(),
            more: Vec::new(),
            lease: "60s".to_owned(),
            host: "127.0.0.1".to_owned(),
            tls: Some(tls),
            repo: String::new(),
            top: String::new(),
            accounts: Vec::new(),
            extra: Extra::default(),
        })
        .await;
        let [bare_port, proxy_port, bouncer_port] = [port::free(), port::free(), port::free()];
        let bare = bare::start(&folder, bare_port, postgres.port());
        let haproxy = haproxy(&folder, proxy_port, postgres.port());
        let pgbouncer = pgbouncer(&folder, bouncer_port, postgres.port(), &bouncer_tls);
        for port in [bare_port, proxy_port, bouncer_port] {
            until("a proxy", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok())
                .await;
        }
        let token = api.post("/v1/access-tokens", json!({"for": ALICE})).await.ok();
        let token = token["token"].as_str().expect("a token").to_owned();
        let way = |name, port, database, token| Way { name, port, database, token };
        let ways = vec![
            way("direct", postgres.port(), DATABASE, None),
            way("bare relay", bare_port, DATABASE, None),
            way("HAProxy", proxy_port, DATABASE, None),
            way("PgBouncer", bouncer_port, DATABASE, None),
            way("Postern", sidecar.port(), REPO, Some(token)),
        ];
        let lab = Self {
            ways,
            postgres,
            sidecar,
            bare,
            haproxy,
            pgbouncer,
            api,
            _control: control,
            _folder: folder,
        };
        for account in ["app_rw", "by_trust"] {
            lab.grant(account).await;
        }
        lab.fill();
        lab
    }

    /// What carries each of the ways but the direct one.
    pub(crate) fn proxies(&mut self) -> [u32; 4] {
        let [bare, haproxy, pgbouncer] = [&self.bare, &self.haproxy, &self.pgbouncer].map(Process::id);
        [bare, haproxy, pgbouncer, self.sidecar.process().id()].map(worker)
    }

    /// Gives Alice a grant of an account and returns its id.
    pub(crate) async fn grant(&self, account: &str) -> String {
        let wish =
            json!({"for": ALICE, "repo": REPO, "account": account, "duration": "8h", "reason": "bench"});
        let request = self.api.post("/v1/requests", wish).await.ok();
        let path = format!("/v1/requests/{}/reviews", request["id"].as_str().expect("an id"));
        let decided =
            self.api.post(&path, json!({"decision": "approve", "reason": "", "by": BOB})).await.ok();
        let grant = decided["grant"].as_str().or_else(|| decided["grant"]["id"].as_str());
        grant.expect("a grant").to_owned()
    }

    /// Revokes a grant and returns the answer.
    pub(crate) async fn revoke(&self, grant: &str) -> Value {
        self.api.post(&format!("/v1/grants/{grant}/revoke"), json!({"reason": "bench"})).await.ok()
    }

    fn fill(&self) {
        let mut command = std::process::Command::new(self.postgres.program("pgbench"));
        command.args(["-i", "-q", "-s", "10", "-h", "127.0.0.1", "-U", "app_rw", "-d", DATABASE]);
        command.args(["-p", &self.postgres.port().to_string()]).env("PGPASSWORD", password("app_rw"));
        let output = command.output().expect("pgbench runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

//! The files of a demo: two configurations as an operator would write them, and `demo.env` for a shell.

use std::path::PathBuf;

use postern_service::secret::Secret;

use super::{home::Home, issuer, ports::Ports, server::Shop, setup::Scene};
use crate::error::Error;

/// The name of the demo's sidecar.
pub(super) const SIDECAR: &str = "demo";

/// The databases behind the sidecar.
pub(super) struct Shops {
    /// PostgreSQL's.
    pub(super) postgres: Shop,
    /// MariaDB's.
    pub(super) mariadb: Shop,
}

/// Writes `control.toml`, and the secret by which it proves itself at the SSO provider.
pub(super) fn write_control(home: &Home, ports: &Ports, secret: &Secret) -> Result<PathBuf, Error> {
    home.write("oidc.secret", secret.reveal())?;
    let Ports { control, control_admin, .. } = ports;
    let (issuer, client, others) = (issuer::url(ports), issuer::CONTROL_PLANE, issuer::DATABASE_CLIENT);
    let text = format!(
        r#"listen     = "127.0.0.1:{control}"
public_url = "http://127.0.0.1:{control}"
store      = "sqlite:control.db"

[admin]
listen = "127.0.0.1:{control_admin}"

[oidc]
issuer        = "{issuer}"
client_id     = "{client}"
client_secret = {{ file = "oidc.secret" }}
audiences     = ["{client}", "{others}"]
"#
    );
    home.write("control.toml", &text)
}

/// Writes `sidecar.toml` and the secrets beside it.
pub(super) fn write_sidecar(
    home: &Home,
    ports: &Ports,
    shops: &Shops,
    token: &str,
) -> Result<PathBuf, Error> {
    home.write("sidecar.token", token)?;
    write_certificate(home)?;
    let Ports { control, sidecar, mysql, sidecar_admin, postgres, mariadb, .. } = ports;
    let of_postgres = write_accounts(home, "postgres", &shops.postgres)?;
    let of_mariadb = write_accounts(home, "mariadb", &shops.mariadb)?;
    let text = format!(
        r#"name = "{SIDECAR}"
shutdown_grace = "2s"

[control]
url   = "http://127.0.0.1:{control}"
token = {{ file = "sidecar.token" }}

[tls]
cert = "server.pem"
key  = "server.key"

[admin]
listen = "127.0.0.1:{sidecar_admin}"

[audit]
file = "audit.jsonl"

[[listener]]
listen = "127.0.0.1:{sidecar}"
repos  = ["sales"]

[[listener]]
listen = "127.0.0.1:{mysql}"
repos  = ["shop"]

[[repo]]
name     = "sales"
engine   = "postgres"
address  = "127.0.0.1:{postgres}"
database = "sales"
tls      = "disable"
{of_postgres}
[[repo]]
name     = "shop"
engine   = "mysql"
address  = "127.0.0.1:{mariadb}"
tls      = "disable"
{of_mariadb}"#
    );
    home.write("sidecar.toml", &text)
}

/// Writes the passwords of a database's accounts, and returns the tables that name their files.
fn write_accounts(home: &Home, database: &str, shop: &Shop) -> Result<String, Error> {
    let mut tables = String::new();
    for (account, password) in [("app_ro", &shop.app_ro), ("app_rw", &shop.app_rw)] {
        let file = format!("{database}_{account}.password");
        home.write(&file, password.reveal())?;
        let table = ["\n[repo.accounts.", account, "]\npassword = { file = \"", &file, "\" }\n"];
        tables += &table.concat();
    }
    Ok(tables)
}

/// Writes a certificate for this machine, signed by itself: MySQL's clients hand a token over inside TLS alone.
fn write_certificate(home: &Home) -> Result<(), Error> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| Error::Failed(format!("cannot make a certificate: {error}")))?;
    home.write("server.pem", &made.cert.pem())?;
    home.write("server.key", &made.signing_key.serialize_pem()).map(drop)
}

/// Writes `demo.env`.
pub(super) fn write_env(home: &Home, ports: &Ports, scene: &Scene) -> Result<(), Error> {
    let lines = [
        ("POSTERN_CONTROL", format!("http://127.0.0.1:{}", ports.control)),
        ("POSTERN_CLIENT_ID", scene.admin.id.clone()),
        ("POSTERN_CLIENT_SECRET", scene.admin.secret.reveal().to_owned()),
        ("POSTERN_PG_PORT", ports.sidecar.to_string()),
        ("POSTERN_MYSQL_PORT", ports.mysql.to_string()),
        ("POSTERN_METRICS", format!("http://127.0.0.1:{}/metrics", ports.sidecar_admin)),
        ("POSTERN_ISSUER", issuer::url(ports)),
        ("TOKEN_ALICE", scene.alice.reveal().to_owned()),
        ("TOKEN_BOB", scene.bob.reveal().to_owned()),
    ];
    let text: String = lines.map(|(name, value)| format!("{name}={value}\n")).concat();
    home.write("demo.env", &text).map(drop)
}

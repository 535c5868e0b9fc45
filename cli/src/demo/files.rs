//! The files of a demo: two configurations as an operator would write them, and `demo.env` for a shell.

use std::path::PathBuf;

use super::{home::Home, ports::Ports, postgres::Shop, setup::Scene};
use crate::error::Error;

/// The name of the demo's sidecar.
pub(super) const SIDECAR: &str = "demo";

/// Writes `control.toml`.
pub(super) fn write_control(home: &Home, ports: &Ports) -> Result<PathBuf, Error> {
    let Ports { control, control_admin, .. } = ports;
    let text = format!(
        r#"listen     = "127.0.0.1:{control}"
public_url = "http://127.0.0.1:{control}"
store      = "sqlite:control.db"

[admin]
listen = "127.0.0.1:{control_admin}"
"#
    );
    home.write("control.toml", &text)
}

/// Writes `sidecar.toml` and the secrets beside it.
pub(super) fn write_sidecar(home: &Home, ports: &Ports, shop: &Shop, token: &str) -> Result<PathBuf, Error> {
    home.write("sidecar.token", token)?;
    home.write("app_ro.password", shop.app_ro.reveal())?;
    home.write("app_rw.password", shop.app_rw.reveal())?;
    let Ports { control, sidecar, sidecar_admin, postgres, .. } = ports;
    let text = format!(
        r#"name = "{SIDECAR}"
shutdown_grace = "2s"

[control]
url   = "http://127.0.0.1:{control}"
token = {{ file = "sidecar.token" }}

[admin]
listen = "127.0.0.1:{sidecar_admin}"

[audit]
file = "audit.jsonl"

[[listener]]
listen = "127.0.0.1:{sidecar}"
repos  = ["sales"]

[[repo]]
name     = "sales"
engine   = "postgres"
address  = "127.0.0.1:{postgres}"
database = "sales"
tls      = "disable"

[repo.accounts.app_ro]
password = {{ file = "app_ro.password" }}

[repo.accounts.app_rw]
password = {{ file = "app_rw.password" }}
"#
    );
    home.write("sidecar.toml", &text)
}

/// Writes `demo.env`.
pub(super) fn write_env(home: &Home, ports: &Ports, scene: &Scene) -> Result<(), Error> {
    let lines = [
        ("POSTERN_CONTROL", format!("http://127.0.0.1:{}", ports.control)),
        ("POSTERN_CLIENT_ID", scene.admin.id.clone()),
        ("POSTERN_CLIENT_SECRET", scene.admin.secret.reveal().to_owned()),
        ("POSTERN_PG_PORT", ports.sidecar.to_string()),
        ("POSTERN_METRICS", format!("http://127.0.0.1:{}/metrics", ports.sidecar_admin)),
        ("TOKEN_ALICE", scene.alice.reveal().to_owned()),
        ("TOKEN_BOB", scene.bob.reveal().to_owned()),
    ];
    let text: String = lines.map(|(name, value)| format!("{name}={value}\n")).concat();
    home.write("demo.env", &text).map(drop)
}

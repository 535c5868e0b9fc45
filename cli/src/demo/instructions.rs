//! What the demo prints: commands that work as they stand.

use std::env;

use super::{home::Home, issuer, ports::Ports};

/// The commands to paste, and `ready`.
pub(super) fn text(home: &Home, ports: &Ports) -> String {
    let env_file = home.join("demo.env").display().to_string();
    let postern = program();
    let port = ports.sidecar;
    let mysql = ports.mysql;
    let control = ports.control;
    let issuer = issuer::url(ports);
    let files = home.join("").display().to_string();
    format!(
        r#"
Postern is running: control plane http://127.0.0.1:{control}; through the sidecar, PostgreSQL (repo sales) on port {port}
and MariaDB (repo shop) on port {mysql}.
Configuration, logs and credentials are in {files}

In a second terminal, take over the credentials:

    set -a; . {env_file}; set +a

alice asks for access, bob approves (put the id that the first command prints in place of ID):

    {postern} request create --repo sales --account app_ro --duration 1h --reason "a look at the shop" --for alice@example.com --nowait
    {postern} request review ID --approve --by bob@example.com

alice connects:

    PGPASSWORD=$TOKEN_ALICE psql "host=127.0.0.1 port={port} dbname=sales user=app_ro"

The same at MariaDB: ask and approve with --repo shop, then

    MYSQL_PWD=$TOKEN_ALICE mariadb --host 127.0.0.1 --port {mysql} --user app_ro shop

In a third terminal (credentials as above), end it; the grant's id is in the second answer:

    {postern} grant revoke ID --reason "that was enough"

Or as people, without those credentials: sign in as alice in a browser, connect, and approve as bob
from another terminal (with XDG_CONFIG_HOME set to another folder) or by the command above:

    {postern} login --control http://127.0.0.1:{control}
    {postern} connect sales --account app_ro --duration 1h --reason "a look at the shop"

The REST interface takes the SSO provider's own tokens (this one gives them to whoever knows that alice's password is alice):

    JWT=$(curl -s -d grant_type=password -d client_id=psql -d username=alice -d password=alice {issuer}/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    curl -H "Authorization: Bearer $JWT" http://127.0.0.1:{control}/v1/users/me

Connection strings for other clients, with a fresh token:

    {postern} access sales --account app_ro --for alice@example.com

Ctrl-C ends everything.

ready
"#
    )
}

/// `postern` where the shell finds this program by that name, its path otherwise.
fn program() -> String {
    let this = env::current_exe().and_then(|path| path.canonicalize());
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join("postern")).find(|path| path.exists());
    match (this, found.map(|path| path.canonicalize())) {
        (Ok(this), Some(Ok(found))) if this == found => "postern".to_owned(),
        (Ok(this), Some(_) | None) => this.display().to_string(),
        (Err(_), Some(_) | None) => "postern".to_owned(),
    }
}

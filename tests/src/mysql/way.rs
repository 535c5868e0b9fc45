//! A way to the server, past the gate or through it, for programs that are not ours.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{
    accounts::{DATABASE, password},
    server::Mysql,
};
use crate::process::bound;

/// Where to connect, as whom, and whom to trust.
#[derive(Clone, Debug)]
pub struct Way {
    /// The port of 127.0.0.1.
    pub port: u16,
    /// The user name.
    pub user: String,
    /// The password or access token.
    pub password: String,
    /// The file with the authority to trust; without one the connection is in clear text.
    pub authority: Option<PathBuf>,
}

impl Way {
    /// Past the gate, over TLS.
    pub fn direct(mysql: &Mysql, account: &str) -> Self {
        let (port, password) = (mysql.port(), password(account).to_owned());
        Self { port, user: account.to_owned(), password, authority: Some(mysql.file("ca.crt")) }
    }

    /// One of the server's own client programs on this way.
    pub fn command(&self, mysql: &Mysql, program: &str) -> Command {
        let mut command = bound(mysql.program(program), "KILL");
        command.args(["--no-defaults", "--protocol=TCP", "--host=127.0.0.1"]);
        command.args([format!("--port={}", self.port), format!("--user={}", self.user)]);
        command.env("MYSQL_PWD", &self.password);
        let mariadb = mysql.version().is_mariadb();
        match &self.authority {
            Some(authority) => {
                command.arg(format!("--ssl-ca={}", authority.display()));
                command.arg(if mariadb { "--ssl-verify-server-cert" } else { "--ssl-mode=VERIFY_IDENTITY" })
            }
            None if mariadb => command.arg("--skip-ssl"),
            None => command.args(["--ssl-mode=DISABLED", "--enable-cleartext-plugin"]),
        };
        if let Some(plugins) = mysql.client_plugins() {
            command.arg(format!("--plugin-dir={}", plugins.display()));
        }
        command
    }

    /// Tells an application of `tests/drivers/mysql` about this way.
    pub fn tell(&self, command: &mut Command) {
        let authority = self.authority.as_deref().unwrap_or(Path::new(""));
        command.env("DB_HOST", "127.0.0.1").env("DB_PORT", self.port.to_string()).env("DB_NAME", DATABASE);
        command.env("DB_USER", &self.user).env("DB_PASSWORD", &self.password).env("DB_CA", authority);
    }

    /// Tells an application about this way, and runs it to its end.
    pub fn application(&self, command: &mut Command) -> Output {
        self.tell(command);
        command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
    }
}

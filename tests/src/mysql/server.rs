//! A real server of the test's own: MariaDB 10 from the system's package, MariaDB 11 and MySQL 9 unpacked beside.
//!
//! The data folder with the sample accounts is made once per version into the cache; a test starts on a copy of that.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use rustix::process::Signal;
use rustls::ClientConfig;

use super::{
    accounts::{DATABASE, password, set_up},
    login::LogIn,
    wire::Raw,
};
use crate::{
    certs::write_for_server,
    folder::{self, Folder},
    port,
    process::{Process, bound_as_ordinary_user, give_to_server, succeed},
    wait::{PATIENCE, until, until_some},
    wire::tls_config,
};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MariaDB 10.11, the system's package.
    MariaDb10,
    /// MariaDB 11.8, unpacked beside.
    MariaDb11,
    /// MySQL 9, unpacked beside.
    MySql9,
}

/// The two on which everything is shown.
pub const BOTH: [Version; 2] = [Version::MariaDb10, Version::MySql9];

const SETTINGS: &str = "
--bind-address=127.0.0.1
--character-set-server=utf8mb4
--local-infile=1
--max-connections=1200
--max-allowed-packet=1073741824
--secure-file-priv=
--skip-log-bin
--innodb-buffer-pool-size=32M
--innodb-doublewrite=OFF
--innodb-flush-log-at-trx-commit=2
--innodb-flush-method=nosync
--innodb-use-native-aio=OFF
--innodb-data-file-path=ibdata1:12M:autoextend
";
const OF_MYSQL: &str = "
--mysqlx=OFF
--innodb-redo-log-capacity=8M
--log-error-verbosity=1
";
const OF_MARIADB: &str = "
--innodb-log-file-size=8M
--plugin-load-add=auth_ed25519
";
const OF_MARIADB_11: &str = "
--plugin-load-add=auth_parsec
--plugin-load-add=auth_mysql_sha2
";

impl Version {
    /// Whether it is a MariaDB.
    pub const fn is_mariadb(self) -> bool {
        match self {
            Self::MariaDb10 | Self::MariaDb11 => true,
            Self::MySql9 => false,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::MariaDb10 => "mariadb10",
            Self::MariaDb11 => "mariadb11",
            Self::MySql9 => "mysql9",
        }
    }

    /// The folder with `bin`, `sbin` and `share`; `None`, said aloud, when it could not be fetched.
    pub fn root(self) -> Option<PathBuf> {
        match self {
            Self::MariaDb10 => Some(PathBuf::from("/usr")),
            Self::MariaDb11 | Self::MySql9 => Some(folder::fetched(self.name())?.join("root/usr")),
        }
    }

    fn plugins(self, root: &Path) -> Option<PathBuf> {
        let own = root.join("lib/mysql/plugin");
        match self {
            Self::MariaDb10 if !own.join("auth_ed25519.so").exists() => {
                Some(folder::fetched(self.name())?.join("plugin"))
            }
            Self::MariaDb10 | Self::MariaDb11 | Self::MySql9 => Some(own),
        }
    }

    const fn server(self) -> &'static str {
        if self.is_mariadb() { "sbin/mariadbd" } else { "sbin/mysqld" }
    }

    const fn settings(self) -> [&'static str; 3] {
        match self {
            Self::MariaDb10 => [SETTINGS, OF_MARIADB, ""],
            Self::MariaDb11 => [SETTINGS, OF_MARIADB, OF_MARIADB_11],
            Self::MySql9 => [SETTINGS, OF_MYSQL, ""],
        }
    }
}

/// Where a version's programs and their parts are.
#[derive(Clone, Debug)]
struct Installed {
    version: Version,
    root: PathBuf,
    plugins: PathBuf,
}

/// A running server.
#[derive(Debug)]
pub struct Mysql {
    process: Process,
    folder: Folder,
    installed: Installed,
    port: u16,
}

impl Installed {
    fn find(version: Version) -> Option<Self> {
        let root = version.root()?;
        let plugins = version.plugins(&root)?;
        Some(Self { version, root, plugins })
    }

    /// The folder with messages and character sets.
    fn share(&self) -> PathBuf {
        let share = self.root.join("share");
        let found = ["mysql", "mariadb"].map(|name| share.join(name));
        let found = found.into_iter().find(|path| path.join("charsets").exists());
        found.unwrap_or_else(|| panic!("no character sets in {}", share.display()))
    }

    /// What the server has to be told on every start.
    fn arguments(&self, data: &Path) -> Vec<String> {
        let share = self.share();
        let paths = [
            ("basedir", self.root.clone()),
            ("plugin-dir", self.plugins.clone()),
            ("lc-messages-dir", share.clone()),
            ("character-sets-dir", share.join("charsets")),
            ("datadir", data.to_owned()),
        ];
        let paths = paths.into_iter().map(|(name, path)| format!("--{name}={}", path.display()));
        let settings = self.version.settings().concat();
        let settings: Vec<_> = settings.split_whitespace().map(str::to_owned).collect();
        ["--no-defaults".to_owned()].into_iter().chain(paths).chain(settings).collect()
    }

    /// One of its programs, with a folder for temporary files that no other server has: a MariaDB that starts clears away
    /// what is in it.
    fn command(&self, program: &str, own: &Path) -> Command {
        let mut command = bound_as_ordinary_user(self.root.join(program), "KILL");
        command.env("TMPDIR", own);
        command
    }

    /// Makes an empty data folder, with temporary files in `own`.
    fn initialize(&self, data: &Path, own: &Path) {
        if self.version.is_mariadb() {
            let mut install = self.command("bin/mariadb-install-db", own);
            install.args(self.arguments(data)).arg("--auth-root-authentication-method=normal");
            succeed(install.args(["--skip-test-db", "--force"]));
        } else {
            let mut install = self.command(self.version.server(), own);
            succeed(install.args(self.arguments(data)).arg("--initialize-insecure"));
        }
    }

    fn launch(&self, data: &Path, port: u16, log: &Path) -> Process {
        let mut command = self.command(self.version.server(), data);
        command.args(self.arguments(data)).arg(format!("--port={port}")).current_dir(data);
        for (name, file) in [
            ("socket", "socket"),
            ("pid-file", "server.pid"),
            ("ssl-ca", "ca.crt"),
            ("ssl-cert", "server.crt"),
            ("ssl-key", "server.key"),
        ] {
            command.arg(format!("--{name}={}", data.join(file).display()));
        }
        Process::start(command, log, Signal::KILL)
    }

    /// The folder with a ready data folder in it; made by whoever comes first.
    async fn template(&self) -> PathBuf {
        let place = folder::cache().join(format!("template-{}", self.version.name()));
        fs::create_dir_all(&place).expect("the cache is writable");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("the cache is ours");
        let place = fs::canonicalize(place).expect("the cache exists");
        let lock = File::create(place.join("lock")).expect("the cache is writable");
        lock.lock().expect("files can be locked");
        let data = place.join("data");
        let recipe = format!("{}{}", self.version.settings().concat(), set_up(self.version));
        if fs::read_to_string(place.join("recipe")).is_ok_and(|made| made == recipe) {
            return data;
        }
        let _ = fs::remove_dir_all(&data);
        give_to_server(&place);
        self.initialize(&data, &place);
        write_for_server(&data);
        self.fill(&data).await;
        fs::write(place.join("recipe"), recipe).expect("the cache is writable");
        data
    }

    /// Makes the accounts, and stops the server in order.
    async fn fill(&self, data: &Path) {
        let scratch = Folder::new();
        let port = port::free();
        let mut process = self.launch(data, port, &scratch.path().join("template.log"));
        superuser(port).await.run(&set_up(self.version)).await;
        process.end(Signal::TERM, PATIENCE);
    }
}

async fn superuser(port: u16) -> Raw {
    until_some("the server", async || {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut raw = Raw::over(stream);
        raw.log_in(&LogIn::new("root", "")).await.ok()?;
        Some(raw)
    })
    .await
}

impl Mysql {
    /// Starts one; `None` when this version could not be fetched.
    pub async fn start(version: Version) -> Option<Self> {
        let installed = Installed::find(version)?;
        let template = installed.template().await;
        let folder = Folder::new();
        let data = folder.path().join("data");
        succeed(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&template).arg(&data));
        let port = port::free();
        let process = installed.launch(&data, port, &folder.path().join("server.log"));
        let mut server = Self { process, folder, installed, port };
        server.be_ready().await;
        Some(server)
    }

    async fn be_ready(&mut self) {
        until("the server to listen", async || {
            assert!(self.process.is_running(), "the server ended:\n{}", self.process.said());
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
        self.admin().await;
    }

    /// Which version it is.
    pub fn version(&self) -> Version {
        self.installed.version
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// One of its version's programs, such as `mariadb` or `mysqldump`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.installed.root.join("bin").join(name)
    }

    /// Where its client programs find their plugins, if they do not know it.
    pub fn client_plugins(&self) -> Option<PathBuf> {
        let folders = match self.version() {
            Version::MariaDb10 => return None,
            Version::MySql9 => return Some(self.installed.plugins.clone()),
            Version::MariaDb11 => fs::read_dir(self.installed.root.join("lib")).expect("it has libraries"),
        };
        let folders = folders.flatten().map(|folder| folder.path().join("libmariadb3/plugin"));
        folders.into_iter().find(|folder| folder.exists())
    }

    /// The name of its command-line client.
    pub fn client(&self) -> &'static str {
        if self.version().is_mariadb() { "mariadb" } else { "mysql" }
    }

    /// The name of its dump program.
    pub fn dump(&self) -> &'static str {
        if self.version().is_mariadb() { "mariadb-dump" } else { "mysqldump" }
    }

    /// A file in its data folder: `ca.crt`, `client.crt`, `client.key`, …
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// The superuser's connection, past the gate.
    pub async fn admin(&self) -> Raw {
        superuser(self.port).await
    }

    /// For a client that wants TLS with the server itself.
    pub fn tls(&self) -> Arc<ClientConfig> {
        tls_config(&fs::read_to_string(self.file("ca.crt")).expect("the server has an authority"), &[])
    }

    /// How to log in as `account` directly, over TLS.
    pub fn login<'a>(&self, account: &'a str) -> LogIn<'a> {
        LogIn { tls: Some(self.tls()), database: DATABASE, ..LogIn::new(account, password(account)) }
    }

    /// A direct connection as `account`.
    pub async fn direct(&self, account: &str) -> Raw {
        let mut raw = Raw::connect(self.port).await;
        raw.log_in(&self.login(account)).await.expect("the account is let in");
        raw
    }

    /// How many connections there are for which this condition on `information_schema.processlist` holds.
    pub async fn connections(&self, condition: &str) -> u64 {
        let sql = format!("select count(*) from information_schema.processlist where {condition}");
        self.admin().await.value(&sql).await.parse().expect("a number")
    }

    /// Starts it again if it has died.
    pub async fn revive(&mut self) {
        if !self.process.is_running() {
            eprintln!("the server died:\n{}", self.process.said());
            self.restart().await;
        }
    }

    /// Starts it again whenever it dies; for ever.
    pub async fn keep_alive(&mut self) {
        loop {
            self.revive().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stops it, as an operator would in a hurry.
    pub fn stop(&mut self) {
        self.process.end(Signal::KILL, Duration::from_secs(20));
    }

    /// Starts it again on the same data and port.
    pub async fn restart(&mut self) {
        let data = self.folder.path().join("data");
        self.process = self.installed.launch(&data, self.port, &self.folder.path().join("server.log"));
        self.be_ready().await;
    }
}

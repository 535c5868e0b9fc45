//! A real PostgreSQL server of the test's own: 15 from the system's package, 18 unpacked beside.
//!
//! `initdb` and the sample accounts are made once per version into the cache; a test starts on a copy of that.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use tokio_postgres::{Client, Config, NoTls};

use crate::{
    certs::write_for_server,
    folder::{self, Folder},
    port,
    process::{Process, bound_as_ordinary_user, succeed},
    wait::{PATIENCE, until_some},
};

pub use crate::process::give_to_server;

/// The database of every test server.
pub const DATABASE: &str = "shop";

/// The accounts of every test server with their passwords; each logs in by the method of its name, the two `app_`
/// ones by SCRAM. `app_rw` owns the database, `app_ro` reads all of it; `postgres` is the superuser.
pub const ACCOUNTS: [(&str, &str); 7] = [
    ("app_rw", "rw's secret: ünïcode"),
    ("app_ro", "ro-secret"),
    ("by_md5", "md5-secret"),
    ("by_cleartext", "clear-secret"),
    ("by_trust", ""),
    ("by_cert", ""),
    ("postgres", ""),
];

/// The password of an account of [`ACCOUNTS`].
pub fn password(account: &str) -> &'static str {
    ACCOUNTS.iter().find(|(name, _)| *name == account).expect("a sample account").1
}

/// Which PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 15, the system's package.
    Fifteen,
    /// 18, unpacked beside.
    Eighteen,
}

impl Version {
    /// Where its programs are; `None`, said aloud, when it could not be fetched.
    pub fn programs(self) -> Option<PathBuf> {
        match self {
            Self::Fifteen => Some(PathBuf::from("/usr/lib/postgresql/15/bin")),
            Self::Eighteen => Some(folder::fetched("pg18")?.join("root/usr/lib/postgresql/18/bin")),
        }
    }

    /// Its number.
    pub const fn major(self) -> u32 {
        match self {
            Self::Fifteen => 15,
            Self::Eighteen => 18,
        }
    }

    const fn number(self) -> &'static str {
        match self {
            Self::Fifteen => "15",
            Self::Eighteen => "18",
        }
    }
}

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 1200
max_prepared_transactions = 2
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
fsync = off
full_page_writes = off
autovacuum = off
jit = off
max_wal_size = 512MB
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_ca_file = 'ca.crt'
log_min_messages = warning
";

/// `samehost` lines only: nothing listens elsewhere.
const HBA: &str = "
hostssl all by_cert      127.0.0.1/32 cert
host    all by_cert      127.0.0.1/32 reject
host    all postgres     127.0.0.1/32 trust
host    all by_trust     127.0.0.1/32 trust
host    all by_md5       127.0.0.1/32 md5
host    all by_cleartext 127.0.0.1/32 password
host    all all          127.0.0.1/32 scram-sha-256
";

const SETUP: &str = "
create role app_rw login password 'rw''s secret: ünïcode';
create role app_ro login password 'ro-secret' in role pg_read_all_data;
create role by_cleartext login password 'clear-secret';
create role by_trust login;
create role by_cert login;
set password_encryption = md5;
create role by_md5 login password 'md5-secret';
";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    folder: Folder,
    version: Version,
    programs: PathBuf,
    port: u16,
}

/// The folder with a ready data folder in it; made by whoever comes first.
async fn template(version: Version, programs: &Path) -> PathBuf {
    let place = folder::cache().join(format!("template-{}", version.number()));
    fs::create_dir_all(&place).expect("the cache is writable");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("the cache is ours");
    let place = fs::canonicalize(place).expect("the cache exists");
    let lock = File::create(place.join("lock")).expect("the cache is writable");
    lock.lock().expect("files can be locked");
    let recipe = format!("{SETTINGS}{HBA}{SETUP}{DATABASE}");
    if fs::read_to_string(place.join("recipe")).is_ok_and(|made| made == recipe) {
        return place.join("data");
    }
    let _ = fs::remove_dir_all(place.join("data"));
    give_to_server(&place);
    let mut initdb = bound_as_ordinary_user(programs.join("initdb"), "KILL");
    initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--auth=trust"]);
    initdb.args(["--wal-segsize=1", "-D"]).arg(place.join("data"));
    succeed(&mut initdb);
    fs::write(place.join("data/pg_hba.conf"), HBA).expect("root or owner");
    let old = fs::read_to_string(place.join("data/postgresql.conf")).expect("root or owner");
    fs::write(place.join("data/postgresql.conf"), format!("{old}{SETTINGS}")).expect("root or owner");
    write_for_server(&place.join("data"));
    let scratch = Folder::new();
    let port = port::free();
    let mut process = launch(programs, &place.join("data"), port, &scratch.path().join("template.log"));
    connect("postgres", "postgres", port).await.batch_execute(SETUP).await.expect("the set-up runs");
    let admin = connect("postgres", "postgres", port).await;
    admin.batch_execute("create database shop owner app_rw").await.expect("the set-up runs");
    let admin = connect("postgres", DATABASE, port).await;
    admin.batch_execute("alter schema public owner to app_rw").await.expect("the set-up runs");
    drop(admin);
    process.end(Signal::INT, PATIENCE);
    fs::write(place.join("recipe"), recipe).expect("the cache is writable");
    place.join("data")
}

fn launch(programs: &Path, data: &Path, port: u16, log: &Path) -> Process {
    let mut command = bound_as_ordinary_user(programs.join("postgres"), "QUIT");
    command.arg("-D").arg(data).args(["-p", &port.to_string()]).current_dir(data);
    Process::start(command, log, Signal::QUIT)
}

async fn connect(user: &str, database: &str, port: u16) -> Client {
    let config = format!("host=127.0.0.1 port={port} user={user} dbname={database}");
    until_some("PostgreSQL", async || {
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    })
    .await
}

impl Postgres {
    /// Starts one; `None` when this version could not be fetched.
    pub async fn start(version: Version) -> Option<Self> {
        let programs = version.programs()?;
        let template = template(version, &programs).await;
        let folder = Folder::new();
        let data = folder.path().join("data");
        succeed(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&template).arg(&data));
        let port = port::free();
        let process = launch(&programs, &data, port, &folder.path().join("postgres.log"));
        let server = Self { process, folder, version, programs, port };
        server.admin().await;
        Some(server)
    }

    /// Which version it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// One of its version's programs, such as `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A file in its data folder: `ca.crt`, `client.crt`, `client.key`, …
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// A superuser's connection to [`DATABASE`], past the gate.
    pub async fn admin(&self) -> Client {
        self.admin_of(DATABASE).await
    }

    /// The same to any database.
    pub async fn admin_of(&self, database: &str) -> Client {
        connect("postgres", database, self.port).await
    }

    /// The configuration for a direct connection as `account`.
    pub fn direct(&self, account: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).dbname(DATABASE).user(account).password(password(account));
        config
    }

    /// How many backends there are for which this condition on `pg_stat_activity` holds.
    pub async fn backends(&self, condition: &str) -> i64 {
        let sql = format!("select count(*) from pg_stat_activity where {condition}");
        self.admin().await.query_one(&sql, &[]).await.expect("the query runs").get(0)
    }

    /// Stops it, as an operator would in a hurry.
    pub fn stop(&mut self) {
        self.process.end(Signal::QUIT, Duration::from_secs(20));
    }

    /// Starts it again on the same data and port.
    pub async fn restart(&mut self) {
        let data = self.folder.path().join("data");
        let log = self.folder.path().join("postgres.log");
        self.process = launch(&self.programs, &data, self.port, &log);
        self.admin().await;
    }
}

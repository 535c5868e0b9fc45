//! A private PostgreSQL with the sample data: never as root, no socket file, gone with the demo.

use std::{fs, path::PathBuf, time::Duration};

use postern_service::secret::Secret;
use rustix::process::Signal;
use tokio::process::Command;

use super::{
    children::{Children, Ending},
    home::Home,
    ports::Ports,
    server::{Kind, Place, Shop, password, programs, run},
};
use crate::error::Error;

const SCHEMA: &str = include_str!("sales.sql");
const START_WITHIN: Duration = Duration::from_mins(1);
/// A fast shutdown, and one that does not even wait for the disk.
const ENDING: Ending = Ending { stop: Signal::INT, hurry: Signal::QUIT };
// INT is a fast shutdown; TERM would wait for every client to leave.
const KIND: Kind = Kind { name: "postgres", death: "INT", variables: &["PG"] };
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];

/// The server's programs and where it lives.
struct Server<'a> {
    bin: PathBuf,
    place: &'a Place,
    superuser: Secret,
    port: u16,
}

/// Creates the cluster, starts it, loads the data.
pub(super) async fn start(home: &Home, ports: &Ports, children: &mut Children) -> Result<Shop, Error> {
    let bin = installed()?;
    let shop = Shop::at(Place::make(home, KIND).await?)?;
    let server = Server { bin, place: &shop.place, superuser: password()?, port: ports.postgres };
    server.create().await?;
    children.start(home, "postgres", ENDING, server.command("postgres", &server.options()))?;
    children.until("PostgreSQL", START_WITHIN, async || server.answers().await).await?;
    server.load(&shop).await?;
    Ok(shop)
}

/// The newest of Debian's versions, or what the path has.
fn installed() -> Result<PathBuf, Error> {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = folders
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    let bins: Vec<_> = versions.into_iter().map(|(_, bin)| bin).collect();
    programs(&bins, &PROGRAMS).ok_or_else(|| {
        Error::Failed("no PostgreSQL server found: install the package `postgresql`".to_owned())
    })
}

impl Server<'_> {
    fn command(&self, program: &str, args: &[String]) -> Command {
        let mut command = self.place.command(self.bin.join(program));
        command.args(args);
        command
    }

    async fn create(&self) -> Result<(), Error> {
        let file = self.place.write("superuser.password", self.superuser.reveal())?;
        let pwfile = format!("--pwfile={}", file.display());
        let args = [
            "-D",
            &self.place.data(),
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ];
        let args: Vec<String> = args.map(str::to_owned).into_iter().chain([pwfile]).collect();
        let done = run(self.command("initdb", &args), "initdb", "").await;
        let _ = fs::remove_file(&file);
        done
    }

    fn options(&self) -> Vec<String> {
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            "unix_socket_directories=".to_owned(),
            "max_connections=1200".to_owned(),
        ];
        let settings = settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]);
        ["-D".to_owned(), self.place.data()].into_iter().chain(settings).collect()
    }

    async fn answers(&self) -> bool {
        let args = ["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()].map(str::to_owned);
        self.command("pg_isready", &args).status().await.is_ok_and(|status| status.success())
    }

    async fn load(&self, shop: &Shop) -> Result<(), Error> {
        let roles = format!(
            "CREATE ROLE app_rw LOGIN PASSWORD '{}';\nCREATE ROLE app_ro LOGIN PASSWORD '{}';\n\
             CREATE DATABASE sales OWNER app_rw;\n",
            shop.app_rw.reveal(),
            shop.app_ro.reveal()
        );
        self.psql("postgres", "postgres", &self.superuser, &roles).await?;
        self.psql("sales", "app_rw", &shop.app_rw, &format!("{SCHEMA}\n{READER}")).await?;
        self.psql("sales", "postgres", &self.superuser, "ANALYZE;").await
    }

    async fn psql(&self, database: &str, user: &str, password: &Secret, sql: &str) -> Result<(), Error> {
        let conninfo = format!("host=127.0.0.1 port={} dbname={database} user={user}", self.port);
        let args = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", &conninfo, "-f", "-"];
        // CREATE DATABASE stands in no transaction.
        let args: Vec<String> =
            args.into_iter().filter(|arg| *arg != "-1" || database == "sales").map(str::to_owned).collect();
        let mut command = self.command("psql", &args);
        command.env("PGPASSWORD", password.reveal());
        run(command, "loading the sample data", sql).await
    }
}

/// What `app_ro` may do: read everything there is, and everything that `app_rw` makes later.
const READER: &str = "
GRANT USAGE ON SCHEMA public, hr TO app_ro;
GRANT SELECT ON ALL TABLES IN SCHEMA public, hr TO app_ro;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, hr TO app_ro;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO app_ro;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app_ro;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO app_ro;
";

//! A private PostgreSQL with the sample data: never as root, no socket file, gone with the demo.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use postern_service::{random, secret::Secret};
use rustix::process::{Signal, getuid};
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    children::{Children, Ending},
    home::{self, Home},
    ports::Ports,
};
use crate::error::Error;

const SCHEMA: &str = include_str!("sales.sql");
const START_WITHIN: Duration = Duration::from_mins(1);
/// A fast shutdown, and one that does not even wait for the disk.
const ENDING: Ending = Ending { stop: Signal::INT, hurry: Signal::QUIT };

/// What the sidecar has to know of the database.
pub(super) struct Shop {
    /// Password of the account that reads everything.
    pub(super) app_ro: Secret,
    /// Password of the account that owns everything.
    pub(super) app_rw: Secret,
    /// Folder of the server when it could not be in the demo's own.
    elsewhere: Option<PathBuf>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(folder) = &self.elsewhere {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The server's programs, its folder, and the user as whom they run.
struct Server {
    bin: PathBuf,
    folder: PathBuf,
    user: Option<User>,
    superuser: Secret,
    port: u16,
}

/// Who the server runs as when we are root.
struct User {
    uid: u32,
    gid: u32,
}

/// Creates the cluster, starts it, loads the data.
pub(super) async fn start(home: &Home, ports: &Ports, children: &mut Children) -> Result<Shop, Error> {
    let bin = programs()?;
    let user = if getuid().is_root() { Some(User::find().await?) } else { None };
    let (folder, elsewhere) = folder(home, user.as_ref()).await?;
    let shop = Shop { app_ro: password()?, app_rw: password()?, elsewhere };
    let server = Server { bin, folder, user, superuser: password()?, port: ports.postgres };
    server.create().await?;
    children.start(home, "postgres", ENDING, server.command("postgres", &server.options()))?;
    children.until("PostgreSQL", START_WITHIN, async || server.answers().await).await?;
    server.load(&shop).await?;
    Ok(shop)
}

fn password() -> Result<Secret, Error> {
    random::token().map(Secret::from).map_err(|error| Error::Failed(error.to_string()))
}

/// The newest of Debian's versions, or what the path has.
fn programs() -> Result<PathBuf, Error> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| has_programs(bin))
        .max_by_key(|(version, _)| *version);
    if let Some((_, bin)) = newest {
        return Ok(bin);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).find(|bin| has_programs(bin));
    found.ok_or_else(|| {
        Error::Failed("no PostgreSQL server found: install the package `postgresql`".to_owned())
    })
}

fn has_programs(bin: &Path) -> bool {
    ["initdb", "postgres", "psql", "pg_isready"].iter().all(|program| bin.join(program).exists())
}

impl User {
    /// The packaged server's own user, or nobody.
    async fn find() -> Result<Self, Error> {
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id("-u", name).await, id("-g", name).await) {
                return Ok(Self { uid, gid });
            }
        }
        Err(Error::Failed(
            "neither a user `postgres` nor `nobody`, and PostgreSQL does not run as root".to_owned(),
        ))
    }
}

async fn id(which: &str, name: &str) -> Option<u32> {
    let answer = Command::new("id").args([which, name]).stderr(Stdio::null()).output().await.ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok().filter(|id| *id != 0)
}

/// The server's folder: in the demo's own, or, where the server's user cannot get there, among the temporary files.
async fn folder(home: &Home, user: Option<&User>) -> Result<(PathBuf, Option<PathBuf>), Error> {
    let own = home.join("postgres");
    fs::create_dir(&own).map_err(Error::io(format!("cannot create {}", own.display())))?;
    hand_over(&own, user)?;
    if setpriv(user, "test").arg("-w").arg(&own).status().await.is_ok_and(|status| status.success()) {
        return Ok((own, None));
    }
    let elsewhere = home::fresh("postern-demo-postgres")?;
    hand_over(&elsewhere, user)?;
    Ok((elsewhere.clone(), Some(elsewhere)))
}

fn hand_over(path: &Path, user: Option<&User>) -> Result<(), Error> {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    let owner = user.map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)));
    let done = owner.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    done.map_err(Error::io(format!("cannot hand {} to the database server", path.display())))
}

/// A program as the server's user, that dies with this one.
fn setpriv(user: Option<&User>, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", &user.uid.to_string(), "--regid", &user.gid.to_string(), "--clear-groups"]);
    }
    // INT is a fast shutdown to PostgreSQL; TERM would wait for every client to leave.
    command.args(["--pdeathsig", "INT", "--"]).arg(program).kill_on_drop(true);
    command
}

impl Server {
    fn command(&self, program: &str, args: &[String]) -> Command {
        let mut command = setpriv(self.user.as_ref(), self.bin.join(program));
        command.args(args).current_dir(&self.folder);
        // Settings of whoever started the demo are not the server's.
        for (name, _) in
            env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("PG")))
        {
            command.env_remove(name);
        }
        command
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    async fn create(&self) -> Result<(), Error> {
        let file = self.folder.join("superuser.password");
        fs::write(&file, self.superuser.reveal())
            .map_err(Error::io(format!("cannot write {}", file.display())))?;
        hand_over(&file, self.user.as_ref())?;
        let pwfile = format!("--pwfile={}", file.display());
        let args = [
            "-D",
            &self.data(),
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
        ["-D".to_owned(), self.data()].into_iter().chain(settings).collect()
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

/// Runs a program to its end.
async fn run(mut command: Command, what: &str, input: &str) -> Result<(), Error> {
    let failed = || Error::io(format!("{what} failed"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed())?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(failed())?;
    }
    let done = child.wait_with_output().await.map_err(failed())?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(Error::Failed(format!("{what} failed ({}): {last}", done.status)))
}

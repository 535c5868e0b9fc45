//! The client: which program, how it learns where to go, and what its end means.
//!
//! The token goes by the environment or by a file of the user's alone, never by a command line, which everybody on the
//! machine can read.

use std::{
    env, fs,
    io::Write,
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::ExitStatus,
};

use postern_service::{loopback::is_loopback, random};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

use super::Target;
use crate::error::Error;

/// Settings of libpq that would lead somewhere else.
const LEADS_ELSEWHERE: [&str; 4] = ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE"];

/// What is started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    name: String,
    args: Vec<String>,
    family: Family,
}

/// How it learns where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// libpq's environment.
    Postgres,
    /// An option file and options, as MySQL's and MariaDB's own programs take them.
    MySql,
    /// MySQL's environment, for programs of others.
    Other,
}

impl Program {
    /// What stands behind `--`, if that begins with a program's name; the engine's own client otherwise.
    pub(super) fn choose(engine: &str, given: &[String]) -> Result<Self, Error> {
        let named = given.first().filter(|first| !first.starts_with('-'));
        let usual: &[&str] = match engine {
            "postgres" => &["psql"],
            "mysql" => &["mysql", "mariadb"],
            other => {
                return Err(Error::Failed(format!("no client for the engine `{other}` in this version")));
            }
        };
        let name = if let Some(name) = named {
            name.clone()
        } else {
            let found = usual.iter().find(|name| is_on_path(name));
            let missing = || Error::Failed(format!("{} is not installed", usual.join(" or ")));
            (*found.ok_or_else(missing)?).to_owned()
        };
        let args = given.iter().skip(usize::from(named.is_some())).cloned().collect();
        let family = if engine == "postgres" { Family::Postgres } else { family_of(&name) };
        Ok(Self { name, args, family })
    }

    /// Starts it and waits for its end, which is ours.
    pub(super) async fn run(self, target: &Target) -> Result<(), Error> {
        let mut command = Command::new(&self.name);
        let options = match self.family {
            Family::Postgres => {
                postgres(&mut command, target);
                None
            }
            Family::MySql => Some(mysql(&mut command, target)?),
            Family::Other => {
                other(&mut command, target);
                None
            }
        };
        command.args(&self.args);
        // Ctrl-C is for the client to understand; here it would end us and leave the client alone with the terminal.
        let _interrupts = signal(SignalKind::interrupt()).map_err(Error::io("cannot listen for signals"))?;
        let mut child = command.spawn().map_err(Error::io(format!("cannot start {}", self.name)))?;
        let status = child.wait().await.map_err(Error::io(format!("cannot wait for {}", self.name)));
        drop(options);
        meaning(status?)
    }
}

fn meaning(status: ExitStatus) -> Result<(), Error> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Error::Client(u8::try_from(code).unwrap_or(1))),
        // As a shell says it.
        None => Err(Error::Client(u8::try_from(128 + status.signal().unwrap_or(0)).unwrap_or(1))),
    }
}

fn family_of(name: &str) -> Family {
    let file =
        Path::new(name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own = ["mysql", "mariadb"].iter().any(|prefix| file.starts_with(prefix));
    if own { Family::MySql } else { Family::Other }
}

fn is_on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| {
        let found = fs::metadata(folder.join(name));
        found.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

fn postgres(command: &mut Command, target: &Target) {
    for name in LEADS_ELSEWHERE {
        command.env_remove(name);
    }
    command
        .env("PGHOST", &target.host)
        .env("PGPORT", target.port.to_string())
        .env("PGDATABASE", &target.repo)
        .env("PGUSER", &target.account)
        .env("PGPASSWORD", target.token.reveal());
    if !is_loopback(&target.host) && env::var_os("PGSSLMODE").is_none() {
        command.env("PGSSLMODE", "require");
    }
}

fn mysql(command: &mut Command, target: &Target) -> Result<OptionFile, Error> {
    let file = OptionFile::write(target)?;
    let mut first = std::ffi::OsString::from("--defaults-file=");
    first.push(file.path());
    command
        // It has to be the first, or it is not known.
        .arg(first)
        .arg("--protocol=TCP")
        .arg(format!("--host={}", target.host))
        .arg(format!("--port={}", target.port))
        .arg(format!("--user={}", target.account))
        // A password that was kept there would be taken in place of the token.
        .env("MYSQL_TEST_LOGIN_FILE", file.folder.join("none"));
    if is_loopback(&target.host) {
        // A sidecar without TLS asks for the token in clear, which is good enough within one machine.
        command.env("LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN", "1");
    }
    Ok(file)
}

fn other(command: &mut Command, target: &Target) {
    command
        .env("MYSQL_HOST", &target.host)
        .env("MYSQL_TCP_PORT", target.port.to_string())
        .env("MYSQL_USER", &target.account)
        .env("MYSQL_PWD", target.token.reveal());
}

/// A file with the token that goes with this value.
struct OptionFile {
    folder: PathBuf,
}

impl OptionFile {
    fn write(target: &Target) -> Result<Self, Error> {
        let id = random::id("postern").map_err(|error| Error::Failed(error.to_string()))?;
        let folder = env::temp_dir().join(id);
        let failed = || format!("cannot write into {}", folder.display());
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(Error::io(failed()))?;
        let file = Self { folder: folder.clone() };
        // MySQL's programs and MariaDB's say it differently, and each passes over the other's words.
        let tls =
            if is_loopback(&target.host) { "" } else { "loose-ssl-mode=REQUIRED\n[client-mariadb]\nssl\n" };
        let text = format!("[client]\npassword={}\n{tls}", target.token.reveal());
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file.path())
            .and_then(|mut open| open.write_all(text.as_bytes()))
            .map_err(Error::io(failed()))?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("client.cnf")
    }
}

impl Drop for OptionFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn what_begins_with_a_dash_is_for_the_usual_client_and_a_word_is_a_program() {
        let program = Program::choose("postgres", &words("pg_dump -t sales")).unwrap();
        assert_eq!(
            program,
            Program { name: "pg_dump".to_owned(), args: words("-t sales"), family: Family::Postgres }
        );
        let program = Program::choose("mysql", &words("/usr/bin/mysqldump shop")).unwrap();
        assert_eq!((program.family, program.args), (Family::MySql, words("shop")));
        assert_eq!(Program::choose("mysql", &words("./app")).unwrap().family, Family::Other);
        assert!(Program::choose("oracle", &[]).is_err());
    }

    #[test]
    fn the_option_file_is_its_users_alone_and_goes_with_the_client() {
        let target = Target {
            host: "db.example".to_owned(),
            port: 1,
            repo: "shop".to_owned(),
            account: "app_ro".to_owned(),
            token: "pst_x".into(),
        };
        let file = OptionFile::write(&target).unwrap();
        let path = file.path();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&path).unwrap().contains("password=pst_x\nloose-ssl-mode=REQUIRED"));
        drop(file);
        assert!(!path.exists());
    }
}

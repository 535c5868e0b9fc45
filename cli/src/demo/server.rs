//! What the demo's private database servers have in common: never root, a folder of their own, gone with the demo.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Stdio,
};

use postern_service::{random, secret::Secret};
use rustix::process::getuid;
use tokio::{io::AsyncWriteExt, process::Command};

use super::home::{self, Home};
use crate::error::Error;

/// What the sidecar has to know of a database.
pub(super) struct Shop {
    /// Password of the account that reads everything.
    pub(super) app_ro: Secret,
    /// Password of the account that owns everything.
    pub(super) app_rw: Secret,
    /// Where the server lives.
    pub(super) place: Place,
}

/// A server's folder, and the user as whom its programs run.
pub(super) struct Place {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Whether the folder could not be in the demo's own.
    elsewhere: bool,
    user: Option<User>,
    kind: Kind,
}

/// How one kind of server differs from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// The name of its folder, and of the packaged server's own user.
    pub(super) name: &'static str,
    /// The signal that ends it at once.
    pub(super) death: &'static str,
    /// What the names of its environment variables begin with.
    pub(super) variables: &'static [&'static str],
}

/// Who the server runs as when we are root.
struct User {
    uid: u32,
    gid: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.elsewhere {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Shop {
    /// A place with fresh passwords.
    pub(super) fn at(place: Place) -> Result<Self, Error> {
        Ok(Self { app_ro: password()?, app_rw: password()?, place })
    }
}

/// A password that nobody has to type.
pub(super) fn password() -> Result<Secret, Error> {
    random::token().map(Secret::from).map_err(|error| Error::Failed(error.to_string()))
}

/// The first of `folders`, or else of the path, in which all of `programs` are.
pub(super) fn programs(folders: &[PathBuf], programs: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut all = folders.iter().cloned().chain(env::split_paths(&path));
    all.find(|folder| programs.iter().all(|program| folder.join(program).exists()))
}

impl User {
    /// The packaged server's own user, or nobody.
    async fn find(own: &str) -> Result<Self, Error> {
        for name in [own, "nobody"] {
            if let (Some(uid), Some(gid)) = (id("-u", name).await, id("-g", name).await) {
                return Ok(Self { uid, gid });
            }
        }
        Err(Error::Failed(format!(
            "neither a user `{own}` nor `nobody`, and database servers do not run as root"
        )))
    }
}

async fn id(which: &str, name: &str) -> Option<u32> {
    let answer = Command::new("id").args([which, name]).stderr(Stdio::null()).output().await.ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok().filter(|id| *id != 0)
}

impl Place {
    /// A folder in the demo's own, or, where the server's user cannot get there, among the temporary files.
    pub(super) async fn make(home: &Home, kind: Kind) -> Result<Self, Error> {
        let user = if getuid().is_root() { Some(User::find(kind.name).await?) } else { None };
        let own = home.join(kind.name);
        fs::create_dir(&own).map_err(Error::io(format!("cannot create {}", own.display())))?;
        let mut place = Self { folder: own, elsewhere: false, user, kind };
        place.hand_over(&place.folder)?;
        let mut test = place.command("test");
        test.arg("-w").arg(&place.folder);
        if !test.status().await.is_ok_and(|status| status.success()) {
            place.folder = home::fresh(&format!("postern-demo-{}", kind.name))?;
            place.elsewhere = true;
            place.hand_over(&place.folder)?;
        }
        Ok(place)
    }

    fn hand_over(&self, path: &Path) -> Result<(), Error> {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        let owner = self.user.as_ref().map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)));
        let done = owner.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
        done.map_err(Error::io(format!("cannot hand {} to the database server", path.display())))
    }

    /// Writes a file that only the server may read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let file = self.folder.join(name);
        fs::write(&file, "").map_err(Error::io(format!("cannot write {}", file.display())))?;
        self.hand_over(&file)?;
        fs::write(&file, text).map_err(Error::io(format!("cannot write {}", file.display())))?;
        Ok(file)
    }

    /// The folder with the server's files.
    pub(super) fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// A program as the server's user, that dies with this one.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(User { uid, gid }) = &self.user {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups"]);
        }
        command.args(["--pdeathsig", self.kind.death, "--"]).arg(program).kill_on_drop(true);
        // A MariaDB that starts clears away what others have in a folder for temporary files that they share.
        command.current_dir(&self.folder).env("TMPDIR", &self.folder);
        // Settings of whoever started the demo are not the server's.
        let foreign = |name: &str| self.kind.variables.iter().any(|start| name.starts_with(start));
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(foreign)) {
            command.env_remove(name);
        }
        command
    }
}

/// Runs a program to its end.
pub(super) async fn run(mut command: Command, what: &str, input: &str) -> Result<(), Error> {
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

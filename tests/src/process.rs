//! Child processes that cannot outlive the test.
//!
//! Each is started through `setpriv --pdeathsig`, so that the kernel ends it when the test's thread is gone, even by
//! SIGKILL. That also means: start them from the test's own thread, not from a pool that may drop idle threads.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// The user that database servers run as when the tests run as root.
pub const ORDINARY_USER: &str = "postgres";

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that gets `death` when its parent dies.
pub fn bound(program: impl AsRef<OsStr>, death: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", death, "--"]).arg(program);
    command
}

/// The same, as an ordinary user when the tests run as root.
pub fn bound_as_ordinary_user(program: impl AsRef<OsStr>, death: &str) -> Command {
    if !is_root() {
        return bound(program, death);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            ORDINARY_USER,
            "--regid",
            ORDINARY_USER,
            "--clear-groups",
            "--pdeathsig",
            death,
            "--",
        ])
        .arg(program);
    command
}

/// Runs a program to its end and returns what it said; a failure fails the test.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Makes a file or folder the server's own, which runs as somebody else when the tests run as root.
pub fn give_to_server(path: &Path) {
    if is_root() {
        let of_ordinary_user = succeed(Command::new("id").args(["-u", ORDINARY_USER]));
        let user =
            String::from_utf8_lossy(&of_ordinary_user.stdout).trim().parse().expect("id prints a number");
        chown(path, Some(user), None).expect("root may give files away");
    }
}

/// The `postern` binary under test.
pub fn postern() -> PathBuf {
    if let Some(path) = env::var_os("POSTERN_BIN") {
        return PathBuf::from(path);
    }
    let test = env::current_exe().expect("a process knows its own file");
    let path = test.parent().and_then(Path::parent).expect("tests lie in target/*/deps").join("postern");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build -p postern` first, as `make test` does",
        path.display()
    );
    path
}

/// A running program whose output goes to a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    farewell: Signal,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`; `farewell` is what it gets on drop.
    pub fn start(mut command: Command, log: &Path, farewell: Signal) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("the log can be opened");
        let err = out.try_clone().expect("a file can be opened twice");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, log: log.to_owned(), farewell }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a number");
        let _ = kill_process(id, signal);
    }

    /// Sends a signal and waits for the end; after `patience` by SIGKILL.
    pub fn end(&mut self, signal: Signal, patience: Duration) -> ExitStatus {
        self.signal(signal);
        self.wait(patience).unwrap_or_else(|| {
            self.signal(Signal::KILL);
            self.child.wait().expect("a killed child ends")
        })
    }

    /// Waits for the end of its own accord.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Everything that it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.end(self.farewell, Duration::from_secs(20));
        }
        if thread::panicking() {
            let said = self.said();
            let tail: Vec<&str> = said.lines().rev().take(40).collect();
            eprintln!("--- the end of {}:", self.log.display());
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

//! The demo as somebody meets it: everything starts, the printed steps work, and nothing is left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the whole crate is a test")]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");

/// A demo that is ready.
struct Demo {
    child: Child,
    env: HashMap<String, String>,
    folder: TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let dir = folder.path().join("demo");
        let mut child =
            Command::new(POSTERN).arg("demo").arg("--dir").arg(&dir).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The rest of the output is nobody's business, but it is read so that the demo is not held up.
        let said: Vec<String> = lines.take_while(|line| line != "ready").collect();
        let env = fs::read_to_string(dir.join("demo.env")).unwrap_or_else(|_| panic!("not ready: {said:#?}"));
        let env = env.lines().map(|line| line.split_once('=').unwrap());
        Self { child, env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), folder }
    }

    fn postern(&self, line: &str) -> String {
        let done = Command::new(POSTERN).args(line.split(' ')).envs(&self.env).output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    fn psql(&self, sql: &str) -> Command {
        let conninfo =
            format!("host=127.0.0.1 port={} dbname=sales user=app_ro", self.env["POSTERN_PG_PORT"]);
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", "-c", sql, &conninfo]).env("PGPASSWORD", &self.env["TOKEN_ALICE"]);
        command
    }

    /// The stock client as it is, without a word about TLS or plugins.
    fn mariadb(&self, sql: &str) -> Command {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--host=127.0.0.1", "--port", &self.env["POSTERN_MYSQL_PORT"]]);
        command.args(["--user=app_ro", "--batch", "--skip-column-names", "shop", "--execute", sql]);
        command.env("MYSQL_PWD", &self.env["TOKEN_ALICE"]);
        command
    }

    fn ask_and_approve(&self, repo: &str) -> String {
        let ask = format!("request create --repo {repo} --account app_ro --duration 1h --reason x");
        let request = self
            .postern(&format!("{ask} --for alice@example.com --nowait"))
            .split(' ')
            .next()
            .unwrap()
            .to_owned();
        let decided = self.postern(&format!("request review {request} --approve --by bob@example.com"));
        decided.split_whitespace().find(|word| word.starts_with("g_")).unwrap().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Command lines of running programs that mention the folder.
fn running_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder)).collect()
}

fn until_nothing_runs_in(folder: &Path) {
    let started = Instant::now();
    while !running_in(folder).is_empty() {
        assert!(started.elapsed() < Duration::from_mins(1), "still running: {:?}", running_in(folder));
        sleep(Duration::from_millis(50));
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn has_databases() -> bool {
    let runs = |program: &str| Command::new(program).arg("-V").output().is_ok();
    let postgres = Path::new("/usr/lib/postgresql").exists() && runs("psql");
    let mariadb = runs("mariadb") && (Path::new("/usr/sbin/mariadbd").exists() || runs("mariadbd"));
    if !postgres || !mariadb {
        eprintln!("SKIPPED: PostgreSQL or MariaDB is not installed");
    }
    postgres && mariadb
}

#[test]
fn the_printed_steps_work_and_a_signal_ends_everything() {
    if !has_databases() {
        return;
    }
    let mut demo = Demo::start();
    assert!(text(&demo.psql("select 1").output().unwrap()).contains("no active grant"));
    let grant = demo.ask_and_approve("sales");
    assert_eq!(text(&demo.psql("select count(*) from sales").output().unwrap()), "5\n");
    assert!(demo.postern("access sales --for alice@example.com").contains("jdbc:postgresql://127.0.0.1:"));

    let mut sleeping = demo.psql("select 'begun'; select pg_sleep(600)");
    let sleeping = sleeping.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !demo.postern("session ls").contains("alice@example.com") {
        sleep(Duration::from_millis(50));
    }
    let revoked = demo.postern(&format!("grant revoke {grant} --reason enough"));
    assert!(revoked.contains("demo: acknowledged, 1 session ended"), "{revoked}");
    let said = text(&sleeping.wait_with_output().unwrap());
    assert!(said.contains("FATAL") && said.contains("enough"), "{said}");
    assert!(demo.postern("audit --verify").contains("control: "));

    assert!(text(&demo.mariadb("select 1").output().unwrap()).contains("no active grant"));
    let grant = demo.ask_and_approve("shop");
    assert_eq!(text(&demo.mariadb("select count(*) from sales").output().unwrap()), "5\n");
    let mut sleeping = demo.mariadb("select sleep(600)");
    let sleeping = sleeping.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !demo.postern("session ls").contains("alice@example.com") {
        sleep(Duration::from_millis(50));
    }
    demo.postern(&format!("grant revoke {grant} --reason plenty"));
    let said = text(&sleeping.wait_with_output().unwrap());
    assert!(said.contains("ERROR 3169") && said.contains("plenty"), "{said}");

    demo.signal(Signal::TERM);
    assert_eq!(demo.wait(), Some(0));
    assert_eq!(running_in(demo.folder.path()), Vec::<String>::new());
}

#[test]
fn a_demo_that_is_killed_takes_everything_with_it() {
    if !has_databases() {
        return;
    }
    let mut demo = Demo::start();
    demo.ask_and_approve("sales");
    let mut sleeping = demo.psql("select pg_sleep(600)").stderr(Stdio::null()).spawn().unwrap();
    while !demo.postern("session ls").contains("alice@example.com") {
        sleep(Duration::from_millis(50));
    }
    demo.signal(Signal::KILL);
    demo.wait();
    until_nothing_runs_in(demo.folder.path());
    assert!(!sleeping.wait().unwrap().success());
}

#[test]
fn a_demo_whose_sidecar_dies_says_so_and_ends() {
    if !has_databases() {
        return;
    }
    let mut demo = Demo::start();
    let sidecar = demo.folder.path().join("demo/sidecar.toml");
    let pid = fs::read_dir("/proc").unwrap().flatten().find_map(|process| {
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let ours = line.contains(" sidecar --config ") && line.contains(sidecar.to_str().unwrap());
        ours.then(|| process.file_name().to_str().unwrap().parse::<i32>().unwrap())
    });
    kill_process(Pid::from_raw(pid.unwrap()).unwrap(), Signal::KILL).unwrap();
    assert_eq!(demo.wait(), Some(1));
    until_nothing_runs_in(demo.folder.path());
}

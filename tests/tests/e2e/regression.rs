//! PostgreSQL's own regression suite, file by file in the order of its schedule, run by psql directly and through a
//! whole grant on equal databases: the outputs must be equal to the letter.
//!
//! Two direct runs do not differ from each other (the suite is written that way), so only the paths of the two
//! servers' scratch folders are evened out, and the one answer in [`UNEQUAL`]. No file is left out.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
};

use postern_tests::{
    folder::{Folder, fetched},
    postgres::{Postgres, Version, give_to_server},
    process::bound,
    stage::{Stage, Wish, connect},
};

const DATABASE: &str = "regression";

/// What `pg_regress` does to the database that it makes.
const SETTINGS: [&str; 6] = [
    "set lc_messages to 'C'",
    "set lc_monetary to 'C'",
    "set lc_numeric to 'C'",
    "set lc_time to 'C'",
    "set bytea_output to 'hex'",
    "set timezone_abbreviations to 'Default'",
];

/// File and statement whose answer may differ: whether the server has counted a new connection between two looks. The
/// sidecar's ready connections are counted when they are made, which is before they are used.
const UNEQUAL: (&str, &str) = ("stats", "SELECT sessions > :db_stat_sessions");

/// One run of the suite.
struct Run {
    suite: PathBuf,
    build: Folder,
    psql: PathBuf,
    port: u16,
    password: String,
}

fn schedule(suite: &Path) -> Vec<String> {
    let text = fs::read_to_string(suite.join("parallel_schedule")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("test:"));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

impl Run {
    fn new(regress: &Path, postgres: &Postgres, port: u16, password: &str) -> Self {
        let build = Folder::new();
        for module in ["regress.so", "autoinc.so", "refint.so"] {
            fs::copy(regress.join(module), build.path().join(module)).unwrap();
        }
        fs::create_dir(build.path().join("results")).unwrap();
        give_to_server(build.path());
        give_to_server(&build.path().join("results"));
        let (suite, psql) = (regress.join("suite"), postgres.program("psql"));
        Self { suite, build, psql, port, password: password.to_owned() }
    }

    fn file(&self, test: &str) -> String {
        let script = File::open(self.suite.join("sql").join(format!("{test}.sql"))).unwrap();
        let path = self.build.path().join("out");
        let out = File::create(&path).unwrap();
        let mut psql = bound(&self.psql, "KILL");
        psql.args(["-X", "-a", "-q", "-d", DATABASE]);
        psql.args(["-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"]);
        psql.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "postgres");
        psql.env("PGPASSWORD", &self.password).env("PGTZ", "PST8PDT").env("PGDATESTYLE", "Postgres, MDY");
        psql.env("PGOPTIONS", "-c intervalstyle=postgres_verbose").env("LC_MESSAGES", "C");
        psql.env("PG_ABS_SRCDIR", &self.suite).env("PG_ABS_BUILDDIR", self.build.path());
        psql.env("PG_LIBDIR", self.build.path()).env("PG_DLSUFFIX", ".so").current_dir(self.build.path());
        let (err, script) = (out.try_clone().unwrap(), Stdio::from(script));
        psql.stdin(script).stdout(out).stderr(err).status().expect("psql runs");
        let said = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let said = said.replace(self.build.path().to_str().unwrap(), "BUILD");
        if test == UNEQUAL.0 { without_answer(&said, UNEQUAL.1) } else { said }
    }

    fn all(&self, tests: &[String]) -> BTreeMap<String, String> {
        tests.iter().map(|test| (test.clone(), self.file(test))).collect()
    }
}

/// The output without the one row that answers `statement`: three lines below it.
fn without_answer(output: &str, statement: &str) -> String {
    let asked =
        output.lines().position(|line| line.starts_with(statement)).expect("the statement is in the suite");
    let lines = output.lines().enumerate().filter(|(number, _)| *number != asked + 3);
    lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

async fn create_database(postgres: &Postgres) {
    let admin = postgres.admin().await;
    admin.batch_execute(&format!("create database {DATABASE} template template0")).await.unwrap();
    for setting in SETTINGS {
        admin.batch_execute(&format!("alter database {DATABASE} {setting}")).await.unwrap();
    }
}

fn first_difference(direct: &str, through: &str) -> String {
    let mut lines = direct.lines().zip(through.lines()).enumerate();
    let found = lines.find(|(_, (direct, through))| direct != through);
    found.map_or_else(
        || format!("{} lines directly, {} through the gate", direct.lines().count(), through.lines().count()),
        |(number, (direct, through))| format!("line {}:\n    {direct}\n    {through}", number + 1),
    )
}

#[tokio::test]
async fn the_regression_suite_of_postgresql_gives_the_same_output() {
    let Some(regress) = fetched("regress") else { return };
    let tests = schedule(&regress.join("suite"));
    let plain = Postgres::start(Version::Fifteen).await.unwrap();
    let stage = Stage::with(Wish { database: DATABASE.to_owned(), ..Wish::default() }).await;
    create_database(&plain).await;
    create_database(&stage.postgres).await;
    let access = stage.access("postgres", "2h").await;
    drop(connect(stage.through(&access).dbname(DATABASE)).await);
    let direct = Run::new(&regress, &plain, plain.port(), "");
    let through = Run::new(&regress, &stage.postgres, stage.sidecar.port(), &access.token);
    let (direct, through) = thread::scope(|scope| {
        let direct = scope.spawn(|| direct.all(&tests));
        let through = scope.spawn(|| through.all(&tests));
        (direct.join().unwrap(), through.join().unwrap())
    });
    let different = tests.iter().filter(|test| direct[*test] != through[*test]);
    let different: Vec<String> = different
        .map(|test| format!("{test}: {}", first_difference(&direct[test], &through[test])))
        .collect();
    assert!(direct.values().all(|output| output.lines().count() > 3), "the suite did not run");
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), tests.len(), different.join("\n"));
}

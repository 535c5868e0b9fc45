//! Real clients connect, look around and work inside a limited grant as a native role with its privileges would.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use postern_tests::{
    folder::{Folder, fetched},
    limits::{
        ACCOUNT, NATIVE,
        ground::{COMMON, Ground},
        markers::leaks,
        resources,
        talk::Door,
    },
    postgres::{Postgres, Version},
    process::bound,
    stage::{Stage, Wish},
};
use sqlx::{
    Connection, Executor,
    postgres::{PgConnectOptions, PgConnection, PgSslMode},
};

const VERSIONS: [Version; 2] = [Version::Fifteen, Version::Eighteen];

/// A server with the gate before it, and both ways in.
struct Scene {
    stage: Stage,
    native: Door,
    gate: Door,
}

impl Scene {
    async fn on(version: Version) -> Option<Self> {
        let postgres = Postgres::start(version).await?;
        Ground::lay(&postgres, &[]).await;
        let stage = Stage::around(postgres, Wish { more: vec![COMMON.to_owned()], ..Wish::default() }).await;
        let access = stage.limited(COMMON, ACCOUNT, &resources()).await;
        let gate = Door { port: stage.sidecar.port(), user: access.account, password: access.token };
        let native =
            Door { port: stage.postgres.port(), user: NATIVE.to_owned(), password: "none".to_owned() };
        Some(Self { stage, native, gate })
    }

    fn psql(&self, door: &Door, arguments: &[&str]) -> Command {
        let mut command = bound(self.stage.postgres.program("psql"), "KILL");
        command.args(arguments);
        enter(&mut command, door);
        command
    }
}

fn enter(command: &mut Command, door: &Door) {
    command.env("PGHOST", "127.0.0.1").env("PGPORT", door.port.to_string()).env("PGUSER", &door.user);
    command.env("PGPASSWORD", &door.password).env("PGDATABASE", COMMON).env("PGSSLMODE", "disable");
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// What people type to look around.
const COMMANDS: &[&str] = &[
    "\\d",
    "\\d+",
    "\\d sales",
    "\\d+ sales",
    "\\d orders",
    "\\d+ orders",
    "\\d employees",
    "\\d events",
    "\\d v_sales_all",
    "\\dt",
    "\\dt+",
    "\\dt *.*",
    "\\dn",
    "\\dn+",
    "\\df",
    "\\df add*",
    "\\dv",
    "\\dv+",
    "\\di",
    "\\di+",
    "\\ds",
    "\\dm",
    "\\du",
    "\\dg",
    "\\dp",
    "\\z orders",
    "\\l",
    "\\dx",
    "\\dT",
    "\\dT+",
    "\\dD",
    "\\dC",
    "\\do",
    "\\da",
    "\\db",
    "\\dc",
    "\\dO",
    "\\dd",
    "\\ddp",
    "\\dE",
    "\\des",
    "\\dew",
    "\\deu",
    "\\det",
    "\\dF",
    "\\dFp",
    "\\dL",
    "\\dy",
    "\\dX",
    "\\dA",
    "\\dAc",
    "\\dRp",
    "\\dRs",
    "\\dP",
    "\\drds",
    "\\conninfo",
    "\\encoding",
    "\\echo :SERVER_VERSION_NUM",
    "\\sf+ public.add1",
];

/// What may be refused: it shows the code of what the grant does not cover.
const MAY_BE_REFUSED: &[&str] = &["\\sf+ public.add1", "\\drds", "\\deu", "\\dRs"];

async fn psql_looks_around(version: Version) {
    let Some(scene) = Scene::on(version).await else { return };
    let folder = Folder::new();
    // psql says the number of the line at which an error came.
    let script = folder.write("look", COMMANDS.join("\n"));
    let file = script.display().to_string();
    let (out, err) =
        said(&scene.psql(&scene.gate, &["-X", "-P", "pager=off", "-f", &file]).output().expect("psql runs"));
    let mut wrong: Vec<String> = leaks("", &format!("{out}{err}")).into_iter().collect();
    for (at, command) in COMMANDS.iter().enumerate() {
        let place = format!("{file}:{}: ERROR", at + 1);
        let errors = err.split("psql:").filter(|part| part.starts_with(&place));
        if !MAY_BE_REFUSED.contains(command) {
            wrong.extend(errors.map(|error| format!("{command}: {error}")));
        }
    }
    for word in ["sku", "sale_id", "orders", "Table \"public.sales\""] {
        if !out.contains(word) {
            wrong.push(format!("nothing shows {word}: {out}"));
        }
    }
    assert!(wrong.is_empty(), "{version:?}: {} of {}\n{}", wrong.len(), COMMANDS.len(), wrong.join("\n"));
}

#[tokio::test]
async fn psql_looks_around_on_15() {
    psql_looks_around(Version::Fifteen).await;
}

#[tokio::test]
async fn psql_looks_around_on_18() {
    psql_looks_around(Version::Eighteen).await;
}

/// Typed at a terminal: `\t` completes what stands before it.
const TYPED: &[(&str, &str)] = &[
    ("select count(*) * 1000 from sal\t;", "5000"),
    ("select 100 + max(qty) from ord\t;", "140"),
    ("update orders set q\t= qty where id = 4 returning 7 * qty;", "280"),
    ("\\d ord\t", "sale_id"),
    ("select 33 + count(*) from public.ord\t;", "37"),
    ("show standard_conf\t;", "on"),
];

async fn psql_completes(version: Version) {
    let Some(scene) = Scene::on(version).await else { return };
    let folder = Folder::new();
    for (typed, shown) in TYPED {
        let psql = scene.stage.postgres.program("psql");
        let keys = folder.write("keys", format!("{typed}\n\\q\n"));
        let mut command = bound("script", "KILL");
        command.args(["-qec", &format!("{} -X -P pager=off", psql.display()), "/dev/null"]);
        enter(&mut command, &scene.gate);
        command.env("TERM", "dumb").stdin(Stdio::from(File::open(keys).expect("it was written")));
        let (out, err) = said(&command.output().expect("script runs"));
        assert!(out.contains(shown) && !out.contains("ERROR"), "{version:?} {typed:?}: {out}{err}");
    }
}

#[tokio::test]
async fn the_tab_key_of_psql_completes_names_on_15() {
    psql_completes(Version::Fifteen).await;
}

#[tokio::test]
async fn the_tab_key_of_psql_completes_names_on_18() {
    psql_completes(Version::Eighteen).await;
}

fn application(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers/limited").join(name)
}

/// What an application prints. Its failure is one of the test.
fn printed(mut command: Command, door: &Door) -> String {
    enter(&mut command, door);
    let output = command.output().expect("the interpreter runs");
    let (out, err) = said(&output);
    assert!(output.status.success(), "as {}: {out}\n{err}", door.user);
    out
}

async fn alike(versions: &[Version], command: impl Fn() -> Command) {
    for version in versions {
        let Some(scene) = Scene::on(*version).await else { return };
        let native = printed(command(), &scene.native);
        let through = printed(command(), &scene.gate);
        assert_eq!(native, through, "{version:?}");
        assert!(native.lines().count() > 5, "the application said too little: {native}");
    }
}

async fn python(part: &str, name: &str) {
    let Some(place) = fetched(part) else { return };
    let command = || {
        let mut command = bound(place.join("venv/bin/python"), "KILL");
        command.arg(application(name));
        command
    };
    alike(&VERSIONS, command).await;
}

#[tokio::test]
async fn asyncpg_works_within_limits() {
    python("python", "asyncpg_limited.py").await;
}

#[tokio::test]
async fn psycopg_works_within_limits() {
    python("python", "psycopg_limited.py").await;
}

#[tokio::test]
async fn sqlalchemy_reflects_and_works_within_limits() {
    python("orm", "sqlalchemy_reflection.py").await;
}

#[tokio::test]
async fn django_inspects_and_works_within_limits() {
    python("orm", "django_inspectdb.py").await;
}

#[tokio::test]
async fn node_postgres_works_within_limits() {
    let Some(node) = fetched("node") else { return };
    let command = || {
        let mut command = bound("node", "KILL");
        command.arg(application("node_postgres_limited.js")).env("NODE_PATH", node.join("node_modules"));
        command
    };
    alike(&VERSIONS, command).await;
}

#[tokio::test]
async fn pgjdbc_describes_the_database_and_works_within_limits() {
    let Some(java) = fetched("java") else { return };
    let scratch = Folder::new();
    let command = || {
        let mut command = bound("java", "KILL");
        let jars = format!("{}/*", java.join("jars").display());
        command.args(["-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", &jars]);
        command.arg(application("PgjdbcLimited.java")).current_dir(scratch.path());
        command
    };
    alike(&[Version::Fifteen], command).await;
}

async fn checked_by_sqlx(door: &Door) -> sqlx::Result<String> {
    let options = PgConnectOptions::new().host("127.0.0.1").port(door.port).ssl_mode(PgSslMode::Disable);
    let options = options.username(&door.user).password(&door.password).database(COMMON);
    let mut connection = PgConnection::connect_with(&options).await?;
    let mut seen = Vec::new();
    for sql in [
        "select id, sku from sales where sku = $1",
        "select o.id, s.prod_name from orders o left join sales s on s.id = o.sale_id where o.qty > $1",
        "insert into orders (sale_id, qty) values ($1, $2) returning id",
    ] {
        let described = connection.describe(sqlx::SqlStr::from_static(sql)).await?;
        seen.push(format!(
            "{:?} {:?}",
            described.columns(),
            (0..2).map(|at| described.nullable(at)).collect::<Vec<_>>()
        ));
    }
    let rows = sqlx::query("select sku from sales where id >= $1 order by id").bind(3);
    seen.push(format!("{} rows", rows.fetch_all(&mut connection).await?.len()));
    connection.close().await?;
    Ok(seen.join("\n"))
}

#[tokio::test]
async fn the_checks_of_sqlx_work_within_limits() {
    for version in VERSIONS {
        let Some(scene) = Scene::on(version).await else { return };
        let native = checked_by_sqlx(&scene.native).await.expect("the native role may");
        assert_eq!(native, checked_by_sqlx(&scene.gate).await.expect("the limited session may as well"));
    }
}

/// A whole morning at the prompt in one session.
#[tokio::test]
async fn a_session_of_psql_goes_on_after_refusals() {
    let Some(scene) = Scene::on(Version::Fifteen).await else { return };
    let script = "select count(*) from sales;\nselect price from sales;\nselect * from sales;\n\\d sales\n\
                  begin;\nselect 1;\ntable employees;\nselect 2;\nrollback;\ncopy (select sku from sales) to stdout;\n\
                  \\copy orders (sale_id, qty) from stdin\n1\t5\n\\.\nselect 42 * 2;\n";
    let run = |door: &Door| {
        let mut command = scene.psql(door, &["-X", "-q"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql runs");
        child.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("psql reads");
        said(&child.wait_with_output().expect("psql ends"))
    };
    let ((native, native_errors), (out, errors)) = (run(&scene.native), run(&scene.gate));
    assert!(out.contains("84") && leaks(script, &out).is_empty(), "{out}\n{errors}");
    let count = |text: &str| text.matches("ERROR").count();
    assert_eq!(count(&native_errors), count(&errors), "{native_errors}\n{errors}");
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("SKU-")).count();
    assert_eq!(rows(&native), rows(&out));
}

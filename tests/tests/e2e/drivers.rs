//! Drivers of other languages: each runs the same application directly and through the gate, and must see the same.

use std::{path::PathBuf, process::Command};

use postern_tests::{
    folder::{Folder, fetched},
    postgres::{DATABASE, Version, password},
    process::bound,
    stage::{REPO, Stage, Wish},
};
use sqlx::{
    Connection, Executor, Row,
    postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions, PgSslMode},
};

const ACCOUNT: &str = "app_rw";

fn application(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers").join(name)
}

fn output(mut command: Command, port: u16, database: &str, password: &str) -> String {
    command.env("PGHOST", "127.0.0.1").env("PGPORT", port.to_string()).env("PGUSER", ACCOUNT);
    command.env("PGPASSWORD", password).env("PGDATABASE", database).env("PGSSLMODE", "disable");
    let output = command.output().expect("the interpreter runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

async fn both_alike(version: Version, command: impl Fn() -> Command) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let access = stage.access(ACCOUNT, "1h").await;
    let direct = output(command(), stage.postgres.port(), DATABASE, password(ACCOUNT));
    let through = output(command(), stage.sidecar.port(), REPO, &access.token);
    assert_eq!(direct, through.replace(&format!(":{}/", stage.sidecar.port()), ""));
    assert!(direct.lines().count() > 5, "the application said too little: {direct}");
}

async fn python(name: &str) {
    let Some(python) = fetched("python") else { return };
    for version in [Version::Fifteen, Version::Eighteen] {
        let command = || {
            let mut command = bound(python.join("venv/bin/python"), "KILL");
            command.arg(application(name));
            command
        };
        both_alike(version, command).await;
    }
}

#[tokio::test]
async fn psycopg_2_sees_no_difference() {
    python("psycopg2_app.py").await;
}

#[tokio::test]
async fn psycopg_3_sees_no_difference() {
    python("psycopg3_app.py").await;
}

#[tokio::test]
async fn asyncpg_sees_no_difference() {
    python("asyncpg_app.py").await;
}

#[tokio::test]
async fn node_postgres_sees_no_difference() {
    let Some(node) = fetched("node") else { return };
    let command = || {
        let mut command = bound("node", "KILL");
        command.arg(application("node_postgres_app.js")).env("NODE_PATH", node.join("node_modules"));
        command
    };
    both_alike(Version::Fifteen, command).await;
}

#[tokio::test]
async fn pgjdbc_sees_no_difference() {
    let Some(java) = fetched("java") else { return };
    let scratch = Folder::new();
    let command = || {
        let mut command = bound("java", "KILL");
        let jars = format!("{}/*", java.join("jars").display());
        command.args(["-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", &jars]);
        command.arg(application("PgjdbcApp.java")).current_dir(scratch.path());
        command
    };
    both_alike(Version::Fifteen, command).await;
}

async fn sqlx_application(options: PgConnectOptions) -> sqlx::Result<Vec<String>> {
    let mut seen = Vec::new();
    let mut connection = PgConnection::connect_with(&options).await?;
    connection.execute("create table app (id int primary key, name text, tags text[])").await?;
    for n in 0..50_i32 {
        let insert = sqlx::query("insert into app values ($1, $2, $3)");
        insert.bind(n).bind(format!("näme {n}")).bind(vec!["a", "b"]).execute(&mut connection).await?;
    }
    let rows = sqlx::query("select * from app where id > $1 order by id")
        .bind(45)
        .fetch_all(&mut connection)
        .await?;
    for row in rows {
        let (id, name, tags): (i32, String, Vec<String>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        seen.push(format!("{id} {name} {tags:?}"));
    }
    let mut transaction = connection.begin().await?;
    let error = sqlx::query("insert into app (id) values (1)").execute(&mut *transaction).await;
    seen.push(format!("{:?}", error.map_err(|error| error.to_string())));
    transaction.rollback().await?;
    let mut copy = connection.copy_in_raw("copy app (id) from stdin").await?;
    copy.send(&b"100\n101\n"[..]).await?;
    seen.push(copy.finish().await?.to_string());
    connection.execute("drop table app").await?;
    let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("tide").await?;
    sqlx::query("select pg_notify('tide', 'in')").execute(&pool).await?;
    seen.push(listener.recv().await?.payload().to_owned());
    Ok(seen)
}

#[tokio::test]
async fn sqlx_sees_no_difference() {
    let stage = Stage::new().await;
    let access = stage.access(ACCOUNT, "1h").await;
    let options = || PgConnectOptions::new().host("127.0.0.1").username(ACCOUNT).ssl_mode(PgSslMode::Disable);
    let direct = options().port(stage.postgres.port()).database(DATABASE).password(password(ACCOUNT));
    let through = options().port(stage.sidecar.port()).database(REPO).password(&access.token);
    assert_eq!(sqlx_application(direct).await.unwrap(), sqlx_application(through).await.unwrap());
}

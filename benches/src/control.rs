//! A control plane with a long past: a million grants that are over and a hundred thousand that are not.

use std::time::{Duration, Instant};

use postern_tests::{
    gate::{Control, Extra, Sidecar, SidecarWish},
    office::people,
    postgres::{DATABASE, Postgres, Version},
    rest::Api,
    stage::{ALICE, enrol, whole},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    process::resident_kib,
    table::{median, percentile},
};

const PAST: u32 = 1_000_000;
const ACTIVE: u32 = 100_000;
const REVOCATIONS: u32 = 200;
const LISTINGS: usize = 50;
const STARTS: usize = 3;

/// Copies of a request and its grant under other names. `$ID` stands for what tells them apart.
const COPY: [&str; 2] = [
    "
with recursive numbers (i) as (select 1 union all select i + 1 from numbers where i < $COUNT)
insert into requests (id, identity, repo, state, owner, due, body)
select 'r_$ID' || i, 'u' || (i % 10000) || '@example.com', repo, state, owner, due,
       replace(replace(replace(body, '$REQUEST', 'r_$ID' || i), '$GRANT', 'g_$ID' || i),
               'alice@example.com', 'u' || (i % 10000) || '@example.com')
from requests, numbers where id = '$REQUEST'",
    "
with recursive numbers (i) as (select 1 union all select i + 1 from numbers where i < $COUNT)
insert into grants (id, identity, repo, state, owner, due, body)
select 'g_$ID' || i, 'u' || (i % 10000) || '@example.com', repo, state, owner, due - $AGE,
       replace(replace(replace(body, '$REQUEST', 'r_$ID' || i), '$GRANT', 'g_$ID' || i),
               'alice@example.com', 'u' || (i % 10000) || '@example.com')
from grants, numbers where id = '$GRANT'",
];

/// Ten days, in milliseconds.
const LONG_AGO: &str = "864000000";

/// Where the control plane keeps everything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Store {
    File,
    Server,
}

fn copies((request, grant): &(String, String), (id, count, age): (&str, u32, &str)) -> [String; 2] {
    COPY.map(|sql| {
        let sql = sql.replace("$REQUEST", request).replace("$GRANT", grant);
        sql.replace("$ID", id).replace("$COUNT", &count.to_string()).replace("$AGE", age)
    })
}

async fn one(api: &Api) -> (String, String) {
    let request = api.request(whole(ALICE, "app_ro", "30d")).await;
    (request["id"].as_str().expect("a request has an id").to_owned(), api.approve(&request).await)
}

/// Writes the past and the present straight into the tables.
async fn fill(store: Store, control: &mut Control, server: &Postgres, api: &Api) {
    let (past, active) = (one(api).await, one(api).await);
    let path = format!("/v1/grants/{}/revoke", past.1);
    api.post(&path, json!({"reason": "over"})).await.ok();
    control.stop();
    let mut all: Vec<String> = copies(&past, ("past", PAST, LONG_AGO)).into();
    all.extend(copies(&active, ("now", ACTIVE, "0")));
    match store {
        Store::Server => {
            let client = server.admin_of("control").await;
            for sql in all {
                client.batch_execute(&sql).await.expect("the tables are as they were made");
            }
            client.batch_execute("vacuum analyze").await.expect("the superuser may");
        }
        Store::File => {
            let file = control.config().with_file_name("control.db");
            let options = SqliteConnectOptions::new().filename(file);
            let mut file = SqliteConnection::connect_with(&options).await.expect("the store is there");
            for sql in all {
                let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut file).await;
                done.expect("the tables are as they were made");
            }
            file.close().await.expect("the file is closed");
        }
    }
    control.restart().await;
}

pub(crate) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

async fn listings(api: &Api) {
    println!("\n| listing of 100 | p50 (ms) | p99 (ms) |");
    println!("|---|--:|--:|");
    for path in [
        "/v1/requests?limit=100",
        "/v1/requests?limit=100&status=PENDING",
        "/v1/requests?limit=100&status=APPROVED",
        "/v1/requests?limit=100&identity=u77@example.com",
        "/v1/requests?limit=100&repo=sales",
        "/v1/requests?limit=100&awaits_hindsight=true",
        "/v1/grants?limit=100&state=ACTIVE",
        "/v1/grants?limit=100&identity=u77@example.com",
        "/v1/grants?limit=100&repo=sales&state=SCHEDULED",
    ] {
        let mut times = Vec::new();
        for _ in 0..LISTINGS {
            let begun = Instant::now();
            api.get(path).await.ok();
            times.push(milliseconds(begun));
        }
        println!("| `{path}` | {:.1} | {:.1} |", percentile(times.clone(), 0.5), percentile(times, 0.99));
    }
}

async fn revocations(api: &Api) {
    let mut times = Vec::new();
    for number in 1..=REVOCATIONS {
        let begun = Instant::now();
        let path = format!("/v1/grants/g_now{number}/revoke");
        let answer = api.post(&path, json!({"reason": "over"})).await.ok();
        times.push(milliseconds(begun));
        assert_eq!(answer["sidecars"][0]["acknowledged"], true, "{answer}");
    }
    let [p50, p99, last] = [0.5, 0.99, 1.0].map(|share| percentile(times.clone(), share));
    println!("\n| revoke to acknowledged ({REVOCATIONS} times) | p50 (ms) | p99 (ms) | last (ms) |");
    println!("|---|--:|--:|--:|");
    println!("| one sidecar | {p50:.1} | {p99:.1} | {last:.1} |");
}

async fn sidecar(control: &Control, database: &Postgres, token: String) -> Sidecar {
    let wish = SidecarWish {
        token,
        control_port: control.port(),
        database_port: database.port(),
        database: DATABASE.to_owned(),
        more: Vec::new(),
        lease: "60s".to_owned(),
        host: "127.0.0.1".to_owned(),
        tls: None,
        repo: String::new(),
        top: String::new(),
        accounts: Vec::new(),
        extra: Extra::default(),
    };
    let mut times = Vec::new();
    loop {
        let begun = Instant::now();
        let mut sidecar = Sidecar::launch(&wish);
        sidecar.be_ready().await;
        times.push(milliseconds(begun));
        if times.len() == STARTS {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let memory = resident_kib(sidecar.process().id()) / 1024.0;
            println!("\n| sidecar with {ACTIVE} grants | started to ready (ms) | memory (MiB) |");
            println!("|---|--:|--:|");
            println!("| median of {STARTS} | {:.0} | {memory:.0} |", median(times));
            return sidecar;
        }
        sidecar.kill();
    }
}

/// A control plane on an empty store, behind a load balancer: all of a bench comes from one machine.
pub(crate) async fn open(store: Store, server: &Postgres) -> Control {
    match store {
        Store::File => Control::behind_balancer("sqlite:control.db").await,
        Store::Server => {
            let made = server.admin().await.batch_execute("create database control").await;
            made.expect("the superuser may");
            let store = format!("postgres://postgres@127.0.0.1:{}/control", server.port());
            Control::behind_balancer(&store).await
        }
    }
}

/// Runs the section.
pub(crate) async fn run() {
    for store in [Store::File, Store::Server] {
        println!("\n### The control plane with {PAST} past and {ACTIVE} active grants ({store:?})\n");
        let server = Postgres::start(Version::Fifteen).await.expect("PostgreSQL 15 is installed");
        let mut control = open(store, &server).await;
        let api = control.bootstrap();
        people(&api).await;
        let token = enrol(&api, "edge-1").await;
        fill(store, &mut control, &server, &api).await;
        listings(&api).await;
        let _sidecar = sidecar(&control, &server, token).await;
        revocations(&api).await;
        let process = control.process().id();
        println!("\nThe control plane's memory: {:.0} MiB", resident_kib(process) / 1024.0);
    }
}

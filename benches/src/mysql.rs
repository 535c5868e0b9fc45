//! MySQL and MariaDB: sysbench's point select, and a big answer, past the gate, through HAProxy and through the gate,
//! whole and limited.

use std::{process::Stdio, time::Instant};

use postern_tests::{
    folder::{Folder, fetched},
    mysql::{
        server::{BOTH, Mysql},
        stage::{Stage, Wish},
        sysbench::{per_second, sysbench},
        way::Way,
    },
    office::Access,
    port,
    wait::until,
};
use serde_json::json;

use crate::{Effort, lab::haproxy, table::median, timed::Timed};

/// Whole, and the same tables in a limited session.
const ACCOUNTS: [&str; 2] = ["app_rw", "root"];
const TABLES: u32 = 4;
const VERDICTS: u32 = 2_000;

fn select(mysql: &Mysql, way: &Way, clients: u32, step: &str, seconds: u32) -> f64 {
    let arguments = [
        format!("--tables={TABLES}"),
        "--table-size=10000".to_owned(),
        format!("--threads={clients}"),
        format!("--time={seconds}"),
        step.to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    per_second(&sysbench(mysql, way, "oltp_point_select.lua", &arguments), "transactions:")
}

/// Seconds that the stock client takes for 200 MB.
fn big(mysql: &Mysql, way: &Way) -> f64 {
    let mut command = way.command(mysql, mysql.client());
    let statement = "select repeat('x', 1000) from sbtest1 a join sbtest2 b on b.id <= 20 limit 200000";
    command.args(["--quick", "--batch", "-e", statement, "shop"]).stdout(Stdio::null());
    let begun = Instant::now();
    assert!(command.status().expect("the client runs").success(), "{}", way.port);
    begun.elapsed().as_secs_f64()
}

/// Runs the section.
pub(crate) async fn run(effort: Effort) {
    if fetched("sysbench").is_none() {
        return;
    }
    for version in BOTH {
        let Some(stage) = Stage::on(version, Wish { tls: true, ..Wish::default() }).await else { continue };
        let folder = Folder::new();
        let between = port::free();
        let _proxy = haproxy(&folder, between, stage.mysql.port());
        until("the proxy", async || tokio::net::TcpStream::connect(("127.0.0.1", between)).await.is_ok())
            .await;
        let whole = stage.access(ACCOUNTS[0], "8h").await;
        let tables =
            (1..=TABLES).map(|n| json!({"resource": format!("shop.sbtest{n}"), "privileges": ["SELECT"]}));
        let [direct, through] = stage.ways(&whole);
        let proxied = Way { port: between, ..direct.clone() };
        select(&stage.mysql, &direct, 1, "prepare", 1);
        let access = stage.limited(ACCOUNTS[1], &tables.collect()).await;
        let [_, limited] = stage.ways(&access);
        let ways = [direct, proxied, through, limited];
        println!("\n### {version:?}, TLS on\n");
        println!("| | direct | HAProxy | Postern | limited | Postern ÷ HAProxy | limited ÷ Postern |");
        println!("|---|--:|--:|--:|--:|--:|--:|");
        for clients in [1, 8, 64] {
            let measure = |way: &Way| select(&stage.mysql, way, clients, "run", effort.seconds);
            row(&format!("point select, {clients} clients (1/s)"), effort, &ways, measure);
        }
        row("200 MB by the stock client (MB/s)", effort, &ways, |way| 200.0 / big(&stage.mysql, way));
        verdicts(&stage, &access).await;
    }
}

/// How long a verdict on a point select takes: on texts that were never there, and on one that was.
async fn verdicts(stage: &Stage, access: &Access) {
    let mut client = stage.raw(access).await.expect("a limited session");
    println!("\n| verdict (microseconds, mean) | not cached | cached |\n|---|--:|--:|");
    let mut times = Vec::new();
    for (cache, several) in [("miss", true), ("hit", false)] {
        let before = Timed::verdicts(&stage.sidecar, cache).await;
        for number in 0..VERDICTS {
            // A verdict holds for every number, so it is a name that differs.
            let name = if several { number } else { 0 };
            client
                .ask(&format!("select c as c{name} from sbtest1 where id = 77"))
                .await
                .expect("it is granted");
        }
        times.push(Timed::verdicts(&stage.sidecar, cache).await.mean_since(before));
    }
    println!("| point select | {:.2} | {:.2} |", times[0], times[1]);
}

fn row(name: &str, effort: Effort, ways: &[Way; 4], measure: impl Fn(&Way) -> f64) {
    let mut results = [const { Vec::new() }; 4];
    for _ in 0..effort.rounds {
        for (way, results) in ways.iter().zip(&mut results) {
            results.push(measure(way));
        }
    }
    let [direct, proxied, whole, limited] = results.map(median);
    println!(
        "| {name} | {direct:.0} | {proxied:.0} | {whole:.0} | {limited:.0} | {:.2} | {:.2} |",
        whole / proxied,
        limited / whole
    );
}

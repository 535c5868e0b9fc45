//! Megabytes per second, for a big answer and for COPY both ways.

use std::time::Instant;

use crate::{
    Effort,
    client::Client,
    lab::{Lab, Way},
    table::{head, median, row},
};

const ACCOUNT: &str = "by_trust";
const WIDE: u32 = 8_000;
const NARROW: u32 = 100;

async fn out(way: &Way, sql: &str) -> f64 {
    let mut client = Client::connect(way, ACCOUNT).await.expect("a connection");
    let begun = Instant::now();
    let bytes = client.count(sql).await.expect("the statement runs");
    megabytes_per_second(bytes, begun)
}

async fn copy_in(way: &Way, megabytes: u32) -> f64 {
    let mut client = Client::connect(way, ACCOUNT).await.expect("a connection");
    client.count("create unlogged table intake (line text)").await.expect("a table");
    let block = [vec![b'x'; WIDE as usize], vec![b'\n']].concat().repeat(8);
    let copies = megabytes * 1_000_000 / (8 * (WIDE + 1));
    let begun = Instant::now();
    client.copy_in("copy intake from stdin", &block, copies).await.expect("the copy runs");
    let speed = megabytes_per_second(u64::from(copies) * block.len() as u64, begun);
    client.count("drop table intake").await.expect("the table goes");
    speed
}

#[allow(clippy::cast_precision_loss)]
fn megabytes_per_second(bytes: u64, begun: Instant) -> f64 {
    bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

/// Runs the section.
pub(crate) async fn run(lab: &Lab, effort: Effort) {
    head("Bulk, one client, TLS off", "MB per second");
    let rows = |width: u32| effort.megabytes * 1_000_000 / width;
    let answer = |width: u32| format!("select repeat('x', {width}) from generate_series(1, {})", rows(width));
    let statements = [
        ("SELECT, rows of 8 kB", answer(WIDE)),
        ("SELECT, rows of 100 B", answer(NARROW)),
        ("COPY TO STDOUT, rows of 8 kB", format!("copy ({}) to stdout", answer(WIDE))),
    ];
    for (name, sql) in statements {
        let mut results = vec![Vec::new(); lab.ways.len()];
        for _ in 0..effort.rounds {
            for (way, results) in lab.ways.iter().zip(&mut results) {
                results.push(out(way, &sql).await);
            }
        }
        row(name, &results.into_iter().map(median).collect::<Vec<_>>());
    }
    let mut results = vec![Vec::new(); lab.ways.len()];
    for _ in 0..effort.rounds {
        for (way, results) in lab.ways.iter().zip(&mut results) {
            results.push(copy_in(way, effort.megabytes / 2).await);
        }
    }
    row("COPY FROM STDIN, rows of 8 kB", &results.into_iter().map(median).collect::<Vec<_>>());
}

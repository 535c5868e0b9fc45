//! Postern against a direct connection, a bare relay, HAProxy (TCP) and PgBouncer (session mode), all in one run.
//!
//! Absolute numbers say something about the machine; what counts is the ratio between columns of one row. Rounds are
//! interleaved (each way once, then each way again), and a row shows the median of its rounds.
//! `compare [quick] [SECTION…]` runs everything, or the named sections: throughput, connects, bulk, memory, revoke,
//! limited, catalog, mysql, control, fleet, guesses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bare;
mod bulk;
mod catalog;
mod client;
mod control;
mod fleet;
mod guesses;
mod lab;
mod limited;
mod memory;
mod mysql;
mod pgbench;
mod process;
mod revoke;
mod table;
mod timed;

use lab::Lab;

/// How thorough a run is.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    seconds: u32,
    megabytes: u32,
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, listen, database] = &words[..]
        && word == bare::WORD
    {
        let port = |text: &str| text.parse().expect("a port");
        bare::run(port(listen), port(database)).expect("a relay");
        return;
    }
    let quick = words.iter().any(|word| word == "quick");
    let sections: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "quick").collect();
    let wanted = |section: &str| sections.is_empty() || sections.contains(&section);
    let effort = if quick {
        Effort { rounds: 1, seconds: 2, megabytes: 200 }
    } else {
        Effort { rounds: 3, seconds: 4, megabytes: 1000 }
    };
    if wanted("mysql") {
        mysql::run(effort).await;
    }
    if wanted("control") {
        control::run().await;
    }
    if wanted("fleet") {
        fleet::run().await;
    }
    if wanted("guesses") {
        guesses::run().await;
    }
    let alone = ["mysql", "control", "fleet", "guesses"];
    if sections.iter().all(|section| alone.contains(section)) && !sections.is_empty() {
        return;
    }
    let mut lab = Lab::new().await;
    if wanted("throughput") {
        pgbench::throughput(&mut lab, effort);
    }
    if wanted("connects") {
        pgbench::connects(&mut lab, effort);
    }
    if wanted("bulk") {
        bulk::run(&lab, effort).await;
    }
    if wanted("memory") {
        memory::run(&mut lab).await;
    }
    if wanted("revoke") {
        revoke::run(&lab).await;
    }
    if wanted("limited") {
        limited::run(&lab, effort).await;
    }
    if wanted("catalog") {
        catalog::run(&mut lab).await;
    }
}

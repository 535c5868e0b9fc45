//! A database with very many tables: how long its catalog takes to read, and what the sidecar keeps of it in memory.

use std::time::Duration;

use postern_tests::stage::REPO;

use crate::{lab::Lab, process::resident_kib, table::median, timed::Timed};

const TABLES: usize = 50_000;
const COLUMNS: usize = 10;
const ROUNDS: usize = 3;

/// Commits every now and then, because every new table is a lock until then.
const FILL: &str = "do $$ begin for number in 1..50000 loop
    execute format('create table big.table_%s (id int, customer_id bigint, product_name text, created_at timestamptz,
        price numeric(12,2), quantity int, note varchar(200), status text, is_open bool, payload jsonb)', number);
    if number % 500 = 0 then commit; end if;
end loop; end $$";

async fn reads(lab: &Lab) -> Timed {
    Timed::read(&lab.sidecar, "postern_catalog_read_seconds", "").await
}

/// Whether the control plane knows this table.
async fn is_told(lab: &Lab, table: &str) -> bool {
    let found = lab.api.get(&format!("/v1/repos/{REPO}/resources?prefix=big.{table}.")).await.ok();
    found["items"].as_array().is_some_and(|items| !items.is_empty())
}

/// How soon depends on how long a look takes: see the sidecar's `catalog/asker.rs`.
async fn wait_for(lab: &Lab, table: &str) {
    let told = async {
        while !is_told(lab, table).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(10), told).await.expect("the tables are told");
}

/// Runs the section. The tables stay, so it is the last.
#[allow(clippy::cast_precision_loss)]
pub(crate) async fn run(lab: &mut Lab) {
    println!("\n### A catalog of {TABLES} tables with {} columns\n", TABLES * COLUMNS);
    let before = resident_kib(lab.sidecar.process().id());
    let admin = lab.postgres.admin().await;
    admin.batch_execute("create schema big").await.expect("the superuser may");
    admin.batch_execute(FILL).await.expect("the superuser may");
    wait_for(lab, &format!("table_{TABLES}")).await;
    let mut milliseconds = Vec::new();
    for round in 0..ROUNDS {
        let before = reads(lab).await;
        admin
            .batch_execute(&format!("create table big.more_{round} (id int)"))
            .await
            .expect("the superuser may");
        wait_for(lab, &format!("more_{round}")).await;
        milliseconds.push(reads(lab).await.mean_since(before) / 1_000.0);
    }
    let after = resident_kib(lab.sidecar.process().id());
    println!("| read whole (ms) | sidecar before (MiB) | with it (MiB) | growth (MiB) |");
    println!("|--:|--:|--:|--:|");
    println!(
        "| {:.0} | {:.1} | {:.1} | {:.1} |",
        median(milliseconds),
        before / 1024.0,
        after / 1024.0,
        (after - before) / 1024.0
    );
}

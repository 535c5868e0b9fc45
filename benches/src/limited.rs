//! What a limited session costs: `pgbench -S` against a whole one, and how long a verdict takes.

use std::ops::Range;

use postern_tests::stage::{ALICE, BOB, REPO};
use serde_json::json;

use crate::{Effort, client::Client, lab::Lab, pgbench::pgbench_as, table::median, timed::Timed};

/// What `pgbench -S` reads, and nothing else.
const TABLES: [&str; 4] = [
    "public.pgbench_accounts",
    "public.pgbench_branches",
    "public.pgbench_tellers",
    "public.pgbench_history",
];

/// Some 600 bytes.
const COMMON: &str = "with recent as (select a.aid, a.bid, a.abalance from pgbench_accounts a where a.aid between 1 \
    and 100 and a.abalance is not null), by_branch as (select r.bid, count(*) as accounts, sum(r.abalance) as balance, \
    max(r.aid) as newest from recent r group by r.bid having count(*) > 0), known as (select b.bid, b.bbalance, \
    coalesce(b.filler, 'none') as filler from pgbench_branches b where b.bid in (select bid from by_branch)) select \
    k.bid, k.bbalance, k.filler, y.accounts, y.balance, y.newest, row_number() over (order by y.balance desc) as rank \
    from known k join by_branch y on y.bid = k.bid where y.accounts > 0 order by rank limit 10 -- ";

async fn limited_grant(lab: &Lab) {
    let resources: Vec<_> =
        TABLES.iter().map(|table| json!({"resource": table, "privileges": ["SELECT"]})).collect();
    let wish = json!({"for": ALICE, "repo": REPO, "account": "postgres", "duration": "8h", "reason": "bench",
                      "resources": resources});
    let request = lab.api.post("/v1/requests", wish).await.ok();
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().expect("an id"));
    lab.api.post(&path, json!({"decision": "approve", "reason": "", "by": BOB})).await.ok();
}

/// The mean time of the verdicts on these statements, in microseconds. So many are sent at once.
async fn mean(
    lab: &Lab,
    client: &mut Client,
    cache: &str,
    at_once: usize,
    text: impl Fn(u32) -> String,
    numbers: Range<u32>,
) -> f64 {
    let before = Timed::verdicts(&lab.sidecar, cache).await;
    let texts: Vec<String> = numbers.map(text).collect();
    for texts in texts.chunks(at_once) {
        client.pipeline(texts).await.expect("the statements are allowed");
    }
    Timed::verdicts(&lab.sidecar, cache).await.mean_since(before)
}

/// Runs the section.
pub(crate) async fn run(lab: &Lab, effort: Effort) {
    limited_grant(lab).await;
    let way = lab.ways.last().expect("Postern is a way");
    println!("\n### A limited session (pgbench -S, 8 clients; transactions per second)\n");
    println!("| | whole | limited | limited ÷ whole |\n|---|--:|--:|--:|");
    for mode in ["simple", "extended", "prepared"] {
        let seconds = effort.seconds.to_string();
        let arguments = ["-M", mode, "-c", "8", "-j", "2", "-T", &seconds];
        let mut results = [Vec::new(), Vec::new()];
        for _ in 0..effort.rounds {
            for (account, results) in ["app_rw", "postgres"].iter().zip(&mut results) {
                results.push(pgbench_as(lab, way, account, false, &arguments));
            }
        }
        let [whole, limited] = results.map(median);
        println!("| {mode} | {whole:.0} | {limited:.0} | {:.2} |", limited / whole);
    }
    println!("\n### Verdicts (microseconds, mean)\n");
    println!(
        "| | not cached, one at a time | not cached, one behind the other | cached |\n|---|--:|--:|--:|"
    );
    let mut client = Client::connect(way, "postgres").await.expect("a limited session");
    // In quotes, and behind a comment: a verdict on a bare number holds for all the others, too.
    let key = |number| format!("select abalance from pgbench_accounts where aid = '{number}'");
    let common = |number| format!("{COMMON}{number}");
    let rows: [(&str, &dyn Fn(u32) -> String); 2] =
        [("primary-key lookup", &key), ("a query of 600 bytes with three CTEs", &common)];
    for (name, text) in rows {
        let alone = mean(lab, &mut client, "miss", 1, text, 0..2_000).await;
        let behind = mean(lab, &mut client, "miss", 100, text, 2_000..4_000).await;
        let known = mean(lab, &mut client, "hit", 1, |_| text(3_999), 0..2_000).await;
        println!("| {name} | {alone:.2} | {behind:.2} | {known:.2} |");
    }
}

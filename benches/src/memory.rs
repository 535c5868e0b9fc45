//! Memory for an idle session, in the process that proxies it.

use std::fs;

use crate::{client::Client, lab::Lab};

const SESSIONS: usize = 1_000;

/// What a process has in memory.
pub(crate) fn resident_kib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN)
}

/// The process itself, or the one child that does the work.
pub(crate) fn worker(process: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(process)
}

/// Runs the section.
#[allow(clippy::cast_precision_loss)]
pub(crate) async fn run(lab: &mut Lab) {
    println!("\n### Memory for an idle session ({SESSIONS} sessions, TLS off)\n");
    println!("| | before (MiB) | with them (MiB) | for each (KiB) |");
    println!("|---|--:|--:|--:|");
    let processes = [lab.haproxy.id(), lab.pgbouncer.id(), lab.sidecar.process().id()];
    for (way, process) in lab.ways.iter().skip(1).zip(processes) {
        let process = worker(process);
        let before = resident_kib(process);
        let mut clients = Vec::new();
        for _ in 0..SESSIONS {
            let mut client = Client::connect(way, "by_trust").await.expect("a connection");
            client.count("select 1").await.expect("the statement runs");
            clients.push(client);
        }
        let after = resident_kib(process);
        let each = (after - before) / SESSIONS as f64;
        println!("| {} | {:.1} | {:.1} | {each:.1} |", way.name, before / 1024.0, after / 1024.0);
        drop(clients);
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
}

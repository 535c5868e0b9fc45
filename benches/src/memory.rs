//! Memory for an idle session, in the process that proxies it.

use crate::{client::Client, lab::Lab, process::resident_kib};

const SESSIONS: usize = 1_000;

/// Runs the section.
#[allow(clippy::cast_precision_loss)]
pub(crate) async fn run(lab: &mut Lab) {
    println!("\n### Memory for an idle session ({SESSIONS} sessions, TLS off)\n");
    println!("| | before (MiB) | with them (MiB) | for each (KiB) |");
    println!("|---|--:|--:|--:|");
    let proxies = lab.proxies();
    for (way, process) in lab.ways.iter().skip(1).zip(proxies) {
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

//! From the call that revokes to every client having been told and disconnected.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::{client::Client, lab::Lab, table::percentile};

/// When a client has read its last message and the end of the stream.
async fn hung_up(mut client: Client) -> Instant {
    while client.next().await.is_ok() {}
    Instant::now()
}

/// Runs the section.
pub(crate) async fn run(lab: &Lab) {
    println!("\n### Revoke to closed (milliseconds from the REST call, at the client)\n");
    println!("| sessions | doing | p50 | p99 | last | REST answer | sidecar's own figure |");
    println!("|--:|---|--:|--:|--:|--:|--:|");
    for sessions in [1, 100, 1_000] {
        for doing in ["idle", "pg_sleep(600)"] {
            one(lab, sessions, doing).await;
        }
    }
}

async fn one(lab: &Lab, sessions: usize, doing: &str) {
    let way = lab.ways.last().expect("Postern is a way");
    let grant = lab.grant("postgres").await;
    // Warm: the grant has to have reached the sidecar.
    while Client::connect(way, "postgres").await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut clients = JoinSet::new();
    for _ in 0..sessions {
        let mut client = Client::connect(way, "postgres").await.expect("a connection");
        if doing != "idle" {
            client.send(&format!("select {doing}")).await.expect("it is sent");
        }
        clients.spawn(hung_up(client));
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let begun = Instant::now();
    let answer = lab.revoke(&grant).await;
    let answered = begun.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    while let Some(closed) = clients.join_next().await {
        times.push((closed.expect("the client reads") - begun).as_secs_f64() * 1e3);
    }
    let own = answer["sidecars"][0]["milliseconds"].as_f64().unwrap_or(f64::NAN);
    let [p50, p99, last] = [0.5, 0.99, 1.0].map(|share| percentile(times.clone(), share));
    println!("| {sessions} | {doing} | {p50:.1} | {p99:.1} | {last:.1} | {answered:.1} | {own:.1} |");
}

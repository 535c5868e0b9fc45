//! From the call that revokes to every client having been told and disconnected.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::{
    client::Client,
    lab::{Lab, Way},
    table::percentile,
};

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
            all_of(lab, sessions, doing).await;
        }
    }
    one_of_many(lab).await;
    killed(lab).await;
}

/// A thousand idle clients of the bare relay, and the kernel ends them all: how fast clients can learn of it at all.
async fn killed(lab: &Lab) {
    let way = lab.ways.get(1).expect("the bare relay is a way");
    let mut clients = JoinSet::new();
    for _ in 0..1_000 {
        clients.spawn(hung_up(Client::connect(way, "by_trust").await.expect("a connection")));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    lab.bare.signal(Signal::KILL);
    let [p50, p99, last] = closed(&mut clients, begun).await;
    println!("| 1,000 | idle behind the bare relay, which is killed | {p50:.1} | {p99:.1} | {last:.1} | | |");
}

/// How long it took half of them, 99 of 100, and the last, in milliseconds.
async fn closed(clients: &mut JoinSet<Instant>, begun: Instant) -> [f64; 3] {
    let mut times = Vec::new();
    while let Some(closed) = clients.join_next().await {
        times.push((closed.expect("the client reads") - begun).as_secs_f64() * 1e3);
    }
    [0.5, 0.99, 1.0].map(|share| percentile(times.clone(), share))
}

/// A new grant of the account, as soon as the sidecar has it.
async fn fresh_grant(lab: &Lab, way: &Way) -> String {
    let grant = lab.grant("postgres").await;
    while Client::connect(way, "postgres").await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    grant
}

/// One grant after the other, of one running session each, while a thousand sessions of another grant go on.
async fn one_of_many(lab: &Lab) {
    const ROUNDS: usize = 100;
    let way = lab.ways.last().expect("Postern is a way");
    let mut others = Vec::new();
    for _ in 0..1_000 {
        others.push(Client::connect(way, "by_trust").await.expect("a connection"));
    }
    let (mut times, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let grant = fresh_grant(lab, way).await;
        let mut client = Client::connect(way, "postgres").await.expect("a connection");
        client.send("select pg_sleep(600)").await.expect("it is sent");
        let closed = tokio::spawn(hung_up(client));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        lab.revoke(&grant).await;
        answers.push(begun.elapsed().as_secs_f64() * 1e3);
        times.push((closed.await.expect("the client reads") - begun).as_secs_f64() * 1e3);
    }
    let [p50, p99, last] = [0.5, 0.99, 1.0].map(|share| percentile(times.clone(), share));
    let answered = percentile(answers, 0.5);
    println!(
        "| 1 of 1,000 ({ROUNDS} times) | pg_sleep(600) | {p50:.1} | {p99:.1} | {last:.1} | {answered:.1} | |"
    );
    drop(others);
}

async fn all_of(lab: &Lab, sessions: usize, doing: &str) {
    let way = lab.ways.last().expect("Postern is a way");
    let grant = fresh_grant(lab, way).await;
    let mut clients = JoinSet::new();
    for _ in 0..sessions {
        let mut client = Client::connect(way, "postgres").await.expect("a connection");
        if doing != "idle" {
            client.send(&format!("select {doing}")).await.expect("it is sent");
        }
        clients.spawn(hung_up(client));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    let answer = lab.revoke(&grant).await;
    let answered = begun.elapsed().as_secs_f64() * 1e3;
    let [p50, p99, last] = closed(&mut clients, begun).await;
    let own = answer["sidecars"][0]["milliseconds"].as_f64().unwrap_or(f64::NAN);
    println!("| {sessions} | {doing} | {p50:.1} | {p99:.1} | {last:.1} | {answered:.1} | {own:.1} |");
}

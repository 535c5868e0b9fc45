//! Transactions and connections per second, by pgbench's select-only script.

use std::process::Command;

use crate::{
    Effort,
    lab::{Lab, Way},
    process::processor_ms,
    table::{head, median, row},
};

/// What pgbench says of one run.
#[derive(Clone, Copy, Debug)]
struct Run {
    per_second: f64,
    transactions: f64,
}

/// `pgbench -S` as this account: its transactions per second.
pub(crate) fn pgbench_as(lab: &Lab, way: &Way, account: &str, tls: bool, arguments: &[&str]) -> f64 {
    run(lab, way, account, tls, arguments).per_second
}

fn run(lab: &Lab, way: &Way, account: &str, tls: bool, arguments: &[&str]) -> Run {
    let mut command = Command::new(lab.postgres.program("pgbench"));
    command.args(["-n", "-S", "-h", "127.0.0.1", "-U", account, "-p", &way.port.to_string()]);
    command.args(arguments).arg(way.database);
    command.env("PGPASSWORD", way.password(account));
    command.env("PGSSLMODE", if tls { "require" } else { "disable" });
    let output = command.output().expect("pgbench runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |line: &str| {
        text.lines().find_map(|found| found.strip_prefix(line)?.split([' ', '/']).next()?.parse().ok())
    };
    let failed = || panic!("{}: {text}\n{}", way.name, String::from_utf8_lossy(&output.stderr));
    Run {
        per_second: number("tps = ").unwrap_or_else(failed),
        transactions: number("number of transactions actually processed: ").unwrap_or_else(failed),
    }
}

/// Transactions per second on each way, and the processor time that each proxy takes for one, in microseconds.
fn measure(lab: &mut Lab, effort: Effort, tls: bool, arguments: &[&str]) -> (Vec<f64>, Vec<f64>) {
    let proxies = lab.proxies();
    let mut rates = vec![Vec::new(); lab.ways.len()];
    let mut costs = vec![Vec::new(); proxies.len()];
    for _ in 0..effort.rounds {
        for (number, (way, rates)) in lab.ways.iter().zip(&mut rates).enumerate() {
            let proxy = number.checked_sub(1).and_then(|number| Some((*proxies.get(number)?, number)));
            let before = proxy.map(|(process, _)| processor_ms(process));
            let run = run(lab, way, "app_rw", tls, arguments);
            rates.push(run.per_second);
            if let (Some((process, number)), Some(before)) = (proxy, before) {
                let cost = (processor_ms(process) - before) * 1e3 / run.transactions;
                costs.get_mut(number).expect("a proxy").push(cost);
            }
        }
    }
    let medians = |of: Vec<Vec<f64>>| of.into_iter().map(median).collect();
    (medians(rates), medians(costs))
}

/// `pgbench -S` in its three protocol modes.
pub(crate) fn throughput(lab: &mut Lab, effort: Effort) {
    let seconds = effort.seconds.to_string();
    for tls in [false, true] {
        let title = format!("pgbench -S, TLS {}", if tls { "on" } else { "off" });
        head(&title, "transactions per second");
        let mut costs = Vec::new();
        for mode in ["simple", "extended", "prepared"] {
            for clients in ["1", "8", "64"] {
                let arguments = ["-M", mode, "-c", clients, "-j", "2", "-T", &seconds];
                let (rates, cost) = measure(lab, effort, tls, &arguments);
                row(&format!("{mode}, {clients} clients"), &rates);
                costs.push((format!("{mode}, {clients} clients"), cost));
            }
        }
        println!("\n### {title} (processor time of the proxy for a transaction, microseconds)\n");
        println!("| | bare relay | HAProxy | PgBouncer | Postern |\n|---|--:|--:|--:|--:|");
        for (name, cost) in costs {
            let cells: Vec<String> = cost.iter().map(|micros| format!("{micros:.1}")).collect();
            println!("| {name} | {} |", cells.join(" | "));
        }
    }
}

/// A new connection for each transaction.
pub(crate) fn connects(lab: &mut Lab, effort: Effort) {
    let seconds = effort.seconds.to_string();
    for tls in [false, true] {
        head(&format!("pgbench -C, TLS {}", if tls { "on" } else { "off" }), "connections per second");
        for clients in ["1", "8"] {
            let arguments = ["-C", "-c", clients, "-j", "2", "-T", &seconds];
            row(&format!("{clients} clients"), &measure(lab, effort, tls, &arguments).0);
        }
    }
}

//! Transactions and connections per second, by pgbench's select-only script.

use std::process::Command;

use crate::{
    Effort,
    lab::{Lab, Way},
    table::{head, median, row},
};

fn pgbench(lab: &Lab, way: &Way, tls: bool, arguments: &[&str]) -> f64 {
    pgbench_as(lab, way, "app_rw", tls, arguments)
}

/// `pgbench -S` as this account: its transactions per second.
pub(crate) fn pgbench_as(lab: &Lab, way: &Way, account: &str, tls: bool, arguments: &[&str]) -> f64 {
    let mut command = Command::new(lab.postgres.program("pgbench"));
    command.args(["-n", "-S", "-h", "127.0.0.1", "-U", account, "-p", &way.port.to_string()]);
    command.args(arguments).arg(way.database);
    command.env("PGPASSWORD", way.password(account));
    command.env("PGSSLMODE", if tls { "require" } else { "disable" });
    let output = command.output().expect("pgbench runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{}: {text}\n{}", way.name, String::from_utf8_lossy(&output.stderr)))
}

fn measure(lab: &Lab, effort: Effort, tls: bool, arguments: &[&str]) -> Vec<f64> {
    let mut results = vec![Vec::new(); lab.ways.len()];
    for _ in 0..effort.rounds {
        for (way, results) in lab.ways.iter().zip(&mut results) {
            results.push(pgbench(lab, way, tls, arguments));
        }
    }
    results.into_iter().map(median).collect()
}

/// `pgbench -S` in its three protocol modes.
pub(crate) fn throughput(lab: &Lab, effort: Effort) {
    let seconds = effort.seconds.to_string();
    for tls in [false, true] {
        head(&format!("pgbench -S, TLS {}", if tls { "on" } else { "off" }), "transactions per second");
        for mode in ["simple", "extended", "prepared"] {
            for clients in ["1", "8", "64"] {
                let arguments = ["-M", mode, "-c", clients, "-j", "2", "-T", &seconds];
                row(&format!("{mode}, {clients} clients"), &measure(lab, effort, tls, &arguments));
            }
        }
    }
}

/// A new connection for each transaction.
pub(crate) fn connects(lab: &Lab, effort: Effort) {
    let seconds = effort.seconds.to_string();
    for tls in [false, true] {
        head(&format!("pgbench -C, TLS {}", if tls { "on" } else { "off" }), "connections per second");
        for clients in ["1", "8"] {
            let arguments = ["-C", "-c", clients, "-j", "2", "-T", &seconds];
            row(&format!("{clients} clients"), &measure(lab, effort, tls, &arguments));
        }
    }
}

//! `postern grant`: what approved requests became, and how to end one.

use clap::{Args, Subcommand};
use postern_protocol::duration::Span;
use serde_json::{Value, json};

use crate::{
    error::Error,
    print::{Column, Output, text, time, visible},
    request::summary,
    rest::Connection,
};

/// Grants.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List grants
    Ls {
        /// Only those whose holder may no longer request what they give, having left a group or since the rule changed
        #[arg(long)]
        unfounded: bool,
    },
    /// Show one grant
    Show {
        /// The grant, `g_…`
        id: String,
    },
    /// End a grant and every session that stands on it, now
    Revoke {
        /// The grant, `g_…`
        id: String,
        /// Why; the client is told
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Ask for a grant to last longer
    Extend {
        /// The grant, `g_…`
        id: String,
        /// By how much: 30m, 2h, 1d
        #[arg(long)]
        duration: Span,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

const COLUMNS: [Column; 7] = [
    Column::new("ID", |grant| text(&grant["id"])),
    Column::new("USER", |grant| text(&grant["identity"])),
    Column::new("REPO", |grant| text(&grant["repo"])),
    Column::new("ACCOUNT", |grant| text(&grant["account"])),
    Column::new("SCOPE", scope),
    Column::new("EXPIRES(UTC)", |grant| time(&grant["expires_at"])),
    Column::new("STATE", |grant| text(&grant["state"])),
];

impl GrantArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls { unfounded } => {
                let which = unfounded.then(|| ("unfounded", true.to_string()));
                output.list(&COLUMNS, &client.list(&["v1", "grants"], which.as_slice()).await?)
            }
            Command::Show { id } => output.show(&client.get(&["v1", "grants", &id], &[]).await?),
            Command::Revoke { id, reason } => {
                let done =
                    client.post(&["v1", "grants", &id, "revoke"], &json!({ "reason": reason })).await?;
                output.show_as(&done, || revoked(&done))
            }
            Command::Extend { id, duration, reason } => {
                let body = json!({ "duration": duration, "reason": reason });
                let outcome = client.post(&["v1", "grants", &id, "extend"], &body).await?;
                output.show_as(&outcome, || extended(&outcome))
            }
        }
    }
}

fn scope(grant: &Value) -> String {
    if grant["scope"] == "limited" { text(&grant["resources"]) } else { text(&grant["scope"]) }
}

/// The grant with its new end, or the request that waits for a decision on it.
fn extended(grant: &Value) -> String {
    if grant["extends"].is_string() {
        return summary(grant);
    }
    visible(&format!(
        "{} {} until {} UTC",
        text(&grant["id"]),
        text(&grant["state"]),
        time(&grant["expires_at"])
    )) + "\n"
}

/// The grant's new state, and one line per sidecar.
fn revoked(done: &Value) -> String {
    let grant = &done["grant"];
    let first = format!("{} {}", text(&grant["id"]), text(&grant["state"]));
    std::iter::once(first).chain(per_sidecar(&done["sidecars"])).map(|line| visible(&line) + "\n").collect()
}

/// What each sidecar said to a change that ends sessions.
pub(crate) fn per_sidecar(outcomes: &Value) -> Vec<String> {
    outcomes.as_array().into_iter().flatten().map(one_sidecar).collect()
}

fn one_sidecar(sidecar: &Value) -> String {
    let name = text(&sidecar["name"]);
    if sidecar["acknowledged"] != true {
        return format!(
            "{name}: not acknowledged; it ends the sessions when it hears of it, or when its lease runs out"
        );
    }
    let count = sidecar["sessions_ended"].as_u64().unwrap_or_default();
    let sessions = if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") };
    let milliseconds = sidecar["milliseconds"].as_f64().unwrap_or_default();
    format!("{name}: acknowledged, {sessions} ended in {milliseconds:.1} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_time_is_there_or_asked_for() {
        let grant = json!({"id": "g_1", "state": "ACTIVE", "expires_at": "2026-01-31T10:15:00Z"});
        assert_eq!(extended(&grant), "g_1 ACTIVE until 2026-01-31 10:15:00 UTC\n");
        let request = json!({"id": "r_1", "status": "PENDING", "extends": "g_1", "grant": null});
        assert_eq!(extended(&request), "r_1 PENDING\n");
    }

    #[test]
    fn a_revocation_tells_what_each_sidecar_did() {
        let done = json!({"grant": {"id": "g_1", "state": "REVOKED"}, "sidecars": [
            {"name": "edge-1", "acknowledged": true, "sessions_ended": 1, "milliseconds": 3.25},
            {"name": "edge-2", "acknowledged": false, "sessions_ended": 0, "milliseconds": null}]});
        let text = revoked(&done);
        assert!(text.starts_with("g_1 REVOKED\nedge-1: acknowledged, 1 session ended in 3.2 ms\n"), "{text}");
        assert!(text.contains("edge-2: not acknowledged"), "{text}");
    }
}

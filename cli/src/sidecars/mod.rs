//! `postern sidecars`: which sidecars there are and how they are.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    error::Error,
    print::{Column, Output, text, time, visible},
    rest::Connection,
};

/// Sidecars.
#[derive(Debug, Args)]
pub(crate) struct SidecarsArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List sidecars
    Ls,
    /// Show one sidecar
    Show {
        /// Its name
        name: String,
    },
    /// Let a sidecar take no new sessions, over restarts, until it is undone
    Drain {
        /// Its name
        name: String,
        /// End what is still open after so long, such as `30m`
        #[arg(long, value_name = "DURATION", conflicts_with = "undo")]
        within: Option<String>,
        /// Told to those whose sessions it ends
        #[arg(long, default_value = "")]
        reason: String,
        /// Let it take sessions again
        #[arg(long)]
        undo: bool,
    },
}

const COLUMNS: [Column; 7] = [
    Column::new("NAME", |sidecar| text(&sidecar["name"])),
    Column::new("VERSION", |sidecar| text(&sidecar["version"])),
    Column::new("STATE", |sidecar| text(&sidecar["state"])),
    Column::new("BEHIND", |sidecar| text(&sidecar["behind"])),
    Column::new("SESSIONS", |sidecar| text(&sidecar["sessions"])),
    Column::new("HEARD(UTC)", |sidecar| time(&sidecar["seen_at"])),
    Column::new("REPOS", repos),
];

fn repos(sidecar: &Value) -> String {
    let names: Vec<String> =
        sidecar["repos"].as_array().into_iter().flatten().map(|repo| text(&repo["name"])).collect();
    names.join(",")
}

fn drained(name: &str, undo: bool, done: &Value) -> String {
    let sessions = text(&done["sessions"]);
    match (undo, &done["draining"]["until"]) {
        (true, _) => format!("{name} takes sessions again"),
        (false, Value::Null) => format!("{name} takes no new sessions; {sessions} open"),
        (false, until) => {
            format!("{name} takes no new sessions; {sessions} open, until {} UTC at most", time(until))
        }
    }
}

impl SidecarsArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "sidecars"], &[]).await?),
            Command::Show { name } => output.show(&client.get(&["v1", "sidecars", &name], &[]).await?),
            Command::Drain { name, within, reason, undo } => {
                let body = match within {
                    Some(within) => json!({ "undo": undo, "reason": reason, "within": within }),
                    None => json!({ "undo": undo, "reason": reason }),
                };
                let done = client.post(&["v1", "sidecars", &name, "drain"], &body).await?;
                output.show_as(&done, || visible(&drained(&name, undo, &done)) + "\n")
            }
        }
    }
}

//! `postern sidecar-token`: what lets a sidecar in at the control plane.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    error::Error,
    print::{Column, Output, text, time, visible},
    rest::Connection,
};

/// Enrolment of sidecars.
#[derive(Debug, Args)]
pub(crate) struct SidecarTokenArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Enrol a sidecar and print its token, once
    Create {
        /// The sidecar's name, as its configuration has it
        #[arg(long)]
        name: String,
        /// The only repository that it may serve. Repeat it for more; without any it may serve each that no other
        /// sidecar serves as something else
        #[arg(long, value_name = "REPO")]
        repo: Vec<String>,
    },
    /// List enrolled sidecars
    Ls,
    /// Shut a sidecar out: it ends every session and does not come back
    Revoke {
        /// The sidecar's name
        name: String,
    },
}

const COLUMNS: [Column; 3] = [
    Column::new("NAME", |sidecar| text(&sidecar["name"])),
    Column::new("CREATED(UTC)", |sidecar| time(&sidecar["created_at"])),
    Column::new("SEEN(UTC)", |sidecar| time(&sidecar["seen_at"])),
];

impl SidecarTokenArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Create { name, repo } => {
                let repos = (!repo.is_empty()).then_some(repo);
                let made = client.post(&["v1", "sidecars"], &json!({ "name": name, "repos": repos })).await?;
                output.show_as(&made, || text(&made["token"]) + "\n")
            }
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "sidecars"], &[]).await?),
            Command::Revoke { name } => {
                let done = client.delete(&["v1", "sidecars", &name]).await?;
                output.show_as(&done, || visible(&format!("{name} revoked")) + "\n")
            }
        }
    }
}

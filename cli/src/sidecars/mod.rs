//! `postern sidecars`: which sidecars there are and how they are.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
    error::Error,
    print::{Column, Output, text},
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
}

const COLUMNS: [Column; 6] = [
    Column::new("NAME", |sidecar| text(&sidecar["name"])),
    Column::new("VERSION", |sidecar| text(&sidecar["version"])),
    Column::new("CONNECTED", |sidecar| text(&sidecar["connected"])),
    Column::new("APPLIED", |sidecar| text(&sidecar["applied"])),
    Column::new("SESSIONS", |sidecar| text(&sidecar["sessions"])),
    Column::new("REPOS", repos),
];

fn repos(sidecar: &Value) -> String {
    let names: Vec<String> =
        sidecar["repos"].as_array().into_iter().flatten().map(|repo| text(&repo["name"])).collect();
    names.join(",")
}

impl SidecarsArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "sidecars"], &[]).await?),
            Command::Show { name } => output.show(&client.get(&["v1", "sidecars", &name], &[]).await?),
        }
    }
}

//! `postern session`: live connections, and how to end one.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    error::Error,
    grant::per_sidecar,
    print::{Column, Output, text, time, visible},
    rest::Connection,
};

/// Sessions.
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List live connections
    Ls,
    /// End one connection; its grant stays
    Kill {
        /// The session, `s_…`
        id: String,
        /// Why; the client is told
        #[arg(long, default_value = "")]
        reason: String,
    },
}

const COLUMNS: [Column; 8] = [
    Column::new("ID", |session| text(&session["id"])),
    Column::new("USER", |session| text(&session["identity"])),
    Column::new("REPO", |session| text(&session["repo"])),
    Column::new("ACCOUNT", |session| text(&session["account"])),
    Column::new("SIDECAR", |session| text(&session["sidecar"])),
    Column::new("CLIENT", |session| text(&session["client"])),
    Column::new("APPLICATION", |session| text(&session["application"])),
    Column::new("STARTED(UTC)", |session| time(&session["started_at"])),
];

impl SessionArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "sessions"], &[]).await?),
            Command::Kill { id, reason } => {
                let done =
                    client.post(&["v1", "sessions", &id, "kill"], &json!({ "reason": reason })).await?;
                output.show_as(&done, || {
                    let first = format!("{id} killed");
                    std::iter::once(first)
                        .chain(per_sidecar(&done["sidecars"]))
                        .map(|line| visible(&line) + "\n")
                        .collect()
                })
            }
        }
    }
}

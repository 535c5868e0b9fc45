//! `postern repo`: data repositories, and whether they take ephemeral access.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    error::Error,
    grant::per_sidecar,
    print::{Column, Output, text, visible},
    rest::{Client, Connection},
};

/// Data repositories.
#[derive(Debug, Args)]
pub(crate) struct RepoArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List repositories
    Ls,
    /// Show one repository
    Show {
        /// Its name
        repo: String,
    },
    /// Switch ephemeral access on
    Enable {
        /// Its name
        repo: String,
    },
    /// Switch ephemeral access off, and end every session there
    Disable {
        /// Its name
        repo: String,
    },
}

const COLUMNS: [Column; 5] = [
    Column::new("NAME", |repo| text(&repo["name"])),
    Column::new("ENGINE", |repo| text(&repo["engine"])),
    Column::new("ACCOUNTS", |repo| text(&repo["accounts"])),
    Column::new("LISTEN", |repo| text(&repo["listen"])),
    Column::new("EPHEMERAL ACCESS", |repo| text(&repo["ephemeral_access"])),
];

impl RepoArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "repos"], &[]).await?),
            Command::Show { repo } => output.show(&client.get(&["v1", "repos", &repo], &[]).await?),
            Command::Enable { repo } => switch(&client, output, &repo, true).await,
            Command::Disable { repo } => switch(&client, output, &repo, false).await,
        }
    }
}

async fn switch(client: &Client, output: Output, repo: &str, on: bool) -> Result<(), Error> {
    let done = client.patch(&["v1", "repos", repo], &json!({ "ephemeral_access": on })).await?;
    output.show_as(&done, || switched(repo, on, &done))
}

fn switched(repo: &str, on: bool, done: &Value) -> String {
    let first = format!("{repo}: ephemeral access is {}", if on { "on" } else { "off" });
    std::iter::once(first).chain(per_sidecar(&done["outcomes"])).map(|line| visible(&line) + "\n").collect()
}

//! `postern identity`: people and workloads that the control plane knows.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    error::Error,
    grant::per_sidecar,
    print::{Column, Output, text, time, visible},
    rest::{Client, Connection},
};

/// Identities.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List identities
    Ls,
    /// Show one identity
    Show {
        /// Its e-mail address or `sub`
        who: String,
    },
    /// Deactivate an identity and end everything that it has
    Disable {
        /// Its e-mail address or `sub`
        who: String,
        /// Told to the identity and kept in the audit trail
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let an identity back in
    Enable {
        /// Its e-mail address or `sub`
        who: String,
    },
    /// Disconnect the Slack users who act as an identity
    Unlink {
        /// Its e-mail address or `sub`
        who: String,
    },
}

const COLUMNS: [Column; 5] = [
    Column::new("NAME", |identity| text(&identity["name"])),
    Column::new("GROUPS", |identity| text(&identity["groups"])),
    Column::new("ENABLED", |identity| text(&identity["enabled"])),
    Column::new("SOURCE", |identity| text(&identity["source"])),
    Column::new("LAST LOGIN(UTC)", |identity| time(&identity["last_login"])),
];

impl IdentityArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "identities"], &[]).await?),
            Command::Show { who } => output.show(&client.get(&["v1", "identities", &who], &[]).await?),
            Command::Disable { who, reason } => switch(&client, output, &who, false, &reason).await,
            Command::Enable { who } => switch(&client, output, &who, true, "").await,
            Command::Unlink { who } => {
                let done = client.delete(&["v1", "slack-links", &who]).await?;
                output.show_as(&done, || visible(&format!("nobody in Slack acts as {who} any more")) + "\n")
            }
        }
    }
}

/// `PUT` would create an identity that nobody knows, and a typing error would disable nobody.
async fn switch(
    client: &Client,
    output: Output,
    who: &str,
    enabled: bool,
    reason: &str,
) -> Result<(), Error> {
    client.get(&["v1", "identities", who], &[]).await?;
    let body = json!({ "enabled": enabled, "reason": reason });
    let done = client.put(&["v1", "identities", who], &body).await?;
    output.show_as(&done, || switched(who, enabled, &done))
}

fn switched(who: &str, enabled: bool, done: &Value) -> String {
    let first = format!("{who} is {}", if enabled { "enabled" } else { "disabled" });
    std::iter::once(first).chain(per_sidecar(&done["sidecars"])).map(|line| visible(&line) + "\n").collect()
}

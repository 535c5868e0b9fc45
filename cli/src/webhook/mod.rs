//! `postern webhook`: who outside is told of events, and what became of it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    error::Error,
    print::{Column, Output, text, time, visible},
    rest::{Client, Connection},
};

/// Who outside is told of events.
#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a webhook and print the key that its calls are signed with, once
    Create(NewWebhook),
    /// List webhooks
    Ls,
    /// Show a webhook
    Show {
        /// The webhook's id
        id: String,
    },
    /// Delete a webhook
    Delete {
        /// The webhook's id
        id: String,
    },
    /// Send a test event
    Ping {
        /// The webhook's id
        id: String,
    },
    /// What was told, the newest first, and what came of it
    Deliveries {
        /// Only those of this webhook
        #[arg(long, value_name = "ID")]
        webhook: Option<String>,
        /// Only those in this state, such as `FAILED`
        #[arg(long)]
        state: Option<String>,
    },
    /// Tell it once more
    Again {
        /// The delivery's id
        id: String,
    },
}

#[derive(Debug, Args)]
struct NewWebhook {
    /// Its name, by which rules refer to it
    #[arg(long)]
    name: String,
    /// Where to call
    #[arg(long)]
    url: String,
    /// In whose language: `standard`, `pagerduty`, `teams`, `mattermost`
    #[arg(long = "language", value_name = "LANGUAGE", default_value = "standard")]
    language: String,
    /// Events that are told, such as `request.created` or `grant.*`; without any, all. Repeat it for more
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only what concerns this identity
    #[arg(long, value_name = "WHO")]
    identity: Option<String>,
    /// Only what concerns this repository
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Only what rules name it for
    #[arg(long)]
    named_only: bool,
    /// The integration key, for `pagerduty`
    #[arg(long, env = "POSTERN_ROUTING_KEY", hide_env_values = true, value_name = "KEY")]
    routing_key: Option<String>,
}

const WEBHOOKS: [Column; 7] = [
    Column::new("ID", |hook| text(&hook["id"])),
    Column::new("NAME", |hook| text(&hook["name"])),
    Column::new("LANGUAGE", |hook| text(&hook["format"])),
    Column::new("URL", |hook| text(&hook["url"])),
    Column::new("TYPES", |hook| text(&hook["types"])),
    Column::new("ENABLED", |hook| text(&hook["enabled"])),
    Column::new("FAILING SINCE(UTC)", |hook| time(&hook["failing_since"])),
];

const DELIVERIES: [Column; 7] = [
    Column::new("ID", |delivery| text(&delivery["id"])),
    Column::new("WEBHOOK", |delivery| text(&delivery["webhook"])),
    Column::new("TYPE", |delivery| text(&delivery["type"])),
    Column::new("STATE", |delivery| text(&delivery["state"])),
    Column::new("ATTEMPTS", |delivery| text(&delivery["attempts"])),
    Column::new("TRIED(UTC)", |delivery| time(&delivery["tried_at"])),
    Column::new("OUTCOME", |delivery| text(&delivery["outcome"])),
];

impl WebhookArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Create(new) => new.create(&client, output).await,
            Command::Ls => output.list(&WEBHOOKS, &client.list(&["v1", "webhooks"], &[]).await?),
            Command::Show { id } => output.show(&client.get(&["v1", "webhooks", &id], &[]).await?),
            Command::Delete { id } => {
                let done = client.delete(&["v1", "webhooks", &id]).await?;
                output.show_as(&done, || visible(&format!("{id} deleted")) + "\n")
            }
            Command::Ping { id } => {
                let delivery = client.post(&["v1", "webhooks", &id, "ping"], &json!({})).await?;
                output.show_as(&delivery, || begun(&delivery))
            }
            Command::Deliveries { webhook, state } => {
                let mut query = Vec::new();
                query.extend(webhook.map(|webhook| ("webhook", webhook)));
                query.extend(state.map(|state| ("state", state.to_ascii_uppercase())));
                output.list(&DELIVERIES, &client.list(&["v1", "webhook-deliveries"], &query).await?)
            }
            Command::Again { id } => {
                let delivery = client.post(&["v1", "webhook-deliveries", &id, "again"], &json!({})).await?;
                output.show_as(&delivery, || begun(&delivery))
            }
        }
    }
}

impl NewWebhook {
    async fn create(self, client: &Client, output: Output) -> Result<(), Error> {
        let Self { name, url, language, types, identity, repo, named_only, routing_key } = self;
        let body = json!({
            "name": name, "url": url, "format": language, "types": types, "identity": identity, "repo": repo,
            "named_only": named_only, "routing_key": routing_key,
        });
        let made = client.post(&["v1", "webhooks"], &body).await?;
        output.show_as(&made, || {
            let secret = made["secret"].as_str().map(|secret| format!(" secret={}", visible(secret)));
            format!("id={}{}\n", text(&made["id"]), secret.unwrap_or_default())
        })
    }
}

fn begun(delivery: &Value) -> String {
    format!("{}: `postern webhook deliveries` says what came of it\n", text(&delivery["id"]))
}

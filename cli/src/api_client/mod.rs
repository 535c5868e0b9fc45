//! `postern api-client`: programs that use the REST interface, and what they may do there.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    error::Error,
    print::{Column, Output, text, time, visible},
    rest::Connection,
};

/// Clients of the REST interface.
#[derive(Debug, Args)]
pub(crate) struct ApiClientArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a client and print its id and secret, once
    Create {
        /// Its name
        #[arg(long)]
        name: String,
        /// What it may do, such as `access_request`. Repeat it for more
        #[arg(long, value_name = "PERMISSION", required_unless_present = "scim", num_args = 1.., value_delimiter = ',')]
        permission: Vec<String>,
        /// A directory such as Okta or Entra: print the token for its SCIM provisioning, good for nothing else
        #[arg(long, conflicts_with = "permission")]
        scim: bool,
    },
    /// List clients
    Ls,
    /// Give a client a new secret and print it, once
    Rotate {
        /// The client's id
        id: String,
        /// How long the old secret counts beside the new one, such as `1h`; without it it is void at once
        #[arg(long, value_name = "DURATION")]
        grace: Option<String>,
    },
    /// Delete a client
    Delete {
        /// The client's id
        id: String,
    },
}

const COLUMNS: [Column; 4] = [
    Column::new("ID", |client| text(&client["id"])),
    Column::new("NAME", |client| text(&client["name"])),
    Column::new("PERMISSIONS", |client| text(&client["permissions"])),
    Column::new("CREATED(UTC)", |client| time(&client["created_at"])),
];

impl ApiClientArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (client, output) = (self.connection.sign_in().await?, self.output);
        match self.command {
            Command::Create { name, permission, scim } => {
                let permissions: Vec<String> = permission.iter().map(|name| slug(name)).collect();
                let body = json!({ "name": name, "permissions": permissions, "scim": scim });
                let made = client.post(&["v1", "api-clients"], &body).await?;
                output.show_as(&made, || credentials(&made))
            }
            Command::Ls => output.list(&COLUMNS, &client.list(&["v1", "api-clients"], &[]).await?),
            Command::Rotate { id, grace } => {
                let body = grace.map_or_else(|| json!({}), |grace| json!({ "grace": grace }));
                let made = client.post(&["v1", "api-clients", &id, "rotate"], &body).await?;
                output.show_as(&made, || credentials(&made))
            }
            Command::Delete { id } => {
                let done = client.delete(&["v1", "api-clients", &id]).await?;
                output.show_as(&done, || visible(&format!("{id} deleted")) + "\n")
            }
        }
    }
}

/// A permission by its long name (`Access Request`) or as JSON has it.
fn slug(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

fn credentials(made: &Value) -> String {
    let word = if made["scim"] == true { "scim_token" } else { "client_secret" };
    format!("client_id={} {word}={}\n", text(&made["client_id"]), text(&made["client_secret"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_taken_by_either_name() {
        assert_eq!(slug("Access Management Proxy Request"), "access_management_proxy_request");
        assert_eq!(slug("view_audit_logs"), "view_audit_logs");
    }
}

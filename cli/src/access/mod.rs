//! `postern access`: how to connect, in the words of each client, with a fresh access token.

mod mysql;
pub(crate) mod place;
mod postgres;
pub(crate) mod words;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    error::Error,
    print::{Output, text},
    rest::Connection,
};

/// Connection strings for one repository.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// The data repository
    repo: String,
    /// The local account; without it, every account of the repository
    #[arg(long)]
    account: Option<String>,
    /// The identity whose token this is to be
    #[arg(long = "for", value_name = "IDENTITY")]
    identity: Option<String>,
    /// Where the sidecar is reached, when it listens on every address
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// Where a client connects, as whom, with what.
struct Target<'a> {
    host: &'a str,
    port: u16,
    repo: &'a str,
    account: &'a str,
    token: &'a str,
}

impl AccessArgs {
    /// Looks the repo up, gets a token, prints.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let client = self.connection.sign_in().await?;
        let repo = client.get(&["v1", "repos", &self.repo], &[]).await?;
        let (strings, forms): (fn(&Target<'_>) -> Value, &[&str]) = match text(&repo["engine"]).as_str() {
            "postgres" => (postgres::strings, &postgres::FORMS),
            "mysql" => (mysql::strings, &mysql::FORMS),
            engine => {
                let why = format!("no connection strings for the engine `{engine}` in this version");
                return Err(Error::Failed(why));
            }
        };
        let accounts = place::accounts(&repo, &self.repo, self.account.as_deref())?;
        let (host, port) = place::address(&client, &repo, &self.repo, self.host.as_deref())?;
        let issued = client.post(&["v1", "access-tokens"], &self.token_body()).await?;
        let token = text(&issued["token"]);
        if token.is_empty() {
            return Err(Error::Answer("no token in the answer".to_owned()));
        }
        let blocks: Vec<Value> = accounts
            .iter()
            .map(|account| Target { host: &host, port, repo: &self.repo, account, token: &token })
            .map(|target| strings(&target))
            .collect();
        let answer = json!({ "token": issued, "accounts": blocks });
        self.output.show_as(&answer, || {
            blocks.iter().map(|one| words::block(one, forms)).collect::<Vec<_>>().join("\n")
        })
    }

    fn token_body(&self) -> Value {
        self.identity.as_ref().map_or_else(|| json!({}), |identity| json!({ "for": identity }))
    }
}

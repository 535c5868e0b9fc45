//! `postern connect`: from a repo's name to a session in it.
//!
//! In: a repo. Out: a client that is connected, as soon as there is a grant: one that is there already, or one that is
//! asked for and waited for. The client gets an access token of its own, which is void when the client has ended.

mod grant;
mod program;
mod progress;

use clap::Args;
use postern_protocol::duration::Span;
use postern_service::secret::Secret;
use serde_json::{Value, json};

use crate::{
    access::place,
    error::Error,
    print::text,
    rest::{Client, Connection},
};

/// Connect to a database, asking for access if need be.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The data repository
    pub(super) repo: String,
    /// The local account; may be left out where the repository has one
    #[arg(long)]
    account: Option<String>,
    /// How long, if it has to be asked for: 30m, 2h, 1d
    #[arg(long, default_value = "2h")]
    duration: Span,
    /// Why, if it has to be asked for
    #[arg(long, default_value = "")]
    reason: String,
    /// Where the sidecar is reached, when it listens on every address
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    connection: Connection,
    /// Options for psql, mysql or mariadb; or another program with its options, which finds the database by its
    /// environment
    #[arg(last = true, value_name = "CLIENT ARGS")]
    client: Vec<String>,
}

/// Where a client connects, and with what.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) repo: String,
    pub(super) account: String,
    pub(super) token: Secret,
}

impl ConnectArgs {
    /// Finds or asks for a grant, and starts the client.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let client = self.connection.sign_in().await?;
        let repo = client.get(&["v1", "repos", &self.repo], &[]).await?;
        let account = self.account(&repo)?;
        let (host, port) = place::address(&client, &repo, &self.repo, self.host.as_deref())?;
        // What cannot be started is said before anybody is asked for anything.
        let program = program::Program::choose(&text(&repo["engine"]), &self.client)?;
        let wish = json!({
            "repo": self.repo, "account": account, "duration": self.duration, "reason": self.reason,
        });
        grant::obtain(&client, &wish).await?;
        let issued = client.post(&["v1", "access-tokens"], &json!({})).await?;
        let token =
            issued["token"].as_str().ok_or_else(|| Error::Answer("no token in the answer".to_owned()))?;
        let target = Target { host, port, repo: self.repo, account, token: token.into() };
        let ended = program.run(&target).await;
        give_back(&client, &issued).await;
        ended
    }

    fn account(&self, repo: &Value) -> Result<String, Error> {
        let mut accounts = place::accounts(repo, &self.repo, self.account.as_deref())?;
        match accounts.len() {
            1 => Ok(accounts.remove(0)),
            _ => Err(Error::Usage(format!("which account? --account is one of {}", accounts.join(", ")))),
        }
    }
}

/// The token is of no more use. If it cannot be said, it runs out by itself.
async fn give_back(client: &Client, issued: &Value) {
    let _ = client.delete(&["v1", "access-tokens", &text(&issued["id"])]).await;
}

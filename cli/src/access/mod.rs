//! `postern access`: how to connect, in the words of each client, with a fresh access token.

mod mysql;
mod postgres;
mod words;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    error::Error,
    print::{Output, note, text},
    rest::{Client, Connection},
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
        let accounts = self.accounts(&repo)?;
        let (host, port) = self.place(&client, &repo)?;
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

    fn accounts(&self, repo: &Value) -> Result<Vec<String>, Error> {
        let known: Vec<String> =
            repo["accounts"].as_array().into_iter().flatten().map(account_name).collect();
        match &self.account {
            None if known.is_empty() => {
                Err(Error::Failed(format!("no sidecar serves an account of {}", self.repo)))
            }
            None => Ok(known),
            Some(account) if known.contains(account) => Ok(vec![account.clone()]),
            Some(account) => Err(Error::Failed(format!(
                "{} has no account {account}, but {}",
                self.repo,
                known.join(", ")
            ))),
        }
    }

    fn place(&self, client: &Client, repo: &Value) -> Result<(String, u16), Error> {
        let listen = first_text(&repo["listen"])
            .ok_or_else(|| Error::Failed(format!("no sidecar serves {} at the moment", self.repo)))?;
        let (host, port) =
            split_address(&listen).ok_or_else(|| Error::Answer(format!("`{listen}` is no address")))?;
        let everywhere = matches!(host.as_str(), "" | "0.0.0.0" | "::");
        Ok(match &self.host {
            Some(given) => (given.clone(), port),
            None if everywhere => {
                note("the sidecar listens on every address; --host names the one to use");
                (client.host().to_owned(), port)
            }
            None => (host, port),
        })
    }
}

/// An account by its name, or as an object that has one.
fn account_name(account: &Value) -> String {
    if account.is_object() { text(&account["name"]) } else { text(account) }
}

/// Where a repo is reached: one address, or the first of several.
fn first_text(value: &Value) -> Option<String> {
    let first = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    first.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn split_address(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_are_split() {
        assert_eq!(split_address("127.0.0.1:15432"), Some(("127.0.0.1".to_owned(), 15432)));
        assert_eq!(split_address("[::1]:15432"), Some(("::1".to_owned(), 15432)));
        assert_eq!(split_address("15432"), None);
    }
}

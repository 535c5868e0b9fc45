//! `postern request`: somebody asks for access, somebody else reviews it.

mod columns;
mod create;
pub(crate) mod wait;

use clap::{Args, Subcommand};
use postern_protocol::duration::Span;
use serde_json::json;

use crate::{
    error::Error,
    print::Output,
    rest::{Client, Connection},
};

pub(crate) use columns::summary;

/// Requests for access.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask for access, and wait for the decision
    Create(create::CreateArgs),
    /// List requests
    Ls(ListArgs),
    /// Show one request
    Show {
        /// The request, `r_…`
        id: String,
    },
    /// Approve or deny a request
    Review(ReviewArgs),
    /// Take a request back
    Cancel {
        /// The request, `r_…`
        id: String,
    },
    /// Ask for the same once more, and wait for the decision
    Again(AgainArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Those that you filed
    #[arg(long, group = "whose")]
    mine: bool,
    #[command(flatten)]
    waiting: Waiting,
    /// All that you may see (the default)
    #[arg(long, group = "whose")]
    all: bool,
    /// Those in one state: PENDING, APPROVED, REJECTED, CANCELLED, EXPIRED, FAILED
    #[arg(long, value_name = "STATE", ignore_case = true,
          value_parser = ["PENDING", "APPROVED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"])]
    status: Option<String>,
}

/// Requests that wait for a word.
#[derive(Clone, Copy, Debug, Args)]
struct Waiting {
    /// Those that wait for your review
    #[arg(long, group = "whose", conflicts_with = "status")]
    to_review: bool,
    /// Emergencies that nobody has reviewed since
    #[arg(long, group = "whose", conflicts_with = "status")]
    awaits_hindsight: bool,
}

#[derive(Debug, Args)]
struct ReviewArgs {
    /// The request, `r_…`
    id: String,
    #[command(flatten)]
    decision: Decision,
    /// Why
    #[arg(long, default_value = "")]
    reason: String,
    /// Approve for a shorter time than was asked for: 30m, 2h, 1d
    #[arg(long, conflicts_with = "deny")]
    duration: Option<Span>,
    /// Approve with this alone of what was asked for; repeat it for more
    #[arg(long, value_name = "RES[:PRIV,…]", conflicts_with = "deny")]
    resource: Vec<String>,
    /// The identity in whose name this is decided
    #[arg(long, value_name = "IDENTITY")]
    by: Option<String>,
}

#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
struct Decision {
    /// Let them in
    #[arg(long)]
    approve: bool,
    /// Do not
    #[arg(long)]
    deny: bool,
}

#[derive(Debug, Args)]
struct AgainArgs {
    /// The request, `r_…`
    id: String,
    /// Do not wait for the decision
    #[arg(long)]
    nowait: bool,
}

impl RequestArgs {
    /// Signs in and does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        // What is wrong with the command line is said before anything goes over the network.
        let (output, connection) = (self.output, self.connection);
        let client = async || connection.sign_in().await;
        match self.command {
            Command::Create(args) => {
                let (body, client) = (args.body()?, client().await?);
                let filed = client.post(&["v1", "requests"], &body).await?;
                wait::for_decision(&client, output, filed, args.nowait).await
            }
            Command::Ls(args) => list(&client().await?, output, &args).await,
            Command::Show { id } => output.show(&client().await?.get(&["v1", "requests", &id], &[]).await?),
            Command::Review(args) => review(&client().await?, output, &args).await,
            Command::Cancel { id } => {
                let request = client().await?.post(&["v1", "requests", &id, "cancel"], &json!({})).await?;
                output.show_as(&request, || summary(&request))
            }
            Command::Again(args) => {
                let client = client().await?;
                let filed = client.post(&["v1", "requests", &args.id, "again"], &json!({})).await?;
                wait::for_decision(&client, output, filed, args.nowait).await
            }
        }
    }
}

async fn list(client: &Client, output: Output, args: &ListArgs) -> Result<(), Error> {
    let mut query = Vec::new();
    if let Some(status) = args.status.as_deref() {
        query.push(("status", status.to_ascii_uppercase()));
    }
    if args.waiting.to_review {
        query.push(("to_review", "true".to_owned()));
    }
    if args.waiting.awaits_hindsight {
        query.push(("awaits_hindsight", "true".to_owned()));
    }
    if args.mine {
        query.push(("mine", "true".to_owned()));
    }
    output.list(&columns::COLUMNS, &client.list(&["v1", "requests"], &query).await?)
}

async fn review(client: &Client, output: Output, args: &ReviewArgs) -> Result<(), Error> {
    let decision = if args.decision.approve { "approve" } else { "deny" };
    let mut body = json!({ "decision": decision, "reason": args.reason });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(args.by.as_deref().map(|by| ("by".to_owned(), by.into())));
        fields.extend(args.duration.map(|duration| ("duration".to_owned(), json!(duration))));
        let narrowed = (!args.resource.is_empty()).then(|| create::resources(&args.resource)).transpose()?;
        fields.extend(narrowed.map(|list| ("resources".to_owned(), json!(list))));
    }
    let request = client.post(&["v1", "requests", &args.id, "reviews"], &body).await?;
    output.show_as(&request, || summary(&request))
}

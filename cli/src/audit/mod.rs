//! `postern audit`: reads the records, follows them, and verifies that nobody has touched them.

mod columns;
mod follow;
mod report;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use postern_protocol::duration::Span;

use crate::{error::Error, print::Output, rest::Connection};

/// Audit records.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// Those since this long ago (1h, 7d) or since a moment (RFC 3339)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Those about this identity
    #[arg(long, value_name = "WHO")]
    identity: Option<String>,
    /// Those about this repository
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Those of this kind, such as grant.revoked
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Go on printing records as they come
    #[arg(long, conflicts_with = "verify")]
    follow: bool,
    /// Check every record of every chain, and the chains' ends
    #[arg(long, conflicts_with_all = ["since", "identity", "repo", "kind"])]
    verify: bool,
    /// Verify a sidecar's local copy in place of the control plane's records
    #[arg(long, requires = "verify", value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Who had access to what, by whose approval, and whether it was used
    Report(report::ReportArgs),
}

impl AuditArgs {
    /// Does one of the three.
    pub(crate) async fn run(self) -> Result<(), Error> {
        if let Some(file) = &self.file {
            return verify::file(file);
        }
        let client = self.connection.sign_in().await?;
        if let Some(Command::Report(report)) = self.command {
            return report.run(&client, self.output).await;
        }
        if self.verify {
            return verify::control_plane(&client).await;
        }
        let mut query = Vec::new();
        query.extend(self.identity.map(|who| ("identity", who)));
        query.extend(self.repo.map(|repo| ("repo", repo)));
        query.extend(self.kind.map(|kind| ("kind", kind)));
        if self.follow {
            return follow::records(&client, self.output, self.since, query).await;
        }
        query.extend(self.since.map(|since| ("since", since.to_string())));
        self.output.list(&columns::COLUMNS, &client.list(&["v1", "audit"], &query).await?)
    }
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let ago: Span =
        text.parse().map_err(|error| format!("{error}; or write a time such as 2026-01-31T08:15:00Z"))?;
    Timestamp::now().checked_sub(ago.duration()).map_err(|error| error.to_string())
}

//! `postern apply`: makes the control plane's rules those of a file.

mod diff;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use crate::{error::Error, print::Output, rest::Connection};

const STANDARD_INPUT: &str = "-";

/// Rules from a file.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The file: `[[rule]]` tables, as in rules.toml; `-` for standard input, with --owner
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take over rules of the same names that were made otherwise than by a file
    #[arg(long)]
    adopt: bool,
    /// Under which name its rules are owned; usually the file's own
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl ApplyArgs {
    /// Applies it, or shows what that would change.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let owner = match self.owner {
            Some(owner) => owner,
            None => name(&self.file)?,
        };
        let rules = rules(&self.file)?;
        let client = self.connection.sign_in().await?;
        let body = json!({ "file": owner, "rules": rules });
        let mut query = Vec::new();
        query.extend(self.dry_run.then(|| ("dry_run", "true".to_owned())));
        query.extend(self.adopt.then(|| ("adopt", "true".to_owned())));
        let answer = client.post_with(&["v1", "apply"], &query, &body).await?;
        self.output.show_as(&answer, || diff::text(&answer))
    }
}

fn name(file: &Path) -> Result<String, Error> {
    let name = file.file_name().and_then(|name| name.to_str()).filter(|name| *name != STANDARD_INPUT);
    name.map(str::to_owned).ok_or_else(|| Error::Usage("this has no name of a file: give --owner".to_owned()))
}

/// The rules of a file. What a rule may say is the control plane's to judge.
fn rules(file: &Path) -> Result<Value, Error> {
    let shown = file.display();
    let is_piped = file == Path::new(STANDARD_INPUT);
    let text = if is_piped { io::read_to_string(io::stdin()) } else { fs::read_to_string(file) };
    let text = text.map_err(Error::io(format!("cannot read {shown}")))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(0, |span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        Error::Failed(format!("{shown}, line {}: {}", line + 1, error.message()))
    })?;
    if let Some(odd) = table.keys().find(|key| *key != "rule") {
        return Err(Error::Failed(format!(
            "{shown}: `{odd}` is not known here; a file of rules has [[rule]] tables"
        )));
    }
    let rules = table.get("rule").cloned().unwrap_or(toml::Value::Array(Vec::new()));
    serde_json::to_value(rules).map_err(|error| Error::Failed(format!("{shown}: {error}")))
}

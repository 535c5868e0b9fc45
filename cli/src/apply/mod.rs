//! `postern apply`: makes the control plane's rules, bundles, webhooks and repositories what a file says.

mod declaration;
mod diff;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{error::Error, print::Output, rest::Connection};

const STANDARD_INPUT: &str = "-";

/// Rules and settings from a file.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The file: `[[rule]]`, `[[bundle]]`, `[[webhook]]` and `[[repo]]` tables; `-` for standard input, with --owner
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take over what was made otherwise than by a file under the same names
    #[arg(long)]
    adopt: bool,
    /// Under which name it owns what it makes; usually the file's own
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
        let is_piped = self.file == Path::new(STANDARD_INPUT);
        let body = declaration::body(if is_piped { None } else { Some(&self.file) }, &owner)?;
        let client = self.connection.sign_in().await?;
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

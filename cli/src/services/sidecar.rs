//! `postern sidecar`

use std::path::PathBuf;

use clap::Args;

use super::Logging;
use crate::error::Error;

/// The data plane: stands in front of the databases and lets in who has a grant.
#[derive(Debug, Args)]
pub(crate) struct SidecarArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    logging: Logging,
}

impl SidecarArgs {
    /// Serves until a signal.
    pub(crate) async fn run(self) -> Result<(), Error> {
        self.logging.prepare()?;
        Ok(postern_sidecar::run(&self.config).await?)
    }
}

//! `postern backup`

use std::path::PathBuf;

use clap::Args;

use crate::error::Error;

/// Copies the control plane's SQLite store to a new file, while it runs.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The control plane's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The copy; it must not be there yet
    #[arg(value_name = "FILE")]
    copy: PathBuf,
}

impl BackupArgs {
    /// Returns when the copy is whole and on the disk.
    pub(crate) async fn run(self) -> Result<(), Error> {
        Ok(postern_control::back_up(&self.config, &self.copy).await?)
    }
}

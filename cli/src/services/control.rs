//! `postern control`

use std::path::PathBuf;

use clap::Args;

use super::Logging;
use crate::{error::Error, print};

/// The control plane: requests, rules, reviews, REST, and the feed to the sidecars.
#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Create, once, an API client with every permission, print its id and secret, and leave
    #[arg(long, value_name = "NAME")]
    bootstrap_client: Option<String>,
    #[command(flatten)]
    logging: Logging,
}

impl ControlArgs {
    /// Serves until a signal, or creates the first client.
    pub(crate) async fn run(self) -> Result<(), Error> {
        self.logging.prepare()?;
        match &self.bootstrap_client {
            None => Ok(postern_control::run(&self.config).await?),
            Some(name) => {
                let (id, secret) = postern_control::bootstrap_client(&self.config, name).await?;
                print::write(&format!("client_id={id} client_secret={}\n", secret.reveal()))
            }
        }
    }
}

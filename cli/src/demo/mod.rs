//! `postern demo`: everything on this machine, ready to be tried.
//!
//! In: a folder and ports. Out: a private PostgreSQL with sample data, a control plane and a sidecar as children of
//! this process, two people and a rule, and the commands to paste. Whatever ends the demo ends them all.

mod children;
mod files;
mod home;
mod instructions;
mod ports;
mod postgres;
mod setup;

use std::path::PathBuf;

use clap::Args;
use postern_service::signals::Signals;

use crate::{
    error::Error,
    print::{note, write},
};
use children::Children;
use home::Home;
use ports::Ports;

/// Where the demo lives.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder for everything that it writes; by default a fresh one that is removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Port of the sidecar for PostgreSQL clients; by default 15432, or a free one
    #[arg(long, value_name = "PORT")]
    postgres_port: Option<u16>,
    /// Port of the sidecar for MySQL clients; MySQL is not supported yet, so nothing listens there
    #[arg(long, value_name = "PORT")]
    mysql_port: Option<u16>,
    /// Port of the control plane; by default 8000, or a free one
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
}

impl DemoArgs {
    /// Starts everything, waits, ends everything.
    pub(crate) async fn run(self) -> Result<(), Error> {
        // From here on a signal is a wish to finish in order.
        let mut signals = Signals::new().map_err(Error::io("cannot listen for signals"))?;
        if self.mysql_port.is_some() {
            note("postern demo: MySQL is not supported yet; nothing will listen on --mysql-port");
        }
        let ports = Ports::choose(self.postgres_port, self.control_port)?;
        let home = Home::open(self.dir.as_deref())?;
        let mut children = Children::default();
        let outcome = tokio::select! {
            outcome = serve(&home, &ports, &mut children) => outcome,
            _ = signals.next() => Ok(()),
        };
        let ended = tokio::select! {
            () = children.end() => outcome,
            _ = signals.next() => {
                children.hurry().await;
                outcome
            }
        };
        home.close();
        ended
    }
}

/// Returns only when something went wrong.
async fn serve(home: &Home, ports: &Ports, children: &mut Children) -> Result<(), Error> {
    let shop = postgres::start(home, ports, children).await?;
    let scene = setup::run(home, ports, &shop, children).await?;
    files::write_env(home, ports, &scene)?;
    // Whoever reads these lines may have gone; the demo goes on.
    let _ = write(&instructions::text(home, ports));
    Err(children.first_death().await)
}

//! `postern demo`: everything on this machine, ready to be tried.
//!
//! In: a folder and ports. Out: a private PostgreSQL and MariaDB with sample data, a control plane and a sidecar as
//! children of this process, a development SSO provider, two people and a rule, and the commands to paste. Whatever ends the demo ends them all.

mod children;
mod files;
mod home;
mod instructions;
mod issuer;
mod mariadb;
mod ports;
mod postgres;
mod server;
mod setup;

use std::path::PathBuf;

use clap::Args;
use postern_service::signals::Signals;

use crate::{error::Error, print::write};
use children::Children;
use files::Shops;
use home::Home;
use ports::{Ports, Wanted};

/// Where the demo lives.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder for everything that it writes; by default a fresh one that is removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Port of the sidecar for PostgreSQL clients; by default 15432, or a free one
    #[arg(long, value_name = "PORT")]
    postgres_port: Option<u16>,
    /// Port of the sidecar for MySQL clients; by default 13306, or a free one
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
        let ports = Ports::choose(Wanted {
            postgres: self.postgres_port,
            mysql: self.mysql_port,
            control: self.control_port,
        })?;
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
    let shops = Shops {
        postgres: postgres::start(home, ports, children).await?,
        mariadb: mariadb::start(home, ports, children).await?,
    };
    let scene = setup::run(home, ports, &shops, children).await?;
    files::write_env(home, ports, &scene)?;
    // Whoever reads these lines may have gone; the demo goes on.
    let _ = write(&instructions::text(home, ports));
    Err(children.first_death().await)
}

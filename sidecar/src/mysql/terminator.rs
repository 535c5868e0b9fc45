//! Ends connections for certain, with `KILL`.
//!
//! An account may kill its own connections, unless another account is configured for it. The server stops the statement
//! at its next look at the flag, rolls the transaction back and closes the connection. Its numbers are not used twice
//! as long as it runs.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use postern_protocol::gate::AccountName;
use tokio::time::timeout;

use super::{back::BackError, simple::Connection, target::Target};
use crate::session::Means;

/// How long a batch may take before the connection is given up.
const BATCH: Duration = Duration::from_secs(2);
/// `ER_NO_SUCH_THREAD`: it has gone by itself.
const NO_SUCH_THREAD: u16 = 1094;

/// The server's own number for a connection.
pub(crate) type Victim = u32;

/// `KILL`, as `account`, at one server of the target.
pub(crate) struct Termination {
    pub(crate) target: Arc<Target>,
    pub(crate) account: AccountName,
    pub(crate) peer: Option<SocketAddr>,
}

impl Means for Termination {
    type Victim = Victim;
    type Connection = Connection;
    type Error = BackError;

    async fn connect(&self) -> Result<Connection, BackError> {
        let mut connection = Connection::open(&self.target, self.peer, &self.account).await?;
        // It has nothing to do until somebody's access ends.
        connection.ask(["SET SESSION wait_timeout = 31536000".to_owned()]).await?;
        connection.done().await?;
        Ok(connection)
    }

    async fn terminate(&self, connection: &mut Connection, victims: &[Victim]) -> Option<Vec<bool>> {
        timeout(BATCH, kill(connection, victims)).await.ok()?.ok()
    }

    async fn lost(&self, connection: &mut Connection) {
        connection.lost().await;
    }

    async fn close(&self, connection: Connection) {
        connection.close().await;
    }
}

/// Sends all orders before the first is answered. Done is what there is no more.
async fn kill(connection: &mut Connection, victims: &[Victim]) -> Result<Vec<bool>, BackError> {
    let orders: Vec<_> = victims.iter().map(|number| format!("KILL CONNECTION {number}")).collect();
    connection.ask(orders).await?;
    let mut done = Vec::with_capacity(victims.len());
    for _ in victims {
        done.push(match connection.done().await {
            // It is told to go, and has not gone yet.
            Ok(()) => false,
            Err(BackError::Refused(refused)) => refused.code == NO_SUCH_THREAD,
            Err(error) => return Err(error),
        });
    }
    Ok(done)
}

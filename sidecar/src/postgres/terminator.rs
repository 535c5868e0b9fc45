//! Ends backends for certain.
//!
//! A `CancelRequest` stops one statement, and a statement may catch it; a client that pipelines has more of them lying
//! in the backend's socket. `pg_terminate_backend` makes the backend go before it reads the next message, rolls its
//! transaction back and frees its locks, and one statement ends a thousand of them. An account may do that to its own
//! backends, unless another account is configured for it.

use std::{fmt::Write, net::SocketAddr, sync::Arc, time::Duration};

use postern_protocol::gate::AccountName;
use tokio::time::timeout;

use super::{
    back::BackError,
    simple::{self, Connection},
    target::Target,
};
use crate::session::Means;

/// How long the statement may take before the connection is given up.
const STATEMENT: Duration = Duration::from_secs(2);
/// What is read at a time; a thousand process ids are not much more.
const ROOM: usize = 2048;

/// One backend: its process id, and the client port at which it sees us. Process ids come back; the pair does not while
/// the connection is open. Through a pooler or address translation it matches nothing, and then nobody is ended by
/// mistake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Victim {
    pub(crate) pid: i32,
    pub(crate) port: u16,
}

/// `pg_terminate_backend`, as `account`, at one server of the target.
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
        let parameters = simple::parameters("-c statement_timeout=0");
        let backend = self.target.connect_to(self.peer, &self.account, &parameters).await?;
        Ok(Connection::new(backend, ROOM))
    }

    async fn terminate(&self, connection: &mut Connection, victims: &[Victim]) -> Option<Vec<bool>> {
        let among = |ended: &[i32]| victims.iter().map(|victim| ended.contains(&victim.pid)).collect();
        match execute(connection, victims).await {
            Ok(ended) => Some(among(&ended)),
            Err(BackError::Refused(_)) => one_by_one(connection, victims).await,
            Err(_) => None,
        }
    }

    async fn lost(&self, connection: &mut Connection) {
        // Nothing but settings, notices and the end comes unasked. A message is read whole or not at all before the
        // next order: what was read of it stays with the reader.
        while connection.unasked().await.is_ok() {}
    }

    async fn close(&self, connection: Connection) {
        connection.close().await;
    }
}

/// One of them cannot be ended, and fails the statement for all.
async fn one_by_one(connection: &mut Connection, victims: &[Victim]) -> Option<Vec<bool>> {
    let mut done = Vec::with_capacity(victims.len());
    for victim in victims {
        match execute(connection, std::slice::from_ref(victim)).await {
            Ok(ended) => done.push(ended.contains(&victim.pid)),
            Err(BackError::Refused(_)) => done.push(false),
            Err(_) => return None,
        }
    }
    Some(done)
}

/// The process ids of the backends that were ended.
async fn execute(connection: &mut Connection, victims: &[Victim]) -> Result<Vec<i32>, BackError> {
    let text = statement(victims);
    let ended = async {
        connection.ask(&text).await?;
        let mut ended = Vec::new();
        while let Some(row) = connection.row().await? {
            let [pid] = row.fields()?;
            ended.push(pid.parse()?);
        }
        Ok(ended)
    };
    timeout(STATEMENT, ended).await.map_err(|_| BackError::Timeout)?
}

fn statement(victims: &[Victim]) -> String {
    let mut list = String::new();
    for victim in victims {
        let comma = if list.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(list, "{comma}({},{})", victim.pid, victim.port);
    }
    // Who is meant is settled before anybody is ended; a planner may otherwise call the function first. Names and
    // operators are qualified: what the account's search_path holds must not matter.
    format!(
        "WITH found AS MATERIALIZED (SELECT a.pid FROM pg_catalog.pg_stat_get_activity(NULL) AS a, \
         (VALUES {list}) AS wanted(pid, port) WHERE a.pid OPERATOR(pg_catalog.=) wanted.pid \
         AND a.client_port OPERATOR(pg_catalog.=) wanted.port) \
         SELECT found.pid FROM found WHERE pg_catalog.pg_terminate_backend(found.pid)"
    )
}

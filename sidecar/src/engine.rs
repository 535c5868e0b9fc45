//! Which engines there are: the one place that knows.
//!
//! In: the repos of the configuration. Out: each repo with its engine's own code behind it, and doors for listeners.

use std::{net::SocketAddr, sync::Arc};

use postern_protocol::gate::{Engine, RepoName, ServedRepo};
use tokio::net::TcpStream;

use crate::{
    config::{Login, RepoConfig},
    gatehouse::Gatehouse,
    grants::{FeedState, Reports},
    listener::Pending,
    mysql, postgres,
    server::InvalidServer,
};

/// A repo.
#[derive(Clone)]
pub(crate) enum Repo {
    /// A PostgreSQL database.
    Postgres(Arc<postgres::Target>),
    /// A MySQL or MariaDB server.
    Mysql(Arc<mysql::Target>),
}

impl Repo {
    /// Reads what the repo's description points at.
    pub(crate) fn new(repo: &RepoConfig) -> Result<Self, InvalidServer> {
        match repo.engine {
            Engine::Postgres => postgres::Target::new(repo).map(Self::Postgres),
            Engine::Mysql => mysql::Target::new(repo).map(Self::Mysql),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &RepoName {
        match self {
            Self::Postgres(target) => &target.name,
            Self::Mysql(target) => &target.name,
        }
    }

    /// What the control plane is told of it.
    pub(crate) fn served(&self, listen: &str) -> ServedRepo {
        match self {
            Self::Postgres(target) => target.served(listen),
            Self::Mysql(target) => target.served(listen),
        }
    }

    /// Keeps its catalog, and the control plane informed of it, for ever.
    pub(crate) fn watch(&self, reports: &Reports, feed: &Arc<FeedState>) {
        match self {
            Self::Postgres(target) => target.watch(reports, feed),
            Self::Mysql(target) => target.watch(reports, feed),
        }
    }

    /// Lets go what nobody asks for any more.
    pub(crate) fn sweep(&self) {
        match self {
            Self::Postgres(target) => target.warm.sweep(),
            Self::Mysql(_) => {}
        }
    }
}

/// What a listener serves.
#[derive(Clone)]
pub(crate) enum Door {
    /// PostgreSQL databases.
    Postgres(Arc<postgres::Door>),
    /// One MySQL or MariaDB server.
    Mysql(Arc<mysql::Door>),
}

/// Makes doors.
#[derive(Default)]
pub(crate) struct Doors {
    cancel_keys: Arc<postgres::CancelKeys>,
    threads: Arc<mysql::Threads>,
}

/// A listener cannot serve these repos.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDoor {
    /// Clients could not be told apart.
    #[error("repos of different engines cannot share a port")]
    MixedEngines,
    /// A MySQL client does not say which server it means.
    #[error("a port serves exactly one MySQL repo")]
    SeveralServers,
}

impl Doors {
    /// A door to these repos, where clients are asked to prove themselves like this.
    pub(crate) fn open(&self, repos: &[Repo], login: Login) -> Result<Door, NoDoor> {
        let (mut databases, mut servers) = (Vec::new(), Vec::new());
        for repo in repos {
            match repo {
                Repo::Postgres(target) => databases.push(Arc::clone(target)),
                Repo::Mysql(target) => servers.push(Arc::clone(target)),
            }
        }
        match (servers.pop(), databases.is_empty()) {
            (None, _) => {
                let cancel_keys = Arc::clone(&self.cancel_keys);
                Ok(Door::Postgres(Arc::new(postgres::Door { targets: databases, cancel_keys, login })))
            }
            (Some(_), false) => Err(NoDoor::MixedEngines),
            (Some(_), true) if !servers.is_empty() => Err(NoDoor::SeveralServers),
            (Some(target), true) => {
                let threads = Arc::clone(&self.threads);
                Ok(Door::Mysql(Arc::new(mysql::Door { target, threads })))
            }
        }
    }
}

impl Door {
    /// Serves one connection to its end, in a task of its own.
    pub(crate) fn serve(&self, house: Arc<Gatehouse>, tcp: TcpStream, peer: SocketAddr, pending: Pending) {
        match self {
            Self::Postgres(door) => {
                drop(tokio::spawn(postgres::serve(house, Arc::clone(door), tcp, peer, pending)));
            }
            Self::Mysql(door) => {
                drop(tokio::spawn(mysql::serve(house, Arc::clone(door), tcp, peer, pending)));
            }
        }
    }
}

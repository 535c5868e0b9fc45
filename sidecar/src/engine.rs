//! Which engines there are: the one place that knows.
//!
//! In: the repos of the configuration. Out: each repo with its engine's own code behind it, and doors for listeners.

use std::{net::SocketAddr, sync::Arc};

use postern_protocol::gate::{Engine, RepoName, ServedRepo};
use tokio::net::TcpStream;

use crate::{
    config::RepoConfig,
    gatehouse::Gatehouse,
    grants::{FeedState, Reports},
    listener::Pending,
    postgres,
    server::InvalidServer,
};

/// A repo.
#[derive(Clone)]
pub(crate) enum Repo {
    /// A PostgreSQL database.
    Postgres(Arc<postgres::Target>),
}

impl Repo {
    /// Reads what the repo's description points at.
    pub(crate) fn new(repo: &RepoConfig) -> Result<Self, InvalidServer> {
        match repo.engine {
            Engine::Postgres | Engine::Mysql => postgres::Target::new(repo).map(Self::Postgres),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &RepoName {
        match self {
            Self::Postgres(target) => &target.name,
        }
    }

    /// What the control plane is told of it.
    pub(crate) fn served(&self, listen: &str) -> ServedRepo {
        match self {
            Self::Postgres(target) => target.served(listen),
        }
    }

    /// Keeps its catalog, and the control plane informed of it, for ever.
    pub(crate) fn watch(&self, reports: &Reports, feed: &Arc<FeedState>) {
        match self {
            Self::Postgres(target) => target.watch(reports, feed),
        }
    }

    /// Lets go what nobody asks for any more.
    pub(crate) fn sweep(&self) {
        match self {
            Self::Postgres(target) => target.warm.sweep(),
        }
    }
}

/// What a listener serves.
#[derive(Clone)]
pub(crate) enum Door {
    /// PostgreSQL databases.
    Postgres(Arc<postgres::Door>),
}

/// A listener cannot serve these repos.
#[derive(Debug, thiserror::Error)]
#[error("repos of different engines cannot share a port")]
pub(crate) struct MixedEngines;

/// Makes doors.
#[derive(Default)]
pub(crate) struct Doors {
    cancel_keys: Arc<postgres::CancelKeys>,
}

impl Doors {
    /// A door to these repos.
    pub(crate) fn open(&self, repos: Vec<Repo>) -> Result<Door, MixedEngines> {
        let targets = repos.into_iter().map(|repo| match repo {
            Repo::Postgres(target) => Ok(target),
        });
        let targets = targets.collect::<Result<_, MixedEngines>>()?;
        Ok(Door::Postgres(Arc::new(postgres::Door { targets, cancel_keys: Arc::clone(&self.cancel_keys) })))
    }
}

impl Door {
    /// Serves one connection to its end, in a task of its own.
    pub(crate) fn serve(&self, house: Arc<Gatehouse>, tcp: TcpStream, peer: SocketAddr, pending: Pending) {
        match self {
            Self::Postgres(door) => {
                drop(tokio::spawn(postgres::serve(house, Arc::clone(door), tcp, peer, pending)));
            }
        }
    }
}

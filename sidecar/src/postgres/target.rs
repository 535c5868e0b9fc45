//! A PostgreSQL repo: where its database is and how its accounts log in.

use std::{net::SocketAddr, sync::Arc};

use postern_protocol::gate::{AccountName, Engine, RepoName, ServedRepo};

use super::{
    back::BackError,
    catalog::Reading,
    terminator::{Termination, Victim},
    warm::Warm,
};
use crate::{
    catalog::{Asker, Keeper, Teller},
    config::RepoConfig,
    enforce::{
        Verdicts,
        postgres::{Ground, catalog::Catalog},
    },
    grants::{FeedState, Reports},
    server::{InvalidServer, Login, Server},
    session::{Registry, Terminator, Terminators},
};

/// A repo as the back needs it.
pub(crate) struct Target {
    pub(crate) name: RepoName,
    pub(crate) database: String,
    pub(crate) server: Server,
    pub(crate) warm: Warm,
    pub(crate) catalog: Arc<Keeper<Reading>>,
    /// What was found about statements of limited sessions.
    pub(crate) verdicts: Arc<Verdicts<Ground>>,
    /// The account that ends backends, where that is not the backend's own.
    terminating: Option<AccountName>,
    /// Those of accounts that have sessions.
    terminators: Terminators<Victim>,
}

impl Target {
    /// Reads what the repo's description points at.
    pub(crate) fn new(repo: &RepoConfig) -> Result<Arc<Self>, InvalidServer> {
        Ok(Arc::new(Self {
            name: repo.name.clone(),
            database: repo.database.clone().unwrap_or_default(),
            server: Server::new(repo, &[b"postgresql"])?,
            warm: Warm::new(repo.warm),
            catalog: Arc::default(),
            verdicts: Arc::default(),
            terminating: repo.terminator.clone(),
            terminators: Terminators::default(),
        }))
    }

    /// Keeps the catalog, and the control plane informed of it, for ever.
    pub(crate) fn watch(self: &Arc<Self>, reports: &Reports, feed: &Arc<FeedState>) {
        let (repo, snapshots) = (self.name.clone(), vec![self.catalog.snapshots()]);
        let teller = Teller { repo, snapshots, reports: reports.clone(), feed: Arc::clone(feed) };
        tokio::spawn(teller.run());
        self.keep_catalog();
    }

    /// Keeps the catalog, for ever.
    pub(super) fn keep_catalog(self: &Arc<Self>) {
        let asker = Asker::new(Reading::new(Arc::clone(self)), Arc::clone(&self.catalog));
        tokio::spawn(asker.run());
    }

    /// The newest snapshot of the catalog, checked against the database just now.
    pub(crate) async fn fresh_catalog(&self, account: &AccountName) -> Result<Arc<Catalog>, BackError> {
        if self.login(account).is_none() {
            return Err(BackError::Account("it is not configured".to_owned()));
        }
        self.catalog.fresh(account).await.map_err(BackError::Catalog)
    }

    /// The account's way in, if the repo has that account.
    pub(crate) fn login(&self, account: &AccountName) -> Option<&Login> {
        self.server.login(account)
    }

    /// What ends backends of this account at this server: shared by its live sessions.
    pub(crate) fn terminator(
        self: &Arc<Self>,
        account: &AccountName,
        peer: Option<SocketAddr>,
        registry: &Arc<Registry>,
    ) -> Arc<Terminator<Victim>> {
        self.terminators.get(account, peer, || {
            let terminating = self.terminating.clone().unwrap_or_else(|| account.clone());
            let means = Termination { target: Arc::clone(self), account: terminating, peer };
            Terminator::start(means, self.name.clone(), account.clone(), Arc::clone(registry))
        })
    }

    /// The account that reads the catalog: the one that ends backends, or else the one asked for, or else any.
    pub(super) fn catalog_account(&self, asked: Option<AccountName>) -> Option<AccountName> {
        self.terminating.clone().or(asked).or_else(|| self.server.accounts().into_iter().next())
    }

    /// What the control plane is told of it.
    pub(crate) fn served(&self, listen: &str) -> ServedRepo {
        ServedRepo {
            name: self.name.clone(),
            engine: Engine::Postgres,
            database: Some(self.database.clone()),
            listen: listen.to_owned(),
            accounts: self.server.accounts(),
        }
    }
}

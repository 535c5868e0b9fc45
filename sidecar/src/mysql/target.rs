//! A MySQL or MariaDB repo: where its server is and how its accounts log in.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use arc_swap::ArcSwapOption;
use postern_protocol::gate::{AccountName, Engine, RepoName, ServedRepo};

use super::{
    back::BackError,
    catalog::{Lookout, Sight, Snapshots},
    profile::Profile,
    terminator::{Termination, Victim},
};
use crate::{
    catalog::{Asker, Keeper, Teller},
    config::RepoConfig,
    enforce::{
        Verdicts,
        mysql::{Catalog, Ground},
    },
    grants::{FeedState, Reports},
    server::{InvalidServer, Login, Server},
    session::{Registry, Terminator, Terminators},
};

/// A repo as the back needs it.
pub(crate) struct Target {
    pub(crate) name: RepoName,
    pub(crate) server: Server,
    /// What each account sees.
    catalogs: HashMap<AccountName, Arc<Keeper<Sight>>>,
    /// What was found about statements of limited sessions.
    pub(crate) verdicts: Arc<Verdicts<Ground>>,
    pub(super) snapshots: tokio::sync::Mutex<Snapshots>,
    /// Who looks at the catalog while nobody attends.
    pub(super) lookout: Lookout,
    /// What the server last said of itself.
    profile: ArcSwapOption<Profile>,
    /// The account that ends sessions, where that is not the session's own.
    terminating: Option<AccountName>,
    /// Those of accounts that have sessions.
    terminators: Terminators<Victim>,
}

impl Target {
    /// Reads what the repo's description points at.
    pub(crate) fn new(repo: &RepoConfig) -> Result<Arc<Self>, InvalidServer> {
        let server = Server::new(repo, &[])?;
        Ok(Arc::new(Self {
            name: repo.name.clone(),
            catalogs: server.accounts().into_iter().map(|account| (account, Arc::default())).collect(),
            server,
            verdicts: Arc::default(),
            snapshots: tokio::sync::Mutex::default(),
            lookout: Lookout::default(),
            profile: ArcSwapOption::empty(),
            terminating: repo.terminator.clone(),
            terminators: Terminators::default(),
        }))
    }

    /// Keeps the catalogs, and the control plane informed of them, for ever.
    pub(crate) fn watch(self: &Arc<Self>, reports: &Reports, feed: &Arc<FeedState>) {
        let snapshots = self.catalogs.values().map(|catalog| catalog.snapshots()).collect();
        let (repo, reports, feed) = (self.name.clone(), reports.clone(), Arc::clone(feed));
        tokio::spawn(Teller { repo, snapshots, reports, feed }.run());
        self.keep_catalogs();
    }

    /// Keeps the catalogs, for ever.
    pub(super) fn keep_catalogs(self: &Arc<Self>) {
        for (account, catalog) in &self.catalogs {
            let sight = Sight::new(Arc::clone(self), account.clone());
            tokio::spawn(Asker::new(sight, Arc::clone(catalog)).run());
        }
    }

    /// What the account sees, if the repo has that account.
    pub(crate) fn catalog(&self, account: &AccountName) -> Option<&Keeper<Sight>> {
        self.catalogs.get(account).map(|catalog| &**catalog)
    }

    /// The newest snapshot of what the account sees, checked against the server just now.
    pub(crate) async fn fresh_catalog(&self, account: &AccountName) -> Result<Arc<Catalog>, BackError> {
        let catalog = self.catalog(account);
        let catalog = catalog.ok_or_else(|| BackError::Account("it is not configured".to_owned()))?;
        catalog.fresh(account).await.map_err(BackError::Catalog)
    }

    /// The account's way in, if the repo has that account.
    pub(crate) fn login(&self, account: &AccountName) -> Option<&Login> {
        self.server.login(account)
    }

    /// The server has described itself.
    pub(super) fn describe(&self, profile: Profile) {
        if self.profile.load().as_deref() != Some(&profile) {
            self.profile.store(Some(Arc::new(profile)));
        }
    }

    /// How the server describes itself; it is asked where that is not known yet. It is asked by logging in, for a
    /// server shuts out whoever hangs up on its greeting again and again.
    pub(crate) async fn profile(&self) -> Result<Arc<Profile>, BackError> {
        if let Some(known) = self.profile.load_full() {
            return Ok(known);
        }
        let accounts = self.server.accounts();
        let account = self.terminating.as_ref().or(accounts.first());
        let account = account.ok_or_else(|| BackError::Account("none is configured".to_owned()))?;
        super::simple::Connection::open(self, None, account).await?.close().await;
        self.profile.load_full().ok_or(BackError::Timeout)
    }

    /// What ends connections of this account at this server: shared by its live sessions.
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

    /// What the control plane is told of it.
    pub(crate) fn served(&self, listen: &str) -> ServedRepo {
        ServedRepo {
            name: self.name.clone(),
            engine: Engine::Mysql,
            database: None,
            listen: listen.to_owned(),
            accounts: self.server.accounts(),
        }
    }
}

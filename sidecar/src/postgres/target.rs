//! A PostgreSQL repo: where its database is and how its accounts log in.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use postern_protocol::gate::{AccountName, Engine, RepoName, ServedRepo};
use postern_service::{secret::Secret, tls::TlsError};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::{catalog::CatalogKeeper, terminator::Terminator, warm::Warm};
use crate::{
    config::{RepoConfig, TlsMode},
    enforce::postgres::Verdicts,
    net::is_loopback,
    session::Registry,
};

/// Why a repo's description cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidTarget {
    /// Not `host:port`.
    #[error("repo {0}: `address` must be host:port")]
    Address(RepoName),
    /// A TLS file is missing or bad.
    #[error("repo {0}: {1}")]
    Tls(RepoName, #[source] TlsError),
}

/// One account's way in.
pub(crate) struct Login {
    pub(crate) password: Option<Secret>,
    pub(crate) tls: Option<TlsConnector>,
    /// Whether the database has to prove who it is.
    pub(crate) verified: bool,
}

/// By account and server.
type Terminators = HashMap<(AccountName, Option<SocketAddr>), Weak<Terminator>>;

/// A repo as the back needs it.
pub(crate) struct Target {
    pub(crate) name: RepoName,
    pub(crate) database: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) server_name: ServerName<'static>,
    pub(crate) warm: Warm,
    pub(crate) catalog: CatalogKeeper,
    /// What was found about statements of limited sessions.
    pub(crate) verdicts: Arc<Verdicts>,
    /// The account that ends backends, where that is not the backend's own.
    terminating: Option<AccountName>,
    /// Those of accounts that have sessions.
    terminators: Mutex<Terminators>,
    accounts: HashMap<AccountName, Login>,
}

impl Target {
    /// Reads what the repo's description points at.
    pub(crate) fn new(repo: &RepoConfig) -> Result<Arc<Self>, InvalidTarget> {
        let invalid = || InvalidTarget::Address(repo.name.clone());
        let (host, port) = repo.address.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port.parse().map_err(|_| invalid())?;
        let server_name = ServerName::try_from(host.clone()).map_err(|_| invalid())?;
        let mode = repo
            .tls
            .unwrap_or_else(|| if is_loopback(&host) { TlsMode::Disable } else { TlsMode::VerifyFull });
        let login = |account| {
            let tls = super::tls::connector(repo, account, mode)
                .map_err(|error| InvalidTarget::Tls(repo.name.clone(), error))?;
            let verified = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
            Ok(Login { password: account.password.clone(), tls, verified })
        };
        let accounts = repo
            .accounts
            .iter()
            .map(|(name, account)| login(account).map(|login| (name.clone(), login)))
            .collect::<Result<_, _>>()?;
        let database = repo.database.clone().unwrap_or_default();
        let (name, warm) = (repo.name.clone(), Warm::new(repo.warm));
        let (terminating, terminators) = (repo.terminator.clone(), Mutex::default());
        Ok(Arc::new(Self {
            name,
            database,
            host,
            port,
            server_name,
            warm,
            catalog: CatalogKeeper::new(),
            verdicts: Arc::default(),
            terminating,
            terminators,
            accounts,
        }))
    }

    /// The account's way in, if the repo has that account.
    pub(crate) fn login(&self, account: &AccountName) -> Option<&Login> {
        self.accounts.get(account)
    }

    /// What ends backends of this account at this server: shared by its live sessions.
    pub(crate) fn terminator(
        self: &Arc<Self>,
        account: &AccountName,
        peer: Option<SocketAddr>,
        registry: &Arc<Registry>,
    ) -> Arc<Terminator> {
        let mut all = self.terminators.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, terminator| terminator.strong_count() > 0);
        let place = all.entry((account.clone(), peer)).or_default();
        place.upgrade().unwrap_or_else(|| {
            let terminating = self.terminating.clone().unwrap_or_else(|| account.clone());
            let terminator =
                Terminator::start(Arc::clone(self), account.clone(), terminating, peer, Arc::clone(registry));
            *place = Arc::downgrade(&terminator);
            terminator
        })
    }

    /// The account that reads the catalog: the one that ends backends, or else the one asked for, or else any.
    pub(super) fn catalog_account(&self, asked: Option<AccountName>) -> Option<AccountName> {
        self.terminating.clone().or(asked).or_else(|| self.accounts.keys().min().cloned())
    }

    /// What the control plane is told of it.
    pub(crate) fn served(&self, listen: &str) -> ServedRepo {
        let mut accounts: Vec<_> = self.accounts.keys().cloned().collect();
        accounts.sort();
        ServedRepo {
            name: self.name.clone(),
            engine: Engine::Postgres,
            database: Some(self.database.clone()),
            listen: listen.to_owned(),
            accounts,
        }
    }
}

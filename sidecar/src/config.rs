//! `sidecar.toml`.

use std::{collections::HashMap, net::SocketAddr, num::NonZeroUsize, path::Path};

use postern_protocol::{
    duration::Span,
    gate::{AccountName, Engine, RepoName, SidecarName},
};
use postern_service::{
    admin::AdminConfig,
    config::{self, ConfigError, FilePath},
    secret::Secret,
};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The sidecar's name; its enrolment token is for this name.
    pub name: SidecarName,
    /// Where grants come from.
    pub control: ControlConfig,
    /// Towards clients.
    pub tls: Option<TlsConfig>,
    /// `/metrics`, `/healthz`, `/readyz`.
    pub admin: Option<AdminConfig>,
    /// Where audit records go besides the control plane.
    #[serde(default)]
    pub audit: AuditConfig,
    /// What a credential is good for.
    #[serde(default)]
    pub identity: IdentityConfig,
    /// What strangers may use up.
    #[serde(default)]
    pub limits: Limits,
    /// How long sessions may finish after SIGTERM.
    #[serde(default = "ten_seconds")]
    pub shutdown_grace: Span,
    /// Where clients connect.
    #[serde(rename = "listener")]
    pub listeners: Vec<ListenerConfig>,
    /// What they connect to.
    #[serde(rename = "repo")]
    pub repos: Vec<RepoConfig>,
}

/// `[control]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlConfig {
    /// `https://…`, or `http://` to a loopback address.
    pub url: String,
    /// The enrolment token.
    pub token: Secret,
    /// Trust anchors for `url`; the system's where absent.
    pub ca: Option<FilePath>,
    /// How long to go on without a word from the control plane.
    #[serde(default = "one_minute")]
    pub lease: Span,
}

/// `[tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// The chain, PEM.
    pub cert: FilePath,
    /// The key, PEM.
    pub key: FilePath,
    /// Authorities of client certificates, PEM.
    pub client_ca: Option<FilePath>,
    /// Their revocation lists, PEM.
    pub client_crl: Option<FilePath>,
}

/// `[identity]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentityConfig {
    /// Sessions end when the token or certificate expires that they began with.
    pub end_with_token: bool,
    /// How long a client that asks for access by connecting waits for the decision.
    pub knock_wait: Span,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self { end_with_token: false, knock_wait: Span::from_secs(300) }
    }
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditConfig {
    /// A local copy of every record, JSON lines.
    pub file: Option<FilePath>,
    /// Where records wait while the control plane is away; by default beside the configuration.
    pub spool: Option<FilePath>,
    /// How much may wait, in bytes.
    pub spool_max_bytes: Option<u64>,
    /// End sessions rather than lose a record.
    #[serde(default)]
    pub required: bool,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// From the first byte to the accepted credential.
    pub login_timeout: Span,
    /// Connections that have not logged in yet, in all. The oldest makes room for a new one.
    pub pending: usize,
    /// The same from one address.
    pub pending_per_source: usize,
    /// Sessions at once.
    pub sessions: usize,
    /// Threads that carry them; half as many as there are processors where absent.
    pub threads: Option<NonZeroUsize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_timeout: Span::from_secs(30),
            pending: 4096,
            pending_per_source: 1024,
            sessions: 20_000,
            threads: None,
        }
    }
}

/// `[[listener]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// The repos that are reached here.
    pub repos: Vec<RepoName>,
    /// What clients of PostgreSQL are asked for, unless they ask for the other.
    #[serde(default)]
    pub login: Login,
}

/// How clients of PostgreSQL prove who they are, where it is not by a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Login {
    /// By a password, which every client can.
    #[default]
    Password,
    /// By SASL `OAUTHBEARER`, for those that log in through the browser.
    Oauth,
}

/// `[[repo]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepoConfig {
    /// Its name.
    pub name: RepoName,
    /// Its protocol.
    pub engine: Engine,
    /// `host:port` of the database.
    pub address: String,
    /// PostgreSQL: the database.
    pub database: Option<String>,
    /// Towards the database. Without a word: `disable` to a loopback address, else `verify-full`.
    pub tls: Option<TlsMode>,
    /// Trust anchors for the verify modes; the system's where absent.
    pub ca: Option<FilePath>,
    /// How many connections to keep ready for an account whose clients keep coming. None by default: they count as
    /// sessions in the database's own statistics.
    #[serde(default)]
    pub warm: usize,
    /// The account of these that ends backends, with the role `pg_signal_backend`; without one each account ends its
    /// own, as long as whoever uses it leaves it the power to.
    pub terminator: Option<AccountName>,
    /// The accounts that sessions may use.
    pub accounts: HashMap<AccountName, AccountConfig>,
}

/// How the database is reached, in the words of libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsMode {
    /// Without TLS.
    Disable,
    /// With TLS to whoever answers.
    Require,
    /// To somebody with a certificate of a known authority.
    VerifyCa,
    /// Whose certificate is for the host's name as well.
    VerifyFull,
}

/// `[repo.accounts.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountConfig {
    /// Its password; none for `trust` and for certificates.
    pub password: Option<Secret>,
    /// A client certificate, PEM.
    pub cert: Option<FilePath>,
    /// Its key, PEM.
    pub key: Option<FilePath>,
}

const fn ten_seconds() -> Span {
    Span::from_secs(10)
}

const fn one_minute() -> Span {
    Span::from_secs(60)
}

impl Config {
    /// Reads the file and checks what its parts say of each other.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = config::load(path)?;
        config.check().map_err(|problem| ConfigError::invalid(path, problem))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.listeners.is_empty() || self.repos.is_empty() {
            return Err("a sidecar needs at least one [[listener]] and one [[repo]]".to_owned());
        }
        if self.tls.as_ref().is_some_and(|tls| tls.client_crl.is_some() && tls.client_ca.is_none()) {
            return Err("[tls] client_crl: goes together with `client_ca`".to_owned());
        }
        if self.control.lease.as_secs() < 2 {
            return Err("[control] lease: at least 2s, for the control plane speaks once a second".to_owned());
        }
        self.repos.iter().try_for_each(|repo| self.check_repo(repo))?;
        self.listeners.iter().try_for_each(|listener| self.check_listener(listener))
    }

    fn check_repo(&self, repo: &RepoConfig) -> Result<(), String> {
        let name = &repo.name;
        if self.repos.iter().filter(|other| other.name == *name).count() > 1 {
            return Err(format!("repo {name} is described twice"));
        }
        match (repo.engine, &repo.database) {
            (Engine::Postgres, None) => {
                return Err(format!("repo {name}: a PostgreSQL repo needs its `database`"));
            }
            (Engine::Mysql, Some(_)) => {
                return Err(format!(
                    "repo {name}: `database` is for PostgreSQL; a MySQL repo is the whole server"
                ));
            }
            (Engine::Mysql, None) if repo.warm > 0 => {
                return Err(format!("repo {name}: `warm` is for PostgreSQL"));
            }
            (Engine::Postgres, Some(_)) | (Engine::Mysql, None) => {}
        }
        if repo.accounts.is_empty() {
            return Err(format!("repo {name} has no [repo.accounts.NAME]"));
        }
        if let Some(account) =
            repo.terminator.as_ref().filter(|account| !repo.accounts.contains_key(*account))
        {
            return Err(format!("repo {name}: `terminator` names {account}, which is none of its accounts"));
        }
        let half = repo.accounts.iter().find(|(_, account)| account.cert.is_some() != account.key.is_some());
        half.map_or(Ok(()), |(account, _)| {
            Err(format!("repo {name}, account {account}: `cert` and `key` go together"))
        })
    }

    fn check_listener(&self, listener: &ListenerConfig) -> Result<(), String> {
        if listener.repos.is_empty() {
            return Err(format!("listener {} serves no repo", listener.listen));
        }
        let unknown = listener.repos.iter().find(|name| !self.repos.iter().any(|repo| repo.name == **name));
        if let Some(name) = unknown {
            return Err(format!("listener {} serves {name}, which no [[repo]] describes", listener.listen));
        }
        let mysql = |repo: &&RepoConfig| repo.engine == Engine::Mysql && listener.repos.contains(&repo.name);
        if listener.login == Login::Oauth && self.repos.iter().any(|repo| mysql(&repo)) {
            return Err(format!("listener {}: `login = \"oauth\"` is for PostgreSQL", listener.listen));
        }
        Ok(())
    }
}

//! The control plane: who may use which database account, decided by requests, rules and reviews, and pushed to the
//! sidecars.
//!
//! `domain` decides, `store` remembers, `actions` does, `api` lets programs in, `feed` tells the sidecars.

mod actions;
mod api;
mod clock;
mod config;
mod domain;
mod events;
mod feed;
mod limiter;
mod measures;
mod oidc;
mod outbound;
mod outbox;
mod places;
mod plane;
mod proxies;
mod rules_file;
mod scim;
mod seal;
mod server;
mod slack;
mod store;
#[cfg(test)]
mod tests;
mod web;
mod webhooks;
mod work;

use std::{io, path::Path, path::PathBuf, sync::Arc, time::Duration};

use postern_service::{
    admin,
    config::ConfigError,
    secret::Secret,
    signals::{Request, Signals},
    tls::{Certificate, TlsError, provider},
};
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;

use actions::{Failure, clients, timers};
use clock::SystemClock;
use config::{ControlConfig, OidcConfig};
use domain::Permission;
use feed::Outbox;
use outbound::{Outbound, Policy};
use outbox::{Courier, Couriers};
use places::Places;
use plane::ControlPlane;
use proxies::Proxies;
use slack::{Slack, SlackCourier};
use store::{BackupError, Place, StoreError};
use webhooks::Webhooks;

/// How long a control plane that ends may take to tell the others.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why the control plane cannot start, or a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong: the text names file, line and key.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The TLS files are wrong.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The store cannot be opened or used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be copied.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The store has no usable signing key.
    #[error(transparent)]
    Signer(#[from] feed::SignerError),
    /// The store has no usable key for cookies and forms.
    #[error(transparent)]
    Seal(#[from] seal::SealError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The rules file cannot be applied: the text names the rule.
    #[error("{}: {failure}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// Why.
        failure: Failure,
    },
    /// An API client cannot be made.
    #[error(transparent)]
    Client(Failure),
    /// The client for Slack cannot be made.
    #[error("cannot talk to Slack: {0}")]
    Slack(reqwest::Error),
    /// The client for webhooks cannot be made.
    #[error("cannot call webhooks: {0}")]
    Outbound(reqwest::Error),
    /// The metrics cannot be collected.
    #[error("cannot collect metrics: {0}")]
    Metrics(String),
    /// The system refuses something else.
    #[error(transparent)]
    System(#[from] io::Error),
}

async fn open(config: &ControlConfig, path: &Path) -> Result<(Arc<ControlPlane>, Outbox), Error> {
    let store = config.place(path)?.open().await?;
    let clock = SystemClock::start(&*store).await?;
    ControlPlane::new(store, clock, config.settings()).await
}

/// Trusts the issuers that the configuration names.
fn trust(plane: &ControlPlane, config: &ControlConfig, path: &Path) -> Result<(), ConfigError> {
    let issuers = config.oidc.as_ref().map(OidcConfig::issuers).transpose();
    plane.trust(issuers.map_err(|error| ConfigError::invalid(path, error.to_string()))?.unwrap_or_default());
    Ok(())
}

/// Copies the SQLite store to a new file, whether or not a control plane runs on it.
pub async fn back_up(config: &Path, copy: &Path) -> Result<(), Error> {
    match ControlConfig::load(config)?.place(config)? {
        Place::Sqlite(file) => Ok(store::back_up(&file, copy).await?),
        Place::Postgres(_) => Err(BackupError::Server.into()),
    }
}

/// Creates, once, an API client with every permission. Works while a control plane runs on the same store.
pub async fn bootstrap_client(config: &Path, name: &str) -> Result<(String, Secret), Error> {
    let (plane, _outbox) = open(&ControlConfig::load(config)?, config).await?;
    let permissions = Permission::ALL.into_iter().collect();
    let made = clients::create(&plane, "bootstrap", name, permissions).await;
    let (client, secret) = made.map_err(Error::Client)?;
    Ok((client.id, secret))
}

/// Runs the control plane until SIGTERM or SIGINT.
pub async fn run(path: &Path) -> Result<(), Error> {
    let config = ControlConfig::load(path)?;
    // Fails only when the process has one already, which is then the same.
    let _ = provider().as_ref().clone().install_default();
    let mut signals = Signals::new()?;
    let certificate = config.tls.clone().map(Certificate::load).transpose()?;
    let metrics = admin::install_recorder().map_err(|error| Error::Metrics(error.to_string()))?;
    measures::announce();
    let (plane, outbox) = open(&config, path).await?;
    trust(&plane, &config, path)?;
    if let Some(rules) = &config.rules {
        rules_file::apply(&plane, rules.as_path()).await?;
    }
    let acceptor = certificate
        .as_ref()
        .map(|certificate| {
            certificate.server_config(&[b"http/1.1"]).map(|tls| TlsAcceptor::from(Arc::new(tls)))
        })
        .transpose()?;
    let listener = listen(&config, acceptor.is_some()).await?;
    if let Some(admin) = &config.admin {
        let asked = Arc::clone(&plane);
        admin::serve(admin, metrics, Arc::new(move || asked.ready())).await?;
    }
    let slack = config.slack.clone().map(|slack| Slack::new(Arc::clone(&plane), slack, 1));
    let slack = slack.transpose().map_err(Error::Slack)?;
    let slack_tasks = slack.as_ref().map(slack::start);
    let router = api::router(Arc::clone(&plane), Arc::default());
    let router = slack.iter().fold(router, |router, slack| router.merge(slack::router(Arc::clone(slack))));
    let due = tokio::spawn(timers::run(Arc::clone(&plane)));
    let talk = tokio::spawn(feed::bus::run(Arc::clone(&plane), outbox));
    let retention = config.audit.keep.map(|keep| tokio::spawn(actions::audit::run(Arc::clone(&plane), keep)));
    let deliveries = tokio::spawn(outbox::run(Arc::clone(&plane), couriers(&config, slack)?));
    let places = Places::behind(Proxies::new(config.proxies.clone()));
    let server = server::Server { listener, tls: acceptor, router, places };
    let mut serving = tokio::spawn(server.run(plane.hub.stopping(), config.shutdown_grace.duration()));
    loop {
        tokio::select! {
            request = signals.next() => match request {
                Request::Reload => reload(&plane, &config, path, certificate.as_deref()).await,
                Request::Stop => break,
            },
            _ = &mut serving => break,
        }
    }
    tracing::info!("stopping");
    plane.hub.stop();
    let _ = serving.await;
    due.abort();
    drop(slack_tasks);
    talk.abort();
    deliveries.abort();
    retention.iter().for_each(tokio::task::JoinHandle::abort);
    if !matches!(timeout(FAREWELL, timers::leave(&plane)).await, Ok(Ok(()))) {
        tracing::warn!("the other control planes will find out by themselves that this one has gone");
    }
    Ok(())
}

/// All who tell somebody outside of events.
fn couriers(config: &ControlConfig, slack: Option<Arc<Slack>>) -> Result<Couriers, Error> {
    let outbound = Outbound::new(Policy::new(config.outbound.allow.clone())).map_err(Error::Outbound)?;
    let mut couriers: Vec<Box<dyn Courier>> = vec![Box::new(Webhooks::new(outbound))];
    couriers.extend(slack.map(|slack| Box::new(SlackCourier(slack)) as Box<dyn Courier>));
    Ok(Arc::new(couriers))
}

async fn listen(config: &ControlConfig, tls: bool) -> Result<TcpListener, Error> {
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    if !tls && !address.ip().is_loopback() {
        tracing::warn!(%address, "serving without TLS on an address that others can reach: set [tls]");
    }
    tracing::info!(address = %listener.local_addr()?, tls, "serving");
    Ok(listener)
}

/// Reads certificate, trust anchors and rules again. What is wrong is logged, and what was there stays.
async fn reload(
    plane: &Arc<ControlPlane>,
    config: &ControlConfig,
    path: &Path,
    certificate: Option<&Certificate>,
) {
    if let Err(error) = trust(plane, config, path) {
        tracing::error!(%error, "the SSO provider's authorities could not be read again: the old ones stay");
    }
    if let Some(certificate) = certificate {
        match certificate.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => {
                tracing::error!(%error, "the certificate could not be read again: the old one stays");
            }
        }
    }
    if let Some(rules) = &config.rules {
        match rules_file::apply(plane, rules.as_path()).await {
            Ok(()) => tracing::info!("the rules were read again"),
            Err(error) => tracing::error!(%error, "the rules could not be read again: the old ones stay"),
        }
    }
}

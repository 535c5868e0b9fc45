//! From the configuration file to a running sidecar, and to its end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use postern_protocol::gate::{Hello, InvalidSidecarToken, SidecarToken};
use postern_service::{
    admin,
    config::ConfigError,
    http,
    loopback::is_private,
    random,
    signals::{Request, Signals},
    tls::{TlsError, certificates, provider},
};
use tokio::{sync::watch, time::Instant};

use crate::{
    audit::{Audit, Loss, Spool, SpoolError, Writer},
    config::Config,
    engine::{Doors, Repo},
    gatehouse::Gatehouse,
    grants::{Book, Feed, FeedState, Lease, Reports},
    identity::Throttle,
    listener::{ClientTls, Listener, Places},
    metrics,
    server::InvalidServer,
    session::{Ending, Registry},
    threads::Threads,
};

/// How long sessions may take to die once they are told to.
const LAST_MOMENTS: Duration = Duration::from_secs(3);
const SPOOL_BYTES: u64 = 64 * 1024 * 1024;

/// Why a sidecar does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `[control] token` holds something else.
    #[error("[control] token: {0}")]
    Token(#[from] InvalidSidecarToken),
    /// `[control] url` would send the token in the clear.
    #[error("[control] url: http:// is for a loopback address only; use https://")]
    PlainControl,
    /// A TLS file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A repo's description.
    #[error("{0}")]
    Repo(String),
    /// A port cannot be opened, or a file.
    #[error("{0}: {1}")]
    Open(String, #[source] io::Error),
    /// The audit spool.
    #[error("{0}")]
    Spool(String),
    /// The HTTP client cannot be built.
    #[error("cannot set up the way to the control plane: {0}")]
    Http(#[from] reqwest::Error),
    /// The metrics recorder cannot be installed.
    #[error("cannot set up metrics: {0}")]
    Metrics(String),
    /// No randomness.
    #[error(transparent)]
    NoRandomness(#[from] random::NoRandomness),
}

impl From<InvalidServer> for Error {
    fn from(error: InvalidServer) -> Self {
        Self::Repo(error.to_string())
    }
}

impl From<SpoolError> for Error {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error.to_string())
    }
}

/// Runs a sidecar until SIGTERM or SIGINT.
pub async fn run(path: &Path) -> Result<(), Error> {
    // Fails when somebody in this process was first, with the same provider.
    let _ = rustls::crypto::CryptoProvider::install_default((*provider()).clone());
    let config = Config::load(path)?;
    let recorder = admin::install_recorder().map_err(|error| Error::Metrics(error.to_string()))?;
    let mut signals = Signals::new().map_err(|error| Error::Open("signals".to_owned(), error))?;
    metrics::describe();
    let no_threads = |error| Error::Open("threads".to_owned(), error);
    let sessions = Threads::for_sessions(config.limits.threads).map_err(no_threads)?;
    let grants = Threads::for_grants().map_err(no_threads)?;
    let house = start(&config, path, &sessions, &grants).await?;
    if let Some(admin) = &config.admin {
        let ready = Arc::clone(&house);
        let serving = admin::serve(admin, recorder, Arc::new(move || readiness(&ready))).await;
        serving.map_err(|error| Error::Open(admin.listen.to_string(), error))?;
    }
    tracing::info!(name = %config.name, version = env!("CARGO_PKG_VERSION"), "sidecar started");
    while signals.next().await == Request::Reload {
        reload(&house);
    }
    stop(&house, config.shutdown_grace.duration()).await;
    Ok(())
}

fn readiness(house: &Gatehouse) -> Result<(), String> {
    if house.is_stopping() {
        return Err("stopping".to_owned());
    }
    if house.draining.is_on() {
        return Err("draining".to_owned());
    }
    if !house.lease.is_held() {
        return Err("waiting for the control plane".to_owned());
    }
    Ok(())
}

fn reload(house: &Gatehouse) {
    match house.tls.as_ref().map(ClientTls::reload) {
        None | Some(Ok(())) => tracing::info!("certificates were read again"),
        Some(Err(error)) => tracing::error!(%error, "the old certificate stays in use"),
    }
}

/// Takes no new sessions, lets those that are open finish for a while, and ends the rest.
async fn stop(house: &Gatehouse, grace: Duration) {
    tracing::info!(sessions = house.registry.len(), "stopping");
    house.stop.send_replace(true);
    let deadline = Instant::now() + grace;
    while house.registry.len() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = house.registry.end_all(&Ending::Shutdown);
    let dead = async {
        for session in &last {
            session.dead().await;
        }
    };
    let _ = tokio::time::timeout(LAST_MOMENTS, dead).await;
    house.tell_used();
    // The last records go out with the last batch.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn start(
    config: &Config,
    path: &Path,
    sessions: &Threads,
    grants: &Threads,
) -> Result<Arc<Gatehouse>, Error> {
    let token: SidecarToken = config.control.token.reveal().parse()?;
    let url = config.control.url.trim_end_matches('/').to_owned();
    let http = http_client(config, &url)?;
    let instance = random::id("i")?;
    let repos = config.repos.iter().map(Repo::new).collect::<Result<Vec<_>, _>>()?;
    let registry = Arc::new(Registry::default());
    let state = Arc::new(FeedState::new(&url));
    let (reports, courier) = Reports::new(
        http.clone(),
        &url,
        token.clone(),
        instance.clone(),
        Arc::clone(&registry),
        Arc::clone(&state),
    );
    tokio::spawn(courier);
    let loss = Loss::new(config.audit.required, Arc::clone(&registry));
    let (audit, queue) = Audit::new(loss.clone());
    let writer = audit_writer(config, path, &instance, loss)?;
    tokio::spawn(writer.run(queue, reports.clone()));
    let house = Arc::new(Gatehouse {
        limits: config.limits.clone(),
        tls: config.tls.as_ref().map(ClientTls::load).transpose()?,
        book: Arc::new(Book::default()),
        issuers: Arc::default(),
        throttle: Throttle::default(),
        waiters: Arc::default(),
        knock_wait: config.identity.knock_wait.duration(),
        end_with_token: config.identity.end_with_token,
        draining: Arc::default(),
        lease: Lease::new(config.control.lease.duration()),
        feed: Arc::clone(&state),
        reports: reports.clone(),
        audit,
        places: Places::new(
            config.limits.pending,
            config.limits.pending_per_source,
            config.limits.login_timeout.duration(),
        ),
        repos: repos.clone(),
        stop: watch::Sender::new(false),
        registry,
    });
    open_listeners(config, &house, sessions).await?;
    for repo in &repos {
        repo.watch(&reports, &state);
    }
    grants.spawn(Arc::clone(&house.lease).enforce(Arc::clone(&house.registry)));
    grants.spawn(Arc::clone(&house.draining).enforce(Arc::clone(&house.registry)));
    tokio::spawn(observe(Arc::clone(&house)));
    let feed = Feed {
        http,
        url,
        token,
        hello: hello(config, &repos, instance),
        book: Arc::clone(&house.book),
        registry: Arc::clone(&house.registry),
        draining: Arc::clone(&house.draining),
        lease: Arc::clone(&house.lease),
        reports,
        state,
        issuers: Arc::clone(&house.issuers),
    };
    grants.spawn(feed.run());
    Ok(house)
}

fn hello(config: &Config, repos: &[Repo], instance: String) -> Hello {
    let listen = |repo: &Repo| {
        let listener = config.listeners.iter().find(|listener| listener.repos.contains(repo.name()));
        listener.map(|listener| listener.listen.to_string()).unwrap_or_default()
    };
    let repos = repos.iter().map(|repo| repo.served(&listen(repo))).collect();
    Hello { name: config.name.clone(), instance, version: env!("CARGO_PKG_VERSION").to_owned(), repos }
}

async fn open_listeners(config: &Config, house: &Arc<Gatehouse>, sessions: &Threads) -> Result<(), Error> {
    let doors = Doors::default();
    for listener in &config.listeners {
        let served: Vec<_> =
            house.repos.iter().filter(|repo| listener.repos.contains(repo.name())).cloned().collect();
        let door = doors
            .open(&served, listener.login)
            .map_err(|error| Error::Repo(format!("listener {}: {error}", listener.listen)))?;
        let opened = sessions.spawn(Listener::bind(listener.listen, door)).await.map_err(io::Error::from);
        let opened = opened.flatten().map_err(|error| Error::Open(listener.listen.to_string(), error))?;
        if house.tls.is_none() && !listener.listen.ip().is_loopback() {
            tracing::warn!(listen = %listener.listen, "without [tls] only clients on this machine may connect");
        }
        sessions.spawn(opened.run(Arc::clone(house)));
    }
    Ok(())
}

fn audit_writer(config: &Config, path: &Path, instance: &str, loss: Loss) -> Result<Writer, Error> {
    let beside = || -> PathBuf { path.with_file_name(format!("{}.audit-spool.jsonl", config.name)) };
    let place = config.audit.spool.as_ref().map_or_else(beside, |place| place.as_path().to_owned());
    let spool = Spool::open(&place, config.audit.spool_max_bytes.unwrap_or(SPOOL_BYTES))?;
    let copy = config.audit.file.as_ref().map(AsRef::as_ref);
    let chain = format!("sidecar:{}:{instance}", config.name);
    Writer::new(chain, copy, spool, loss).map_err(|error| Error::Open("[audit] file".to_owned(), error))
}

/// The way to the control plane: no redirects, no proxies, and nothing in the clear but on this machine.
fn http_client(config: &Config, url: &str) -> Result<reqwest::Client, Error> {
    let parsed =
        reqwest::Url::parse(url).map_err(|_| Error::Repo(format!("[control] url: `{url}` is no URL")))?;
    if !is_private(&parsed, "https", "http") {
        return Err(Error::PlainControl);
    }
    let authorities = config.control.ca.as_ref().map(|ca| certificates(ca.as_path())).transpose()?;
    Ok(http::client(authorities.as_deref())?.build()?)
}

/// Keeps the gauges true, and the book tidy.
async fn observe(house: Arc<Gatehouse>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let lease = house.lease.remaining();
        metrics::feed(house.feed.is_connected(), house.lease.silence(), lease, house.book.len());
        house.tell_used();
        house.book.sweep();
        house.repos.iter().for_each(Repo::sweep);
    }
}

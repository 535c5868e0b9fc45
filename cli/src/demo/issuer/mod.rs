//! The demo's SSO provider: OpenID Connect with a login page that asks for no password.
//!
//! In: browsers and clients on this machine. Out: tokens for Alice and Bob that the demo's control plane and sidecar
//! accept. It is there to be tried and for nothing else: whoever reaches it can be either of them, so it listens on the
//! loopback address alone, and its keys are gone when the demo ends.

mod authorize;
mod device;
mod keys;
mod ledger;
mod metadata;
mod people;
mod token;

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    routing::{get, post},
};
use postern_service::secret::Secret;
use tokio::net::TcpListener;

use super::ports::Ports;
use crate::error::Error;
use keys::Keys;
use ledger::Ledger;

/// The control plane's name at this provider.
pub(super) const CONTROL_PLANE: &str = "postern";
/// Everybody else's: database clients, and whoever wants to try.
pub(super) const DATABASE_CLIENT: &str = "psql";

/// A provider.
pub(super) struct Issuer {
    url: String,
    /// How the control plane proves itself.
    secret: Secret,
    callback: String,
    after_logout: String,
    keys: Keys,
    ledger: Mutex<Ledger>,
}

impl Issuer {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where it is.
pub(super) fn url(ports: &Ports) -> String {
    format!("http://127.0.0.1:{}", ports.issuer)
}

/// Starts it within this process.
pub(super) async fn start(ports: &Ports, secret: Secret) -> Result<(), Error> {
    let control = format!("http://127.0.0.1:{}", ports.control);
    let issuer = Issuer {
        url: url(ports),
        secret,
        callback: format!("{control}/login/callback"),
        after_logout: format!("{control}/"),
        keys: Keys::generate()?,
        ledger: Mutex::default(),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.issuer)).await;
    let listener = listener.map_err(Error::io("cannot listen for the demo's SSO provider"))?;
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(metadata::discovery))
        .route("/jwks", get(metadata::jwks))
        .route("/authorize", get(authorize::ask).post(authorize::answer))
        .route("/token", post(token::token))
        .route("/device_authorization", post(device::begin))
        .route("/device", get(device::ask).post(device::answer))
        .route("/logout", get(authorize::leave))
        .with_state(Arc::new(issuer));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            crate::print::note(&format!("the demo's SSO provider ended: {error}"));
        }
    });
    Ok(())
}

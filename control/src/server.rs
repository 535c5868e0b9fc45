//! The HTTP server: accepts, speaks TLS if it is to, and ends in good order.
//!
//! Every connection has its own task, so that one that dawdles over its handshake or its headers delays nobody; both
//! have a time limit, and the [`Places`] are limited.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{Extension, Router, extract::Request, middleware::map_request};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{api::Peer, places::Places};

const HANDSHAKE: Duration = Duration::from_secs(10);
const HEADERS: Duration = Duration::from_secs(15);
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(200);

/// What the server needs.
pub(crate) struct Server {
    /// Where it listens.
    pub listener: TcpListener,
    /// TLS, if it is to be spoken.
    pub tls: Option<TlsAcceptor>,
    /// What it serves.
    pub router: Router,
    /// How many connections it takes.
    pub places: Places,
}

impl Server {
    /// Serves until `stopping` says true; then accepts no more and lets open calls go on for `grace`.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>, grace: Duration) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopping.wait_for(|stopping| *stopping) => break,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer, &graceful, stopping.clone()),
                Err(error) => refused(&error).await,
            }
        }
        drop(self.listener);
        if timeout(grace, graceful.shutdown()).await.is_err() {
            tracing::warn!("calls were still open at the end of the grace period");
        }
    }

    fn admit(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        graceful: &GracefulShutdown,
        mut stopping: watch::Receiver<bool>,
    ) {
        let Some(place) = self.places.take(peer.ip()) else {
            tracing::debug!(%peer, "too many connections: one was turned away");
            return;
        };
        let router = self.serving(peer.ip());
        let (tls, watcher) = (self.tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            let Some(acceptor) = tls else { return serve(stream, router, watcher).await };
            let handshake = tokio::select! {
                handshake = timeout(HANDSHAKE, acceptor.accept(stream)) => handshake,
                // Nothing was asked on it yet.
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            match handshake {
                Ok(Ok(stream)) => serve(stream, router, watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        });
    }
    /// What a connection from there is served, with word of where its calls come from.
    fn serving(&self, peer: IpAddr) -> Router {
        let (router, proxies) = (self.router.clone(), self.places.proxies().clone());
        if !proxies.has(peer) {
            return router.layer(Extension(Peer(peer)));
        }
        router.layer(map_request(move |mut request: Request| {
            let origin = proxies.origin(peer, request.headers());
            request.extensions_mut().insert(Peer(origin));
            std::future::ready(request)
        }))
    }
}

/// Out of files, or the peer is gone already: the next one may fare better.
async fn refused(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    sleep(AFTER_ACCEPT_ERROR).await;
}

async fn serve<S>(stream: S, router: Router, watcher: hyper_util::server::graceful::Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}

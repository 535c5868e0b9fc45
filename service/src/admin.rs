//! The admin endpoint: `/metrics`, `/healthz`, `/readyz`.
//!
//! `/healthz` says that the process runs; `/readyz` whether it should be sent work, and if not, why.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tokio::net::TcpListener;

/// `[admin]` of a configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Where the endpoint listens.
    pub listen: SocketAddr,
}

/// Answers whether the program is ready, or says what it waits for.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Histogram buckets in seconds, from 100 ns (a cached verdict) to a minute (a wait for somebody).
const BUCKETS: [f64; 19] = [
    1e-7, 5e-7, 1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 1.0,
    10.0, 60.0,
];

/// Buckets for what people take their time for, from ten seconds to a week.
const WAITING: [f64; 10] = [10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0];

/// Installs the process's metrics recorder. To be called once, before the first metric is touched.
pub fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("postern_decision_wait_seconds".to_owned()), &WAITING)?
        .install_recorder()
}

/// The endpoint's routes.
pub fn routes(metrics: PrometheusHandle, ready: Readiness) -> Router {
    let readyz = move || {
        let answer = match ready() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(waiting) => (StatusCode::SERVICE_UNAVAILABLE, format!("{waiting}\n")),
        };
        std::future::ready(answer)
    };
    Router::new()
        .route("/metrics", get(move || std::future::ready(metrics.render())))
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .route("/readyz", get(readyz))
}

/// Opens the endpoint and serves it until the process ends.
pub async fn serve(config: &AdminConfig, metrics: PrometheusHandle, ready: Readiness) -> io::Result<()> {
    let listener = TcpListener::bind(config.listen).await?;
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes(metrics, ready)).await {
            tracing::error!(%error, "the admin endpoint failed");
        }
    });
    Ok(())
}

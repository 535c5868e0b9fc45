//! What Prometheus sees. The names are those of the contract; no label carries an identity, a grant or a statement.

use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use postern_protocol::gate::{Engine, RepoName};

/// Describes them. To be called once.
pub(crate) fn describe() {
    describe_gauge!("postern_sessions_active", "Open sessions");
    describe_counter!("postern_sessions_opened_total", "Attempts to open a session, by result");
    describe_counter!("postern_sessions_ended_total", "Ended sessions, by cause");
    describe_histogram!(
        "postern_session_end_seconds",
        Unit::Seconds,
        "From a change to both sockets being closed"
    );
    describe_histogram!("postern_connect_seconds", Unit::Seconds, "Opening a session, by stage");
    describe_counter!("postern_bytes_total", Unit::Bytes, "Bytes relayed");
    describe_gauge!("postern_grants_active", "Grants that the sidecar holds");
    describe_gauge!("postern_feed_connected", "Whether the feed is connected");
    describe_gauge!("postern_feed_lag_seconds", Unit::Seconds, "Time since the control plane was last heard");
    describe_gauge!("postern_lease_remaining_seconds", Unit::Seconds, "What is left of the lease");
    describe_counter!("postern_upstream_errors_total", "Errors of databases, by kind");
    describe_histogram!("postern_catalog_read_seconds", Unit::Seconds, "Reading a database's whole catalog");
    describe_gauge!("postern_catalog_relations", "Tables, views and the like in a database's catalog");
    describe_counter!("postern_audit_dropped_total", "Audit records that could not be kept");
    describe_counter!("postern_statements_total", "Statements of limited sessions, by decision and reason");
    describe_histogram!("postern_decision_seconds", Unit::Seconds, "Judging a statement");
    describe_counter!("postern_tripwire_total", "Sessions ended because a verdict was wrong");
    describe_gauge!("postern_build_info", "The version that runs");
    gauge!("postern_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    counter!("postern_audit_dropped_total").absolute(0);
}

/// Somebody tried to open a session. The repo is empty where it is not known.
pub(crate) fn opened(repo: Option<&RepoName>, engine: Engine, result: &'static str) {
    let repo = repo.map(ToString::to_string).unwrap_or_default();
    counter!("postern_sessions_opened_total", "repo" => repo, "engine" => engine.as_str(), "result" => result)
            .increment(1);
}

/// A session began (1) or ended (-1).
pub(crate) fn active(repo: &RepoName, engine: Engine, change: f64) {
    gauge!("postern_sessions_active", "repo" => repo.to_string(), "engine" => engine.as_str())
        .increment(change);
}

/// A session ended.
pub(crate) fn ended(repo: &RepoName, engine: Engine, cause: &'static str) {
    counter!("postern_sessions_ended_total", "repo" => repo.to_string(), "engine" => engine.as_str(), "cause" => cause)
            .increment(1);
}

/// A session's sockets are closed, so long after the change that ended it.
pub(crate) fn session_end(after: Duration) {
    histogram!("postern_session_end_seconds").record(after);
}

/// A stage of opening a session took so long.
pub(crate) fn connect_stage(stage: &'static str, took: Duration) {
    histogram!("postern_connect_seconds", "stage" => stage).record(took);
}

/// A database failed.
pub(crate) fn upstream_error(repo: &RepoName, kind: &'static str) {
    counter!("postern_upstream_errors_total", "repo" => repo.to_string(), "kind" => kind).increment(1);
}

/// A database's catalog was read.
pub(crate) fn catalog_read(repo: &RepoName, took: Duration, relations: usize) {
    histogram!("postern_catalog_read_seconds").record(took);
    // More relations than a double counts exactly do not fit into memory.
    #[allow(clippy::cast_precision_loss)]
    gauge!("postern_catalog_relations", "repo" => repo.to_string()).set(relations as f64);
}

/// The counters of bytes from the client and to it.
pub(crate) fn bytes(repo: &RepoName) -> [Counter; 2] {
    ["up", "down"].map(
        |direction| counter!("postern_bytes_total", "repo" => repo.to_string(), "direction" => direction),
    )
}

/// Where the feed stands.
pub(crate) fn feed(connected: bool, silent_for: Duration, lease: Duration, grants: usize) {
    gauge!("postern_feed_connected").set(if connected { 1.0 } else { 0.0 });
    gauge!("postern_feed_lag_seconds").set(silent_for.as_secs_f64());
    gauge!("postern_lease_remaining_seconds").set(lease.as_secs_f64());
    // More grants than a double counts exactly do not fit into memory.
    #[allow(clippy::cast_precision_loss)]
    gauge!("postern_grants_active").set(grants as f64);
}

/// An audit record was lost.
pub(crate) fn audit_dropped() {
    counter!("postern_audit_dropped_total").increment(1);
}

/// The counter of statements of limited sessions that were let through.
pub(crate) fn allowed(repo: &RepoName) -> Counter {
    counter!("postern_statements_total", "repo" => repo.to_string(), "decision" => "allow", "reason" => "")
}

/// A statement of a limited session was denied.
pub(crate) fn denied(repo: &RepoName, reason: &'static str) {
    counter!("postern_statements_total", "repo" => repo.to_string(), "decision" => "deny", "reason" => reason)
        .increment(1);
}

/// How long deciding about a statement took, with the verdict known before and without.
#[derive(Debug)]
pub(crate) struct Decisions {
    hit: Histogram,
    miss: Histogram,
}

impl Decisions {
    pub(crate) fn new() -> Self {
        let [hit, miss] =
            ["hit", "miss"].map(|cache| histogram!("postern_decision_seconds", "cache" => cache));
        Self { hit, miss }
    }

    /// One took so long.
    pub(crate) fn record(&self, hit: bool, took: Duration) {
        let histogram = if hit { &self.hit } else { &self.miss };
        histogram.record(took);
    }
}

/// A verdict was wrong.
pub(crate) fn tripwire(repo: &RepoName) {
    counter!("postern_tripwire_total", "repo" => repo.to_string()).increment(1);
}

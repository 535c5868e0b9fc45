//! What the control plane counts.

use metrics::{counter, gauge, histogram};
use postern_protocol::gate::EndCause;

use crate::domain::{Decision, Outcome, RequestStatus};

/// Something that happened once its transaction has committed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// A request came into this status.
    Request(RequestStatus),
    /// A review was taken.
    Review(Decision),
    /// Somebody decided a request, so many seconds after it was filed.
    DecisionWait(f64),
    /// A grant ended.
    GrantEnded(EndCause),
}

impl Measure {
    /// Counts it.
    pub(crate) fn count(&self) {
        match *self {
            Self::Request(status) => {
                counter!("postern_requests_total", "state" => status.as_str().to_ascii_lowercase())
                    .increment(1);
            }
            Self::Review(decision) => {
                counter!("postern_reviews_total", "decision" => decision.as_str()).increment(1);
            }
            Self::DecisionWait(seconds) => histogram!("postern_decision_wait_seconds").record(seconds),
            Self::GrantEnded(cause) => {
                counter!("postern_grants_ended_total", "cause" => cause_label(cause)).increment(1);
            }
        }
    }
}

const fn cause_label(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Revoked => "revoked",
        EndCause::Expired => "expired",
    }
}

/// Says which version runs, and makes the counters known before anything happens.
pub(crate) fn announce() {
    gauge!("postern_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for status in RequestStatus::ALL {
        counter!("postern_requests_total", "state" => status.as_str().to_ascii_lowercase()).increment(0);
    }
    for decision in [Decision::Approve, Decision::Deny] {
        counter!("postern_reviews_total", "decision" => decision.as_str()).increment(0);
    }
    for cause in [EndCause::Revoked, EndCause::Expired] {
        counter!("postern_grants_ended_total", "cause" => cause_label(cause)).increment(0);
    }
    for result in ["delivered", "retried", "refused"] {
        counter!("postern_webhook_deliveries_total", "result" => result).increment(0);
    }
    gauge!("postern_feed_clients").set(0.0);
    gauge!("postern_grants_active").set(0.0);
}

/// How many grants may be used now.
pub(crate) fn grants_active(count: u64) {
    gauge!("postern_grants_active").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// How many feeds are open now.
pub(crate) fn feed_clients(count: usize) {
    gauge!("postern_feed_clients").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// From a call that ends something to the last acknowledgement.
pub(crate) fn revoked_in(seconds: f64) {
    histogram!("postern_revoke_seconds").record(seconds);
}

/// An attempt to tell a webhook something.
pub(crate) fn webhook_delivery(outcome: &Outcome) {
    let result = match outcome {
        Outcome::Taken(_) => "delivered",
        Outcome::Later(..) => "retried",
        Outcome::Never(_) | Outcome::Gone(_) => "refused",
    };
    counter!("postern_webhook_deliveries_total", "result" => result).increment(1);
}

/// An answered HTTP request. `route` is the pattern, never the path.
pub(crate) fn http(method: &str, route: &'static str, status: u16, seconds: f64) {
    let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
    counter!("postern_http_requests_total", &labels).increment(1);
    histogram!("postern_http_request_seconds", "route" => route).record(seconds);
}

//! How long something takes, as the sidecar itself counts it.

use postern_tests::gate::Sidecar;

/// Count and sum of a metric that counts seconds; zero while it is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    /// How often it happened.
    pub(crate) count: f64,
    /// How long it took in all, in seconds.
    pub(crate) sum: f64,
}

impl Timed {
    /// What `NAME_count` and `NAME_sum` say, with these labels.
    pub(crate) async fn read(sidecar: &Sidecar, name: &str, labels: &str) -> Self {
        let text = sidecar.metrics().await;
        let value = |part: &str| -> f64 {
            let head = format!("{name}_{part}{labels} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_default();
            line.trim().parse().unwrap_or_default()
        };
        Self { count: value("count"), sum: value("sum") }
    }

    /// Verdicts: those that were remembered (`hit`), or those that were not (`miss`).
    pub(crate) async fn verdicts(sidecar: &Sidecar, cache: &str) -> Self {
        Self::read(sidecar, "postern_decision_seconds", &format!("{{cache=\"{cache}\"}}")).await
    }

    /// The mean of what has happened since, in microseconds.
    pub(crate) fn mean_since(self, before: Self) -> f64 {
        (self.sum - before.sum) / (self.count - before.count) * 1e6
    }
}

//! What a guard has to tell to those who keep books.

use std::time::Duration;

use super::Denial;

/// What has happened since it was asked for last.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Statements that were let through.
    pub(crate) allowed: u64,
    /// Those that were not, with the text where there is one.
    pub(crate) denied: Vec<(Box<str>, Denial)>,
    /// Whether a verdict was known already, and how long it took.
    pub(crate) judged: Vec<(bool, Duration)>,
}

impl News {
    /// Whether there is nothing to tell.
    pub(crate) const fn is_empty(&self) -> bool {
        self.allowed == 0 && self.denied.is_empty() && self.judged.is_empty()
    }
}

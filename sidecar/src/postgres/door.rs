//! What one listener serves.

use std::sync::Arc;

use super::{cancel::CancelKeys, target::Target};
use crate::config::Login;

/// The repos behind one port, and the cancel keys of their sessions.
pub(crate) struct Door {
    pub(crate) targets: Vec<Arc<Target>>,
    pub(crate) cancel_keys: Arc<CancelKeys>,
    /// What clients are asked for, unless they ask for the other.
    pub(crate) login: Login,
}

impl Door {
    /// The repo that a client means by its database name: a repo's name, or the real database's where there is but
    /// one repo.
    pub(crate) fn find(&self, database: &str) -> Option<Arc<Target>> {
        let named = self.targets.iter().find(|target| target.name.as_str() == database);
        let only = || match self.targets.as_slice() {
            [only] if only.database == database => Some(only),
            _ => None,
        };
        named.or_else(only).cloned()
    }
}

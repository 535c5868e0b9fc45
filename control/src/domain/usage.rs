//! What became of a grant: whether anybody connected with it, when, and how often.

use postern_protocol::gate::GrantId;
use serde::{Deserialize, Serialize};

use super::Moment;

/// How a grant was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Which grant.
    pub grant: GrantId,
    /// How many sessions began with it.
    pub sessions: u64,
    /// When the first of them began.
    pub first: Moment,
    /// When the last of them began.
    pub last: Moment,
}

impl Usage {
    /// A session begins; the first one when there was none before.
    pub(crate) fn one_more(before: Option<Self>, grant: GrantId, at: Moment) -> Self {
        match before {
            Some(before) => Self {
                sessions: before.sessions.saturating_add(1),
                first: before.first.min(at),
                last: before.last.max(at),
                grant,
            },
            None => Self { grant, sessions: 1, first: at, last: at },
        }
    }
}

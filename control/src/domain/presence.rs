//! Who is there: control planes that run, and the processes of sidecars.

use std::collections::BTreeSet;

use postern_protocol::{
    duration::Span,
    gate::{Hello, Position, Pulse, RepoName, SidecarName},
};
use serde::{Deserialize, Serialize};

use super::Moment;

/// A control plane that was silent for so long has gone, and the feeds that were open there are open no more. It says
/// that it is there once a second.
const ALIVE: Span = Span::from_secs(5);

/// A control plane that serves on this store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningPlane {
    /// Made when it started.
    pub id: String,
    /// Its version.
    pub version: String,
    /// When it said last that it is there.
    pub seen_at: Moment,
}

impl RunningPlane {
    /// Whether it may still be there.
    pub(crate) fn is_alive(&self, now: Moment) -> bool {
        self.seen_at >= now.minus(ALIVE)
    }
}

/// One process of a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// `SIDECAR/INSTANCE`; neither name has a slash.
    pub id: String,
    /// The sidecar.
    pub sidecar: SidecarName,
    /// Chosen by the process.
    pub instance: String,
    /// The repos that it named.
    pub repos: BTreeSet<RepoName>,
    /// Its version.
    pub version: String,
    /// The newest position that it has applied.
    pub applied: Position,
    /// How many sessions it has open.
    pub sessions: u64,
    /// When it was heard of last.
    pub heard_at: Moment,
    /// The control plane to which its feed goes, if one is open.
    pub feed_at: Option<String>,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The newest position that it has applied.
    pub applied: Position,
    /// How many sessions it has open, if it said so.
    pub sessions: Option<u64>,
    /// When it said so.
    pub heard_at: Moment,
}

impl Standing {
    /// What a pulse says.
    pub(crate) fn of(pulse: &Pulse, now: Moment) -> Self {
        Self { applied: pulse.applied, sessions: Some(pulse.sessions), heard_at: now }
    }

    /// Both together; the later word counts.
    pub(crate) fn and(self, later: Self) -> Self {
        Self {
            applied: self.applied.max(later.applied),
            sessions: later.sessions.or(self.sessions),
            heard_at: self.heard_at.max(later.heard_at),
        }
    }
}

impl Process {
    /// The key of a process.
    pub(crate) fn key(sidecar: &SidecarName, instance: &str) -> String {
        format!("{sidecar}/{instance}")
    }

    /// One that says what it serves; `known` is what was known of it before.
    pub(crate) fn says(hello: &Hello, known: Option<Self>, now: Moment) -> Self {
        let (applied, sessions, feed_at) =
            known.map_or((0, 0, None), |known| (known.applied, known.sessions, known.feed_at));
        Self {
            id: Self::key(&hello.name, &hello.instance),
            sidecar: hello.name.clone(),
            instance: hello.instance.clone(),
            repos: hello.repos.iter().map(|repo| repo.name.clone()).collect(),
            version: hello.version.clone(),
            applied,
            sessions,
            heard_at: now,
            feed_at,
        }
    }

    /// It was heard of.
    pub(crate) fn stands(&mut self, standing: Standing) {
        self.applied = self.applied.max(standing.applied);
        if standing.heard_at >= self.heard_at {
            self.sessions = standing.sessions.unwrap_or(self.sessions);
            self.heard_at = standing.heard_at;
        }
    }
}

//! Which state of a thing somebody has seen, so that two who change it at once do not undo each other's work.

use postern_service::random::sha256_hex;
use serde::Serialize;

use super::{Bundle, Grant, Refusal, Repo, Request, StoredRule, Webhook};

/// Something that people change.
pub(crate) trait Versioned {
    /// A word that is another one after each change that a person makes.
    fn version(&self) -> String;
}

/// What somebody who changes something has seen of it (`If-Match`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Does not say.
    #[default]
    Unsaid,
    /// Something: it must be there.
    Something,
    /// One of these versions.
    OneOf(Vec<String>),
}

impl Seen {
    /// Refuses a change of something that is not as it was seen.
    pub(crate) fn check<T: Versioned>(&self, now: Option<&T>) -> Result<(), Refusal> {
        let fits = match (self, now) {
            (Self::Unsaid, _) | (Self::Something, Some(_)) => true,
            (Self::Something | Self::OneOf(_), None) => false,
            (Self::OneOf(versions), Some(now)) => versions.contains(&now.version()),
        };
        if fits { Ok(()) } else { Err(Refusal::Stale) }
    }
}

fn print_of(what: &impl Serialize) -> String {
    // What is kept as JSON can be written as JSON.
    let text = serde_json::to_string(what).unwrap_or_default();
    sha256_hex(text.as_bytes()).chars().take(16).collect()
}

impl Versioned for StoredRule {
    fn version(&self) -> String {
        print_of(self)
    }
}

impl Versioned for Repo {
    fn version(&self) -> String {
        print_of(self)
    }
}

impl Versioned for Request {
    fn version(&self) -> String {
        print_of(self)
    }
}

impl Request {
    /// A word that is another one when something else is asked for, and stays when somebody reviews it.
    pub(crate) fn asked(&self) -> String {
        print_of(&self.ask())
    }
}

impl Versioned for Bundle {
    fn version(&self) -> String {
        print_of(self)
    }
}

impl Versioned for Grant {
    fn version(&self) -> String {
        self.revision.to_string()
    }
}

impl Versioned for Webhook {
    fn version(&self) -> String {
        self.revision.to_string()
    }
}

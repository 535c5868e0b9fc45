//! The audit chain: JSON records of which each holds the hash of the one before.
//!
//! A chain belongs to one writer (`control`, or `sidecar:<name>:<instance>`). Record number 0 holds [`ORIGIN`]; every
//! later one the hash of its forerunner. Taking a record out, changing one or swapping two breaks the chain, and
//! [`Verifier`] says where. A cut at the end shows against the head (number and hash) that is kept elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::random::sha256_hex;

/// `prev` of the first record of a chain.
pub const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened, before it has a place in a chain. Empty texts are left out of the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// `session.opened`, `request.created`, …
    pub kind: &'static str,
    /// Who did it, when that is not the identity itself.
    pub actor: String,
    /// Whom it concerns.
    pub identity: String,
    /// Which repo.
    pub repo: String,
    /// Which account.
    pub account: String,
    /// By which grant.
    pub grant: String,
    /// In which session.
    pub session: String,
    /// Everything else. Never a secret.
    pub detail: Map<String, Value>,
}

impl Event {
    /// An event of this kind with nothing else said yet.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }
}

/// A record in its chain. The hash covers every other field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Whose chain.
    pub chain: String,
    /// Its number there, from 0 without gaps.
    pub seq: u64,
    /// When, RFC 3339 UTC.
    pub at: Timestamp,
    /// What.
    pub kind: String,
    /// Who did it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Whom it concerns.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// Which repo.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repo: String,
    /// Which account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// By which grant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub grant: String,
    /// In which session.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Everything else.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
    /// The hash of the record before.
    pub prev: String,
    /// SHA-256, lower-case hexadecimal, of this record as compact JSON with sorted keys and without this field.
    pub hash: String,
}

impl Record {
    /// The hash that the record should have.
    #[must_use]
    pub fn true_hash(&self) -> String {
        // serde_json's maps are sorted; a record has no field that fails to serialise.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("hash");
        }
        sha256_hex(value.to_string().as_bytes())
    }
}

/// The writing end of a chain.
#[derive(Clone, Debug)]
pub struct Chain {
    name: String,
    next: u64,
    prev: String,
}

impl Chain {
    /// A new chain.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), next: 0, prev: ORIGIN.to_owned() }
    }

    /// Goes on behind a record that is already written.
    #[must_use]
    pub fn after(last: &Record) -> Self {
        Self { name: last.chain.clone(), next: last.seq + 1, prev: last.hash.clone() }
    }

    /// Gives an event its place.
    pub fn append(&mut self, at: Timestamp, event: Event) -> Record {
        let Event { kind, actor, identity, repo, account, grant, session, detail } = event;
        let mut record = Record {
            chain: self.name.clone(),
            seq: self.next,
            at,
            kind: kind.to_owned(),
            actor,
            identity,
            repo,
            account,
            grant,
            session,
            detail,
            prev: std::mem::take(&mut self.prev),
            hash: String::new(),
        };
        record.hash = record.true_hash();
        self.prev.clone_from(&record.hash);
        self.next += 1;
        record
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Its content does not give its hash.
    #[error("{chain} #{seq}: the record was changed")]
    Changed {
        /// The chain.
        chain: String,
        /// The record.
        seq: u64,
    },
    /// Records are missing, swapped or repeated before it.
    #[error("{chain} #{seq}: expected #{expected} here; records were cut out or reordered")]
    Gap {
        /// The chain.
        chain: String,
        /// The record found.
        seq: u64,
        /// The record that should be here.
        expected: u64,
    },
    /// It does not follow from the record before.
    #[error("{chain} #{seq}: does not follow from the record before")]
    Torn {
        /// The chain.
        chain: String,
        /// The record.
        seq: u64,
    },
}

/// Checks the records of one chain, in order.
#[derive(Debug, Default)]
pub struct Verifier {
    next: u64,
    prev: Option<String>,
}

impl Verifier {
    /// Goes on behind records that were put away: how many, and the hash of the last.
    #[must_use]
    pub fn after(count: u64, hash: &str) -> Self {
        Self { next: count, prev: Some(hash.to_owned()) }
    }

    /// Takes the next record.
    pub fn check(&mut self, record: &Record) -> Result<(), Broken> {
        let (chain, seq) = (record.chain.clone(), record.seq);
        if seq != self.next {
            return Err(Broken::Gap { chain, seq, expected: self.next });
        }
        if record.hash != record.true_hash() {
            return Err(Broken::Changed { chain, seq });
        }
        if record.prev != self.prev.as_deref().unwrap_or(ORIGIN) {
            return Err(Broken::Torn { chain, seq });
        }
        self.next += 1;
        self.prev = Some(record.hash.clone());
        Ok(())
    }

    /// Number of records checked, and the hash of the last: to be compared with a head kept elsewhere.
    #[must_use]
    pub fn head(&self) -> (u64, &str) {
        (self.next, self.prev.as_deref().unwrap_or(ORIGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: u32) -> Vec<Record> {
        let mut chain = Chain::new("control");
        (0..count)
            .map(|n| chain.append(Timestamp::UNIX_EPOCH, Event::new("test.event").with("n", n)))
            .collect()
    }

    fn verify(records: &[Record]) -> Result<(), Broken> {
        let mut verifier = Verifier::default();
        records.iter().try_for_each(|record| verifier.check(record))
    }

    #[test]
    fn an_untouched_chain_verifies_also_after_json() {
        let text = serde_json::to_string(&records(5)).unwrap();
        let read: Vec<Record> = serde_json::from_str(&text).unwrap();
        assert_eq!(verify(&read), Ok(()));
    }

    #[test]
    fn a_cut_a_change_and_a_swap_are_found() {
        let mut cut = records(5);
        cut.remove(2);
        assert!(matches!(verify(&cut), Err(Broken::Gap { expected: 2, seq: 3, .. })));
        let mut changed = records(5);
        changed[3].identity = "mallory@example.com".to_owned();
        assert!(matches!(verify(&changed), Err(Broken::Changed { seq: 3, .. })));
        let mut swapped = records(5);
        swapped.swap(1, 2);
        assert!(verify(&swapped).is_err());
    }

    #[test]
    fn a_record_rewritten_with_a_fitting_hash_tears_the_next_one() {
        let mut forged = records(5);
        forged[1].identity = "mallory@example.com".to_owned();
        forged[1].hash = forged[1].true_hash();
        assert!(matches!(verify(&forged), Err(Broken::Torn { seq: 2, .. })));
    }

    #[test]
    fn a_chain_goes_on_after_a_restart() {
        let mut all = records(3);
        let mut chain = Chain::after(all.last().unwrap());
        all.push(chain.append(Timestamp::UNIX_EPOCH, Event::new("test.event")));
        assert_eq!(verify(&all), Ok(()));
    }
}

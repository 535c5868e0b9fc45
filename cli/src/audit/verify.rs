//! `audit --verify`: every chain is read from its first record on, and its end compared with the head kept elsewhere.
//!
//! The chains prove that nothing was changed, taken out or reordered; the heads, that nothing was cut off at the end.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use postern_service::audit::{Broken, Record, Verifier};
use serde::Deserialize;

use crate::{
    error::Error,
    print::{visible, write},
    rest::Client,
};

/// Where a chain ends, by the word of whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Head {
    chain: String,
    count: u64,
    hash: String,
    #[serde(default)]
    cut: Option<Cut>,
}

/// How much of a chain was put away, for records are kept for a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Cut {
    count: u64,
    hash: String,
}

/// The kind of record that says how much was put away, and the chain that it stands in: a sidecar's word does not count.
const PRUNED: (&str, &str) = ("control", "audit.pruned");

/// All chains that were met, and how far each holds.
#[derive(Debug, Default)]
struct Chains {
    verifiers: BTreeMap<String, Verifier>,
    /// Heads that are still to be met, by chain.
    heads: BTreeMap<String, Head>,
    /// How far chains were cut, by the heads.
    cuts: BTreeMap<String, Cut>,
    /// The same, by the last record that says so.
    recorded: BTreeMap<String, Cut>,
}

/// What is wrong with the records.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum Tampered {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("{chain}: ends after {found} records, but {expected} were written")]
    Cut { chain: String, found: u64, expected: u64 },
    #[error("{chain}: record {count} is not the one that was written")]
    OtherHead { chain: String, count: u64 },
    #[error("{chain}: no record says that its first {count} records were put away")]
    SecretCut { chain: String, count: u64 },
}

impl Chains {
    fn expecting(heads: Vec<Head>) -> Self {
        let cut = |head: &Head| Some((head.chain.clone(), head.cut.clone()?));
        let cuts = heads.iter().filter_map(cut).collect();
        let heads = heads.into_iter().map(|head| (head.chain.clone(), head)).collect();
        Self { heads, cuts, ..Self::default() }
    }

    fn take(&mut self, record: &Record) -> Result<(), Tampered> {
        let cut = self.cuts.get(&record.chain);
        let begin = || cut.map_or_else(Verifier::default, |cut| Verifier::after(cut.count, &cut.hash));
        let verifier = self.verifiers.entry(record.chain.clone()).or_insert_with(begin);
        verifier.check(record)?;
        if (record.chain.as_str(), record.kind.as_str()) == PRUNED {
            let said = record.detail.get("chains").cloned().unwrap_or_default();
            self.recorded = serde_json::from_value(said).unwrap_or_default();
        }
        let (count, hash) = verifier.head();
        // Records may have come in after the head was asked for, so it can lie before the end.
        if let Some(head) = self.heads.get(&record.chain).filter(|head| head.count == count) {
            if head.hash != hash {
                return Err(Tampered::OtherHead { chain: record.chain.clone(), count });
            }
            self.heads.remove(&record.chain);
        }
        Ok(())
    }

    fn finish(self) -> Result<String, Tampered> {
        if let Some((chain, cut)) =
            self.cuts.iter().find(|(chain, cut)| self.recorded.get(*chain) != Some(*cut))
        {
            return Err(Tampered::SecretCut { chain: chain.clone(), count: cut.count });
        }
        if let Some(head) = self.heads.into_values().find(|head| head.count > 0) {
            let found = self.verifiers.get(&head.chain).map_or(0, |verifier| verifier.head().0);
            return Err(Tampered::Cut { chain: head.chain, found, expected: head.count });
        }
        Ok(self.verifiers.iter().map(|(chain, verifier)| intact(chain, verifier)).collect())
    }
}

fn intact(chain: &str, verifier: &Verifier) -> String {
    let (count, hash) = verifier.head();
    format!("{}: {count} records intact, the last is {hash}\n", visible(chain))
}

/// Verifies what the control plane keeps.
pub(super) async fn control_plane(client: &Client) -> Result<(), Error> {
    let heads = client.list(&["v1", "audit", "heads"], &[]).await?;
    let heads = heads.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
    let mut chains = Chains::expecting(heads.map_err(|error| Error::Answer(format!("a head: {error}")))?);
    let mut after = None;
    loop {
        let (records, next) = client.page(&["v1", "audit"], &[], after.as_deref()).await?;
        for record in records {
            let record = serde_json::from_value(record)
                .map_err(|error| Error::Answer(format!("a record: {error}")))?;
            chains.take(&record).map_err(tampered)?;
        }
        if next.is_none() || next == after {
            return write(&chains.finish().map_err(tampered)?);
        }
        after = next;
    }
}

/// Verifies a sidecar's local copy.
pub(super) fn file(path: &Path) -> Result<(), Error> {
    let name = path.display();
    let file = File::open(path).map_err(Error::io(format!("cannot read {name}")))?;
    let mut chains = Chains::default();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(Error::io(format!("cannot read {name}")))?;
        if line.is_empty() {
            continue;
        }
        let record = serde_json::from_str(&line)
            .map_err(|error| Error::Failed(format!("{name}, line {}: no audit record: {error}", at + 1)))?;
        chains.take(&record).map_err(|error| Error::Failed(format!("{name}, line {}: {error}", at + 1)))?;
    }
    write(&chains.finish().map_err(tampered)?)
}

fn tampered(what: Tampered) -> Error {
    Error::Failed(format!("the audit records do not verify: {what}"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postern_service::audit::{Chain, Event};

    use super::*;

    fn records(chain: &str, count: usize) -> Vec<Record> {
        let mut chain = Chain::new(chain);
        (0..count).map(|_| chain.append(Timestamp::UNIX_EPOCH, Event::new("test.event"))).collect()
    }

    fn head(records: &[Record]) -> Head {
        let last = records.last().unwrap();
        Head { chain: last.chain.clone(), count: last.seq + 1, hash: last.hash.clone(), cut: None }
    }

    fn verify(heads: Vec<Head>, records: &[Record]) -> Result<String, Tampered> {
        let mut chains = Chains::expecting(heads);
        records.iter().try_for_each(|record| chains.take(record))?;
        chains.finish()
    }

    #[test]
    fn interleaved_chains_verify_and_may_go_on_behind_their_heads() {
        let (control, sidecar) = (records("control", 3), records("sidecar:a:1", 2));
        let heads = vec![head(&control[..2]), head(&sidecar)];
        let mixed = [&control[..1], &sidecar, &control[1..]].concat();
        assert!(verify(heads, &mixed).unwrap().starts_with("control: 3 records intact"));
    }

    #[test]
    fn a_chain_that_was_cut_off_or_taken_away_is_found() {
        let control = records("control", 3);
        let cut = |found| Tampered::Cut { chain: "control".to_owned(), found, expected: 3 };
        assert_eq!(verify(vec![head(&control)], &control[..2]), Err(cut(2)));
        assert_eq!(verify(vec![head(&control)], &[]), Err(cut(0)));
    }

    #[test]
    fn a_chain_that_was_written_anew_does_not_meet_its_head() {
        let control = records("control", 2);
        let head = Head { hash: "0".repeat(64), ..head(&control) };
        assert!(matches!(verify(vec![head], &control), Err(Tampered::OtherHead { count: 2, .. })));
    }

    #[test]
    fn a_cut_counts_only_when_a_record_says_so() {
        let mut chain = Chain::new("control");
        let mut all: Vec<Record> =
            (0..3).map(|_| chain.append(Timestamp::UNIX_EPOCH, Event::new("test.event"))).collect();
        let cut = Cut { count: 2, hash: all[1].hash.clone() };
        let said = serde_json::json!({"control": {"count": 2, "hash": cut.hash}});
        all.push(chain.append(Timestamp::UNIX_EPOCH, Event::new(PRUNED.1).with("chains", said)));
        let cut_there = || Head { cut: Some(cut.clone()), ..head(&all) };
        assert!(verify(vec![cut_there()], &all[2..]).unwrap().starts_with("control: 4 records intact"));
        assert!(matches!(verify(vec![cut_there()], &all[3..]), Err(Tampered::Broken(Broken::Gap { .. }))));
        let unsaid = Head { count: 3, hash: all[2].hash.clone(), ..cut_there() };
        let secret = Tampered::SecretCut { chain: "control".to_owned(), count: 2 };
        assert_eq!(verify(vec![unsaid], &all[2..3]), Err(secret));
    }
}

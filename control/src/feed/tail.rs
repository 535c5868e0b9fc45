//! The newest of the change log, read once for all feeds.
//!
//! A change wakes every feed at once. The first of them reads it from the store; the others find it here. A feed that is
//! further behind than this reaches reads the store itself.

use std::{collections::VecDeque, sync::Arc};

use postern_protocol::gate::Position;
use tokio::sync::Mutex;

use crate::{
    store::{LogRow, Store, StoreError},
    work::Logged,
};

/// So many transactions are kept.
const KEPT: usize = 1_024;

/// So many are read at a time.
const BATCH: u32 = 256;

/// One transaction of the change log.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place.
    pub position: Position,
    /// What it says; why it cannot be understood, if a newer version wrote it.
    pub says: Result<Vec<Logged>, String>,
}

impl From<LogRow> for Entry {
    fn from(LogRow { position, entry }: LogRow) -> Self {
        Self { position, says: serde_json::from_str(&entry).map_err(|error| error.to_string()) }
    }
}

/// The last transactions of the change log.
#[derive(Debug)]
pub(crate) struct Tail(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    /// Everything behind this place is here,
    from: Position,
    /// up to this one.
    to: Position,
    entries: VecDeque<Arc<Entry>>,
}

impl Tail {
    /// Of a log that reaches to this place.
    pub(crate) fn new(newest: Position) -> Self {
        Self(Mutex::new(Kept { from: newest, to: newest, entries: VecDeque::new() }))
    }

    /// What comes behind `position`, up to `reach` or a part of the way; nothing once that is reached.
    pub(super) async fn after(
        &self,
        store: &dyn Store,
        position: Position,
        reach: Position,
    ) -> Result<Vec<Arc<Entry>>, StoreError> {
        let mut kept = self.0.lock().await;
        while kept.to < reach {
            let entries = read(store, kept.to).await?;
            // What was thrown away since is as good as read.
            kept.to = entries.last().map_or(reach, |entry| entry.position);
            kept.entries.extend(entries.into_iter().map(Arc::new));
            kept.shorten();
        }
        if position < kept.from {
            drop(kept);
            return Ok(read(store, position).await?.into_iter().map(Arc::new).collect());
        }
        let first = kept.entries.partition_point(|entry| entry.position <= position);
        Ok(kept.entries.iter().skip(first).map(Arc::clone).collect())
    }
}

impl Kept {
    fn shorten(&mut self) {
        while self.entries.len() > KEPT {
            if let Some(gone) = self.entries.pop_front() {
                self.from = gone.position;
            }
        }
    }
}

async fn read(store: &dyn Store, position: Position) -> Result<Vec<Entry>, StoreError> {
    let rows = store.read().await?.log_after(position, BATCH).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Moment, store::SqliteStore};

    async fn positions(
        tail: &Tail,
        store: &dyn Store,
        mut position: Position,
        reach: Position,
    ) -> Vec<Position> {
        let mut all = Vec::new();
        loop {
            let entries = tail.after(store, position, reach).await.unwrap();
            let Some(last) = entries.last() else { return all };
            position = last.position;
            all.extend(entries.iter().map(|entry| entry.position));
        }
    }

    #[tokio::test]
    async fn every_transaction_comes_once_and_in_order_to_those_in_front_and_to_those_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("control.db")).await.unwrap();
        let mut tx = store.write().await.unwrap();
        let newest = KEPT as Position + 500;
        for _ in 0..newest {
            tx.append_log(Moment::default(), "[]".to_owned()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let tail = Tail::new(0);
        for (position, reach) in [(0, 10), (0, newest), (newest - 3, newest), (7, newest), (newest, newest)] {
            let expected: Vec<Position> = (position + 1..=newest.max(reach)).collect();
            let got = positions(&tail, &store, position, reach).await;
            assert!(got.len() as Position >= reach - position, "{position}..{reach}: {}", got.len());
            assert_eq!(got, expected[..got.len()], "{position}..{reach}");
        }
        assert!(tail.0.lock().await.entries.len() <= KEPT);
    }
}

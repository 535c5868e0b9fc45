//! Where records wait on disk until the control plane has them.
//!
//! One file of JSON lines. It is appended to while records wait and emptied when none does, so it stays small while
//! the control plane is there, and a restart of the sidecar finds what was not shipped.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use postern_service::audit::Record;

/// The spool cannot be used: its folder is missing or not writable. Set `[audit] spool`.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the audit spool {}: {source}", path.display())]
pub(crate) struct SpoolError {
    path: PathBuf,
    source: io::Error,
}

/// The control plane takes a megabyte at once. No single record comes near.
const BATCH_BYTES: u64 = 512 * 1024;

/// No room: the limit is reached, or the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Records that wait.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    max_bytes: u64,
    /// Bytes of the records that wait.
    waiting_bytes: u64,
    /// Bytes in the file, waiting or shipped.
    file_bytes: u64,
    waiting: VecDeque<(Record, u64)>,
}

impl Spool {
    /// Opens the spool and takes up what a process before this one could not ship.
    pub(crate) fn open(path: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        let error = |source| SpoolError { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(error)?;
        let mut text = fs::read_to_string(path).map_err(error)?;
        // A process that was killed in the middle of a line leaves half a record behind.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            tracing::warn!("the audit spool ended in a torn record");
            file.set_len(whole as u64).map_err(error)?;
            text.truncate(whole);
        }
        let mut spool = Self {
            file,
            max_bytes,
            waiting_bytes: 0,
            file_bytes: text.len() as u64,
            waiting: VecDeque::new(),
        };
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(record) => spool.remember(record, line.len() as u64 + 1),
                Err(error) => tracing::error!(%error, "the audit spool holds what is no record"),
            }
        }
        Ok(spool)
    }

    fn remember(&mut self, record: Record, bytes: u64) {
        self.waiting_bytes += bytes;
        self.waiting.push_back((record, bytes));
    }

    /// Keeps a record, whose JSON line is given with it. What tells of strangers may fill half of the spool only.
    pub(crate) fn push(&mut self, record: Record, line: &str, of_stranger: bool) -> Result<(), Full> {
        let bytes = line.len() as u64;
        let limit = if of_stranger { self.max_bytes / 2 } else { self.max_bytes };
        if self.waiting_bytes + bytes > limit {
            return Err(Full);
        }
        if self.file.write_all(line.as_bytes()).is_err() {
            // Nothing of it may stay: the next line would be glued to it.
            let _ = self.file.set_len(self.file_bytes);
            return Err(Full);
        }
        self.file_bytes += bytes;
        self.remember(record, bytes);
        Ok(())
    }

    /// The oldest records that wait, of one chain and not too many bytes.
    pub(crate) fn batch(&self, most: usize) -> Vec<Record> {
        let Some((first, _)) = self.waiting.front() else { return Vec::new() };
        let mut bytes = 0;
        let fits = |(record, size): &&(Record, u64)| {
            bytes += size;
            record.chain == first.chain && bytes <= BATCH_BYTES
        };
        let of_chain = self.waiting.iter().take(most).take_while(fits);
        of_chain.map(|(record, _)| record.clone()).collect()
    }

    /// The oldest `count` records are shipped.
    pub(crate) fn shipped(&mut self, count: usize) {
        for (_, bytes) in self.waiting.drain(..count.min(self.waiting.len())) {
            self.waiting_bytes -= bytes;
        }
        if self.waiting.is_empty() && self.file_bytes > 0 {
            // Records that are shipped twice do no harm, so a file that cannot be emptied does not either.
            if self.file.set_len(0).is_ok() {
                self.file_bytes = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postern_service::audit::{Chain, Event};

    use super::*;

    fn push(spool: &mut Spool, chain: &mut Chain) -> Result<(), Full> {
        let record = chain.append(Timestamp::UNIX_EPOCH, Event::new("test.event"));
        let line = format!("{}\n", serde_json::to_string(&record).unwrap());
        spool.push(record, &line, false)
    }

    #[test]
    fn what_was_not_shipped_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut chain = Chain::new("sidecar:edge-1:a");
        let mut spool = Spool::open(&path, 1 << 20).unwrap();
        push(&mut spool, &mut chain).unwrap();
        push(&mut spool, &mut chain).unwrap();
        let before = spool.batch(10);
        drop(spool);
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"chain\":\"torn").unwrap();
        assert_eq!(Spool::open(&path, 1 << 20).unwrap().batch(10), before);
    }

    #[test]
    fn a_shipped_spool_is_empty_on_disk_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::open(&path, 1 << 20).unwrap();
        push(&mut spool, &mut Chain::new("sidecar:edge-1:a")).unwrap();
        spool.shipped(1);
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert!(spool.batch(10).is_empty());
    }

    #[test]
    fn a_full_spool_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("spool"), 600).unwrap();
        let mut chain = Chain::new("sidecar:edge-1:a");
        assert!((0..10).any(|_| push(&mut spool, &mut chain).is_err()));
    }

    #[test]
    fn a_batch_holds_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("spool"), 1 << 20).unwrap();
        push(&mut spool, &mut Chain::new("sidecar:edge-1:a")).unwrap();
        push(&mut spool, &mut Chain::new("sidecar:edge-1:b")).unwrap();
        assert_eq!(spool.batch(10).len(), 1);
    }
}

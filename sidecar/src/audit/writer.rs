//! The one task that writes audit records: gives each its place in the chain, keeps it, ships it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use postern_protocol::gate::AuditBatch;
use postern_service::audit::{Chain, Event, Record};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Loss, Spool, is_of_stranger};
use crate::grants::Reports;

const BATCH: usize = 500;
const RETRY: Duration = Duration::from_secs(1);

/// The writer.
pub(crate) struct Writer {
    chain: Chain,
    copy: Option<File>,
    spool: Spool,
    loss: Loss,
}

impl Writer {
    /// A new chain of this name; `copy` is the local file of the configuration.
    pub(crate) fn new(chain: String, copy: Option<&Path>, spool: Spool, loss: Loss) -> io::Result<Self> {
        let copy = copy
            .map(|path| OpenOptions::new().create(true).append(true).mode(0o600).open(path))
            .transpose()?;
        Ok(Self { chain: Chain::new(chain), copy, spool, loss })
    }

    /// Writes and ships until the last event is in. Runs as long as the sidecar.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<(jiff::Timestamp, Event)>, reports: Reports) {
        let (mut events, mut shipping) = (Vec::new(), None);
        loop {
            let batch = if shipping.is_none() { self.spool.batch(BATCH) } else { Vec::new() };
            if !batch.is_empty() {
                shipping = Some(tokio::spawn(ship(reports.clone(), batch)));
            }
            tokio::select! {
                count = queue.recv_many(&mut events, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    for (at, event) in events.drain(..) {
                        self.write(at, event);
                    }
                }
                shipped = arrival(&mut shipping) => {
                    shipping = None;
                    self.spool.shipped(shipped);
                }
            }
        }
    }

    fn write(&mut self, at: jiff::Timestamp, event: Event) {
        let untold = self.loss.take_untold();
        if untold > 0 && !self.append(at, &Event::new("records.lost").with("lost", untold)) {
            self.loss.put_back(untold);
        }
        if !self.append(at, &event) {
            self.loss.lost(&event);
        }
    }

    /// Gives an event its place in the chain; the chain goes on only when the record is kept.
    fn append(&mut self, at: jiff::Timestamp, event: &Event) -> bool {
        let mut chain = self.chain.clone();
        let record = chain.append(at, event.clone());
        // A record has no field that fails to serialise.
        let line = serde_json::to_string(&record).unwrap_or_default() + "\n";
        if self.spool.push(record, &line, is_of_stranger(event)).is_err() {
            return false;
        }
        self.chain = chain;
        self.copy.as_mut().is_none_or(|file| file.write_all(line.as_bytes()).is_ok())
    }
}

/// Ships one batch; returns how many records the control plane has now.
async fn ship(reports: Reports, records: Vec<Record>) -> usize {
    let count = records.len();
    if reports.post("audit", &AuditBatch { records }).await {
        return count;
    }
    tracing::warn!(records = count, "audit records wait: the control plane does not take them");
    tokio::time::sleep(RETRY).await;
    0
}

/// Waits for the batch that is on its way; for ever when there is none.
async fn arrival(shipping: &mut Option<JoinHandle<usize>>) -> usize {
    match shipping {
        Some(task) => task.await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

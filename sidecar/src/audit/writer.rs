//! The one task that writes audit records: gives each its place in the chain, keeps it, ships it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use postern_protocol::gate::AuditBatch;
use postern_service::audit::{Chain, Event, Record};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Loss, Spool};
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
        let copy = copy.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
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
        let record = self.chain.append(at, event);
        // A record has no field that fails to serialise.
        let line = serde_json::to_string(&record).unwrap_or_default() + "\n";
        let copied = self.copy.as_mut().is_none_or(|file| file.write_all(line.as_bytes()).is_ok());
        if self.spool.push(record, &line).is_err() || !copied {
            self.loss.lost();
        }
    }
}

/// Ships one batch; returns how many records the control plane has now.
async fn ship(reports: Reports, records: Vec<Record>) -> usize {
    let count = records.len();
    if reports.post("audit", &AuditBatch { records }).await {
        return count;
    }
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

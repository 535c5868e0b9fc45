//! What happened, for programs that follow it: bots, approval logic, webhooks, chat.
//!
//! An event is an audit record that tells of a change, read in the order in which the records came in. So an event is
//! there exactly when its change has committed, its id is the record's number, and nothing has to be written twice.
//! In: the audit trail, and [`Bell`] when it has grown. Out: [`Event`]s, one by one ([`after`]) or as a stream
//! ([`follow`]).

mod bell;
mod event;
mod filter;
mod follow;

pub(crate) use bell::Bell;
pub(crate) use event::Event;
pub(crate) use filter::EventFilter;
pub(crate) use follow::{Lost, Opening, follow};

use crate::store::{AuditFilter, Read, StoreError};

/// A stretch of the audit trail.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// The events in it.
    pub events: Vec<Event>,
    /// Where the next stretch begins; absent when this was the end.
    pub reached: Option<i64>,
}

/// The events among the next `limit` records behind the one of this number.
pub(crate) async fn after(tx: &mut dyn Read, number: i64, limit: u32) -> Result<Stretch, StoreError> {
    let rows = tx.audit(&AuditFilter { after: Some(number), limit, ..AuditFilter::default() }).await?;
    let reached = rows.last().map(|(number, _)| *number);
    let events = rows.into_iter().filter_map(|(number, record)| Event::of(number, record)).collect();
    Ok(Stretch { events, reached })
}

//! What has to be told to somebody outside, kept until it is told: durable, in order, and by exactly one control plane.
//!
//! In: events. Each [`Courier`] (webhooks, chat) says which of them it wants told to whom; that becomes deliveries in
//! the store, in one transaction with the mark up to which events were sorted. Out: the courier's calls. A delivery is
//! taken by whoever first writes that it is under way; if that program dies, another takes it a minute later. So a
//! delivery may arrive twice, and carries the same id both times.

mod carry;
mod run;
mod sort;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub(crate) use carry::lane_is_busy;
pub(crate) use run::run;
#[cfg(test)]
pub(crate) use run::step;

use crate::{
    actions::Failure,
    domain::{Delivery, Outcome, Parcel},
    events::Event,
    plane::ControlPlane,
    store::{Read, StoreError},
    work::Work,
};

/// Tells something to somebody outside.
pub(crate) trait Courier: Send + Sync + 'static {
    /// Its name in the store.
    fn name(&self) -> &'static str;

    /// Which of these events are to be told, and to whom.
    fn sort<'a>(
        &'a self,
        tx: &'a mut dyn Read,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<Vec<Parcel>, StoreError>>;

    /// Makes one attempt, which must come to an end within half a minute.
    fn carry<'a>(
        &'a self,
        plane: &'a Arc<ControlPlane>,
        delivery: &'a Delivery,
    ) -> BoxFuture<'a, Result<Outcome, Failure>>;

    /// An attempt is over; what follows from that is written in the same transaction.
    fn settled<'a>(
        &'a self,
        work: &'a mut Work,
        delivery: &'a Delivery,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}

/// All who carry something.
pub(crate) type Couriers = Arc<Vec<Box<dyn Courier>>>;

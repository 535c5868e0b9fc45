//! From events to deliveries.

use std::sync::Arc;

use postern_service::random;

use super::{Couriers, carry::lane_is_busy};
use crate::{
    actions::Failure,
    domain::{Delivery, DeliveryState, Parcel},
    events::{self, Event},
    plane::ControlPlane,
    store::{Read, StoreError},
    work::Work,
};

/// The number of the last record that was sorted.
const MARK: &str = "outbox_sorted_to";
const BATCH: u32 = 256;

/// How far this program has looked. Where nobody wanted anything the mark in the store stays behind.
#[derive(Debug, Default)]
pub(crate) struct Reach(Option<i64>);

impl Reach {
    async fn from(&self, tx: &mut dyn Read) -> Result<i64, StoreError> {
        let reach = tx.audit_reach().await?;
        let stored = tx.setting(MARK).await?.and_then(|text| text.parse().ok());
        // What was put away cannot be sorted any more.
        Ok(stored.max(self.0).unwrap_or(reach.newest).max(reach.pruned))
    }
}

/// Where nobody has sorted yet, what happened before now is nobody's.
pub(super) async fn begin(plane: &Arc<ControlPlane>) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    if work.tx().setting(MARK).await?.is_none() {
        let newest = work.tx().audit_reach().await?.newest;
        work.tx_mut().set(MARK, &newest.to_string()).await?;
        work.commit().await?;
    }
    Ok(())
}

/// Sorts everything that happened since.
pub(super) async fn sort(
    plane: &Arc<ControlPlane>,
    couriers: &Couriers,
    reach: &mut Reach,
) -> Result<(), Failure> {
    loop {
        let mut tx = plane.store.read().await?;
        let from = reach.from(&mut *tx).await?;
        reach.0 = Some(from);
        let stretch = events::after(&mut *tx, from, BATCH).await?;
        let Some(reached) = stretch.reached else { return Ok(()) };
        let wanted = !parcels(&mut *tx, couriers, &stretch.events).await?.is_empty();
        drop(tx);
        if wanted {
            file(plane, couriers, reach).await?;
        } else {
            reach.0 = Some(reached);
        }
    }
}

async fn parcels(
    tx: &mut dyn Read,
    couriers: &Couriers,
    events: &[Event],
) -> Result<Vec<(&'static str, Parcel)>, StoreError> {
    let mut all = Vec::new();
    for courier in couriers.iter() {
        let parcels = courier.sort(tx, events).await?;
        all.extend(parcels.into_iter().map(|parcel| (courier.name(), parcel)));
    }
    Ok(all)
}

/// Writes the next stretch's deliveries. Another control plane may have been faster, so all is looked at anew.
async fn file(plane: &Arc<ControlPlane>, couriers: &Couriers, reach: &mut Reach) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let from = reach.from(work.tx()).await?;
    let stretch = events::after(work.tx(), from, BATCH).await?;
    let Some(reached) = stretch.reached else { return Ok(()) };
    for (courier, parcel) in parcels(work.tx(), couriers, &stretch.events).await? {
        let mut delivery = Delivery::new(random::id("d")?, courier, parcel, work.now());
        if lane_is_busy(&mut work, &delivery.lane).await? {
            delivery.state = DeliveryState::Queued;
        }
        work.save(&delivery).await?;
    }
    work.tx_mut().set(MARK, &reached.to_string()).await?;
    work.commit().await?;
    reach.0 = Some(reached);
    Ok(())
}

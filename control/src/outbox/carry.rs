//! Taking a delivery, making the attempt, and writing down what came of it.

use std::sync::Arc;

use super::{Courier, Couriers};
use crate::{
    actions::Failure,
    domain::{Delivery, DeliveryState, Outcome},
    plane::ControlPlane,
    store::{Filter, Order, find_all},
    work::Work,
};

/// What is due, but for that of these targets.
fn due(plane: &ControlPlane, busy: &[String], limit: u32) -> Filter {
    Filter {
        due_by: Some(plane.clock.now()),
        states: vec![DeliveryState::Due.as_str()],
        not_owned_by: busy.to_vec(),
        order: Order::Oldest,
        limit: Some(limit),
        ..Filter::default()
    }
}

/// Takes what is wanted of what is due now, looking at so many: from here on nobody else tries it.
pub(super) async fn take(
    plane: &Arc<ControlPlane>,
    busy: &[String],
    limit: u32,
    mut wanted: impl FnMut(&Delivery) -> bool + Send,
) -> Result<Vec<Delivery>, Failure> {
    let mut tx = plane.store.read().await?;
    let idle = find_all::<Delivery>(&mut *tx, &due(plane, busy, 1)).await?.is_empty();
    drop(tx);
    if idle {
        return Ok(Vec::new());
    }
    let mut work = Work::begin(plane).await?;
    let mut taken = Vec::new();
    for mut delivery in work.find_all::<Delivery>(&due(plane, busy, limit)).await? {
        if wanted(&delivery) {
            delivery.begin(work.now());
            work.save(&delivery).await?;
            taken.push(delivery);
        }
    }
    work.commit().await?;
    Ok(taken)
}

/// Makes an attempt and writes down what came of it.
pub(super) async fn carry(
    plane: &Arc<ControlPlane>,
    couriers: &Couriers,
    delivery: &Delivery,
) -> Result<(), Failure> {
    let Some(courier) = couriers.iter().find(|courier| courier.name() == delivery.courier) else {
        let nobody = Outcome::Never(format!("{} is not configured any more", delivery.courier));
        return settle(plane, None, delivery, &nobody).await;
    };
    let outcome = courier.carry(plane, delivery).await?;
    settle(plane, Some(courier.as_ref()), delivery, &outcome).await
}

async fn settle(
    plane: &Arc<ControlPlane>,
    courier: Option<&dyn Courier>,
    tried: &Delivery,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let Some(mut delivery): Option<Delivery> = work.load(&tried.id).await? else { return Ok(()) };
    // Another took it because this attempt took too long: what counts is the other's word.
    if delivery.attempts != tried.attempts || delivery.state != DeliveryState::Due {
        return Ok(());
    }
    delivery.settle(outcome, work.now());
    work.save(&delivery).await?;
    if let Some(courier) = courier {
        courier.settled(&mut work, &delivery, outcome).await?;
    }
    if !delivery.is_open() {
        release(&mut work, &delivery.lane).await?;
    }
    work.commit().await?;
    Ok(())
}

fn lane(lane: &str, states: Vec<&'static str>) -> Filter {
    Filter { repo: Some(lane.to_owned()), states, order: Order::Oldest, limit: Some(1), ..Filter::default() }
}

/// Whether something of this lane is not through yet.
pub(crate) async fn lane_is_busy(work: &mut Work, name: &str) -> Result<bool, Failure> {
    let open = vec![DeliveryState::Queued.as_str(), DeliveryState::Due.as_str()];
    Ok(!work.find_all::<Delivery>(&lane(name, open)).await?.is_empty())
}

/// Lets the next of a lane begin, now that the one before is through.
async fn release(work: &mut Work, name: &str) -> Result<(), Failure> {
    let queued = lane(name, vec![DeliveryState::Queued.as_str()]);
    for mut next in work.find_all::<Delivery>(&queued).await? {
        next.state = DeliveryState::Due;
        next.due = work.now();
        work.save(&next).await?;
    }
    Ok(())
}

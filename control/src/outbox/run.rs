//! The loop: sorts when something happened, carries when something is due.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    Couriers,
    carry::{carry, take},
    sort::{Reach, begin, sort},
};
use crate::{
    actions::Failure,
    domain::{Delivery, DeliveryState, Moment},
    plane::ControlPlane,
    store::{Filter, Order},
    work::Work,
};

/// How often it is looked whether something has come due.
const TICK: Duration = Duration::from_millis(500);

/// How often what is finished is put away.
const TIDY_EVERY: u32 = 600;
const BATCH: u32 = 500;

/// Attempts at once, and of one target: a slow one must not keep the others waiting.
const MOST: usize = 32;
const MOST_OF_ONE: usize = 4;

/// What is due is looked through so many at once. Those of one target may be more; it is busy soon, and then passed over.
const LOOKED_AT: u32 = 64;

/// Runs until the program ends.
pub(crate) async fn run(plane: Arc<ControlPlane>, couriers: Couriers) {
    let mut rung = plane.bell.listen();
    if let Err(error) = begin(&plane).await {
        tracing::error!(%error, "it could not be written down where telling begins");
    }
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut reach, mut under_way) = (Reach::default(), UnderWay::default());
    for count in 0_u32.. {
        if let Err(error) = turn(&plane, &couriers, &mut reach, &mut under_way, count).await {
            tracing::error!(%error, "what is to be told could not be; it is tried again");
        }
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = rung.changed() => {}
            Some(done) = under_way.tasks.join_next() => under_way.done(done.ok()),
        }
        while let Some(done) = under_way.tasks.try_join_next() {
            under_way.done(done.ok());
        }
    }
}

#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<String>,
    of_target: HashMap<String, usize>,
}

impl UnderWay {
    /// How many more attempts may begin.
    fn room(&self) -> usize {
        MOST.saturating_sub(self.tasks.len())
    }

    /// Targets of which no more attempts may begin.
    fn busy(&self) -> Vec<String> {
        let full = self.of_target.iter().filter(|(_, count)| **count >= MOST_OF_ONE);
        full.map(|(target, _)| target.clone()).collect()
    }

    fn done(&mut self, target: Option<String>) {
        if let Some(count) = target.and_then(|target| self.of_target.get_mut(&target)) {
            *count = count.saturating_sub(1);
        }
        if self.tasks.is_empty() {
            self.of_target.clear();
        }
    }
}

async fn turn(
    plane: &Arc<ControlPlane>,
    couriers: &Couriers,
    reach: &mut Reach,
    under_way: &mut UnderWay,
    count: u32,
) -> Result<(), Failure> {
    sort(plane, couriers, reach).await?;
    while under_way.room() > 0 && begin_some(plane, couriers, under_way).await? {}
    if count.is_multiple_of(TIDY_EVERY) {
        tidy(plane).await?;
    }
    Ok(())
}

/// Begins attempts at what is due; false when there is none for whose target there is room.
async fn begin_some(
    plane: &Arc<ControlPlane>,
    couriers: &Couriers,
    under_way: &mut UnderWay,
) -> Result<bool, Failure> {
    let mut left = under_way.room();
    let mut taken = under_way.of_target.clone();
    let deliveries = take(plane, &under_way.busy(), LOOKED_AT, |delivery| {
        let of_target = taken.entry(delivery.target.clone()).or_default();
        let fits = left > 0 && *of_target < MOST_OF_ONE;
        if fits {
            left -= 1;
            *of_target += 1;
        }
        fits
    })
    .await?;
    let begun = !deliveries.is_empty();
    for delivery in deliveries {
        *under_way.of_target.entry(delivery.target.clone()).or_default() += 1;
        let (plane, couriers) = (Arc::clone(plane), Arc::clone(couriers));
        under_way.tasks.spawn(async move {
            if let Err(error) = carry(&plane, &couriers, &delivery).await {
                tracing::error!(%error, delivery = delivery.id, "a delivery could not be tried");
            }
            delivery.target
        });
    }
    Ok(begun)
}

/// Sorts, carries everything that is due, and waits for it: the loop's one turn, for tests.
#[cfg(test)]
pub(crate) async fn step(plane: &Arc<ControlPlane>, couriers: &Couriers) -> Result<usize, Failure> {
    begin(plane).await?;
    sort(plane, couriers, &mut Reach::default()).await?;
    let taken = take(plane, &[], BATCH, |_| true).await?;
    for delivery in &taken {
        carry(plane, couriers, delivery).await?;
    }
    Ok(taken.len())
}

/// Forgets what was finished long ago.
async fn tidy(plane: &Arc<ControlPlane>) -> Result<(), Failure> {
    let old = |now: Moment| Filter {
        due_by: Some(now),
        states: vec![DeliveryState::Delivered.as_str(), DeliveryState::Failed.as_str()],
        order: Order::Oldest,
        limit: Some(BATCH),
        ..Filter::default()
    };
    let mut work = Work::begin(plane).await?;
    for delivery in work.find_all::<Delivery>(&old(work.now())).await? {
        work.remove::<Delivery>(&delivery.id).await?;
    }
    work.commit().await?;
    Ok(())
}

//! Where long texts are judged: in few places for all sessions, so that judging leaves room for everything else, and
//! the trees of few texts are in memory at a time. Nobody waits behind texts that are much longer.

use std::{
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use tokio::{sync::Semaphore, task::spawn_blocking};

static PLACES: LazyLock<[Arc<Semaphore>; 2]> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    [(cores / 2).clamp(1, MOST_PLACES), 1].map(|places| Arc::new(Semaphore::new(places)))
});
const MOST_PLACES: usize = 4;
/// Texts from this length on have one place.
const HUGE: usize = 256 * 1024;

/// Judges a text of this length away from the session's own task; nothing if judging it panicked.
pub(crate) async fn elsewhere<T: Send + 'static>(
    length: usize,
    judge: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let [places, place_of_huge] = &*PLACES;
    let places = if length < HUGE { places } else { place_of_huge };
    let place = Arc::clone(places).acquire_owned().await;
    // The place is taken until the text is judged, even if nobody waits for it any more.
    let judged = spawn_blocking(move || {
        let _place = place;
        judge()
    });
    judged.await.ok()
}

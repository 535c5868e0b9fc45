//! Favourites: what a caller keeps to ask for again.

use std::sync::Arc;

use postern_service::{audit::Event, random};

use super::{Caller, Failure};
use crate::{
    domain::{Ask, Favourite, Refusal},
    plane::ControlPlane,
    store::{Filter, Order},
    work::Work,
};

const MOST: usize = 100;

fn own(caller: &Caller) -> Filter {
    Filter { owner: Some(caller.name().to_owned()), order: Order::Oldest, ..Filter::default() }
}

/// Keeps one.
pub(crate) async fn keep(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
    ask: Ask,
) -> Result<Favourite, Failure> {
    let mut work = Work::begin(plane).await?;
    let known: Vec<Favourite> = work.find_all(&own(caller)).await?;
    if known.iter().any(|favourite| favourite.name == name) {
        return Err(Refusal::Exists { kind: "favourite", name: name.to_owned() }.into());
    }
    if known.len() >= MOST {
        return Err(Refusal::Conflict(format!("{MOST} favourites are as many as are kept")).into());
    }
    let favourite = Favourite::new(random::id("f")?, caller.name(), name, ask, work.now())?;
    work.save(&favourite).await?;
    work.note(about(&favourite, "favourite.created"));
    work.commit().await?;
    Ok(favourite)
}

/// The caller's own.
pub(crate) async fn list(plane: &Arc<ControlPlane>, caller: &Caller) -> Result<Vec<Favourite>, Failure> {
    let mut tx = plane.store.read().await?;
    Ok(crate::store::find_all(&mut *tx, &own(caller)).await?)
}

/// Forgets one of the caller's own.
pub(crate) async fn forget(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let found: Option<Favourite> = work.load(id).await?;
    let favourite = found
        .filter(|favourite| favourite.owner == caller.name())
        .ok_or_else(|| Refusal::not_found("favourite", id))?;
    work.remove::<Favourite>(id).await?;
    work.note(about(&favourite, "favourite.deleted"));
    work.commit().await?;
    Ok(())
}

fn about(favourite: &Favourite, kind: &'static str) -> Event {
    Event {
        actor: favourite.owner.clone(),
        repo: favourite.ask.repo.to_string(),
        account: favourite.ask.account.to_string(),
        ..Event::new(kind)
    }
    .with("favourite", favourite.name.as_str())
}

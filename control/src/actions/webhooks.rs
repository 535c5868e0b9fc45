//! Webhooks: making, changing and trying them, and what was delivered.

use std::sync::Arc;

use postern_service::{audit, random};

use super::{Caller, Failure};
use crate::{
    domain::{Delivery, DeliveryState, Format, Key, Owner, Parcel, Refusal, Seen, Webhook, WebhookSpec},
    events::Event,
    outbound::check_url,
    plane::ControlPlane,
    store::{Filter, Order, StoreError, load_by},
    webhooks::{COURIER, new_key},
    work::Work,
};

/// What is to be another.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Where to.
    pub url: Option<String>,
    /// Of which types of events.
    pub types: Option<Vec<String>>,
    /// Only of those that a rule's `notify` sends there.
    pub named_only: Option<bool>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// Makes a webhook. Its key is shown once.
pub(crate) async fn create(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    spec: WebhookSpec,
) -> Result<Webhook, Failure> {
    check_url(spec.url.reveal())?;
    let key = fresh_key(spec.format, spec.key.clone())?;
    let mut work = Work::begin(plane).await?;
    if load_by::<Webhook>(work.tx(), &spec.name).await?.is_some() {
        return Err(Refusal::Exists { kind: "webhook", name: spec.name }.into());
    }
    let webhook = make(&mut work, spec, key, Owner::rest(), caller.name()).await?;
    work.commit().await?;
    Ok(webhook)
}

/// Writes a new webhook down; what happened before is not told to it.
pub(super) async fn make(
    work: &mut Work,
    spec: WebhookSpec,
    key: Key,
    owner: Owner,
    actor: &str,
) -> Result<Webhook, Failure> {
    let after = work.tx().audit_reach().await?.newest;
    let webhook = Webhook::new(random::id("w")?, spec, key, owner, (after, work.now()));
    webhook.check()?;
    work.save(&webhook).await?;
    note(work, &webhook, "webhook.created", actor);
    Ok(webhook)
}

/// The key of a webhook that gets one: `PagerDuty`'s is given, all others are made.
fn fresh_key(format: Format, given: Option<Key>) -> Result<Key, Failure> {
    match (format, given) {
        (Format::Pagerduty, key) => Ok(key.unwrap_or_else(|| String::new().into())),
        (Format::Standard | Format::Teams | Format::Mattermost, None) => Ok(new_key()?),
        (Format::Standard | Format::Teams | Format::Mattermost, Some(_)) => {
            Err(Refusal::Invalid("routing_key: PagerDuty alone has one".to_owned()).into())
        }
    }
}

/// Changes a webhook, switches it on or off. What happened while it was off is not told.
pub(crate) async fn change(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    seen: &Seen,
    change: Change,
) -> Result<Webhook, Failure> {
    change.url.as_deref().map(check_url).transpose()?;
    let mut work = Work::begin(plane).await?;
    let mut webhook: Webhook = work.get("webhook", id).await?;
    seen.check(Some(&webhook))?;
    webhook.owner.must_be_rest("webhook", &webhook.name)?;
    let newest = work.tx().audit_reach().await?.newest;
    if let Some(url) = change.url {
        webhook.url = url.into();
    }
    if let Some(types) = change.types {
        webhook.filter.types = types;
        webhook.after = newest;
    }
    if let Some(named_only) = change.named_only {
        webhook.named_only = named_only;
        webhook.after = newest;
    }
    let kind = match change.enabled {
        Some(true) if !webhook.enabled => {
            webhook.enable(newest);
            "webhook.enabled"
        }
        Some(false) if webhook.enabled => {
            webhook.disable("");
            "webhook.disabled"
        }
        Some(_) | None => "webhook.changed",
    };
    rewrite(&mut work, &mut webhook, kind, caller.name()).await?;
    work.commit().await?;
    Ok(webhook)
}

/// Gives a webhook a new key, shown once. With the one before, things are signed for a day more.
pub(crate) async fn rotate(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
    routing_key: Option<String>,
) -> Result<Webhook, Failure> {
    let mut work = Work::begin(plane).await?;
    let mut webhook: Webhook = work.get("webhook", id).await?;
    webhook.owner.must_be_rest("webhook", &webhook.name)?;
    let key = fresh_key(webhook.format, routing_key.map(Key::from))?;
    webhook.change_key(key, work.now());
    rewrite(&mut work, &mut webhook, "webhook.rotated", caller.name()).await?;
    work.commit().await?;
    Ok(webhook)
}

/// Writes down a webhook that somebody changed.
pub(super) async fn rewrite(
    work: &mut Work,
    webhook: &mut Webhook,
    kind: &'static str,
    actor: &str,
) -> Result<(), Failure> {
    webhook.revision = webhook.revision.saturating_add(1);
    webhook.check()?;
    work.save(webhook).await?;
    note(work, webhook, kind, actor);
    Ok(())
}

/// Deletes a webhook and all that was to be told to it.
pub(crate) async fn delete(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let webhook: Webhook = work.get("webhook", id).await?;
    webhook.owner.must_be_rest("webhook", &webhook.name)?;
    erase(&mut work, &webhook, caller.name()).await?;
    work.commit().await?;
    Ok(())
}

/// Removes a webhook and all that was to be told to it.
pub(super) async fn erase(work: &mut Work, webhook: &Webhook, actor: &str) -> Result<(), Failure> {
    let own = Filter { owner: Some(webhook.id.clone()), order: Order::Oldest, ..Filter::default() };
    for delivery in work.find_all::<Delivery>(&own).await? {
        work.remove::<Delivery>(&delivery.id).await?;
    }
    work.remove::<Webhook>(&webhook.id).await?;
    note(work, webhook, "webhook.deleted", actor);
    Ok(())
}

/// Tells a webhook, and it alone, that it can be reached.
pub(crate) async fn ping(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Delivery, Failure> {
    let mut work = Work::begin(plane).await?;
    let webhook: Webhook = work.get("webhook", id).await?;
    if !webhook.enabled {
        return Err(Refusal::Conflict(format!("the webhook `{}` is switched off", webhook.name)).into());
    }
    let delivery_id = random::id("d")?;
    let record = audit::Event { actor: caller.name().to_owned(), ..audit::Event::new("webhook.ping") };
    let event = Event::apart(&delivery_id, work.now().timestamp(), record);
    let parcel = Parcel {
        target: webhook.id,
        // Nothing that is stuck holds it up.
        subject: delivery_id.clone(),
        kind: event.kind.clone(),
        body: serde_json::to_string(&event).map_err(StoreError::from)?,
    };
    let delivery = Delivery::new(delivery_id, COURIER, parcel, work.now());
    work.save(&delivery).await?;
    work.commit().await?;
    plane.bell.ring();
    Ok(delivery)
}

/// Tries a delivery that is through once more, behind what waits in its lane.
pub(crate) async fn again(plane: &Arc<ControlPlane>, caller: &Caller, id: &str) -> Result<Delivery, Failure> {
    let mut work = Work::begin(plane).await?;
    let mut delivery: Delivery = work.get("delivery", id).await?;
    delivery.again(work.now())?;
    if crate::outbox::lane_is_busy(&mut work, &delivery.lane).await? {
        delivery.state = DeliveryState::Queued;
    }
    work.save(&delivery).await?;
    let event = audit::Event { actor: caller.name().to_owned(), ..audit::Event::new("delivery.again") };
    work.note(event.with("delivery", id).with("target", delivery.target.as_str()));
    work.commit().await?;
    Ok(delivery)
}

fn note(work: &mut Work, webhook: &Webhook, kind: &'static str, actor: &str) {
    let event = audit::Event { actor: actor.to_owned(), ..audit::Event::new(kind) }
        .with("webhook", webhook.id.as_str())
        .with("name", webhook.name.as_str())
        .with("types", webhook.filter.types.clone());
    work.note(event);
}

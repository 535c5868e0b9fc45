//! Which webhook is told which event, and the call.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use postern_service::audit;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::{mattermost, pagerduty, sign::signatures, teams, words::Words};
use crate::{
    actions::Failure,
    domain::{Delivery, Format, Moment, Outcome, Parcel, Request, StoredRule, Webhook},
    events::Event,
    measures,
    outbound::{Answer, Outbound, OutboundError},
    outbox::Courier,
    plane::ControlPlane,
    store::{Filter, Order, Read, StoreError, find_all, load},
    work::Work,
};

/// The courier's name in the store.
pub(crate) const COURIER: &str = "webhook";

const GONE: u16 = 410;

/// Carries events to webhooks.
#[derive(Debug)]
pub(crate) struct Webhooks {
    outbound: Outbound,
}

impl Webhooks {
    /// Calls through this client.
    pub(crate) const fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }

    async fn call(&self, plane: &Arc<ControlPlane>, delivery: &Delivery) -> Result<Outcome, Failure> {
        let mut tx = plane.store.read().await?;
        let webhook: Option<Webhook> = load(&mut *tx, &delivery.target).await?;
        drop(tx);
        let Some(webhook) = webhook else { return Ok(Outcome::Never("the webhook is gone".to_owned())) };
        if !webhook.enabled {
            return Ok(Outcome::Never("the webhook is switched off".to_owned()));
        }
        let event: Event = serde_json::from_str(&delivery.body).map_err(StoreError::from)?;
        let body = body(&webhook, &event, &plane.public_url).map_err(StoreError::from)?;
        let headers = headers(&webhook, &delivery.id, plane.clock.now(), &body);
        Ok(judge(self.outbound.post(webhook.url.reveal(), headers, body).await))
    }
}

fn body(webhook: &Webhook, event: &Event, public_url: &str) -> Result<String, serde_json::Error> {
    let words = Words::of(event, public_url);
    let value = match webhook.format {
        Format::Standard => json!({ "type": event.kind, "timestamp": event.at.to_string(), "data": event }),
        Format::Pagerduty => pagerduty::body(event, &words, webhook.key.reveal()),
        Format::Teams => teams::body(&words),
        Format::Mattermost => mattermost::body(&words),
    };
    serde_json::to_string(&value)
}

fn headers(webhook: &Webhook, id: &str, now: Moment, body: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if webhook.format == Format::Standard {
        let seconds = now.as_millis() / 1_000;
        let signature = signatures(webhook.keys(now), id, seconds, body);
        for (name, value) in [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
    headers
}

fn judge(answered: Result<Answer, OutboundError>) -> Outcome {
    match answered {
        Ok(answer) => {
            let text = format!("{} {}", answer.status, answer.says).trim().to_owned();
            match answer.status {
                200..=299 => Outcome::Taken(text),
                GONE => Outcome::Gone(text),
                _ => Outcome::Later(text, answer.retry_after),
            }
        }
        Err(error @ (OutboundError::Url(_) | OutboundError::Closed(_) | OutboundError::Plain)) => {
            Outcome::Never(error.to_string())
        }
        Err(error @ OutboundError::Silent(_)) => Outcome::Later(error.to_string(), None),
    }
}

/// The parcels of one event, one for each webhook that wants it.
fn parcels(webhooks: &[Webhook], event: &Event, named: &[String]) -> Result<Vec<Parcel>, StoreError> {
    let wants = |webhook: &&Webhook| {
        let new = event.id.parse::<i64>().is_ok_and(|id| id > webhook.after);
        let meant = !webhook.named_only || named.contains(&webhook.name);
        webhook.enabled && new && meant && webhook.filter.wants(event)
    };
    let parcel = |webhook: &Webhook| {
        Ok(Parcel {
            target: webhook.id.clone(),
            subject: event.subject().to_owned(),
            kind: event.kind.clone(),
            body: serde_json::to_string(event)?,
        })
    };
    webhooks.iter().filter(wants).map(parcel).collect()
}

/// The webhooks that the rule behind an event names.
async fn named(tx: &mut dyn Read, event: &Event) -> Result<Vec<String>, StoreError> {
    let Some(id) = &event.request else { return Ok(Vec::new()) };
    let Some(request): Option<Request> = load(tx, id).await? else { return Ok(Vec::new()) };
    let rule: Option<StoredRule> = load(tx, &request.rule).await?;
    Ok(rule.and_then(|stored| stored.rule.notify).map(|notify| notify.webhooks).unwrap_or_default())
}

impl Courier for Webhooks {
    fn name(&self) -> &'static str {
        COURIER
    }

    fn sort<'a>(
        &'a self,
        tx: &'a mut dyn Read,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<Vec<Parcel>, StoreError>> {
        Box::pin(async move {
            let all = Filter { order: Order::Oldest, states: vec!["on"], ..Filter::default() };
            let webhooks: Vec<Webhook> = find_all(tx, &all).await?;
            if webhooks.is_empty() {
                return Ok(Vec::new());
            }
            let mut found = Vec::new();
            for event in events {
                let named = if webhooks.iter().any(|webhook| webhook.named_only) {
                    named(tx, event).await?
                } else {
                    Vec::new()
                };
                found.extend(parcels(&webhooks, event, &named)?);
            }
            Ok(found)
        })
    }

    fn carry<'a>(
        &'a self,
        plane: &'a Arc<ControlPlane>,
        delivery: &'a Delivery,
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.call(plane, delivery))
    }

    fn settled<'a>(
        &'a self,
        work: &'a mut Work,
        delivery: &'a Delivery,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            measures::webhook_delivery(outcome);
            let Some(mut webhook): Option<Webhook> = work.load(&delivery.target).await? else {
                return Ok(());
            };
            let before = webhook.clone();
            match outcome {
                Outcome::Taken(_) => webhook.succeeded(),
                Outcome::Later(..) | Outcome::Never(_) => webhook.failed(work.now()),
                Outcome::Gone(_) => webhook.disable("it answered 410 Gone"),
            }
            if before.enabled && !webhook.enabled {
                let event = audit::Event::new("webhook.disabled")
                    .with("webhook", webhook.id.as_str())
                    .with("name", webhook.name.as_str())
                    .with("reason", webhook.disabled_why.as_str());
                work.note(event);
            }
            if before != webhook {
                work.save(&webhook).await?;
            }
            Ok(())
        })
    }
}

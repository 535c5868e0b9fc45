//! Bringing messages to where they belong: cards into the approvers' channel, notices to requesters.
//!
//! In: events, through the outbox, which keeps them until they are through and hands out those of one message one after
//! the other. What is sent is made from what is true at that moment, so an old event never brings an old picture.
//! Out: what is to be posted, under a key, by [`Posting`].

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    case::{Links, Matter},
    desk::Slack,
    message::{LinkChange, Notice, Told, card, direct, emergency, escalation},
    orders::{NAME, Order, Piece, parcels},
    posting::Posting,
    records::{Link, Post},
    web_api::SlackError,
};
use crate::{
    actions::Failure,
    domain::{Delivery, Outcome, Parcel},
    events::Event,
    outbox::Courier,
    plane::ControlPlane,
    store::{self, Filter, Read, StoreError},
    work::Work,
};

/// Slack as a courier of the outbox.
pub(crate) struct SlackCourier(pub(crate) Arc<Slack>);

impl Courier for SlackCourier {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sort<'a>(
        &'a self,
        tx: &'a mut dyn Read,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<Vec<Parcel>, StoreError>> {
        Box::pin(parcels(tx, events))
    }

    fn carry<'a>(
        &'a self,
        _: &'a Arc<ControlPlane>,
        delivery: &'a Delivery,
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let Ok(order) = serde_json::from_str::<Order>(&delivery.body) else {
                return Ok(Outcome::Never("the order cannot be read".to_owned()));
            };
            let Some(here) = self.0.workspace.load_full() else {
                return Ok(Outcome::Later("the workspace is not known yet".to_owned(), None));
            };
            let posting = Posting { slack: &self.0, here: &here, again: delivery.attempts > 1 };
            Errand { posting, order: &order }.run().await
        })
    }

    fn settled<'a>(
        &'a self,
        _: &'a mut Work,
        delivery: &'a Delivery,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        if let Outcome::Never(text) | Outcome::Gone(text) = outcome {
            tracing::error!(delivery = delivery.id, text, "a message to Slack was given up");
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

impl From<SlackError> for Outcome {
    fn from(error: SlackError) -> Self {
        let text = error.to_string();
        match &error {
            SlackError::RateLimited { after, .. } => Self::Later(text, Some(after.as_secs().max(1))),
            passing if passing.is_passing() => Self::Later(text, None),
            SlackError::Refused { .. } | SlackError::Unreachable { .. } | SlackError::Unclear { .. } => {
                Self::Never(text)
            }
        }
    }
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum Hitch {
    /// Slack did not take it.
    #[error(transparent)]
    Slack(#[from] SlackError),
    /// The store failed.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// What it is about is not there.
    #[error("there is no such request")]
    Gone,
}

impl From<StoreError> for Hitch {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

/// An order that is being carried out.
struct Errand<'a> {
    posting: Posting<'a>,
    order: &'a Order,
}

impl Errand<'_> {
    async fn run(&self) -> Result<Outcome, Failure> {
        let brought = match &self.order.piece {
            Piece::Link { link } => self.tell_of_link(link).await,
            Piece::Card { request } => self.show(request).await,
            Piece::Alarm { request } => self.raise_alarm(request).await,
            Piece::Notice { request } => self.tell(request).await,
        };
        match brought {
            Ok(()) => Ok(Outcome::Taken("ok".to_owned())),
            Err(Hitch::Slack(error)) => Ok(error.into()),
            Err(Hitch::Failure(failure)) => Err(failure),
            Err(gone @ Hitch::Gone) => Ok(Outcome::Never(gone.to_string())),
        }
    }

    fn slack(&self) -> &Slack {
        self.posting.slack
    }

    fn links(&self) -> Links<'_> {
        Links { team: &self.posting.here.team, made: self.slack().config.link }
    }

    async fn matter(&self, request: &str) -> Result<Matter, Hitch> {
        let plane = &self.slack().plane;
        let mut tx = plane.store.read().await?;
        Matter::read(&mut *tx, request, self.links(), plane.clock.now()).await?.ok_or(Hitch::Gone)
    }

    /// Where those are who decide: one channel, unless the rules of a bundle's requests name several.
    fn channels_of(&self, matter: &Matter) -> Vec<String> {
        let mut channels = Vec::new();
        for case in matter.cases() {
            let of_rule = case.rule.as_ref().and_then(|stored| stored.rule.notify.as_ref()?.slack.clone());
            let channel = of_rule.unwrap_or_else(|| self.slack().config.channel.clone());
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels
    }

    async fn tell_of_link(&self, change: &LinkChange) -> Result<(), Hitch> {
        if let Some((user, said)) = change.told(&self.posting.here.team) {
            self.posting.write_to(&user, &format!("link/{}", self.order.event), &said).await?;
        }
        Ok(())
    }

    /// Shows those who decide how things stand.
    async fn show(&self, request: &str) -> Result<(), Hitch> {
        let matter = self.matter(request).await?;
        let (said, key) = (card(&matter), format!("card/{}", matter.lead.request.id));
        for (place, channel) in self.channels_of(&matter).iter().enumerate() {
            let key = if place == 0 { key.clone() } else { format!("{key}/{channel}") };
            self.posting.keep_current(&said, channel, &key).await?;
        }
        Ok(())
    }

    async fn raise_alarm(&self, request: &str) -> Result<(), Hitch> {
        let matter = self.matter(request).await?;
        let is_escalation = self.order.kind == "request.escalated";
        let said = if is_escalation { escalation(&matter) } else { Some(emergency(&matter)) };
        let Some(said) = said else { return Ok(()) };
        for channel in self.channels_of(&matter) {
            self.posting.post(&channel, &format!("alarm/{}", self.order.event), &said).await?;
        }
        Ok(())
    }

    /// Tells the requester what befell the request.
    async fn tell(&self, request: &str) -> Result<(), Hitch> {
        let matter = self.matter(request).await?;
        let told = Notice::of(&self.order.kind).and_then(|notice| Told::of(&matter, request, notice));
        let (Some(told), Some(user)) = (told, self.user_of(matter.lead.request.identity.as_str()).await?)
        else {
            return Ok(());
        };
        if matter.bundle().is_some() {
            return self.tell_together(&user, told, request).await;
        }
        if let Some(said) = direct(&told, &self.slack().plane.public_url) {
            self.posting.write_to(&user, &format!("notice/{}", self.order.event), &said).await?;
        }
        Ok(())
    }

    /// Tells what befell several requests of a bundle at once with the first of them, and not again with the others.
    async fn tell_together(&self, user: &str, told: Told<'_>, request: &str) -> Result<(), Hitch> {
        let mut new = Vec::new();
        for (id, key) in told.keys(&self.order.kind) {
            if self.posting.posted(&key).await?.is_none() {
                new.push((id, key));
            }
        }
        let Some((_, key)) = new.iter().find(|(id, _)| *id == request) else { return Ok(()) };
        let told = told.only(&new.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        let Some(said) = direct(&told, &self.slack().plane.public_url) else { return Ok(()) };
        let post = self.posting.write_to(user, key, &said).await?;
        for (_, key) in &new {
            self.posting.remember(Post { key: key.clone(), ..post.clone() }).await?;
        }
        Ok(())
    }

    /// The Slack user who acts as an identity.
    async fn user_of(&self, identity: &str) -> Result<Option<String>, Hitch> {
        let own = Filter { identity: Some(identity.to_owned()), ..Filter::default() };
        let mut tx = self.slack().plane.store.read().await?;
        let links = store::find_all::<Link>(&mut *tx, &own).await?;
        Ok(links.into_iter().find(|link| self.links().has(link)).map(|link| link.user))
    }
}

//! Bringing messages to where they belong: cards into the approvers' channel, notices to requesters.
//!
//! In: events, through the outbox, which keeps them until they are through and hands out those of one message one after
//! the other. What is sent is made from what is true at that moment, so an old event never brings an old picture.
//! Out: calls of the Web API. A message carries a key; where an earlier attempt may have posted it, the channel is
//! searched for the key first, so that nothing is posted twice.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{
    case::{Links, Matter},
    desk::{Slack, Workspace},
    message::{LinkChange, Notice, Said, Told, card, direct, emergency, escalation},
    orders::{NAME, Order, Piece, parcels},
    records::{Link, Post},
    web_api::{Method, SlackError},
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

/// What a message's metadata is called.
const METADATA: &str = "postern_message";

/// How far back a channel is searched for a message that may have been posted.
const SEARCHED: &str = "200";

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
            self.0.bring(&here, &order, delivery.attempts > 1).await
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
enum Hitch {
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

impl Slack {
    /// Brings what was ordered. `again` says that an earlier attempt may have posted it.
    async fn bring(&self, here: &Workspace, order: &Order, again: bool) -> Result<Outcome, Failure> {
        let brought = match &order.piece {
            Piece::Link { link } => self.bring_link(here, link, order, again).await,
            Piece::Card { request } => self.bring_cards(here, request, again).await,
            Piece::Alarm { request } => self.bring_alarm(here, request, order, again).await,
            Piece::Notice { request } => self.bring_notice(here, request, order, again).await,
        };
        match brought {
            Ok(()) => Ok(Outcome::Taken("ok".to_owned())),
            Err(Hitch::Slack(error)) => Ok(error.into()),
            Err(Hitch::Failure(failure)) => Err(failure),
            Err(gone @ Hitch::Gone) => Ok(Outcome::Never(gone.to_string())),
        }
    }

    async fn matter(&self, here: &Workspace, request: &str) -> Result<Matter, Hitch> {
        let mut tx = self.plane.store.read().await?;
        let now = self.plane.clock.now();
        Matter::read(&mut *tx, request, self.links(here), now).await?.ok_or(Hitch::Gone)
    }

    fn links<'a>(&self, here: &'a Workspace) -> Links<'a> {
        Links { team: &here.team, made: self.config.link }
    }

    /// Where those are who decide: one channel, unless the rules of a bundle's requests name several.
    fn channels_of(&self, matter: &Matter) -> Vec<String> {
        let mut channels = Vec::new();
        for case in matter.cases() {
            let of_rule = case.rule.as_ref().and_then(|stored| stored.rule.notify.as_ref()?.slack.clone());
            let channel = of_rule.unwrap_or_else(|| self.config.channel.clone());
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels
    }

    async fn bring_link(
        &self,
        here: &Workspace,
        change: &LinkChange,
        order: &Order,
        again: bool,
    ) -> Result<(), Hitch> {
        let Some((user, said)) = change.told(&here.team) else { return Ok(()) };
        self.write_to(&user, &format!("link/{}", order.event), &said, again).await?;
        Ok(())
    }

    async fn bring_cards(&self, here: &Workspace, request: &str, again: bool) -> Result<(), Hitch> {
        let matter = self.matter(here, request).await?;
        let said = card(&matter);
        let mut key = format!("card/{}", matter.lead.request.id);
        for (place, channel) in self.channels_of(&matter).iter().enumerate() {
            if place > 0 {
                key = format!("card/{}/{channel}", matter.lead.request.id);
            }
            self.bring_card(&said, channel, &key, again).await?;
        }
        Ok(())
    }

    /// Posts a card, or brings the one that stands there up to date.
    async fn bring_card(&self, said: &Said, channel: &str, key: &str, again: bool) -> Result<(), Hitch> {
        let shown = said.digest();
        let before = if let Some(post) = self.posted(key).await? {
            post
        } else {
            let (ts, fresh) = self.post(channel, key, said, again).await?;
            // What an earlier attempt has posted shows how things stood then.
            let shown = if fresh { shown.clone() } else { String::new() };
            self.remember(Post { ts, shown, ..Post::of(key, channel) }).await?
        };
        if before.shown != shown {
            self.change(&before, said).await?;
            self.remember(Post { shown, ..before }).await?;
        }
        Ok(())
    }

    async fn posted(&self, key: &str) -> Result<Option<Post>, Hitch> {
        let mut tx = self.plane.store.read().await?;
        Ok(store::load(&mut *tx, key).await?)
    }

    /// Writes down what stands where.
    async fn remember(&self, post: Post) -> Result<Post, Hitch> {
        let mut work = Work::begin(&self.plane).await?;
        work.save(&post).await?;
        work.commit().await?;
        Ok(post)
    }

    async fn bring_alarm(
        &self,
        here: &Workspace,
        request: &str,
        order: &Order,
        again: bool,
    ) -> Result<(), Hitch> {
        let matter = self.matter(here, request).await?;
        let is_escalation = order.kind == "request.escalated";
        let said = if is_escalation { escalation(&matter) } else { Some(emergency(&matter)) };
        let Some(said) = said else { return Ok(()) };
        for channel in self.channels_of(&matter) {
            self.post(&channel, &format!("alarm/{}", order.event), &said, again).await?;
        }
        Ok(())
    }

    async fn bring_notice(
        &self,
        here: &Workspace,
        request: &str,
        order: &Order,
        again: bool,
    ) -> Result<(), Hitch> {
        let matter = self.matter(here, request).await?;
        let Some(told) = Notice::of(&order.kind).and_then(|notice| Told::of(&matter, request, notice)) else {
            return Ok(());
        };
        let Some(user) = self.user_of(here, matter.lead.request.identity.as_str()).await? else {
            return Ok(());
        };
        if matter.bundle().is_none() {
            let Some(said) = direct(&told, &self.plane.public_url) else { return Ok(()) };
            self.write_to(&user, &format!("notice/{}", order.event), &said, again).await?;
            return Ok(());
        }
        self.bring_together(&user, (told, request), order, again).await
    }

    /// Tells what befell several requests of a bundle at once with the first of them, and not again with the others.
    async fn bring_together(
        &self,
        user: &str,
        (told, request): (Told<'_>, &str),
        order: &Order,
        again: bool,
    ) -> Result<(), Hitch> {
        let mut new = Vec::new();
        for (id, key) in told.keys(&order.kind) {
            if self.posted(&key).await?.is_none() {
                new.push((id, key));
            }
        }
        let Some((_, key)) = new.iter().find(|(id, _)| *id == request) else { return Ok(()) };
        let told = told.only(&new.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        let Some(said) = direct(&told, &self.plane.public_url) else { return Ok(()) };
        let post = self.write_to(user, key, &said, again).await?;
        for (_, key) in &new {
            self.remember(Post { key: key.clone(), ..post.clone() }).await?;
        }
        Ok(())
    }

    /// The Slack user who acts as an identity.
    async fn user_of(&self, here: &Workspace, identity: &str) -> Result<Option<String>, Hitch> {
        let own = Filter { identity: Some(identity.to_owned()), ..Filter::default() };
        let mut tx = self.plane.store.read().await?;
        let links = store::find_all::<Link>(&mut *tx, &own).await?;
        Ok(links.into_iter().find(|link| self.links(here).has(link)).map(|link| link.user))
    }

    /// Writes to somebody directly.
    async fn write_to(&self, user: &str, key: &str, said: &Said, again: bool) -> Result<Post, SlackError> {
        let channel = self.direct_channel(user).await?;
        let (ts, _) = self.post(&channel, key, said, again).await?;
        Ok(Post { ts, ..Post::of(key, &channel) })
    }

    /// Posts a message, or finds it where an earlier attempt may have posted it. Gives its name, and whether it is new.
    async fn post(
        &self,
        channel: &str,
        key: &str,
        said: &Said,
        again: bool,
    ) -> Result<(String, bool), SlackError> {
        if again && let Some(ts) = self.find(channel, key).await? {
            return Ok((ts, false));
        }
        let body = json!({
            "channel": channel, "text": said.text, "blocks": said.blocks, "parse": "none", "unfurl_links": false,
            "unfurl_media": false, "metadata": {"event_type": METADATA, "event_payload": {"key": key}},
        });
        let posted = self.api.call(Method::PostMessage, &body).await?;
        let ts = posted.get("ts").and_then(Value::as_str);
        let method = Method::PostMessage.as_str();
        Ok((ts.ok_or(SlackError::Unclear { method })?.to_owned(), true))
    }

    async fn find(&self, channel: &str, key: &str) -> Result<Option<String>, SlackError> {
        let body = json!({"channel": channel, "limit": SEARCHED, "include_all_metadata": "true"});
        let history = self.api.call(Method::ConversationsHistory, &body).await?;
        let messages = history.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let here = self.workspace.load_full();
        let fits = |message: &&Value| {
            let app = message.get("app_id").and_then(Value::as_str);
            // Others can write anything into their messages.
            here.as_ref().is_some_and(|here| app == Some(here.app.as_str()))
                && message.pointer("/metadata/event_type").and_then(Value::as_str) == Some(METADATA)
                && message.pointer("/metadata/event_payload/key").and_then(Value::as_str) == Some(key)
        };
        Ok(messages.iter().find(fits).and_then(|message| Some(message.get("ts")?.as_str()?.to_owned())))
    }

    async fn change(&self, post: &Post, said: &Said) -> Result<(), SlackError> {
        // Where nothing is said of it, changed messages are read for names and addresses, unlike new ones.
        let body = json!({
            "channel": post.channel, "ts": post.ts, "text": said.text, "blocks": said.blocks, "parse": "none",
            "link_names": false,
        });
        match self.api.call(Method::UpdateMessage, &body).await {
            // Somebody has deleted it: there is nothing left to bring up to date.
            Err(SlackError::Refused { word, .. }) if word == "message_not_found" => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

//! Bringing messages to where they belong: cards into the approvers' channel, notices to requesters.
//!
//! In: events, through the outbox, which keeps them until they are through and hands out those of one message one after
//! the other. What is sent is made from what is true at that moment, so an old event never brings an old picture.
//! Out: calls of the Web API. A message carries a key; where an earlier attempt may have posted it, the channel is
//! searched for the key first, so that nothing is posted twice.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use postern_service::random::sha256_hex;
use serde_json::{Value, json};

use super::{
    case::{Case, Links},
    desk::{Slack, Workspace},
    message::{Notice, Said, alarm, card, direct},
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
        _: &'a mut dyn Read,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<Vec<Parcel>, StoreError>> {
        Box::pin(async move { events.iter().flat_map(parcels).collect() })
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

impl Slack {
    async fn bring(&self, here: &Workspace, order: &Order, again: bool) -> Result<Outcome, Failure> {
        if let Some(change) = &order.link {
            let key = format!("link/{}", order.event);
            let told = match change.told(&here.team) {
                Some((user, said)) => self.write_to(&user, &key, &said, again).await,
                None => Ok(()),
            };
            return Ok(told.map_or_else(Outcome::from, |()| Outcome::Taken("ok".to_owned())));
        }
        let mut tx = self.plane.store.read().await?;
        let case = Case::read(&mut *tx, &order.request, self.links(here), self.plane.clock.now()).await?;
        drop(tx);
        let Some(case) = case else { return Ok(Outcome::Never("there is no such request".to_owned())) };
        let outcome = match order.piece {
            Piece::Card => self.bring_card(&case, again).await?,
            Piece::Alarm => self.bring_alarm(&case, order, again).await,
            Piece::Notice => self.bring_notice(here, &case, order, again).await?,
            Piece::Link => return Ok(Outcome::Never("the order does not say who is linked".to_owned())),
        };
        Ok(match outcome {
            Ok(()) => Outcome::Taken("ok".to_owned()),
            Err(error) => error.into(),
        })
    }

    fn links<'a>(&self, here: &'a Workspace) -> Links<'a> {
        Links { team: &here.team, made: self.config.link }
    }

    fn channel_of(&self, case: &Case) -> String {
        let of_rule = case.rule.as_ref().and_then(|stored| stored.rule.notify.as_ref()?.slack.clone());
        of_rule.unwrap_or_else(|| self.config.channel.clone())
    }

    async fn bring_card(&self, case: &Case, again: bool) -> Result<Result<(), SlackError>, Failure> {
        let said = card(case);
        let shown = sha256_hex(format!("{}{}", said.text, Value::from(said.blocks.clone())).as_bytes());
        let key = format!("card/{}", case.request.id);
        let mut tx = self.plane.store.read().await?;
        let post: Option<Post> = store::load(&mut *tx, &key).await?;
        drop(tx);
        let outcome = match post {
            Some(post) if post.shown == shown => return Ok(Ok(())),
            Some(post) => self.change(&post, &said).await.map(|()| Post { shown, ..post }),
            None => {
                let channel = self.channel_of(case);
                let found = self.post(&channel, &key, &said, again).await;
                found.map(|(ts, fresh)| Post {
                    key,
                    channel,
                    ts,
                    shown: if fresh { shown } else { String::new() },
                })
            }
        };
        match outcome {
            Ok(post) => {
                let mut work = Work::begin(&self.plane).await?;
                work.save(&post).await?;
                work.commit().await?;
                if post.shown.is_empty() {
                    return Ok(self.change(&post, &said).await);
                }
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn bring_alarm(&self, case: &Case, order: &Order, again: bool) -> Result<(), SlackError> {
        let said = alarm(case, order.kind == "request.escalated");
        let key = format!("alarm/{}", order.event);
        self.post(&self.channel_of(case), &key, &said, again).await.map(drop)
    }

    async fn bring_notice(
        &self,
        here: &Workspace,
        case: &Case,
        order: &Order,
        again: bool,
    ) -> Result<Result<(), SlackError>, Failure> {
        let notice = Notice::of(&order.kind);
        let said = notice.and_then(|notice| direct(case, notice, &self.plane.public_url));
        let Some(said) = said else { return Ok(Ok(())) };
        let own = Filter { identity: Some(case.request.identity.to_string()), ..Filter::default() };
        let mut tx = self.plane.store.read().await?;
        let links = store::find_all::<Link>(&mut *tx, &own).await?;
        drop(tx);
        let Some(link) = links.into_iter().find(|link| self.links(here).has(link)) else { return Ok(Ok(())) };
        Ok(self.write_to(&link.user, &format!("notice/{}", order.event), &said, again).await)
    }

    /// Writes to somebody directly.
    async fn write_to(&self, user: &str, key: &str, said: &Said, again: bool) -> Result<(), SlackError> {
        let method = Method::ConversationsOpen;
        let opened = self.api.call(method, &json!({"users": user})).await?;
        let channel = opened.pointer("/channel/id").and_then(Value::as_str);
        let channel = channel.ok_or(SlackError::Unclear { method: method.as_str() })?;
        self.post(channel, key, said, again).await.map(drop)
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

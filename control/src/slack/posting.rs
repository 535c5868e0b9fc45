//! Posting messages, each once, and bringing them up to date.
//!
//! In: what is to be said, where, and the key by which the message is known. Out: calls of the Web API, and a note of
//! what stands where. A message carries its key; where an earlier attempt may have posted it, the channel is searched for
//! the key first.

use serde_json::{Value, json};

use super::{
    courier::Hitch,
    desk::{Slack, Workspace},
    message::Said,
    records::Post,
    web_api::{Method, SlackError},
};
use crate::{store, work::Work};

/// What a message's metadata is called.
const METADATA: &str = "postern_message";

/// How far back a channel is searched for a message that may have been posted.
const SEARCHED: &str = "200";

/// One attempt at bringing messages.
pub(super) struct Posting<'a> {
    pub(super) slack: &'a Slack,
    pub(super) here: &'a Workspace,
    /// Whether an earlier attempt may have posted them.
    pub(super) again: bool,
}

impl Posting<'_> {
    /// Posts a message, or brings the one that stands there up to date.
    pub(super) async fn keep_current(&self, said: &Said, channel: &str, key: &str) -> Result<(), Hitch> {
        let shown = said.digest();
        let before = if let Some(post) = self.posted(key).await? {
            post
        } else {
            let (ts, fresh) = self.post(channel, key, said).await?;
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

    /// What stands under a key, if it was written down.
    pub(super) async fn posted(&self, key: &str) -> Result<Option<Post>, Hitch> {
        let mut tx = self.slack.plane.store.read().await?;
        Ok(store::load(&mut *tx, key).await?)
    }

    /// Writes down what stands where.
    pub(super) async fn remember(&self, post: Post) -> Result<Post, Hitch> {
        let mut work = Work::begin(&self.slack.plane).await?;
        work.save(&post).await?;
        work.commit().await?;
        Ok(post)
    }

    /// Writes to somebody directly.
    pub(super) async fn write_to(&self, user: &str, key: &str, said: &Said) -> Result<Post, SlackError> {
        let channel = self.slack.direct_channel(user).await?;
        let (ts, _) = self.post(&channel, key, said).await?;
        Ok(Post { ts, ..Post::of(key, &channel) })
    }

    /// Posts a message, or finds it where an earlier attempt may have posted it. Gives its name, and whether it is new.
    pub(super) async fn post(
        &self,
        channel: &str,
        key: &str,
        said: &Said,
    ) -> Result<(String, bool), SlackError> {
        if self.again
            && let Some(ts) = self.find(channel, key).await?
        {
            return Ok((ts, false));
        }
        let body = json!({
            "channel": channel, "text": said.text, "blocks": said.blocks, "parse": "none", "unfurl_links": false,
            "unfurl_media": false, "metadata": {"event_type": METADATA, "event_payload": {"key": key}},
        });
        let posted = self.slack.api.call(Method::PostMessage, &body).await?;
        let ts = posted.get("ts").and_then(Value::as_str);
        let method = Method::PostMessage.as_str();
        Ok((ts.ok_or(SlackError::Unclear { method })?.to_owned(), true))
    }

    async fn find(&self, channel: &str, key: &str) -> Result<Option<String>, SlackError> {
        let body = json!({"channel": channel, "limit": SEARCHED, "include_all_metadata": "true"});
        let history = self.slack.api.call(Method::ConversationsHistory, &body).await?;
        let messages = history.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let fits = |message: &&Value| {
            // Others can write anything into their messages.
            message.get("app_id").and_then(Value::as_str) == Some(self.here.app.as_str())
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
        match self.slack.api.call(Method::UpdateMessage, &body).await {
            // Somebody has deleted it: there is nothing left to bring up to date.
            Err(SlackError::Refused { word, .. }) if word == "message_not_found" => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

//! The desk that every call of Slack's comes to, whichever way it came.
//!
//! It turns away what comes from elsewhere or came before, gives an answer within Slack's three seconds, and lets what
//! takes longer go on.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

use super::{
    buttons,
    callback::{Callback, Event, EventCall, EventCallback, Interaction},
    commands,
    config::SlackConfig,
    dialog, home,
    records::Seen,
    text::escape,
    web_api::{Method, SlackError, WebApi},
};
use crate::{actions::Failure, plane::ControlPlane, work::Work};

/// Slack waits for three seconds.
const SOON: Duration = Duration::from_millis(2_400);

/// The workspace that the app is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Workspace {
    /// `T…`
    pub team: String,
    /// What people call it.
    pub name: String,
    /// `A…`
    pub app: String,
}

/// The app.
pub(crate) struct Slack {
    pub(super) plane: Arc<ControlPlane>,
    pub(super) config: SlackConfig,
    pub(super) api: WebApi,
    /// Known once Slack has answered.
    pub(super) workspace: ArcSwapOption<Workspace>,
}

/// What Slack gets for its call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// That it came.
    Done,
    /// Something to show.
    Json(Value),
}

/// Why a call is turned away.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwelcome {
    /// Another workspace or another app: that secret is shared, or somebody tries.
    #[error("the call names another workspace or another app")]
    Foreign,
    /// This very call came before.
    #[error("the call was made before")]
    Replayed,
    /// Slack has not said yet which workspace this is.
    #[error("the workspace is not known yet")]
    NotReady,
    /// The store failed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Slack {
    /// An app that has not talked to Slack yet. `haste` divides the pace that Slack asks for; 1 in earnest.
    pub(crate) fn new(
        plane: Arc<ControlPlane>,
        config: SlackConfig,
        haste: u32,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let api = WebApi::new(&config.api_url, config.bot_token.clone(), haste)?;
        Ok(Arc::new(Self { plane, config, api, workspace: ArcSwapOption::empty() }))
    }

    /// Takes a call. `signature` is that of a call over HTTP; Socket Mode's come over a connection that is ours.
    pub(super) async fn receive(
        self: &Arc<Self>,
        callback: Callback,
        signature: Option<&str>,
    ) -> Result<Reply, Unwelcome> {
        let Some(origin) = callback.origin() else { return Ok(Reply::Done) };
        let here = self.workspace.load_full().ok_or(Unwelcome::NotReady)?;
        if origin.team != here.team || origin.app != here.app {
            return Err(Unwelcome::Foreign);
        }
        match self.see(signature, callback.occasion()).await? {
            Sight::New => {}
            Sight::Retried => return Ok(Reply::Done),
            Sight::Replayed => return Err(Unwelcome::Replayed),
        }
        let slack = Arc::clone(self);
        let about = callback.clone();
        let task = tokio::spawn(async move { slack.answer(callback).await });
        Ok(self.soon(about, task).await)
    }

    /// What is done in time is the answer; what is not goes on and says so later.
    async fn soon(self: &Arc<Self>, about: Callback, mut task: JoinHandle<Reply>) -> Reply {
        if let Ok(done) = timeout(SOON, &mut task).await {
            return done.unwrap_or(Reply::Done);
        }
        let slack = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(Reply::Json(late)) = task.await {
                slack.late(&about, &late).await;
            }
        });
        Reply::Done
    }

    async fn late(&self, about: &Callback, reply: &Value) {
        let outcome = match about {
            Callback::Command(command) => self.api.respond(&command.response_url, reply).await,
            // The dialog has closed: what was wrong with it is said directly.
            Callback::Interaction(Interaction::ViewSubmission(call)) => {
                let errors = reply.get("errors").and_then(Value::as_object);
                let texts = errors.into_iter().flat_map(|errors| errors.values().filter_map(Value::as_str));
                let text = texts.map(escape).collect::<Vec<_>>().join("\n");
                if text.is_empty() {
                    return;
                }
                self.whisper(&call.user.id, &text).await
            }
            Callback::Interaction(_) | Callback::Event(_) => return,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "a late answer could not be given");
        }
    }

    /// Writes a line to somebody directly.
    pub(super) async fn whisper(&self, user: &str, text: &str) -> Result<(), SlackError> {
        let body = json!({
            "channel": self.direct_channel(user).await?, "text": text, "parse": "none", "unfurl_links": false,
            "unfurl_media": false,
        });
        self.api.call(Method::PostMessage, &body).await.map(drop)
    }

    /// Where somebody is written to directly.
    pub(super) async fn direct_channel(&self, user: &str) -> Result<String, SlackError> {
        let method = Method::ConversationsOpen;
        let opened = self.api.call(method, &json!({"users": user})).await?;
        let channel = opened.pointer("/channel/id").and_then(Value::as_str);
        Ok(channel.ok_or(SlackError::Unclear { method: method.as_str() })?.to_owned())
    }

    async fn answer(self: Arc<Self>, callback: Callback) -> Reply {
        match callback {
            Callback::Command(command) => Reply::Json(commands::run(&self, &command).await),
            Callback::Interaction(Interaction::BlockActions(call)) => {
                tokio::spawn(buttons::pressed(self, *call));
                Reply::Done
            }
            Callback::Interaction(Interaction::ViewSubmission(call)) => dialog::submit(&self, &call).await,
            Callback::Interaction(Interaction::BlockSuggestion(call)) => dialog::suggest(&self, &call).await,
            Callback::Event(EventCallback { event: Event::AppHomeOpened { user, tab }, .. }) => {
                if tab == "home" {
                    tokio::spawn(async move { home::show(&self, &user).await });
                }
                Reply::Done
            }
            Callback::Interaction(Interaction::Other)
            | Callback::Event(EventCallback { event: Event::Other, .. }) => Reply::Done,
        }
    }

    /// Remembers a call; whether it came before.
    async fn see(&self, signature: Option<&str>, occasion: Option<String>) -> Result<Sight, Failure> {
        if signature.is_none() && occasion.is_none() {
            return Ok(Sight::New);
        }
        let mut work = Work::begin(&self.plane).await?;
        let now = work.now();
        if let Some(signature) = signature {
            let seen = Seen::new(&format!("signature {signature}"), now);
            if work.load::<Seen>(&seen.key).await?.is_some() {
                return Ok(Sight::Replayed);
            }
            work.save(&seen).await?;
        }
        let mut sight = Sight::New;
        if let Some(occasion) = occasion {
            let seen = Seen::new(&occasion, now);
            if work.load::<Seen>(&seen.key).await?.is_some() {
                sight = Sight::Retried;
            }
            work.save(&seen).await?;
        }
        work.commit().await?;
        Ok(sight)
    }

    /// Whether Slack has said which workspace this is.
    #[cfg(test)]
    pub(crate) fn is_at_work(&self) -> bool {
        self.workspace.load().is_some()
    }
}

/// Whether a call came before.
enum Sight {
    New,
    /// Slack calls again for the same thing.
    Retried,
    /// Somebody sends a copy.
    Replayed,
}

/// What an Events API call is about, if it is for the desk.
pub(super) enum Eventful {
    /// Slack asks whether somebody is there.
    Challenge(String),
    /// For the desk.
    Callback(Callback),
    /// Nothing that was asked for.
    Nothing,
}

impl From<EventCall> for Eventful {
    fn from(call: EventCall) -> Self {
        match call {
            EventCall::UrlVerification { challenge } => Self::Challenge(challenge),
            EventCall::EventCallback(event) => Self::Callback(Callback::Event(event)),
            EventCall::Other => Self::Nothing,
        }
    }
}

//! Slack's Web API: one call, its time limit, its turn, and what became of it.
//!
//! The bot token stands in a header that is marked as sensitive. Errors name the method and Slack's own word, never
//! what was sent or what the transport says about it.

use std::time::Duration;

use metrics::counter;
use postern_service::{loopback::is_private, secret::Secret};
use reqwest::{StatusCode, Url, header};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::pace::{Pace, Speed};

const TIME: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// Where Slack names no time to wait.
const WAIT: Duration = Duration::from_secs(30);

/// Slack's answers are small.
const LONGEST_ANSWER: usize = 8 << 20;

/// A method of the Web API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    AuthTest,
    BotsInfo,
    ConnectionsOpen,
    ConversationsHistory,
    ConversationsOpen,
    PostMessage,
    UpdateMessage,
    UsersInfo,
    ViewsOpen,
    ViewsPublish,
    ViewsUpdate,
}

impl Method {
    /// Slack's name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AuthTest => "auth.test",
            Self::BotsInfo => "bots.info",
            Self::ConnectionsOpen => "apps.connections.open",
            Self::ConversationsHistory => "conversations.history",
            Self::ConversationsOpen => "conversations.open",
            Self::PostMessage => "chat.postMessage",
            Self::UpdateMessage => "chat.update",
            Self::UsersInfo => "users.info",
            Self::ViewsOpen => "views.open",
            Self::ViewsPublish => "views.publish",
            Self::ViewsUpdate => "views.update",
        }
    }

    /// Methods that only read take a form and no JSON.
    const fn takes_json(self) -> bool {
        !matches!(
            self,
            Self::AuthTest
                | Self::BotsInfo
                | Self::ConnectionsOpen
                | Self::ConversationsHistory
                | Self::UsersInfo
        )
    }

    /// A little below what Slack promises: one message a second and channel, tier 3 (50 a minute), tier 4 (100).
    const fn speed(self) -> Speed {
        match self {
            Self::PostMessage => Speed { burst: 5, each: Duration::from_millis(1_050) },
            Self::ConversationsHistory | Self::ConversationsOpen | Self::UpdateMessage | Self::BotsInfo => {
                Speed { burst: 20, each: Duration::from_millis(1_250) }
            }
            Self::AuthTest
            | Self::ConnectionsOpen
            | Self::UsersInfo
            | Self::ViewsOpen
            | Self::ViewsPublish
            | Self::ViewsUpdate => Speed { burst: 40, each: Duration::from_millis(650) },
        }
    }
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SlackError {
    /// Slack understood and said no: its word for why.
    #[error("{method}: Slack says {word}")]
    Refused {
        /// Which method.
        method: &'static str,
        /// Slack's word.
        word: String,
    },
    /// Too many calls: again after this time.
    #[error("{method}: Slack asks to wait for {} s", after.as_secs())]
    RateLimited {
        /// Which method.
        method: &'static str,
        /// How long.
        after: Duration,
    },
    /// No connection came about: nothing was sent.
    #[error("{method}: Slack cannot be reached")]
    Unreachable {
        /// Which method.
        method: &'static str,
    },
    /// It was sent, and no answer that could be understood came back: Slack may have done it.
    #[error("{method}: Slack gave no answer that could be understood")]
    Unclear {
        /// Which method.
        method: &'static str,
    },
}

impl SlackError {
    /// Whether trying again later can help.
    pub(super) fn is_passing(&self) -> bool {
        const PASSING: [&str; 6] = [
            "internal_error",
            "fatal_error",
            "service_unavailable",
            "request_timeout",
            "ratelimited",
            "rate_limited",
        ];
        match self {
            Self::Refused { word, .. } => PASSING.contains(&word.as_str()),
            Self::RateLimited { .. } | Self::Unreachable { .. } | Self::Unclear { .. } => true,
        }
    }

    const fn label(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unreachable { .. } => "unreachable",
            Self::Unclear { .. } => "unclear",
        }
    }
}

/// One workspace's Web API.
#[derive(Debug)]
pub(super) struct WebApi {
    http: reqwest::Client,
    base: String,
    token: Secret,
    pace: Pace,
    /// Real time takes its pace from Slack; tests may be quicker.
    haste: u32,
}

impl WebApi {
    /// Speaks with this token to the API at `base`. `haste` divides the pace that is kept; 1 is Slack's own.
    pub(super) fn new(base: &str, token: Secret, haste: u32) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIME)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, token, pace: Pace::default(), haste: haste.max(1) })
    }

    /// Calls a method with the bot's token, when its turn has come. Gives Slack's answer.
    pub(super) async fn call(&self, method: Method, body: &Value) -> Result<Value, SlackError> {
        self.call_as(&self.token, method, body).await
    }

    /// The same with another token.
    pub(super) async fn call_as(
        &self,
        token: &Secret,
        method: Method,
        body: &Value,
    ) -> Result<Value, SlackError> {
        let lane = lane(method, body);
        let speed = Speed { each: method.speed().each / self.haste, ..method.speed() };
        sleep(self.pace.take(&lane, speed, Instant::now())).await;
        let outcome = self.send(token, method, body).await;
        if let Err(SlackError::RateLimited { after, .. }) = &outcome {
            self.pace.hold(&lane, speed, *after, Instant::now());
        }
        let result = outcome.as_ref().map_or_else(SlackError::label, |_| "ok");
        counter!("postern_slack_calls_total", "method" => method.as_str(), "result" => result).increment(1);
        outcome
    }

    async fn send(&self, token: &Secret, method: Method, body: &Value) -> Result<Value, SlackError> {
        let name = method.as_str();
        let call = self.http.post(format!("{}/{name}", self.base)).bearer_auth(token.reveal());
        let call = if method.takes_json() {
            let text = serde_json::to_vec(body).map_err(|_| SlackError::Unclear { method: name })?;
            call.header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(text)
        } else {
            call.form(body)
        };
        let answer = call.send().await.map_err(|error| failed(name, &error))?;
        read(name, answer).await
    }

    /// Answers where a command or a button came from. The address was Slack's, in a call that it has signed.
    pub(super) async fn respond(&self, url: &str, body: &Value) -> Result<(), SlackError> {
        let method = "response_url";
        let url = Url::parse(url).ok().filter(|url| is_private(url, "https", "http"));
        let url = url.ok_or(SlackError::Unreachable { method })?;
        let text = serde_json::to_vec(body).map_err(|_| SlackError::Unclear { method })?;
        let call = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(text);
        let answer = call.send().await.map_err(|error| failed(method, &error))?;
        let outcome = if answer.status().is_success() {
            Ok(())
        } else {
            let word = answer.status().as_str().to_owned();
            Err(SlackError::Refused { method, word })
        };
        let result = outcome.as_ref().map_or_else(SlackError::label, |()| "ok");
        counter!("postern_slack_calls_total", "method" => method, "result" => result).increment(1);
        outcome
    }
}

/// Messages are counted for each channel, everything else for each method.
fn lane(method: Method, body: &Value) -> String {
    let channel = body.get("channel").and_then(Value::as_str).filter(|_| method == Method::PostMessage);
    format!("{} {}", method.as_str(), channel.unwrap_or_default())
}

fn failed(method: &'static str, error: &reqwest::Error) -> SlackError {
    if error.is_connect() { SlackError::Unreachable { method } } else { SlackError::Unclear { method } }
}

async fn read(method: &'static str, answer: reqwest::Response) -> Result<Value, SlackError> {
    let unclear = SlackError::Unclear { method };
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        let seconds =
            answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        return Err(SlackError::RateLimited { method, after: seconds.map_or(WAIT, Duration::from_secs) });
    }
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        return Err(SlackError::Refused { method, word: "service_unavailable".to_owned() });
    }
    let body = bounded(answer).await.ok_or(unclear.clone())?;
    let body: Value = serde_json::from_slice(&body).map_err(|_| unclear.clone())?;
    match body.get("ok").and_then(Value::as_bool) {
        Some(true) => Ok(body),
        Some(false) => {
            let word = body.get("error").and_then(Value::as_str).unwrap_or("no reason");
            let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_' || *letter == ' ';
            Err(SlackError::Refused { method, word: word.chars().filter(plain).take(80).collect() })
        }
        None => Err(unclear),
    }
}

async fn bounded(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        if chunk.len() > LONGEST_ANSWER.saturating_sub(body.len()) {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

//! The calls that Slack makes: commands, clicks, dialogs, events; signed, or over a socket.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    blocks::{self, Faults, Surface},
    modal::Modal,
    server::{SIGNING_SECRET, Slack, Way},
    workspace::{APP, BOT, CHANNEL, Message, TEAM},
};
use crate::wait::{until, until_some};

/// What the app said to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Over HTTP its status; over a socket 200 when it was acknowledged.
    pub status: u16,
    /// The answer, or `Null`.
    pub body: Value,
}

/// A header pair: the time and the signature.
#[derive(Clone, Debug)]
pub struct Seal {
    /// Seconds since the Unix epoch.
    pub timestamp: String,
    /// `v0=…`
    pub signature: String,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

impl Seal {
    /// Signs a body, as of `late` seconds ago.
    pub fn of(body: &str, late: u64) -> Self {
        Self::with(SIGNING_SECRET, body, late)
    }

    /// The same with any secret.
    pub fn with(secret: &str, body: &str, late: u64) -> Self {
        let timestamp = (now() - late).to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("v0:{timestamp}:{body}").as_bytes());
        let signature = format!("v0={}", postern_service::random::hex(tag.as_ref()));
        Self { timestamp, signature }
    }
}

/// What is called: the address, the kind of envelope, the payload.
struct Call {
    path: &'static str,
    envelope: &'static str,
    payload: Value,
}

impl Call {
    /// The body that goes over HTTP.
    fn body(&self) -> String {
        match self.path {
            "/slack/commands" => form(&self.payload),
            "/slack/interactions" => form(&json!({"payload": self.payload.to_string()})),
            _ => self.payload.to_string(),
        }
    }
}

fn form(fields: &Value) -> String {
    let fields = fields.as_object().expect("a form has fields");
    let pairs = fields.iter().map(|(name, value)| (name, value.as_str().unwrap_or_default()));
    let mut url = reqwest::Url::parse("http://form/").expect("an address");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

impl Slack {
    /// One call over HTTP with headers of the caller's choice.
    pub async fn post(&self, path: &str, body: &str, seal: &Seal) -> Answer {
        let Way::Http(base) = self.way.lock().expect("not poisoned").clone() else {
            panic!("calls go over Socket Mode")
        };
        let kind =
            if path == "/slack/events" { "application/json" } else { "application/x-www-form-urlencoded" };
        let call = self
            .http
            .post(format!("{base}{path}"))
            .header("content-type", kind)
            .header("x-slack-request-timestamp", &seal.timestamp)
            .header("x-slack-signature", &seal.signature)
            .body(body.to_owned());
        let answer = call.send().await.expect("the control plane answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is text");
        if status == StatusCode::OK && !text.is_empty() {
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            return Answer { status: 200, body };
        }
        Answer { status: status.as_u16(), body: Value::Null }
    }

    async fn deliver(&self, call: Call) -> Answer {
        let way = self.way.lock().expect("not poisoned").clone();
        match way {
            Way::Http(_) => {
                let body = call.body();
                self.post(call.path, &body, &Seal::of(&body, 0)).await
            }
            Way::Socket => {
                let body = self.sockets.deliver(call.envelope, &call.payload).await;
                Answer { status: 200, body }
            }
        }
    }

    fn command_call(&self, user: &str, text: &str) -> Call {
        let trigger = self.state.lock().trigger(user);
        let name = self.state.lock().next();
        let payload = json!({
            "team_id": TEAM, "team_domain": "postern", "api_app_id": APP, "channel_id": CHANNEL,
            "channel_name": "approvers", "user_id": user, "user_name": user.to_lowercase(), "command": "/postern",
            "text": text, "response_url": format!("{}/response/{name}-{user}", self.base), "trigger_id": trigger,
            "is_enterprise_install": "false",
        });
        Call { path: "/slack/commands", envelope: "slash_commands", payload }
    }

    /// Waits until the app answers over HTTP.
    pub async fn is_served(&self) {
        until("the app", async || self.deliver(self.command_call(BOT, "help")).await.status == 200).await;
    }

    /// The body of a command, for calls that are not as they should be.
    pub fn command_body(&self, user: &str, text: &str) -> String {
        self.command_call(user, text).body()
    }

    /// Somebody types `/postern …`. Gives the text that they see.
    pub async fn command(&self, user: &str, text: &str) -> String {
        let call = self.command_call(user, text);
        let name = call.payload["response_url"].as_str().unwrap_or_default().to_owned();
        let answer = self.deliver(call).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if let Some(text) = answer.body["text"].as_str() {
            assert_eq!(answer.body["response_type"], "ephemeral", "{answer:?}");
            self.shows(&answer.body);
            return text.to_owned();
        }
        let late = async || {
            let state = self.state.lock();
            let found = state.responses.iter().find(|(at, _)| name.ends_with(at.as_str()))?;
            Some(found.1["text"].as_str().unwrap_or_default().to_owned())
        };
        if text.starts_with("request") || text.starts_with("review") {
            return String::new();
        }
        until_some("the late answer to a command", late).await
    }

    /// Somebody types `/postern …`. Gives what they see, with its buttons.
    pub async fn list(&self, user: &str, text: &str) -> Message {
        let answer = self.deliver(self.command_call(user, text)).await;
        assert_eq!(answer.body["response_type"], "ephemeral", "{answer:?}");
        self.shows(&answer.body);
        let said = answer.body["text"].as_str().unwrap_or_default().to_owned();
        Message {
            channel: CHANNEL.to_owned(),
            ts: self.state.lock().ts(),
            text: said,
            blocks: answer.body["blocks"].clone(),
            metadata: Value::Null,
            only_for: Some(user.to_owned()),
            changes: 0,
        }
    }

    /// Looks at the blocks of an answer as Slack does.
    fn shows(&self, body: &Value) {
        let mut faults = Faults::default();
        if body.get("blocks").is_some() {
            blocks::check(&mut faults, &body["blocks"], Surface::Message);
        }
        self.state.lock().violations.extend(faults.into_inner());
    }

    /// Somebody presses a button of a message.
    pub async fn click(&self, user: &str, message: &Message, action_id: &str) -> Answer {
        let button = super::render::button(&message.blocks, action_id)
            .unwrap_or_else(|| panic!("no button {action_id} in\n{}", super::rendered(message)));
        let container = json!({"type": "message", "message_ts": message.ts, "channel_id": message.channel});
        let more = json!({
            "container": container, "channel": {"id": message.channel}, "message": message.json(true),
            "response_url": format!("{}/response/{}-{user}", self.base, self.state.lock().next()),
        });
        self.act(user, &button, more).await
    }

    /// Somebody presses a button of their home tab.
    pub async fn click_home(&self, user: &str, action_id: &str) -> Answer {
        let view = self.home(user).await;
        let button = super::render::button(&view["blocks"], action_id);
        let button = button.unwrap_or_else(|| panic!("no button {action_id} in {view:#}"));
        let container = json!({"type": "view", "view_id": view["id"]});
        self.act(user, &button, json!({"container": container, "view": view})).await
    }

    /// A button comes back with any name and value, whether or not anybody was shown it.
    pub async fn press(&self, user: &str, action_id: &str, value: &str) -> Answer {
        let response = format!("{}/response/{}-{user}", self.base, self.state.lock().next());
        let button = json!({"type": "button", "action_id": action_id, "value": value});
        self.act(user, &button, json!({"response_url": response})).await
    }

    /// Something with an `action_id` was used.
    pub(super) async fn act(&self, user: &str, element: &Value, more: Value) -> Answer {
        let trigger = self.state.lock().trigger(user);
        let at = self.state.lock().ts();
        let mut action = element.clone();
        action["action_ts"] = json!(at);
        let mut payload = json!({
            "type": "block_actions", "team": {"id": TEAM, "domain": "postern"}, "user": {"id": user, "team_id": TEAM},
            "api_app_id": APP, "token": "old", "trigger_id": trigger, "actions": [action],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            payload[name] = value.clone();
        }
        self.interact(payload).await
    }

    /// Slack sends an interaction.
    pub(super) async fn interact(&self, payload: Value) -> Answer {
        self.deliver(Call { path: "/slack/interactions", envelope: "interactive", payload }).await
    }

    /// Somebody opens the app's home tab, and waits until it shows something new.
    pub async fn open_home(&self, user: &str) -> Value {
        let before = self.home_hash(user);
        let event =
            json!({"type": "app_home_opened", "user": user, "channel": format!("D{user}"), "tab": "home"});
        self.event(event).await;
        until_some("a home tab", async || (self.home_hash(user) > before).then_some(())).await;
        self.home(user).await
    }

    fn home_hash(&self, user: &str) -> u64 {
        self.state.lock().homes.get(user).map_or(0, |home| home.hash)
    }

    /// The home tab as it stands.
    pub async fn home(&self, user: &str) -> Value {
        let home = async || self.state.lock().homes.get(user).cloned();
        let home = until_some("a home tab", home).await;
        let mut view = home.shown;
        view["id"] = json!(home.id);
        view["hash"] = json!(home.hash.to_string());
        view
    }

    /// Slack tells of an event.
    pub async fn event(&self, event: Value) -> Answer {
        let id = format!("Ev{}", self.state.lock().next());
        let payload = json!({
            "type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event_id": id, "event_time": now(),
            "event": event,
        });
        self.deliver(Call { path: "/slack/events", envelope: "events_api", payload }).await
    }

    /// Waits for a dialog to open for somebody, and takes it in hand.
    pub async fn dialog(&self, user: &str) -> Modal<'_> {
        let open = async || {
            let state = self.state.lock();
            state.views.iter().rev().find(|view| view.user == user).map(|view| view.id.clone())
        };
        let id = until_some(&format!("a dialog for {user}"), open).await;
        Modal::new(self, user, &id)
    }
}

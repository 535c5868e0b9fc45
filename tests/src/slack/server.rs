//! The double itself: its addresses, and what people see in it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    faults::Fault,
    socket::Sockets,
    web_api::{self, FORMS},
    workspace::{CHANNEL, Message, User, Workspace},
};
use crate::{rest::install_tls, wait::until_some};

/// The bot's token.
const BOT_TOKEN: &str = "xoxb-the-bot-token-of-the-double";
/// The app's token.
const APP_TOKEN: &str = "xapp-the-app-token-of-the-double";
/// What calls are signed with.
pub(super) const SIGNING_SECRET: &str = "the-signing-secret-of-the-double";

/// How many workspaces there were.
static SPACES: AtomicU64 = AtomicU64::new(0);

/// How Slack's calls reach the app.
#[derive(Clone, Debug)]
pub enum Way {
    /// Over HTTP, to the control plane at this address.
    Http(String),
    /// Over Socket Mode.
    Socket,
}

/// A Slack workspace.
#[derive(Debug)]
pub struct Slack {
    pub(super) state: Shared,
    pub(super) http: reqwest::Client,
    pub(super) way: Mutex<Way>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) base: String,
}

/// The workspace, shared by the double's parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Workspace>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Workspace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Desk {
    state: Shared,
    socket: String,
}

impl Slack {
    /// Starts one. Nobody is in it yet, and the app is reached over Socket Mode until [`Slack::reach`] says otherwise.
    pub async fn start() -> Self {
        install_tls();
        let state = Shared::default();
        // No two workspaces ever call with the same trigger.
        state.lock().begin_at(SPACES.fetch_add(1, Ordering::Relaxed) * 1_000_000);
        let sockets = Sockets::start().await;
        let desk = Desk { state: state.clone(), socket: sockets.url() };
        let router = Router::new()
            .route("/api/{method}", post(api))
            .route("/response/{name}", post(respond))
            .with_state(desk);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let base = format!("http://{}", listener.local_addr().expect("it listens"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        Self { state, http, way: Mutex::new(Way::Socket), sockets, base }
    }

    /// From now on calls go this way.
    pub fn reach(&self, way: Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    /// The `[slack]` section of an app in this workspace.
    pub fn config(&self, socket_mode: bool, link: &str) -> String {
        let app_token = if socket_mode { format!("app_token = \"{APP_TOKEN}\"\n") } else { String::new() };
        format!(
            "[slack]\nbot_token = \"{BOT_TOKEN}\"\nsigning_secret = \"{SIGNING_SECRET}\"\n{app_token}\
             channel = \"{CHANNEL}\"\napi_url = \"{}/api\"\nlink = \"{link}\"\n",
            self.base
        )
    }

    /// Words that nobody may see in a message or a log.
    pub fn secrets(&self) -> [&'static str; 3] {
        [BOT_TOKEN, APP_TOKEN, SIGNING_SECRET]
    }

    /// Somebody joins. `more` is what differs in their profile.
    pub fn add(&self, id: &str, email: &str, more: Value) {
        let user = User { id: id.to_owned(), email: email.to_owned(), more };
        self.state.lock().users.insert(id.to_owned(), user);
    }

    /// Slack goes away, or comes back.
    pub fn be_down(&self, down: bool) {
        self.state.lock().down = down;
    }

    /// The next call of this method goes wrong.
    pub fn fail(&self, method: &str, fault: Fault) {
        self.state.lock().faults.push_back((method.to_owned(), fault));
    }

    /// The app may call so many times as fast as Slack says.
    pub fn haste(&self, haste: u32) {
        self.state.lock().limits.haste = haste;
    }

    /// How often the app was told to wait.
    pub fn limited(&self) -> u32 {
        self.state.lock().limited
    }

    /// How often a method was called and done.
    pub fn count(&self, method: &str) -> usize {
        self.state.lock().calls.iter().filter(|(name, _)| name == method).count()
    }

    /// What everybody sees in the approvers' channel.
    pub fn channel(&self) -> Vec<Message> {
        self.state.lock().in_channel().cloned().collect()
    }

    /// What the app wrote, wherever and to whomever.
    pub fn everywhere(&self) -> Vec<Message> {
        self.state.lock().messages.clone()
    }

    /// What the app wrote to somebody directly.
    pub fn direct(&self, user: &str) -> Vec<Message> {
        let channel = Workspace::direct(user);
        let all = self.state.lock().messages.clone();
        all.into_iter().filter(|message| message.channel == channel && message.only_for.is_none()).collect()
    }

    /// What only this user saw, wherever: answers to commands and clicks.
    pub fn whispers(&self, user: &str) -> Vec<String> {
        let state = self.state.lock();
        let whispered = state.messages.iter().filter(|message| message.only_for.as_deref() == Some(user));
        let answered = state.responses.iter().filter(|(name, _)| name.ends_with(user));
        whispered
            .map(|message| message.text.clone())
            .chain(answered.map(|(_, body)| body["text"].as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    /// Waits for a message in the approvers' channel.
    pub async fn posted(&self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        until_some(what, async || self.channel().into_iter().rev().find(&fits)).await
    }

    /// Waits for a direct message.
    pub async fn told(&self, user: &str, words: &str) -> Message {
        let fits = |message: &Message| super::rendered(message).contains(words);
        until_some(&format!("{words:?} to {user}"), async || self.direct(user).into_iter().rev().find(&fits))
            .await
    }

    /// Waits for something that only this user sees.
    pub async fn whispered(&self, user: &str, words: &str) -> String {
        let whisper = async || self.whispers(user).into_iter().rev().find(|text| text.contains(words));
        until_some(&format!("{words:?} for {user} alone"), whisper).await
    }

    /// Fails the test if the app has sent what Slack would refuse.
    pub fn check(&self) {
        let violations = &self.state.lock().violations;
        assert!(violations.is_empty(), "Slack would refuse this: {violations:#?}");
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

/// What becomes of a call before it is looked at.
fn disturbed(space: &mut Workspace, method: &str, body: &Value) -> Result<Option<Fault>, Disturbed> {
    if space.down {
        return Err(Disturbed::Status(StatusCode::SERVICE_UNAVAILABLE));
    }
    if let Some(at) = space.faults.iter().position(|(name, _)| name == method) {
        let fault = space.faults.remove(at).map(|(_, fault)| fault);
        return match fault {
            Some(Fault::Status(status)) => {
                Err(Disturbed::Status(StatusCode::from_u16(status).expect("a status")))
            }
            Some(Fault::Word(word)) => Err(Disturbed::Word(word)),
            Some(Fault::Wait(seconds)) => Err(Disturbed::Wait(seconds)),
            lost => Ok(lost),
        };
    }
    let channel =
        if method == "chat.postMessage" { body["channel"].as_str().unwrap_or_default() } else { "" };
    if !space.limits.admit(method, channel) {
        space.limited += 1;
        return Err(Disturbed::Wait(1));
    }
    Ok(None)
}

/// What comes in the place of an answer.
enum Disturbed {
    Status(StatusCode),
    Word(&'static str),
    Wait(u64),
}

impl IntoResponse for Disturbed {
    fn into_response(self) -> Response {
        match self {
            Self::Status(status) => status.into_response(),
            Self::Word(word) => Json(json!({"ok": false, "error": word})).into_response(),
            Self::Wait(seconds) => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
            }
        }
    }
}

fn parsed(method: &str, headers: &HeaderMap, body: &Bytes) -> Option<Value> {
    let kind = headers.get("content-type")?.to_str().ok()?;
    if FORMS.contains(&method) {
        let text = std::str::from_utf8(body).ok()?;
        let url = reqwest::Url::parse(&format!("http://form/?{text}")).ok()?;
        let fields =
            url.query_pairs().map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
        return kind.starts_with("application/x-www-form-urlencoded").then(|| fields.collect());
    }
    if !kind.starts_with("application/json") {
        return None;
    }
    serde_json::from_slice(body).ok()
}

async fn api(
    State(desk): State<Desk>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = if method == "apps.connections.open" { APP_TOKEN } else { BOT_TOKEN };
    if headers.get("authorization").is_none_or(|given| given != &format!("Bearer {token}")) {
        return Json(json!({"ok": false, "error": "invalid_auth"})).into_response();
    }
    let mut space = desk.state.lock();
    let Some(body) = parsed(&method, &headers, &body) else {
        space.violations.push(format!("{method}: the body is not of the kind that the method takes"));
        return Json(json!({"ok": false, "error": "invalid_form_data"})).into_response();
    };
    let lost = match disturbed(&mut space, &method, &body) {
        Ok(lost) => lost.is_some(),
        Err(disturbed) => return disturbed.into_response(),
    };
    let outcome = web_api::call(&mut space, &method, &body, &desk.socket);
    let answer = match outcome {
        Ok(mut answer) => {
            space.calls.push((method, body));
            answer["ok"] = json!(true);
            answer
        }
        Err(word) => json!({"ok": false, "error": word}),
    };
    if lost { StatusCode::BAD_GATEWAY.into_response() } else { Json(answer).into_response() }
}

async fn respond(State(desk): State<Desk>, Path(name): Path<String>, Json(body): Json<Value>) -> StatusCode {
    let mut space = desk.state.lock();
    if space.down {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if body["text"].as_str().is_none_or(str::is_empty) {
        space.violations.push(format!("response_url: no text in {body}"));
    }
    space.responses.push((name, body));
    StatusCode::OK
}

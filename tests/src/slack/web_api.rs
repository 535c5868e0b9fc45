//! The methods of the Web API that the app calls.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    blocks::{self, Faults, Surface},
    views,
    workspace::{APP, BOT, BOT_ID, CHANNEL, Message, TEAM, View, Workspace},
};

/// Slack gives three seconds. A busy machine gets more: what is tested is that a trigger is used once, by its owner.
const TRIGGER_SECONDS: u64 = 30;

/// Slack cuts what is longer.
const LONGEST_TEXT: usize = 4_000;

/// Methods that take a form and no JSON.
pub(super) const FORMS: [&str; 5] =
    ["auth.test", "bots.info", "apps.connections.open", "conversations.history", "users.info"];

type Outcome = Result<Value, String>;

/// Does what is asked. An error is Slack's word.
pub(super) fn call(space: &mut Workspace, method: &str, body: &Value, socket: &str) -> Outcome {
    match method {
        "auth.test" => Ok(json!({
            "url": "https://postern.slack.com/", "team": "Postern", "user": "postern", "team_id": TEAM,
            "user_id": BOT, "bot_id": BOT_ID, "is_enterprise_install": false,
        })),
        "bots.info" if body["bot"] == BOT_ID => Ok(
            json!({"bot": {"id": BOT_ID, "deleted": false, "name": "postern", "app_id": APP, "user_id": BOT}}),
        ),
        "bots.info" => Err("bot_not_found".to_owned()),
        "apps.connections.open" => Ok(json!({"url": socket})),
        "users.info" => {
            let user = space.users.get(text(body, "user")?).ok_or("user_not_found")?;
            Ok(json!({"user": user.profile()}))
        }
        "conversations.open" => {
            let user = text(body, "users")?;
            space.users.get(user).ok_or("user_not_found")?;
            Ok(json!({"channel": {"id": Workspace::direct(user)}, "no_op": true, "already_open": true}))
        }
        "conversations.history" => history(space, body),
        "chat.postMessage" => post(space, body),
        "chat.update" => update(space, body),
        "chat.postEphemeral" => whisper(space, body),
        "views.open" => open(space, body),
        "views.update" => change(space, body),
        "views.publish" => publish(space, body),
        _ => Err("unknown_method".to_owned()),
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, String> {
    body[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| format!("invalid_arguments {name}"))
}

fn refuse(space: &mut Workspace, word: &str, found: Vec<String>) -> Result<(), String> {
    if found.is_empty() {
        return Ok(());
    }
    space.violations.extend(found);
    Err(word.to_owned())
}

fn check_message(space: &mut Workspace, body: &Value) -> Result<(), String> {
    let mut faults = Faults::default();
    let known = [
        "channel",
        "user",
        "ts",
        "text",
        "blocks",
        "metadata",
        "unfurl_links",
        "unfurl_media",
        "thread_ts",
        "parse",
        "link_names",
        "mrkdwn",
        "reply_broadcast",
    ];
    faults.keys("message", body, &known);
    faults.length("message.text", &body["text"], LONGEST_TEXT);
    if body.get("blocks").is_some() {
        blocks::check(&mut faults, &body["blocks"], Surface::Message);
    }
    if let Some(metadata) = body.get("metadata") {
        faults.keys("message.metadata", metadata, &["event_type", "event_payload"]);
        faults.length("message.metadata.event_type", &metadata["event_type"], 255);
        if !metadata["event_payload"].is_object() {
            faults.say("message.metadata", "event_payload is no object");
        }
    }
    refuse(space, "invalid_blocks", faults.into_inner())
}

fn channel(space: &Workspace, body: &Value) -> Result<String, String> {
    let channel = text(body, "channel")?;
    if space.has_channel(channel) { Ok(channel.to_owned()) } else { Err("channel_not_found".to_owned()) }
}

fn message(body: &Value, channel: String, ts: String) -> Message {
    Message {
        channel,
        ts,
        text: body["text"].as_str().unwrap_or_default().to_owned(),
        blocks: body["blocks"].clone(),
        metadata: body["metadata"].clone(),
        only_for: None,
        changes: 0,
    }
}

fn post(space: &mut Workspace, body: &Value) -> Outcome {
    let channel = channel(space, body)?;
    check_message(space, body)?;
    let ts = space.ts();
    let message = message(body, channel.clone(), ts.clone());
    let answer = json!({"channel": channel, "ts": ts, "message": message.json(false)});
    space.messages.push(message);
    Ok(answer)
}

fn whisper(space: &mut Workspace, body: &Value) -> Outcome {
    let channel = channel(space, body)?;
    check_message(space, body)?;
    let user = text(body, "user")?.to_owned();
    let ts = space.ts();
    let only_for = Some(user);
    space.messages.push(Message { only_for, ..message(body, channel, ts.clone()) });
    Ok(json!({"message_ts": ts}))
}

fn update(space: &mut Workspace, body: &Value) -> Outcome {
    let channel = channel(space, body)?;
    let ts = text(body, "ts")?.to_owned();
    check_message(space, body)?;
    let found = space.messages.iter_mut().find(|message| message.channel == channel && message.ts == ts);
    let before = found.filter(|message| message.only_for.is_none()).ok_or("message_not_found")?;
    let metadata =
        if body.get("metadata").is_some() { body["metadata"].clone() } else { before.metadata.clone() };
    let changes = before.changes + 1;
    *before = Message { metadata, changes, ..message(body, channel.clone(), ts.clone()) };
    Ok(json!({"channel": channel, "ts": ts, "text": body["text"]}))
}

fn history(space: &Workspace, body: &Value) -> Outcome {
    let channel = channel(space, body)?;
    let with_metadata = body["include_all_metadata"] == "true";
    let limit = body["limit"].as_str().and_then(|limit| limit.parse().ok()).unwrap_or(100);
    let there = space
        .messages
        .iter()
        .rev()
        .filter(|message| message.channel == channel && message.only_for.is_none());
    let messages: Vec<Value> = there.take(limit).map(|message| message.json(with_metadata)).collect();
    Ok(json!({"messages": messages, "has_more": false}))
}

fn open(space: &mut Workspace, body: &Value) -> Outcome {
    let (user, made) = space.triggers.remove(text(body, "trigger_id")?).ok_or("exchanged_trigger_id")?;
    if made.elapsed().as_secs() > TRIGGER_SECONDS {
        return Err("expired_trigger_id".to_owned());
    }
    refuse(space, "invalid_arguments", views::check(&body["view"], Surface::Modal))?;
    let id = format!("V{}", space.next());
    let view = View { id, user, hash: space.next(), shown: body["view"].clone() };
    let answer = json!({"view": {"id": view.id, "hash": view.hash.to_string()}});
    space.views.push(view);
    Ok(answer)
}

fn change(space: &mut Workspace, body: &Value) -> Outcome {
    let id = text(body, "view_id")?.to_owned();
    refuse(space, "invalid_arguments", views::check(&body["view"], Surface::Modal))?;
    let hash = space.next();
    let view = space.views.iter_mut().find(|view| view.id == id).ok_or("not_found")?;
    if body.get("hash").is_some_and(|known| known.as_str() != Some(&view.hash.to_string())) {
        return Err("hash_conflict".to_owned());
    }
    (view.hash, view.shown) = (hash, body["view"].clone());
    Ok(json!({"view": {"id": view.id, "hash": hash.to_string()}}))
}

fn publish(space: &mut Workspace, body: &Value) -> Outcome {
    let user = text(body, "user_id")?.to_owned();
    space.users.get(&user).ok_or("user_not_found")?;
    refuse(space, "invalid_arguments", views::check(&body["view"], Surface::Home))?;
    let (id, hash) = (format!("VH{user}"), space.next());
    space.homes.insert(user.clone(), View { id: id.clone(), user, hash, shown: body["view"].clone() });
    Ok(json!({"view": {"id": id, "hash": hash.to_string()}}))
}

impl Workspace {
    /// A trigger that opens one dialog for this user.
    pub(super) fn trigger(&mut self, user: &str) -> String {
        let trigger = format!("{}.{}.trigger", self.next(), user);
        self.triggers.insert(trigger.clone(), (user.to_owned(), Instant::now()));
        trigger
    }

    /// The messages of the approvers' channel that everybody sees.
    pub(super) fn in_channel(&self) -> impl Iterator<Item = &Message> {
        let seen = |message: &&Message| message.channel == CHANNEL && message.only_for.is_none();
        self.messages.iter().filter(seen)
    }
}

//! An event in plain English.

use serde_json::Value;

use crate::events::Event;

/// An event as people read it.
pub(super) struct Words {
    /// One sentence without a stop.
    pub headline: String,
    /// What is to be said beside it: name and value.
    pub facts: Vec<(&'static str, String)>,
    /// Where to look.
    pub link: String,
}

impl Words {
    /// Of an event.
    pub(super) fn of(event: &Event, public_url: &str) -> Self {
        let detail = |name: &str| event.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let facts = [
            ("Identity", event.identity.clone()),
            ("Repo", event.repo.clone()),
            ("Account", event.account.clone()),
            ("Duration", detail("duration")),
            ("Until", detail("expires_at")),
            ("Reason", detail("reason")),
            ("By", event.actor.clone()),
            ("Request", event.request.clone()),
            ("Grant", event.grant.clone()),
        ];
        let facts = facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { headline: headline(event), facts, link: link(event, public_url) }
    }
}

fn headline(event: &Event) -> String {
    let who = event.identity.as_deref().unwrap_or("somebody");
    let repo = event.repo.as_deref().unwrap_or("a repo");
    match event.kind.as_str() {
        "request.created" => format!("{who} asks for access to {repo}"),
        "request.amended" => format!("{who} asks for something else at {repo}"),
        "request.reviewed" => format!("The request of {who} for {repo} was reviewed"),
        "request.approved" => format!("The request of {who} for {repo} was approved"),
        "request.rejected" => format!("The request of {who} for {repo} was rejected"),
        "request.cancelled" => format!("The request of {who} for {repo} was withdrawn"),
        "request.expired" => format!("Nobody decided the request of {who} for {repo} in time"),
        "request.refused" => format!("{who} asked for access to {repo}, and no rule allows it"),
        "grant.created" => format!("{who} was given access to {repo}"),
        "grant.began" => format!("The access of {who} to {repo} begins"),
        "grant.extended" => format!("The access of {who} to {repo} was extended"),
        "grant.shrunk" => format!("The access of {who} to {repo} was narrowed"),
        "grant.revoked" => format!("The access of {who} to {repo} was revoked"),
        "grant.expired" => format!("The access of {who} to {repo} has run out"),
        "session.opened" => format!("{who} connected to {repo}"),
        "session.ended" => format!("A session of {who} at {repo} ended"),
        "session.killed" => format!("A session of {who} at {repo} was killed"),
        "identity.disabled" => format!("{who} was deactivated"),
        "identity.enabled" => format!("{who} was activated"),
        "webhook.ping" => "Postern can reach this place".to_owned(),
        // Every other kind is said by its own word.
        other => format!("Postern: {other}"),
    }
}

fn link(event: &Event, public_url: &str) -> String {
    let base = public_url.trim_end_matches('/');
    match &event.request {
        Some(request) => format!("{base}/requests/{request}"),
        None => base.to_owned(),
    }
}

/// Text that says the same where Markdown is read: no emphasis, no link, nobody mentioned.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // A name of a channel or a person is not one with this in it; it has no width.
            '@' => out.push_str("@\u{200b}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '<' | '>'
            | '~' => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

//! Slash commands: the words behind `/postern`.

mod help;
mod list;
mod mine;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    callback::Command,
    config::LinkBy,
    desk::Slack,
    links::{Unlinked, untie},
    records::Link,
    text::{code, escape},
};

/// Does what a command says. The answer is for the one who gave it alone.
pub(super) async fn run(slack: &Arc<Slack>, command: &Command) -> Value {
    let words: Vec<&str> = command.text.split_whitespace().collect();
    let known = match words.as_slice() {
        ["connect"] => connect(slack, command).await,
        ["disconnect"] => disconnect(slack, command).await,
        ["list", "repos", words @ ..] => list::repos(slack, command, words).await,
        ["list", "sidecars"] => list::sidecars(slack, command).await,
        ["request", rest @ ..] => mine::request(slack, command, rest).await,
        ["my", "requests"] => mine::my_requests(slack, command).await,
        ["review"] => mine::review(slack, command).await,
        ["revoke", id] => mine::revoke(slack, command, id).await,
        ["status", id] => mine::status(slack, command, id).await,
        [] | ["help", ..] => return quiet(&help::text(&command.command)),
        _ => {
            let text = format!("{} is no command.\n{}", code(&command.text), help::text(&command.command));
            return quiet(&text);
        }
    };
    known.unwrap_or_else(|unlinked| quiet(&unlinked_text(&unlinked, &command.command)))
}

/// An answer that only the one who asked sees.
pub(super) fn quiet(text: &str) -> Value {
    json!({"response_type": "ephemeral", "text": text})
}

/// What somebody is told who is nobody here.
pub(super) fn unlinked_text(unlinked: &Unlinked, command: &str) -> String {
    match unlinked {
        Unlinked::Unknown => format!("Connect your account first: {}", code(&format!("{command} connect"))),
        Unlinked::Failure(failure) => failure_text(failure),
        Unlinked::NotReady | Unlinked::Unfit(_) | Unlinked::Stranger(_) | Unlinked::Slack(_) => {
            format!("This did not work: {}.", escape(&unlinked.to_string()))
        }
    }
}

/// What somebody is told of a failure: a refusal in its own words, nothing of the rest.
pub(super) fn failure_text(failure: &crate::actions::Failure) -> String {
    match failure {
        crate::actions::Failure::Refused(refusal) => format!("Refused: {}.", escape(&refusal.to_string())),
        crate::actions::Failure::Store(_) | crate::actions::Failure::Random(_) => {
            tracing::error!(%failure, "something asked for in Slack could not be done");
            "Something went wrong here, and nothing was done. Try again in a while.".to_owned()
        }
    }
}

async fn connect(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    let text = match slack.config.link {
        LinkBy::Email => connected_as(&slack.linked(&command.user_id).await?),
        LinkBy::Browser => {
            let before = slack.link_of(&command.user_id).await?;
            way_in(&slack.invite(&command.user_id).await?, before.as_ref())
        }
    };
    Ok(quiet(&text))
}

fn connected_as(link: &Link) -> String {
    format!("You are connected as {}.", code(link.identity.as_str()))
}

/// Where to connect in the browser.
pub(super) fn way_in(url: &str, before: Option<&Link>) -> String {
    let before = before.map(|link| format!("{} To change that:\n", connected_as(link))).unwrap_or_default();
    format!(
        "{before}<{url}|Sign in, and connect your Slack user>.\n\
         The link is good once, for ten minutes, and for you alone: pass it on to nobody."
    )
}

async fn disconnect(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    let was = untie(&slack.plane, &command.team_id, &command.user_id).await?;
    Ok(quiet(if was { "You are disconnected." } else { "You were not connected." }))
}

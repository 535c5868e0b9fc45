//! Commands about requests: `request`, `my requests`, `review`, `revoke`, `status`.

use std::sync::Arc;

use postern_protocol::duration::Span;
use serde_json::{Value, json};

use super::{
    super::{
        buttons::true_state,
        callback::Command,
        case::{Standing, standing},
        desk::Slack,
        dialog::{self, Form},
        home,
        kit::{Style, asking, button, section, section_with},
        links::Unlinked,
        message::{button_id, place, when},
    },
    code, quiet,
};
use crate::{
    actions::Failure,
    domain::{Grant, Request},
    store::{self, Filter},
};

const WEEK: Span = Span::from_secs(7 * 86_400);
const MOST: usize = 30;

/// Opens the dialog, filled with what was typed.
pub(super) async fn request(
    slack: &Arc<Slack>,
    command: &Command,
    words: &[&str],
) -> Result<Value, Unlinked> {
    let link = slack.linked(&command.user_id).await?;
    dialog::open_request(slack, link, &command.trigger_id, Form::typed(words)).await?;
    Ok(quiet("A dialog opens. If it does not, try again."))
}

fn line(request: &Request, grant: Option<&Grant>, state: Standing) -> String {
    let place = place(request);
    let until =
        grant.filter(|_| state == Standing::Active).map(|grant| format!(" until {}", when(grant.expires_at)));
    let id = code(request.id.as_str());
    format!("• {id} {place}: {}{}", state.as_str(), until.unwrap_or_default())
}

/// What is under way, each with the button that ends it, and what the last seven days brought.
pub(super) async fn my_requests(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    let link = slack.linked(&command.user_id).await?;
    let own = own_requests(slack, link.identity.as_str()).await?;
    if own.is_empty() {
        return Ok(quiet("You have no active access, and asked for nothing in the last seven days."));
    }
    let mut lines = vec!["*Your requests*".to_owned()];
    let (mut blocks, mut over) = (vec![section("*Your requests*")], Vec::new());
    for (request, grant, state) in &own {
        let line = line(request, grant.as_ref(), *state);
        match end(request, *state) {
            Some(button) => blocks.push(section_with(&line, &button)),
            None => over.push(line.clone()),
        }
        lines.push(line);
    }
    if !over.is_empty() {
        blocks.push(section(&over.join("\n")));
    }
    Ok(json!({"response_type": "ephemeral", "text": lines.join("\n"), "blocks": blocks}))
}

/// The button that ends what is under way.
fn end(request: &Request, state: Standing) -> Option<Value> {
    let id = request.id.as_str();
    match state {
        Standing::Waiting => Some(button(button_id::CANCEL, "Withdraw", id, Style::Plain)),
        Standing::Scheduled | Standing::Active => {
            let back = button(button_id::REVOKE, "Give back", id, Style::Danger);
            Some(asking(back, "Your sessions end at once.", "Give back"))
        }
        Standing::Ended
        | Standing::Revoked
        | Standing::Rejected
        | Standing::Cancelled
        | Standing::Undecided
        | Standing::Failed
        | Standing::Extended => None,
    }
}

async fn own_requests(
    slack: &Slack,
    identity: &str,
) -> Result<Vec<(Request, Option<Grant>, Standing)>, Failure> {
    let now = slack.plane.clock.now();
    let mut tx = slack.plane.store.read().await?;
    let own = Filter { identity: Some(identity.to_owned()), limit: Some(500), ..Filter::default() };
    let mut found = Vec::new();
    for request in store::find_all::<Request>(&mut *tx, &own).await? {
        let grant: Option<Grant> = match &request.grant {
            Some(grant) => store::load(&mut *tx, grant.as_str()).await?,
            None => None,
        };
        let state = standing(&request, grant.as_ref(), now);
        let open = matches!(state, Standing::Waiting | Standing::Scheduled | Standing::Active);
        if open || request.created_at >= now.minus(WEEK) {
            found.push((request, grant, state));
        }
        if found.len() == MOST {
            break;
        }
    }
    Ok(found)
}

/// What waits for whoever asks.
pub(super) async fn review(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    let acting = slack.acting_user(&command.user_id).await?;
    let waiting = home::waiting_for(slack, &acting).await?;
    if waiting.is_empty() {
        return Ok(quiet("Nothing waits for you."));
    }
    let lines = waiting.iter().take(MOST).map(|request| {
        let (id, who) = (code(request.id.as_str()), code(request.identity.as_str()));
        format!("• {id} {} by {who} for {}", home::wish(request), request.duration)
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    Ok(quiet(&format!("*Waiting for you* (decide in the channel or in the app's home tab)\n{lines}")))
}

/// Ends a grant, by its own id or by its request's.
pub(super) async fn revoke(slack: &Arc<Slack>, command: &Command, id: &str) -> Result<Value, Unlinked> {
    let acting = slack.acting_user(&command.user_id).await?;
    let grant = if id.starts_with("g_") {
        id.to_owned()
    } else {
        let filed = acting.show(id).await?;
        let Some(grant) = &filed.request.grant else { return Ok(quiet(&true_state(&filed))) };
        grant.to_string()
    };
    acting.revoke(&grant, "").await?;
    Ok(quiet(&format!("{} is revoked, and its sessions have ended.", code(&grant))))
}

/// How a request stands.
pub(super) async fn status(slack: &Arc<Slack>, command: &Command, id: &str) -> Result<Value, Unlinked> {
    let acting = slack.acting_user(&command.user_id).await?;
    let filed = acting.show(id).await?;
    let state = standing(&filed.request, filed.grant.as_ref(), filed.now);
    let mut lines = vec![line(&filed.request, filed.grant.as_ref(), state)];
    lines.extend(filed.request.reviews.iter().map(super::super::message::review));
    Ok(quiet(&lines.join("\n")))
}

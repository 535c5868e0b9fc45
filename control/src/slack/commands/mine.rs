//! Commands about requests: `request`, `my requests`, `review`, `revoke`, `status`.

use std::sync::Arc;

use postern_protocol::duration::Span;
use serde_json::Value;

use super::{
    super::{
        buttons::true_state,
        callback::Command,
        case::{Standing, standing},
        desk::Slack,
        dialog::{self, Form},
        home,
        links::Unlinked,
        message::when,
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
    let place = format!("{} of {}", code(request.account.as_str()), code(request.repo.as_str()));
    let until =
        grant.filter(|_| state == Standing::Active).map(|grant| format!(" until {}", when(grant.expires_at)));
    let id = code(request.id.as_str());
    format!("• {id} {place}: {}{}", state.as_str(), until.unwrap_or_default())
}

/// What is under way, and what the last seven days brought.
pub(super) async fn my_requests(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    let link = slack.linked(&command.user_id).await?;
    let lines = own_lines(slack, link.identity.as_str()).await?;
    if lines.is_empty() {
        return Ok(quiet("You have no active access, and asked for nothing in the last seven days."));
    }
    Ok(quiet(&format!("*Your requests*\n{}", lines.join("\n"))))
}

async fn own_lines(slack: &Slack, identity: &str) -> Result<Vec<String>, Failure> {
    let now = slack.plane.clock.now();
    let mut tx = slack.plane.store.read().await?;
    let own = Filter { identity: Some(identity.to_owned()), limit: Some(500), ..Filter::default() };
    let mut lines = Vec::new();
    for request in store::find_all::<Request>(&mut *tx, &own).await? {
        let grant: Option<Grant> = match &request.grant {
            Some(grant) => store::load(&mut *tx, grant.as_str()).await?,
            None => None,
        };
        let state = standing(&request, grant.as_ref(), now);
        let open = matches!(state, Standing::Waiting | Standing::Scheduled | Standing::Active);
        if open || request.created_at >= now.minus(WEEK) {
            lines.push(line(&request, grant.as_ref(), state));
        }
        if lines.len() == MOST {
            break;
        }
    }
    Ok(lines)
}

/// What waits for whoever asks.
pub(super) async fn review(slack: &Arc<Slack>, command: &Command) -> Result<Value, Unlinked> {
    let acting = slack.acting_user(&command.user_id).await?;
    let waiting = home::waiting_for(slack, &acting).await?;
    if waiting.is_empty() {
        return Ok(quiet("Nothing waits for you."));
    }
    let lines = waiting.iter().take(MOST).map(|request| {
        let who = code(request.identity.as_str());
        format!("{} by {who} for {}", line(request, None, Standing::Waiting), request.duration)
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

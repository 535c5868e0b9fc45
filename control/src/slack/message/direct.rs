//! What the requester is told directly.

use serde_json::Value;

use super::{
    super::{
        case::{Case, Standing},
        kit::{Style, actions, asking, button, context, page_button, section, words},
        text::{code, escape},
    },
    Said, button_id, covered, when,
};
use crate::domain::{Decision, Grant, Review};

/// What the requester is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Notice {
    Filed,
    Granted,
    Began,
    Denied,
    Undecided,
    Ending,
    Extended,
    Expired,
    Revoked,
    Failed,
}

impl Notice {
    /// What an event of this type is to the requester.
    pub(in super::super) fn of(kind: &str) -> Option<Self> {
        match kind {
            "request.created" => Some(Self::Filed),
            "grant.created" => Some(Self::Granted),
            "grant.began" => Some(Self::Began),
            "grant.ending" => Some(Self::Ending),
            "grant.extended" => Some(Self::Extended),
            "grant.expired" => Some(Self::Expired),
            "grant.revoked" => Some(Self::Revoked),
            "request.rejected" => Some(Self::Denied),
            "request.expired" => Some(Self::Undecided),
            "request.failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// The message, or nothing where the case has moved on and there is nothing to tell.
pub(in super::super) fn direct(case: &Case, notice: Notice, page: &str) -> Option<Said> {
    let place = format!("{} of {}", code(case.request.account.as_str()), code(case.request.repo.as_str()));
    let again = [button(button_id::AGAIN, "Request again…", case.request.id.as_str(), Style::Plain)];
    let said = match notice {
        Notice::Filed => {
            if case.standing() != Standing::Waiting {
                return None;
            }
            let cancel = button(button_id::CANCEL, "Withdraw", case.request.id.as_str(), Style::Plain);
            let id = code(case.request.id.as_str());
            plain(format!("Your request {id} for {place} waits for approval."), None, &[cancel])
        }
        Notice::Granted => granted(case, case.grant.as_ref()?, &place, page),
        Notice::Began => {
            plain(format!("Your access as {place} has begun."), Some(how(case)), &give_back(case))
        }
        Notice::Extended => {
            let until = when(case.grant.as_ref()?.expires_at);
            plain(format!("Your access as {place} now lasts until {until}."), None, &give_back(case))
        }
        Notice::Ending => {
            let until = when(case.grant.as_ref().filter(|grant| grant.ended.is_none())?.expires_at);
            let extend = button(button_id::EXTEND, "Extend…", case.request.id.as_str(), Style::Primary);
            plain(format!("Your access as {place} ends {until}, and your sessions with it."), None, &[extend])
        }
        Notice::Expired => plain(format!("Your access as {place} has expired."), None, &again),
        Notice::Revoked => revoked(case.grant.as_ref()?, &place, &again),
        Notice::Undecided => {
            plain(format!("Nobody has decided in time about your request for {place}."), None, &again)
        }
        Notice::Failed => {
            let why = "what it asked more time for is over, or its rule has changed";
            plain(format!("Your request for {place} was approved and came to nothing: {why}."), None, &again)
        }
        Notice::Denied => denied(case, &place, &again),
    };
    Some(said)
}

fn plain(text: String, more: Option<Value>, buttons: &[Value]) -> Said {
    let mut blocks = vec![section(&text)];
    blocks.extend(more);
    if !buttons.is_empty() {
        blocks.push(actions(buttons));
    }
    Said { text, blocks }
}

/// How to connect: the command, never a credential.
fn how(case: &Case) -> Value {
    let request = &case.request;
    let command = format!("postern connect {} --account {}", request.repo, request.account);
    section(&format!(
        "Connect with {}, or find your own client's settings with {}.",
        code(&command),
        code("postern access")
    ))
}

fn give_back(case: &Case) -> [Value; 1] {
    let back = button(button_id::REVOKE, "Give back", case.request.id.as_str(), Style::Plain);
    [asking(back, "Your sessions end at once.", "Give back")]
}

fn granted(case: &Case, grant: &Grant, place: &str, page: &str) -> Said {
    let until = when(grant.expires_at);
    let text = if grant.not_before > case.now {
        format!(
            "Your request for {place} is approved. Access begins {} and ends {until}.",
            when(grant.not_before)
        )
    } else {
        format!("Your request for {place} is approved. Access ends {until}.")
    };
    let mut blocks = vec![section(&text), section(&covered(&grant.scope)), how(case)];
    let by: Vec<String> = case.request.reviews.iter().map(super::review).collect();
    if !by.is_empty() {
        blocks.push(context(&by.join("\n")));
    }
    let [back] = give_back(case);
    blocks.push(actions(&[page_button(button_id::PAGE, "Open Postern", page), back]));
    Said { text, blocks }
}

fn revoked(grant: &Grant, place: &str, again: &[Value]) -> Said {
    let ending = grant.ended.as_ref();
    let by = ending.map(|ending| format!(" by {}", code(&ending.by))).unwrap_or_default();
    let why = ending.filter(|ending| !ending.reason.is_empty());
    let why = why.map(|ending| words(&format!("Reason: {}", ending.reason)));
    plain(format!("Your access as {place} was revoked{by}."), why, again)
}

fn denied(case: &Case, place: &str, again: &[Value]) -> Said {
    let no: Option<&Review> = case.request.reviews.iter().find(|review| review.decision == Decision::Deny);
    let by = no.map_or_else(|| escape("the rule"), |review| code(&review.by));
    let why = no.filter(|review| !review.reason.trim().is_empty());
    let why = why.map(|review| words(&format!("Reason: {}", review.reason)));
    plain(format!("Your request for {place} was denied by {by}."), why, again)
}

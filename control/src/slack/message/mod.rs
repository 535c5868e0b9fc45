//! What messages say. In: a [`Matter`](super::case::Matter). Out: text and blocks; nothing secret is in it.

mod alarm;
mod bundle_card;
mod card;
mod direct;
mod link;

use postern_protocol::gate::{ResourceGrant, Scope};
use postern_service::random::sha256_hex;
use serde_json::Value;

use super::{
    case::Case,
    text::{code, escape},
};
use crate::domain::{Moment, Request, Review};

pub(super) use alarm::{emergency, escalation};
pub(super) use card::{card, decide};
pub(super) use direct::{Notice, Told, direct, how};
pub(super) use link::LinkChange;

/// Resources that are named one by one.
const MOST_LINES: usize = 20;

/// A message: what a notification shows, and what the reader sees.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub text: String,
    pub blocks: Vec<Value>,
}

impl Said {
    /// SHA-256 of all that the reader sees.
    pub(super) fn digest(&self) -> String {
        sha256_hex(format!("{}{}", self.text, Value::from(self.blocks.clone())).as_bytes())
    }
}

/// The names of the buttons.
pub(super) mod button_id {
    pub(crate) const APPROVE: &str = "approve";
    pub(crate) const DENY: &str = "deny";
    pub(crate) const SHORTER: &str = "shorter";
    pub(crate) const REVOKE: &str = "revoke";
    pub(crate) const REVOKE_ALL: &str = "revoke_all";
    pub(crate) const CANCEL: &str = "cancel";
    pub(crate) const AGAIN: &str = "again";
    pub(crate) const EXTEND: &str = "extend";
    pub(crate) const REQUEST: &str = "request";
    pub(crate) const KEEP: &str = "keep";
    pub(crate) const FORGET: &str = "forget";
    pub(crate) const PAGE: &str = "page";
    pub(crate) const FAVOURITE: &str = "favourite";
    pub(crate) const BUNDLE: &str = "bundle";
    pub(crate) const CONNECT: &str = "connect";
    pub(crate) const HOW: &str = "how";
}

/// A moment, in the reader's own time zone.
pub(super) fn when(at: Moment) -> String {
    let seconds = at.as_millis().div_euclid(1_000);
    let plain = at.timestamp().strftime("%Y-%m-%d %H:%M UTC");
    format!("<!date^{seconds}^{{date_short_pretty}} {{time}}|{plain}>")
}

/// Tables and columns, line by line.
pub(super) fn what(resources: &[ResourceGrant]) -> String {
    what_up_to(resources, MOST_LINES)
}

fn what_up_to(resources: &[ResourceGrant], most: usize) -> String {
    if resources.is_empty() {
        return "everything that the account can do".to_owned();
    }
    let line = |entry: &ResourceGrant| {
        let privileges: Vec<&str> = entry.privileges.iter().map(|privilege| privilege.as_str()).collect();
        format!("• {} {}", code(&entry.resource.to_string()), privileges.join(", "))
    };
    let mut lines: Vec<String> = resources.iter().take(most).map(line).collect();
    let more = resources.len().saturating_sub(most);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

/// What a grant covers, line by line.
fn covered(scope: &Scope, most: usize) -> String {
    match scope {
        Scope::Whole => what(&[]),
        Scope::Limited(resources) => what_up_to(resources, most),
    }
}

/// What requests are about: accounts, and their repos.
fn places(cases: &[&Case]) -> String {
    let place = |case: &&Case| place(&case.request);
    cases.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// What a request is about: an account, and its repo.
pub(super) fn place(request: &Request) -> String {
    format!("{} of {}", code(request.account.as_str()), code(request.repo.as_str()))
}

/// What the button that approves a request carries: which one, and what it asks for as its reader sees it.
pub(super) fn to_approve(request: &Request) -> String {
    format!("{} {}", request.id, request.asked())
}

/// Which request such a button means, and what it asked for when the button was shown.
pub(super) fn approved(value: &str) -> (&str, Option<&str>) {
    value.split_once(' ').map_or((value, None), |(id, asked)| (id, Some(asked)))
}

/// One review, on one line.
pub(super) fn review(review: &Review) -> String {
    let verb = match review.decision {
        crate::domain::Decision::Approve => "approved",
        crate::domain::Decision::Deny => "denied",
    };
    let shorter = review.duration.map(|span| format!(" for {span}")).unwrap_or_default();
    let reason = review.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason = if reason.is_empty() { String::new() } else { format!(": {}", quoted(&reason)) };
    format!("{} {verb}{shorter} {}{reason}", code(&review.by), when(review.at))
}

/// Somebody's words inside a line of ours.
pub(super) fn quoted(words: &str) -> String {
    let plain: String =
        words.chars().map(|letter| if "*_~`".contains(letter) { '\u{b7}' } else { letter }).collect();
    format!("“{}”", escape(&super::text::shortened(&plain, 600)))
}

/// Mentions of these users.
pub(super) fn mentions(users: &[String]) -> String {
    users.iter().map(|user| format!("<@{}>", escape(user))).collect::<Vec<_>>().join(" ")
}

//! The message in the approvers' channel: all that is needed to decide, and in the end who did what when.

use serde_json::Value;

use super::{
    super::{
        case::{Case, Matter, Standing},
        kit::{Style, actions, asking, button, context, fields, header, section, words},
        text::{code, escape},
    },
    MOST_LINES, Said, bundle_card, button_id, covered, mentions, review, to_approve, what_up_to, when,
};
use crate::domain::{Progress, Request, Tally};

/// The message as it is to stand now.
pub(in super::super) fn card(matter: &Matter) -> Said {
    if let Some(name) = matter.bundle() {
        return bundle_card::card(matter, name);
    }
    let case = &matter.lead;
    let request = &case.request;
    let standing = case.standing();
    let kind = match (request.break_glass, &request.extends) {
        (true, _) => "Emergency access",
        (false, Some(_)) => "More time",
        (false, None) => "Access request",
    };
    let title = format!("{kind}: {}", standing.as_str());
    let who = escape(request.identity.as_str());
    let (repo, account) = (escape(request.repo.as_str()), escape(request.account.as_str()));
    let text = format!("{title} ({who} as {account} at {repo} for {})", request.duration);
    let mut blocks =
        vec![header(&title), facts(case), section(&format!("*What*\n{}", scope_up_to(case, MOST_LINES)))];
    if !request.reason.trim().is_empty() {
        blocks.push(words(&format!("Reason: {}", request.reason)));
    }
    blocks.extend(progress(matter));
    if !request.reviews.is_empty() {
        let lines: Vec<String> = request.reviews.iter().map(review).collect();
        blocks.push(section(&lines.join("\n")));
    }
    blocks.extend(ending(case).map(|text| section(&text)));
    blocks.push(context(&history(case)));
    blocks.extend(buttons(case));
    Said { text, blocks }
}

fn facts(case: &Case) -> Value {
    let request = &case.request;
    let mut pairs = vec![
        ("Who", code(request.identity.as_str())),
        ("Repository", code(request.repo.as_str())),
        ("Account", code(request.account.as_str())),
        (if request.extends.is_some() { "How much more" } else { "How long" }, request.duration.to_string()),
        ("From", start(case)),
        ("Rule", code(&request.rule)),
    ];
    if let Some(grant) = &case.grant {
        pairs.push(("Until", when(grant.expires_at)));
    }
    if request.filed_by != request.identity.as_str() {
        pairs.push(("Filed by", code(&request.filed_by)));
    }
    fields(&pairs)
}

/// From when on.
pub(super) fn start(case: &Case) -> String {
    match (&case.grant, case.request.not_before) {
        (Some(grant), _) => when(grant.not_before),
        (None, Some(at)) => when(at),
        (None, None) => "at once".to_owned(),
    }
}

/// What it gives, or would give, in so many lines at most.
pub(super) fn scope_up_to(case: &Case, most: usize) -> String {
    match &case.grant {
        Some(grant) => covered(&grant.scope, most),
        None => what_up_to(&case.request.resources, most),
    }
}

/// What is still needed, and whom it is up to.
fn progress(matter: &Matter) -> Option<Value> {
    if !matter.lead.waits() {
        return None;
    }
    let up_to = mentions(&matter.approvers);
    if matter.lead.request.awaits_hindsight() {
        return Some(section(format!("Somebody has to look at this afterwards. {up_to}").trim_end()));
    }
    let mut lines = needed_lines(&matter.lead);
    lines.push(up_to);
    Some(section(lines.join("\n").trim_end()))
}

/// What a request needs and has, approval by approval.
pub(super) fn needed_lines(case: &Case) -> Vec<String> {
    let needed = case.rule.as_ref().map(|stored| stored.rule.needed(case.request.escalated));
    let tally = Tally::count(needed.as_deref().unwrap_or_default(), &case.request.reviews);
    tally.0.iter().map(needed_line).collect()
}

fn needed_line(progress: &Progress<'_>) -> String {
    let from = progress.approval.map_or_else(
        || "an API client with Access Management".to_owned(),
        |approval| approval.from.iter().map(|entry| code(entry)).collect::<Vec<_>>().join(", "),
    );
    let mark = if progress.is_met() { "✓" } else { "•" };
    format!("{mark} {} of {} from {from}", progress.by.len(), progress.needed)
}

/// How access ended, or that none came of it.
pub(super) fn ended(case: &Case) -> Option<String> {
    let ending = case.grant.as_ref().and_then(|grant| grant.ended.as_ref());
    let Some(ending) = ending.filter(|_| case.request.extends.is_none()) else {
        return if case.standing() == Standing::Failed { settled(case) } else { None };
    };
    let by = if ending.by.is_empty() { String::new() } else { format!(" by {}", code(&ending.by)) };
    let why =
        if ending.reason.is_empty() { String::new() } else { format!(": {}", super::quoted(&ending.reason)) };
    Some(format!("{}{by} {}{why}", capital(case.standing().as_str()), when(ending.at)))
}

/// How a request was settled without a review.
pub(super) fn settled(case: &Case) -> Option<String> {
    let decided = case.request.decided_at.map(when).unwrap_or_default();
    match case.standing() {
        Standing::Scheduled | Standing::Active | Standing::Extended => {
            Some(format!("Approved at once by the rule {decided}"))
        }
        Standing::Rejected => Some(format!("Denied at once by the rule {decided}")),
        Standing::Cancelled | Standing::Undecided | Standing::Failed => {
            Some(format!("{} {decided}", capital(case.standing().as_str())))
        }
        Standing::Waiting | Standing::Ended | Standing::Revoked => None,
    }
}

/// How it came out, where no review says so.
fn ending(case: &Case) -> Option<String> {
    let reviewed = !case.request.reviews.is_empty();
    match case.standing() {
        Standing::Ended | Standing::Revoked | Standing::Failed => ended(case),
        Standing::Scheduled | Standing::Active | Standing::Extended | Standing::Rejected if reviewed => None,
        Standing::Scheduled
        | Standing::Active
        | Standing::Extended
        | Standing::Rejected
        | Standing::Waiting
        | Standing::Cancelled
        | Standing::Undecided => settled(case),
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn history(case: &Case) -> String {
    let earlier = match case.earlier {
        0 => "No earlier grant".to_owned(),
        1 => "1 earlier grant".to_owned(),
        more => format!("{more} earlier grants"),
    };
    let id = code(case.request.id.as_str());
    format!("{earlier} of this account in the last 30 days · {id} · filed {}", when(case.request.created_at))
}

fn buttons(case: &Case) -> Option<Value> {
    let request = &case.request;
    let id = request.id.as_str();
    if request.awaits_hindsight() {
        let right = button(button_id::APPROVE, "It was right", id, Style::Primary);
        return Some(actions(&[right, button(button_id::DENY, "Deny…", id, Style::Danger)]));
    }
    if case.standing() == Standing::Waiting {
        return Some(decide(request));
    }
    case.lives().then(|| actions(&[revoke(button_id::REVOKE, "Revoke", id)]))
}

/// The buttons of whoever decides.
pub(in super::super) fn decide(request: &Request) -> Value {
    let shown = to_approve(request);
    actions(&[
        button(button_id::APPROVE, "Approve", &shown, Style::Primary),
        button(button_id::SHORTER, "Approve shorter…", &shown, Style::Plain),
        button(button_id::DENY, "Deny…", request.id.as_str(), Style::Danger),
    ])
}

/// The button that takes access back; it asks first.
pub(super) fn revoke(action_id: &str, label: &str, id: &str) -> Value {
    let question = "Sessions that live on this grant end at once.";
    asking(button(action_id, label, id, Style::Danger), question, "Revoke")
}

//! The message in the approvers' channel: all that is needed to decide, and in the end who did what when.

use serde_json::Value;

use super::{
    super::{
        case::{Case, Standing},
        kit::{Style, actions, asking, button, context, fields, header, section, words},
        text::{code, escape},
    },
    Said, button_id, covered, mentions, review, to_approve, what, when,
};
use crate::domain::{Progress, Tally};

/// The message as it is to stand now.
pub(in super::super) fn card(case: &Case) -> Said {
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
    let mut blocks = vec![header(&title), facts(case), section(&format!("*What*\n{}", scope(case)))];
    if !request.reason.trim().is_empty() {
        blocks.push(words(&format!("Reason: {}", request.reason)));
    }
    blocks.extend(progress(case));
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
    let start = match (&case.grant, request.not_before) {
        (Some(grant), _) => when(grant.not_before),
        (None, Some(at)) => when(at),
        (None, None) => "at once".to_owned(),
    };
    let mut pairs = vec![
        ("Who", code(request.identity.as_str())),
        ("Repository", code(request.repo.as_str())),
        ("Account", code(request.account.as_str())),
        (if request.extends.is_some() { "How much more" } else { "How long" }, request.duration.to_string()),
        ("From", start),
        ("Rule", code(&request.rule)),
    ];
    if let Some(grant) = &case.grant {
        pairs.push(("Until", when(grant.expires_at)));
    }
    if let Some(bundled) = &request.bundle {
        let count = bundled.requests.len();
        pairs.push(("Bundle", format!("{}: {count} requests, decided together", code(&bundled.name))));
    }
    if request.filed_by != request.identity.as_str() {
        pairs.push(("Filed by", code(&request.filed_by)));
    }
    fields(&pairs)
}

fn scope(case: &Case) -> String {
    case.grant.as_ref().map_or_else(|| what(&case.request.resources), |grant| covered(&grant.scope))
}

/// What is still needed, and whom it is up to.
fn progress(case: &Case) -> Option<Value> {
    let request = &case.request;
    if case.standing() != Standing::Waiting && !request.awaits_hindsight() {
        return None;
    }
    let up_to = mentions(&case.approvers);
    if request.awaits_hindsight() {
        return Some(section(&format!("Somebody has to look at this afterwards. {up_to}")));
    }
    let needed = case.rule.as_ref().map(|stored| stored.rule.needed(request.escalated));
    let tally = Tally::count(needed.as_deref().unwrap_or_default(), &request.reviews);
    let mut lines: Vec<String> = tally.0.iter().map(needed_line).collect();
    lines.push(up_to);
    Some(section(lines.join("\n").trim_end()))
}

fn needed_line(progress: &Progress<'_>) -> String {
    let from = progress.approval.map_or_else(
        || "an API client with Access Management".to_owned(),
        |approval| approval.from.iter().map(|entry| code(entry)).collect::<Vec<_>>().join(", "),
    );
    let mark = if progress.is_met() { "✓" } else { "•" };
    format!("{mark} {} of {} from {from}", progress.by.len(), progress.needed)
}

/// How it ended, where no review says so.
fn ending(case: &Case) -> Option<String> {
    let ended = case.grant.as_ref().and_then(|grant| grant.ended.as_ref());
    if let Some(ending) = ended.filter(|_| case.request.extends.is_none()) {
        let by = if ending.by.is_empty() { String::new() } else { format!(" by {}", code(&ending.by)) };
        let why = if ending.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", super::quoted(&ending.reason))
        };
        return Some(format!("{}{by} {}{why}", capital(case.standing().as_str()), when(ending.at)));
    }
    let by_rule = case.request.reviews.is_empty();
    let decided = case.request.decided_at.map(when).unwrap_or_default();
    match case.standing() {
        Standing::Scheduled | Standing::Active | Standing::Extended if by_rule => {
            Some(format!("Approved at once by the rule {decided}"))
        }
        Standing::Rejected if by_rule => Some(format!("Denied at once by the rule {decided}")),
        Standing::Waiting
        | Standing::Scheduled
        | Standing::Active
        | Standing::Extended
        | Standing::Ended
        | Standing::Revoked
        | Standing::Rejected => None,
        Standing::Cancelled | Standing::Undecided | Standing::Failed => {
            Some(format!("{} {decided}", capital(case.standing().as_str())))
        }
    }
}

fn capital(text: &str) -> String {
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
    let id = case.request.id.as_str();
    let deny = button(button_id::DENY, "Deny…", id, Style::Danger);
    if case.request.awaits_hindsight() {
        return Some(actions(&[button(button_id::APPROVE, "It was right", id, Style::Primary), deny]));
    }
    match case.standing() {
        Standing::Waiting => Some(actions(&[
            button(button_id::APPROVE, "Approve", &to_approve(&case.request), Style::Primary),
            button(button_id::SHORTER, "Approve shorter…", id, Style::Plain),
            deny,
        ])),
        Standing::Scheduled | Standing::Active => {
            let revoke = button(button_id::REVOKE, "Revoke", id, Style::Danger);
            let question = "Sessions that live on this grant end at once.";
            Some(actions(&[asking(revoke, question, "Revoke")]))
        }
        Standing::Ended
        | Standing::Extended
        | Standing::Revoked
        | Standing::Rejected
        | Standing::Cancelled
        | Standing::Undecided
        | Standing::Failed => None,
    }
}

/// A loud word to the whole channel.
pub(in super::super) fn alarm(case: &Case, escalated: bool) -> Said {
    let request = &case.request;
    let (who, account) = (code(request.identity.as_str()), code(request.account.as_str()));
    let repo = code(request.repo.as_str());
    let line = if escalated {
        format!("Nobody has decided yet whether {who} may use {account} of {repo}.")
    } else {
        format!("{who} has taken emergency access as {account} of {repo} for {}.", request.duration)
    };
    let up_to = mentions(&case.approvers);
    let text = format!("<!here> {line} {up_to}").trim_end().to_owned();
    let id = code(request.id.as_str());
    let mut blocks = vec![section(&format!(":rotating_light: {text}"))];
    if !request.reason.trim().is_empty() {
        blocks.push(words(&format!("Reason: {}", request.reason)));
    }
    blocks.push(context(&format!("{id} · the request itself stands above")));
    Said { text, blocks }
}

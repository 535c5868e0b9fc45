//! The message in the approvers' channel for a bundle: one for all of its requests, which are decided as one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    super::{
        case::{Case, Matter, Standing, together},
        kit::{actions, context, fields, header, section, section_with, words},
        text::{code, escape},
    },
    Said, button_id,
    card::{capital, decide, ended, needed_lines, revoke, scope_up_to, settled, start},
    mentions, place, review, when,
};

/// Tables and columns that are named one by one in all of the message.
const MOST_LINES: usize = 60;

/// The message as it is to stand now.
pub(super) fn card(matter: &Matter, name: &str) -> Said {
    let request = &matter.lead.request;
    let title = format!("Bundle request: {}", together(matter.cases().map(Case::standing)));
    let who = escape(request.identity.as_str());
    let text = format!("{title} ({who} with {} for {})", escape(name), request.duration);
    let mut blocks = vec![header(&title), facts(matter, name)];
    let lines = (MOST_LINES / (matter.rest.len() + 1)).max(1);
    let several = matter.cases().filter(|case| case.lives()).count() > 1;
    blocks.extend(matter.cases().map(|case| part(case, lines, several)));
    if !request.reason.trim().is_empty() {
        blocks.push(words(&format!("Reason: {}", request.reason)));
    }
    if matter.cases().any(Case::waits) {
        let up_to = mentions(&matter.approvers);
        blocks.push(section(format!("All of it is decided together.\n{up_to}").trim_end()));
    }
    blocks.extend(said(matter));
    blocks.extend(outcome(matter).map(|text| section(&text)));
    let id = code(request.id.as_str());
    blocks.push(context(&format!("{id} · filed {}", when(request.created_at))));
    blocks.extend(buttons(matter, several));
    Said { text, blocks }
}

fn facts(matter: &Matter, name: &str) -> Value {
    let request = &matter.lead.request;
    let mut pairs = vec![
        ("Who", code(request.identity.as_str())),
        ("Bundle", code(name)),
        ("How long", request.duration.to_string()),
        ("From", start(&matter.lead)),
    ];
    if request.filed_by != request.identity.as_str() {
        pairs.push(("Filed by", code(&request.filed_by)));
    }
    fields(&pairs)
}

/// One of its requests: what it gives, what it needs, what became of it.
fn part(case: &Case, lines: usize, several: bool) -> Value {
    let request = &case.request;
    let standing = case.standing();
    let mut told = vec![format!("*{}* (rule {})", place(request), code(&request.rule))];
    told.push(scope_up_to(case, lines));
    if standing == Standing::Waiting {
        told.extend(needed_lines(case));
    }
    if let Some(grant) = case.grant.as_ref().filter(|_| case.lives()) {
        told.push(format!("{}, until {}", capital(standing.as_str()), when(grant.expires_at)));
    }
    if case.grant.is_some() || standing == Standing::Failed {
        told.extend(ended(case));
    }
    if case.earlier > 0 {
        told.push(format!("Earlier grants of it in the last 30 days: {}", case.earlier));
    }
    let told = told.join("\n");
    if several && case.lives() {
        section_with(&told, &revoke(button_id::REVOKE, "Revoke", request.id.as_str()))
    } else {
        section(&told)
    }
}

/// What became of all of it, where no review says so.
fn outcome(matter: &Matter) -> Option<String> {
    let lead = &matter.lead;
    let reviewed = matter.cases().any(|case| !case.request.reviews.is_empty());
    match lead.standing() {
        Standing::Rejected if reviewed => None,
        Standing::Rejected | Standing::Cancelled | Standing::Undecided => settled(lead),
        Standing::Active | Standing::Scheduled if !reviewed => settled(lead),
        Standing::Waiting
        | Standing::Active
        | Standing::Scheduled
        | Standing::Ended
        | Standing::Revoked
        | Standing::Failed
        | Standing::Extended => None,
    }
}

/// What was said, each word once: a review counts for every request on which the reviewer has a voice.
fn said(matter: &Matter) -> Option<Value> {
    let mut seen = BTreeSet::new();
    let reviews = matter.cases().flat_map(|case| &case.request.reviews);
    let lines: Vec<String> = reviews.map(review).filter(|line| seen.insert(line.clone())).collect();
    (!lines.is_empty()).then(|| section(&lines.join("\n")))
}

fn buttons(matter: &Matter, several: bool) -> Option<Value> {
    if matter.cases().any(|case| case.standing() == Standing::Waiting) {
        return Some(decide(&matter.lead.request));
    }
    let living = matter.cases().find(|case| case.lives())?;
    let label = if several { "Revoke all" } else { "Revoke" };
    Some(actions(&[revoke(button_id::REVOKE_ALL, label, living.request.id.as_str())]))
}

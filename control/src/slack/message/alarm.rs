//! A loud word to the whole channel.

use super::{
    super::{
        case::{Case, Matter},
        kit::{context, section, words},
        text::code,
    },
    Said, mentions, places,
};

/// That somebody has let themselves in.
pub(in super::super) fn emergency(matter: &Matter) -> Said {
    let request = &matter.lead.request;
    let (who, account) = (code(request.identity.as_str()), code(request.account.as_str()));
    let (repo, span) = (code(request.repo.as_str()), request.duration);
    aloud(matter, &format!("{who} has taken emergency access as {account} of {repo} for {span}."))
}

/// That nobody has decided yet; nothing when somebody has.
pub(in super::super) fn escalation(matter: &Matter) -> Option<Said> {
    if !matter.cases().any(Case::waits) {
        return None;
    }
    let who = code(matter.lead.request.identity.as_str());
    let what = match matter.bundle() {
        Some(name) => format!("the bundle {}", code(name)),
        None => places(&[&matter.lead]),
    };
    Some(aloud(matter, &format!("Nobody has decided yet whether {who} may use {what}.")))
}

fn aloud(matter: &Matter, line: &str) -> Said {
    let request = &matter.lead.request;
    let text = format!("<!here> {line} {}", mentions(&matter.approvers)).trim_end().to_owned();
    let id = code(request.id.as_str());
    let mut blocks = vec![section(&format!(":rotating_light: {text}"))];
    if !request.reason.trim().is_empty() {
        blocks.push(words(&format!("Reason: {}", request.reason)));
    }
    blocks.push(context(&format!("{id} · the request itself stands above")));
    Said { text, blocks }
}

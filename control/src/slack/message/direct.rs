//! What the requester is told directly. Of a bundle's requests one message tells all that befell them at once.

use serde_json::Value;

use super::{
    super::{
        case::{Case, Matter, Standing},
        kit::{Style, actions, asking, button, context, page_button, section, section_with, words},
        text::{code, escape},
    },
    MOST_LINES, Said, button_id, covered, place, places, when,
};
use crate::domain::{Decision, Grant, Request, Review};

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

/// What is told, and of which requests.
pub(in super::super) struct Told<'a> {
    notice: Notice,
    /// One, or those of a bundle that it befell at the same moment.
    cases: Vec<&'a Case>,
    /// The bundle's name, where that is all of it.
    bundle: Option<&'a str>,
    /// Differs from one turn of events to the next.
    turn: String,
}

impl Notice {
    /// What is the same for all requests of a bundle that it befalls at once; nothing where it does not befall this one.
    fn turn(self, case: &Case) -> Option<String> {
        let grant = case.grant.as_ref();
        match self {
            Self::Filed => (case.standing() == Standing::Waiting).then(String::new),
            Self::Granted => grant.map(|_| String::new()),
            Self::Began => grant.map(|grant| grant.not_before.as_millis().to_string()),
            Self::Ending => {
                let grant = grant.filter(|grant| grant.ended.is_none())?;
                Some(grant.expires_at.as_millis().to_string())
            }
            Self::Extended => grant.map(|grant| format!("{} {}", grant.id, grant.expires_at.as_millis())),
            Self::Expired => {
                let over = case.standing() == Standing::Ended;
                grant.filter(|_| over).map(|grant| grant.expires_at.as_millis().to_string())
            }
            Self::Revoked => {
                let ending = grant.filter(|_| case.standing() == Standing::Revoked)?.ended.as_ref()?;
                Some(format!("{} {}", ending.at.as_millis(), ending.by))
            }
            Self::Denied => (case.standing() == Standing::Rejected).then(String::new),
            Self::Undecided => (case.standing() == Standing::Undecided).then(String::new),
            Self::Failed => (case.standing() == Standing::Failed).then(|| case.request.id.to_string()),
        }
    }
}

impl<'a> Told<'a> {
    /// What there is to tell of this request, and of those that went with it; nothing where things have moved on.
    pub(in super::super) fn of(matter: &'a Matter, request: &str, notice: Notice) -> Option<Self> {
        let about = matter.cases().find(|case| case.request.id.as_str() == request)?;
        let turn = notice.turn(about)?;
        let with = |case: &&Case| notice.turn(case).as_ref() == Some(&turn);
        let cases: Vec<&Case> = matter.cases().filter(with).collect();
        let bundle = matter.bundle().filter(|_| cases.len() == matter.rest.len() + 1);
        Some(Self { notice, cases, bundle, turn })
    }

    /// The same of these requests alone.
    pub(in super::super) fn only(self, requests: &[&str]) -> Self {
        let all = self.cases.len();
        let cases: Vec<&Case> =
            self.cases.into_iter().filter(|case| requests.contains(&case.request.id.as_str())).collect();
        Self { bundle: self.bundle.filter(|_| cases.len() == all), cases, ..self }
    }

    /// The requests, and for each what tells this from all else that is told of it on events of this kind.
    pub(in super::super) fn keys(&self, kind: &str) -> Vec<(&'a str, String)> {
        let key = |case: &&'a Case| {
            let id = case.request.id.as_str();
            (id, format!("told/{id}/{kind}/{}", self.turn))
        };
        self.cases.iter().map(key).collect()
    }

    /// The first of them.
    fn first(&self) -> Option<&'a Case> {
        self.cases.first().copied()
    }

    /// What was asked for.
    fn wish(&self) -> String {
        self.bundle.map_or_else(|| places(&self.cases), |name| format!("the bundle {}", code(name)))
    }

    /// As what there is access.
    fn access(&self) -> String {
        match self.bundle {
            Some(name) => format!("by the bundle {}", code(name)),
            None => format!("as {}", places(&self.cases)),
        }
    }

    /// A button that gives all of it back.
    fn give_back(&self) -> Vec<Value> {
        let button_id = if self.cases.len() > 1 { button_id::REVOKE_ALL } else { button_id::REVOKE };
        let living = self.cases.iter().find(|case| case.lives());
        let back = |case: &&Case| {
            let back = button(button_id, "Give back", case.request.id.as_str(), Style::Plain);
            asking(back, "Your sessions end at once.", "Give back")
        };
        living.map(back).into_iter().collect()
    }
}

/// The message.
pub(in super::super) fn direct(told: &Told<'_>, page: &str) -> Option<Said> {
    let case = told.first()?;
    let (wish, access) = (told.wish(), told.access());
    let id = case.request.id.as_str();
    let again = [button(button_id::AGAIN, "Request again…", id, Style::Plain)];
    let said = match told.notice {
        Notice::Filed => {
            let withdraw = button(button_id::CANCEL, "Withdraw", id, Style::Plain);
            plain(format!("Your request {} for {wish} waits for approval.", code(id)), None, &[withdraw])
        }
        Notice::Granted => granted(told, case, page)?,
        Notice::Began => {
            let commands = told.cases.iter().map(|case| how(&case.request));
            plain(format!("Your access {access} has begun."), commands, &told.give_back())
        }
        Notice::Extended => {
            let until = when(case.grant.as_ref()?.expires_at);
            plain(format!("Your access {access} now lasts until {until}."), None, &told.give_back())
        }
        Notice::Ending => ending(told, case.grant.as_ref()?),
        Notice::Expired => plain(format!("Your access {access} has expired."), None, &again),
        Notice::Revoked => revoked(case.grant.as_ref()?, &access, &again),
        Notice::Undecided => {
            plain(format!("Nobody has decided in time about your request for {wish}."), None, &again)
        }
        Notice::Failed => {
            let why = "what it asked more time for is over, or its rule has changed";
            plain(format!("Your request for {wish} was approved and came to nothing: {why}."), None, &again)
        }
        Notice::Denied => denied(told, &wish, &again),
    };
    Some(said)
}

fn plain(text: String, more: impl IntoIterator<Item = Value>, buttons: &[Value]) -> Said {
    let mut blocks = vec![section(&text)];
    blocks.extend(more);
    if !buttons.is_empty() {
        blocks.push(actions(buttons));
    }
    Said { text, blocks }
}

/// How to connect: the command, never a credential.
pub(in super::super) fn how(request: &Request) -> Value {
    let command = format!("postern connect {} --account {}", request.repo, request.account);
    section(&format!(
        "Connect with {}, or find your own client's settings with {}.",
        code(&command),
        code("postern access")
    ))
}

fn granted(told: &Told<'_>, case: &Case, page: &str) -> Option<Said> {
    let (wish, grant) = (told.wish(), case.grant.as_ref()?);
    let until = when(grant.expires_at);
    let text = if grant.not_before > case.now {
        format!(
            "Your request for {wish} is approved. Access begins {} and ends {until}.",
            when(grant.not_before)
        )
    } else {
        format!("Your request for {wish} is approved. Access ends {until}.")
    };
    let mut blocks = vec![section(&text)];
    let lines = (MOST_LINES / told.cases.len()).max(1);
    for (case, grant) in told.cases.iter().filter_map(|case| Some((case, case.grant.as_ref()?))) {
        let title = told.bundle.map(|_| format!("*{}*\n", place(&case.request))).unwrap_or_default();
        blocks.extend([section(&format!("{title}{}", covered(&grant.scope, lines))), how(&case.request)]);
    }
    blocks.extend(reviews(told));
    let page = page_button(button_id::PAGE, "Open Postern", page);
    blocks.push(actions(&[vec![page], told.give_back()].concat()));
    Some(Said { text, blocks })
}

fn reviews(told: &Told<'_>) -> Option<Value> {
    let mut lines: Vec<String> =
        told.cases.iter().flat_map(|case| &case.request.reviews).map(super::review).collect();
    lines.sort();
    lines.dedup();
    (!lines.is_empty()).then(|| context(&lines.join("\n")))
}

fn ending(told: &Told<'_>, grant: &Grant) -> Said {
    let text =
        format!("Your access {} ends {}, and your sessions with it.", told.access(), when(grant.expires_at));
    let extend = |case: &Case| button(button_id::EXTEND, "Extend…", case.request.id.as_str(), Style::Primary);
    match told.cases.as_slice() {
        [only] => plain(text, None, &[extend(only)]),
        several => {
            let each = several.iter().map(|case| section_with(&place(&case.request), &extend(case)));
            plain(text, each, &[])
        }
    }
}

fn revoked(grant: &Grant, access: &str, again: &[Value]) -> Said {
    let ending = grant.ended.as_ref();
    let by = ending.map(|ending| format!(" by {}", code(&ending.by))).unwrap_or_default();
    let why = ending.filter(|ending| !ending.reason.is_empty());
    let why = why.map(|ending| words(&format!("Reason: {}", ending.reason)));
    plain(format!("Your access {access} was revoked{by}."), why, again)
}

fn denied(told: &Told<'_>, wish: &str, again: &[Value]) -> Said {
    let mut said = told.cases.iter().flat_map(|case| &case.request.reviews);
    let no: Option<&Review> = said.find(|review| review.decision == Decision::Deny);
    let by = no.map_or_else(|| escape("the rule"), |review| code(&review.by));
    let why = no.filter(|review| !review.reason.trim().is_empty());
    let why = why.map(|review| words(&format!("Reason: {}", review.reason)));
    plain(format!("Your request for {wish} was denied by {by}."), why, again)
}

//! An access rule: who may request which accounts and resources, for how long, and who must approve.
//!
//! The shape is complete, so that a rules file need not change when a field begins to work; until then a field that
//! asks for something is refused when the rule is stored, never ignored.

use postern_protocol::{
    duration::Span,
    gate::{MovementLimits, Privilege, Star, Terms},
};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Moment, Refusal, ResourcePattern,
    identity::{check_name, has_unseen},
};

const LONGEST_PATTERN: usize = 1_000;

/// A rule, as REST and `rules.toml` have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Unique. May be left out where the path names it.
    #[serde(default)]
    pub name: String,
    /// The highest that covers a request decides it; among equals the first by name.
    #[serde(default)]
    pub priority: i64,
    /// Identities, `group:NAME`, `client:NAME` or `*`.
    pub requesters: Vec<String>,
    /// Globs over repos.
    pub repos: Vec<String>,
    /// Globs over accounts.
    pub accounts: Vec<String>,
    /// Patterns over what may be asked for; absent: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// Whether a request may name no resources and so get all that the account can do.
    #[serde(default)]
    pub whole: bool,
    /// What may be asked for on a resource.
    #[serde(default = "only_select")]
    #[schemars(with = "Vec<String>")]
    pub privileges: Vec<Privilege>,
    /// The longest grant.
    #[serde(default = "eight_hours")]
    #[schemars(with = "String")]
    pub max_duration: Span,
    /// How long a request waits for a decision.
    #[serde(default = "one_hour")]
    #[schemars(with = "String")]
    pub pending_ttl: Span,
    /// What the reason must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonRule>,
    /// All must be met. Without any, an API client with Access Management decides.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// A condition under which the request is approved at once. So far `true` and `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_approve: Option<String>,
    /// A condition under which the request is rejected at once. So far `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_deny: Option<String>,
    /// When a session may live. Not supported yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Access at once in an emergency. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// Limits of a session's life. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRule>,
    /// Limits of what a session with a limited grant may move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<MovementLimits>,
    /// What `SELECT *` on a partly granted table does.
    #[serde(default)]
    pub star: Star,
    /// Whether a client may file its request by connecting. So far `false`.
    #[serde(default)]
    pub knock: bool,
    /// Who is asked when nobody decides. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
    /// Who is told. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

/// What a request's reason must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonRule {
    /// It may not be empty.
    #[serde(default)]
    pub required: bool,
    /// A regular expression that it must contain a match of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// So many of these must approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// Identities, `group:NAME`, `client:NAME` or `*`.
    pub from: Vec<String>,
    /// How many of them.
    #[serde(default = "one")]
    pub count: u32,
}

/// Hours of some weekdays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// `mon` … `sun`.
    pub days: Vec<String>,
    /// `08:00`
    pub from: String,
    /// `19:00`
    pub to: String,
    /// `Europe/Paris`
    pub tz: String,
}

/// Access at once in an emergency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakGlass {
    /// Who may.
    pub requesters: Vec<String>,
    /// For how long.
    #[schemars(with = "String")]
    pub max_duration: Span,
}

/// Limits of a session's life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionRule {
    /// How long it may say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub max_idle: Option<Span>,
    /// How many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
}

/// Who is asked when nobody decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Escalation {
    /// After how long.
    #[schemars(with = "String")]
    pub after: Span,
    /// Whom.
    pub to: Vec<String>,
}

/// Who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notify {
    /// A Slack channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
}

/// Who may change a stored rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RuleOwner {
    /// The rules file.
    File,
    /// REST.
    Rest,
}

/// A rule in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredRule {
    /// What it says.
    pub rule: Rule,
    /// Who may change it.
    pub owner: RuleOwner,
    /// When it was changed last.
    pub updated_at: Moment,
}

fn only_select() -> Vec<Privilege> {
    vec![Privilege::Select]
}

fn eight_hours() -> Span {
    Span::from_secs(8 * 3_600)
}

fn one_hour() -> Span {
    Span::from_secs(3_600)
}

fn one() -> u32 {
    1
}

impl Rule {
    /// Refuses a rule that says nothing sensible, or asks for what this version cannot do.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        check_name("rule", &self.name)?;
        check_list("requesters", &self.requesters)?;
        check_list("repos", &self.repos)?;
        check_list("accounts", &self.accounts)?;
        for text in self.resources.iter().flatten() {
            ResourcePattern::parse(text).map_err(|error| Refusal::Invalid(format!("resources: {error}")))?;
        }
        for (field, span) in [("max_duration", self.max_duration), ("pending_ttl", self.pending_ttl)] {
            if span.as_secs() == 0 {
                return Err(Refusal::Invalid(format!("{field}: must be longer than nothing")));
            }
        }
        if let Some(reason) = &self.reason {
            reason.regex()?;
        }
        self.approvals.iter().try_for_each(Approval::check)?;
        self.check_supported()
    }

    fn check_supported(&self) -> Result<(), Refusal> {
        let condition = |text: &Option<String>, known: &[&str]| {
            text.as_deref().is_some_and(|condition| !known.contains(&condition.trim()))
        };
        let asked_for = [
            ("auto_approve", condition(&self.auto_approve, &["true", "false"])),
            ("auto_deny", condition(&self.auto_deny, &["false"])),
            ("windows", !self.windows.is_empty()),
            ("break_glass", self.break_glass.is_some()),
            ("session", self.session.as_ref().is_some_and(|session| *session != SessionRule::default())),
            ("limits beside whole = true", self.whole && self.terms().limits != MovementLimits::default()),
            ("knock", self.knock),
            ("escalate", self.escalate.is_some()),
            ("notify", self.notify.as_ref().is_some_and(|notify| *notify != Notify::default())),
        ];
        match asked_for.iter().find(|(_, asked)| *asked) {
            Some((field, _)) => Err(Refusal::NotSupported((*field).to_owned())),
            None => Ok(()),
        }
    }

    /// The terms of the grants that it gives.
    pub(crate) fn terms(&self) -> Terms {
        Terms { star: self.star, limits: self.limits.unwrap_or_default() }
    }

    /// Whether a request that the rule covers is approved without anybody's review.
    pub(crate) fn approves_at_once(&self) -> bool {
        self.auto_approve.as_deref().is_some_and(|condition| condition.trim() == "true")
    }

    /// Refuses a reason that does not do.
    pub(crate) fn check_reason(&self, reason: &str) -> Result<(), Refusal> {
        let Some(wanted) = &self.reason else { return Ok(()) };
        if wanted.required && reason.trim().is_empty() {
            return Err(Refusal::Invalid(format!("reason: the rule `{}` requires one", self.name)));
        }
        match wanted.regex()? {
            Some(pattern) if !pattern.is_match(reason) => {
                let shown = pattern.as_str();
                Err(Refusal::Invalid(format!(
                    "reason: the rule `{}` requires one that matches {shown}",
                    self.name
                )))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl ReasonRule {
    fn regex(&self) -> Result<Option<Regex>, Refusal> {
        let Some(pattern) = &self.pattern else { return Ok(None) };
        if pattern.len() > LONGEST_PATTERN {
            return Err(Refusal::Invalid(format!("reason.pattern: longer than {LONGEST_PATTERN} bytes")));
        }
        Regex::new(pattern).map(Some).map_err(|error| Refusal::Invalid(format!("reason.pattern: {error}")))
    }
}

impl Approval {
    fn check(&self) -> Result<(), Refusal> {
        check_list("approvals.from", &self.from)?;
        if self.count == 0 {
            return Err(Refusal::Invalid("approvals.count: must be at least 1".to_owned()));
        }
        Ok(())
    }
}

fn check_list(field: &str, list: &[String]) -> Result<(), Refusal> {
    if list.is_empty() {
        return Err(Refusal::Invalid(format!("{field}: an empty list allows nobody and nothing")));
    }
    match list.iter().find(|entry| entry.is_empty() || entry.trim() != entry.as_str() || has_unseen(entry)) {
        Some(entry) => Err(Refusal::Invalid(format!("{field}: `{}` names nothing", entry.escape_debug()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(more: &str) -> Result<Rule, String> {
        let text = format!("name = 'r'\nrequesters = ['*']\nrepos = ['*']\naccounts = ['*']\n{more}");
        let rule: Rule = toml::from_str(&text).map_err(|error| error.to_string())?;
        rule.check().map_err(|refusal| refusal.to_string())?;
        Ok(rule)
    }

    #[test]
    fn what_cannot_be_done_yet_is_refused_by_name() {
        for (more, field) in [
            ("auto_approve = \"request.duration <= duration('1h')\"", "auto_approve"),
            ("auto_deny = 'true'", "auto_deny"),
            ("windows = [{days = ['mon'], from = '08:00', to = '19:00', tz = 'UTC'}]", "windows"),
            ("break_glass = {requesters = ['*'], max_duration = '1h'}", "break_glass"),
            ("session = {max_idle = '30m'}", "session"),
            ("knock = true", "knock"),
            ("escalate = {after = '15m', to = ['*']}", "escalate"),
            ("notify = {slack = 'C1'}", "notify"),
        ] {
            assert_eq!(rule(more).unwrap_err(), format!("not supported yet: {field}"));
        }
    }

    #[test]
    fn fields_that_ask_for_nothing_are_taken() {
        let rule =
            rule("star = 'deny'\nknock = false\nwindows = []\nsession = {}\nauto_approve = 'false'").unwrap();
        assert!(!rule.approves_at_once());
        assert_eq!(rule.max_duration.to_string(), "8h");
        assert_eq!(rule.privileges, [Privilege::Select]);
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        for (more, word) in [
            ("resources = ['public']", "resources"),
            ("max_duration = '0s'", "max_duration"),
            ("reason = {pattern = '('}", "reason.pattern"),
            ("approvals = [{from = []}]", "approvals.from"),
            ("approvals = [{from = ['*'], count = 0}]", "approvals.count"),
            ("colour = 'red'", "colour"),
        ] {
            let error = rule(more).unwrap_err();
            assert!(error.contains(word), "{more}: {error}");
        }
    }

    #[test]
    fn a_reason_must_be_there_and_match() {
        let rule = rule("reason = {required = true, pattern = '^[A-Z]+-[0-9]+'}").unwrap();
        assert!(rule.check_reason("OPS-1 look").is_ok());
        assert!(rule.check_reason(" ").is_err());
        assert!(rule.check_reason("please").is_err());
    }
}

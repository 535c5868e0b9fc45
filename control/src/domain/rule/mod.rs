//! An access rule: who may request which accounts and resources, for how long, and who must approve.
//!
//! The shape is complete, so that a rules file need not change when a field begins to work; until then a field that
//! asks for something is refused when the rule is stored, never ignored.

mod parts;
mod set;
mod verdict;

use postern_protocol::{
    duration::Span,
    gate::{MovementLimits, Privilege, Star, Terms},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Condition, Moment, Owner, Refusal, ResourcePattern,
    hours::{LONGEST_BOUNDED, Window, stretches},
    identity::{check_name, has_unseen},
};

pub(crate) use parts::{Approval, SessionRule};
use parts::{BreakGlass, Escalation, Notify, ReasonRule};
pub(crate) use set::RuleSet;
pub(crate) use verdict::{Judgement, Verdict};

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
    /// A condition in CEL under which the request is approved at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_approve: Option<String>,
    /// A condition in CEL under which the request is rejected at once, whatever else would approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_deny: Option<String>,
    /// When a session may live; absent: at any time. An emergency is not bound by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Access at once in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// Limits of a session's life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRule>,
    /// Limits of what a session with a limited grant may move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<MovementLimits>,
    /// What `SELECT *` on a partly granted table does.
    #[serde(default)]
    pub star: Star,
    /// Whether a client may file its request by connecting.
    #[serde(default)]
    pub knock: bool,
    /// Who may approve as well when nobody decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

/// A rule in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredRule {
    /// What it says.
    pub rule: Rule,
    /// Who may change it.
    pub owner: Owner,
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
        for (field, condition) in [("auto_approve", &self.auto_approve), ("auto_deny", &self.auto_deny)] {
            if let Some(text) = condition {
                Condition::parse(text).map_err(|error| Refusal::Invalid(format!("{field}: {error}")))?;
            }
        }
        self.check_windows()?;
        self.session.iter().try_for_each(SessionRule::check)?;
        self.break_glass.iter().try_for_each(BreakGlass::check)?;
        self.escalate.iter().try_for_each(|escalation| escalation.check(self.pending_ttl))?;
        self.notify.iter().try_for_each(Notify::check)?;
        self.check_supported()
    }

    fn check_supported(&self) -> Result<(), Refusal> {
        if self.whole && self.terms().limits != MovementLimits::default() {
            return Err(Refusal::NotSupported("limits beside whole = true".to_owned()));
        }
        Ok(())
    }

    fn check_windows(&self) -> Result<(), Refusal> {
        self.windows.iter().try_for_each(Window::check)?;
        if !self.windows.is_empty() && self.max_duration > LONGEST_BOUNDED {
            return Err(Refusal::Invalid(format!(
                "max_duration: a rule with windows gives {LONGEST_BOUNDED} at most"
            )));
        }
        Ok(())
    }

    /// Refuses what the rule's windows would keep closed for as long as the grant can last.
    pub(crate) fn check_hours(&self, ask: &Ask, now: Moment) -> Result<(), Refusal> {
        let from = ask.not_before.map_or(now, |wanted| wanted.max(now));
        let to = from.plus(self.pending_ttl).plus(ask.duration);
        if ask.break_glass || self.windows.is_empty() || !stretches(&self.windows, from, to).is_empty() {
            return Ok(());
        }
        Err(Refusal::Forbidden(format!(
            "the windows of the rule {} are closed for all of that time: ask for a later not_before",
            self.name
        )))
    }

    /// The terms of the grants that it gives.
    pub(crate) fn terms(&self) -> Terms {
        Terms { star: self.star, limits: self.limits.unwrap_or_default() }
    }

    /// Refuses a reason that does not do.
    pub(crate) fn check_reason(&self, ask: &Ask) -> Result<(), Refusal> {
        let reason = &ask.reason;
        if ask.break_glass && reason.trim().is_empty() {
            return Err(Refusal::Invalid("reason: breaking the glass requires one".to_owned()));
        }
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
    fn fields_that_ask_for_nothing_are_taken() {
        let rule =
            rule("star = 'deny'\nknock = false\nwindows = []\nsession = {}\nauto_approve = 'false'").unwrap();
        assert_eq!(rule.max_duration.to_string(), "8h");
        assert_eq!(rule.privileges, [Privilege::Select]);
    }

    #[test]
    fn every_field_is_taken() {
        rule(
            "auto_approve = \"request.duration <= duration('1h') && 'oncall' in identity.groups\"\n\
             auto_deny = 'request.whole'\nbreak_glass = {requesters = ['group:oncall'], max_duration = '1h'}\n\
             approvals = [{from = ['group:dba', 'bob@example.com'], count = 2}]\nknock = true\n\
             escalate = {after = '15m', to = ['group:managers']}\nnotify = {slack = 'C0123456789'}\n\
             windows = [{days = ['mon'], from = '22:00', to = '06:00', tz = 'Europe/Paris'}]\n\
             session = {max_idle = '30m', max_sessions = 5}",
        )
        .unwrap();
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        for (more, word) in [
            ("resources = ['public']", "resources"),
            ("max_duration = '0s'", "max_duration"),
            ("reason = {pattern = '('}", "reason.pattern"),
            ("approvals = [{from = []}]", "approvals.from"),
            ("approvals = [{from = ['*'], count = 0}]", "approvals.count"),
            ("auto_approve = 'request.duration <'", "auto_approve: line 1"),
            ("auto_deny = \"request.colour == 'red'\"", "auto_deny: there is no request.colour"),
            ("break_glass = {requesters = [], max_duration = '1h'}", "break_glass.requesters"),
            ("break_glass = {requesters = ['*'], max_duration = '0s'}", "break_glass.max_duration"),
            ("escalate = {after = '2h', to = ['*']}", "escalate.after"),
            ("escalate = {after = '15m', to = []}", "escalate.to"),
            ("notify = {slack = ''}", "notify.slack"),
            ("windows = [{days = ['day'], from = '08:00', to = '19:00', tz = 'UTC'}]", "windows.days"),
            ("session = {max_idle = '0s'}", "session.max_idle"),
            ("session = {max_sessions = 0}", "session.max_sessions"),
            ("colour = 'red'", "colour"),
        ] {
            let error = rule(more).unwrap_err();
            assert!(error.contains(word), "{more}: {error}");
        }
    }

    #[test]
    fn a_reason_must_be_there_and_match() {
        let ask = |reason: &str, break_glass: bool| -> Ask {
            let ask = serde_json::json!({"repo": "s", "account": "a", "resources": [], "duration": "1h",
                                         "reason": reason, "break_glass": break_glass});
            serde_json::from_value(ask).unwrap()
        };
        let strict = rule("reason = {required = true, pattern = '^[A-Z]+-[0-9]+'}").unwrap();
        assert!(strict.check_reason(&ask("OPS-1 look", false)).is_ok());
        assert!(strict.check_reason(&ask(" ", false)).is_err());
        assert!(strict.check_reason(&ask("please", false)).is_err());
        let lax = rule("").unwrap();
        assert!(lax.check_reason(&ask("", false)).is_ok());
        assert!(lax.check_reason(&ask("", true)).is_err());
    }
}

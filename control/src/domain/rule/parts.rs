//! What a rule is made of: reasons, approvals, hours, emergencies, sessions, and who is asked and told.

use postern_protocol::duration::Span;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_list;
use crate::domain::Refusal;

const LONGEST_PATTERN: usize = 1_000;
/// What it may take up when it is compiled, in bytes: it is compiled for each request anew.
const LARGEST_PATTERN: usize = 1 << 22;

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
    /// How many at once, at each sidecar.
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
    /// Webhooks, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<String>,
}

fn one() -> u32 {
    1
}

impl ReasonRule {
    pub(super) fn regex(&self) -> Result<Option<Regex>, Refusal> {
        let Some(pattern) = &self.pattern else { return Ok(None) };
        if pattern.len() > LONGEST_PATTERN {
            return Err(Refusal::Invalid(format!("reason.pattern: longer than {LONGEST_PATTERN} bytes")));
        }
        let built = RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build();
        built.map(Some).map_err(|error| Refusal::Invalid(format!("reason.pattern: {error}")))
    }
}

impl BreakGlass {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        check_list("break_glass.requesters", &self.requesters)?;
        if self.max_duration.as_secs() == 0 {
            return Err(Refusal::Invalid("break_glass.max_duration: must be longer than nothing".to_owned()));
        }
        Ok(())
    }
}

impl SessionRule {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.max_idle.is_some_and(|longest| longest.as_secs() == 0) {
            return Err(Refusal::Invalid("session.max_idle: must be longer than nothing".to_owned()));
        }
        if self.max_sessions == Some(0) {
            return Err(Refusal::Invalid("session.max_sessions: must be at least 1".to_owned()));
        }
        Ok(())
    }
}

impl Escalation {
    pub(super) fn check(&self, pending_ttl: Span) -> Result<(), Refusal> {
        check_list("escalate.to", &self.to)?;
        if self.after >= pending_ttl {
            return Err(Refusal::Invalid(format!("escalate.after: a request waits for {pending_ttl} only")));
        }
        Ok(())
    }
}

impl Notify {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.webhooks
            .iter()
            .try_for_each(|name| check_list("notify.webhooks", std::slice::from_ref(name)))?;
        self.slack.iter().try_for_each(|channel| check_list("notify.slack", std::slice::from_ref(channel)))
    }
}

impl Approval {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        check_list("approvals.from", &self.from)?;
        if self.count == 0 {
            return Err(Refusal::Invalid("approvals.count: must be at least 1".to_owned()));
        }
        Ok(())
    }
}

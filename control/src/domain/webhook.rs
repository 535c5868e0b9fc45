//! A webhook: somebody outside who is told of events.

use std::fmt;

use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Refusal, check_name};
use crate::events::EventFilter;

/// How long the secret before the present one is still signed with.
const OVERLAP: Span = Span::from_secs(86_400);

/// A webhook of which every attempt failed for so long is switched off.
const PATIENCE: Span = Span::from_secs(2 * 86_400);

/// In whose language it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// The event as JSON, signed by the Standard Webhooks scheme.
    #[default]
    Standard,
    /// `PagerDuty` Events API v2.
    Pagerduty,
    /// Microsoft Teams, a workflow's webhook: an adaptive card.
    Teams,
    /// Mattermost and whatever else takes `{"text": …}`.
    Mattermost,
}

impl Format {
    /// Whether knowing the URL is all it takes to write there.
    pub(crate) const fn url_is_secret(self) -> bool {
        matches!(self, Self::Teams | Self::Mattermost)
    }
}

/// A key that has to be kept as it is, for things are signed with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    /// The key itself. Whoever calls this answers for where it goes.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(…)")
    }
}

/// A key that is not the present one any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldKey {
    /// It.
    pub key: Key,
    /// Until when it is still signed with.
    pub until: Moment,
}

/// A webhook as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Webhook {
    /// `w_…`
    pub id: String,
    /// Unique; what a rule's `notify` names.
    pub name: String,
    /// Where to.
    pub url: Key,
    /// In whose language.
    pub format: Format,
    /// Of which events.
    pub filter: EventFilter,
    /// Only of those requests and grants whose rule names it.
    pub named_only: bool,
    /// `whsec_…`; `PagerDuty`'s routing key.
    pub key: Key,
    /// The one before.
    pub old_key: Option<OldKey>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Why it was switched off; empty when a person did it.
    pub disabled_why: String,
    /// Since when every attempt has failed.
    pub failing_since: Option<Moment>,
    /// Only later events concern it.
    pub after: i64,
    /// Grows with every change that a person makes.
    pub revision: u64,
    /// When it was made.
    pub created_at: Moment,
}

impl Webhook {
    /// Refuses a name that could be taken for something else.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        check_name("webhook", &self.name)?;
        if self.format == Format::Pagerduty && self.key.reveal().is_empty() {
            return Err(Refusal::Invalid("routing_key: PagerDuty needs one".to_owned()));
        }
        Ok(())
    }

    /// Takes another key; the present one is signed with for a day more.
    pub(crate) fn rotate(&mut self, key: Key, now: Moment) {
        let before = std::mem::replace(&mut self.key, key);
        self.old_key = Some(OldKey { key: before, until: now.plus(OVERLAP) });
    }

    /// The keys to sign with now, the present one first.
    pub(crate) fn keys(&self, now: Moment) -> impl Iterator<Item = &Key> {
        let old = self.old_key.as_ref().filter(|old| old.until > now).map(|old| &old.key);
        std::iter::once(&self.key).chain(old)
    }

    /// An attempt succeeded.
    pub(crate) fn succeeded(&mut self) {
        self.failing_since = None;
    }

    /// An attempt failed. Switched off, with the reason, when that has gone on for too long.
    pub(crate) fn failed(&mut self, now: Moment) {
        let since = *self.failing_since.get_or_insert(now);
        if self.enabled && since <= now.minus(PATIENCE) {
            self.disable("every attempt failed for two days");
        }
    }

    /// Switches it off.
    pub(crate) fn disable(&mut self, why: &str) {
        self.enabled = false;
        why.clone_into(&mut self.disabled_why);
    }

    /// Switches it on; what happened meanwhile is not told.
    pub(crate) fn enable(&mut self, after: i64) {
        self.enabled = true;
        self.disabled_why.clear();
        self.failing_since = None;
        self.after = after;
    }
}

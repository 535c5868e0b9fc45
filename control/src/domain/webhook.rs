//! A webhook: somebody outside who is told of events.

use std::fmt;

use postern_protocol::duration::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Owner, Refusal, check_name};
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

    /// A URL of this format for people.
    pub(crate) fn shown(self, url: &Key) -> String {
        let url = url.reveal();
        if !self.url_is_secret() {
            return url.to_owned();
        }
        let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        format!("{origin}/…")
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

/// What a webhook is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookSpec {
    /// Unique.
    pub name: String,
    /// Where to.
    pub url: Key,
    /// In whose language.
    pub format: Format,
    /// Of which events.
    pub filter: EventFilter,
    /// Only of those that a rule's `notify` sends there.
    pub named_only: bool,
    /// Whether it is told anything.
    pub enabled: bool,
    /// What whoever makes it gave as a key.
    pub key: Option<Key>,
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
    /// Who may change it.
    #[serde(default)]
    pub owner: Owner,
    /// Grows with every change that a person makes.
    pub revision: u64,
    /// When it was made.
    pub created_at: Moment,
}

impl Webhook {
    /// A new one, which is told of events behind `after`.
    pub(crate) fn new(
        id: String,
        spec: WebhookSpec,
        key: Key,
        owner: Owner,
        (after, now): (i64, Moment),
    ) -> Self {
        let WebhookSpec { name, url, format, filter, named_only, enabled, key: _ } = spec;
        Self {
            id,
            name,
            url,
            format,
            filter,
            named_only,
            key,
            old_key: None,
            enabled,
            disabled_why: String::new(),
            failing_since: None,
            after,
            owner,
            revision: 1,
            created_at: now,
        }
    }

    /// What it is now, with its key where people give it.
    pub(crate) fn spec(&self) -> WebhookSpec {
        let given = matches!(self.format, Format::Standard | Format::Pagerduty);
        WebhookSpec {
            name: self.name.clone(),
            url: self.url.clone(),
            format: self.format,
            filter: self.filter.clone(),
            named_only: self.named_only,
            enabled: self.enabled,
            key: given.then(|| self.key.clone()),
        }
    }

    /// Refuses a name that could be taken for something else.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        check_name("webhook", &self.name)?;
        if self.format == Format::Pagerduty && self.key.reveal().is_empty() {
            return Err(Refusal::Invalid("routing_key: PagerDuty needs one".to_owned()));
        }
        Ok(())
    }

    /// Its URL for people: without its path where that is a secret.
    pub(crate) fn shown_url(&self) -> String {
        self.format.shown(&self.url)
    }

    /// Becomes what it is to be from now on. Where it hears of other events than before, earlier ones are not told.
    pub(crate) fn become_like(&mut self, spec: WebhookSpec, key: Key, (newest, now): (i64, Moment)) {
        let WebhookSpec { name, url, format, filter, named_only, enabled, key: given } = spec;
        let hears = (&self.filter, self.named_only) == (&filter, named_only);
        if !hears {
            self.after = newest;
        }
        match (self.enabled, enabled) {
            (false, true) => self.enable(newest),
            (true, false) => self.disable(""),
            (true, true) | (false, false) => {}
        }
        if self.format != format {
            (self.key, self.old_key) = (key, None);
        } else if given.is_some() && self.key != key {
            self.change_key(key, now);
        }
        (self.name, self.url, self.format) = (name, url, format);
        (self.filter, self.named_only) = (filter, named_only);
    }

    /// Takes another key, in the way of its format.
    pub(crate) fn change_key(&mut self, key: Key, now: Moment) {
        match self.format {
            Format::Pagerduty => self.key = key,
            Format::Standard | Format::Teams | Format::Mattermost => self.rotate(key, now),
        }
    }

    /// Takes another key; the present one is signed with for a day more.
    fn rotate(&mut self, key: Key, now: Moment) {
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

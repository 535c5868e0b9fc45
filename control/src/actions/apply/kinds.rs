//! What files may declare.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Declared, File};
use crate::{
    actions::{Failure, bundles, repos, rules, webhooks},
    domain::{
        Bundle, Format, Owner, Permission, Refusal, Repo, Rule, StoredRule, Webhook, WebhookSpec, check_name,
    },
    outbound::check_url,
    store::StoreError,
    webhooks::{is_signing_key, new_key},
    work::Work,
};

impl Declared for Rule {
    type Stored = StoredRule;

    const KIND: &'static str = "rule";
    const PERMISSION: Permission = Permission::ModifyPolicies;

    fn name(&self) -> &str {
        &self.name
    }

    fn checked(self) -> Result<Self, Refusal> {
        self.check().map(|()| self)
    }

    fn of(stored: &StoredRule) -> Self {
        stored.rule.clone()
    }

    fn owner(stored: &StoredRule) -> Option<&Owner> {
        Some(&stored.owner)
    }

    fn shown(&self, _: Option<&Self>) -> Result<Value, StoreError> {
        Ok(serde_json::to_value(self)?)
    }

    async fn put(self, work: &mut Work, before: Option<StoredRule>, file: &File<'_>) -> Result<(), Failure> {
        let kind = if before.is_some() { "rule.changed" } else { "rule.created" };
        rules::write(work, self, file.owner.clone(), kind, file.actor).await.map(drop)
    }

    async fn remove(work: &mut Work, stored: StoredRule, file: &File<'_>) -> Result<(), Failure> {
        rules::erase(work, &stored.rule.name, file.actor).await
    }
}

impl Declared for Bundle {
    type Stored = Self;

    const KIND: &'static str = "bundle";
    const PERMISSION: Permission = Permission::ModifyPolicies;

    fn name(&self) -> &str {
        &self.name
    }

    fn checked(self) -> Result<Self, Refusal> {
        Ok(Self::of(&Self::checked(self)?))
    }

    fn of(stored: &Self) -> Self {
        Self { owner: Owner::rest(), updated_at: crate::domain::Moment::default(), ..stored.clone() }
    }

    fn owner(stored: &Self) -> Option<&Owner> {
        Some(&stored.owner)
    }

    fn shown(&self, _: Option<&Self>) -> Result<Value, StoreError> {
        let Self { name, description, parts, owner: _, updated_at: _ } = self;
        Ok(json!({ "name": name, "description": description, "parts": serde_json::to_value(parts)? }))
    }

    async fn put(self, work: &mut Work, before: Option<Self>, file: &File<'_>) -> Result<(), Failure> {
        let bundle = Self { owner: file.owner.clone(), updated_at: work.now(), ..self };
        bundles::write(work, &bundle, before.is_none(), file.actor).await
    }

    async fn remove(work: &mut Work, stored: Self, file: &File<'_>) -> Result<(), Failure> {
        bundles::erase(work, &stored.name, file.actor).await
    }
}

impl Declared for WebhookSpec {
    type Stored = Webhook;

    const KIND: &'static str = "webhook";
    const PERMISSION: Permission = Permission::ModifyIntegrations;

    fn name(&self) -> &str {
        &self.name
    }

    fn checked(self) -> Result<Self, Refusal> {
        check_name("webhook", &self.name)?;
        check_url(self.url.reveal())?;
        let wrong = |text: &str| Err(Refusal::Invalid(format!("secret: {text}")));
        match (self.format, &self.key) {
            (Format::Standard, Some(key)) if is_signing_key(key) => Ok(self),
            (Format::Standard, _) => {
                wrong("give the key that calls are signed with: `whsec_` and 24 to 64 bytes in Base64")
            }
            (Format::Pagerduty, Some(key)) if !key.reveal().is_empty() => Ok(self),
            (Format::Pagerduty, _) => wrong("give PagerDuty's integration key"),
            (Format::Teams | Format::Mattermost, None) => Ok(self),
            (Format::Teams | Format::Mattermost, Some(_)) => wrong("here the URL is the secret"),
        }
    }

    fn of(stored: &Webhook) -> Self {
        stored.spec()
    }

    fn owner(stored: &Webhook) -> Option<&Owner> {
        Some(&stored.owner)
    }

    fn shown(&self, before: Option<&Self>) -> Result<Value, StoreError> {
        let other = |is: bool| if is { " (another one)" } else { "" };
        let hidden = self.format.url_is_secret();
        let other_url = before.is_some_and(|before| hidden && before.url != self.url);
        let other_key = before.is_some_and(|before| before.key != self.key);
        let secret = self.key.as_ref().map(|_| format!("…{}", other(other_key)));
        Ok(json!({
            "name": self.name, "url": format!("{}{}", self.format.shown(&self.url), other(other_url)),
            "format": self.format, "types": self.filter.types, "identity": self.filter.identity,
            "repo": self.filter.repo, "named_only": self.named_only, "enabled": self.enabled, "secret": secret,
        }))
    }

    async fn put(self, work: &mut Work, before: Option<Webhook>, file: &File<'_>) -> Result<(), Failure> {
        let key = self.key.clone().map_or_else(new_key, Ok)?;
        let Some(mut webhook) = before else {
            return webhooks::make(work, self, key, file.owner.clone(), file.actor).await.map(drop);
        };
        let newest = work.tx().audit_reach().await?.newest;
        webhook.become_like(self, key, (newest, work.now()));
        webhook.owner = file.owner.clone();
        webhooks::rewrite(work, &mut webhook, "webhook.changed", file.actor).await
    }

    async fn remove(work: &mut Work, stored: Webhook, file: &File<'_>) -> Result<(), Failure> {
        webhooks::erase(work, &stored, file.actor).await
    }
}

/// Whether a repo is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RepoSetting {
    /// Which.
    pub name: String,
    /// Whether grants may be used.
    pub ephemeral_access: bool,
}

impl Declared for RepoSetting {
    type Stored = Repo;

    const KIND: &'static str = "repo";
    const PERMISSION: Permission = Permission::ModifySidecarsAndRepositories;

    fn name(&self) -> &str {
        &self.name
    }

    fn checked(self) -> Result<Self, Refusal> {
        check_name("repo", &self.name).map(|()| self)
    }

    fn of(stored: &Repo) -> Self {
        Self { name: stored.name.to_string(), ephemeral_access: stored.ephemeral_access }
    }

    fn owner(stored: &Repo) -> Option<&Owner> {
        stored.owner.as_ref()
    }

    fn shown(&self, _: Option<&Self>) -> Result<Value, StoreError> {
        Ok(serde_json::to_value(self)?)
    }

    fn caution(&self, stored: &Repo) -> Option<String> {
        let closing = stored.closing().filter(|_| self.ephemeral_access)?;
        Some(format!("reopens what was {closing}"))
    }

    async fn put(self, work: &mut Work, before: Option<Repo>, file: &File<'_>) -> Result<(), Failure> {
        let Some(mut repo) = before else {
            let unknown = "there is none: it is known once a sidecar has connected that serves it";
            return Err(Refusal::Invalid(unknown.to_owned()).into());
        };
        repo.owner = Some(file.owner.clone());
        if repo.ephemeral_access == self.ephemeral_access {
            return work.save(&repo).await;
        }
        repos::set(work, &mut repo, self.ephemeral_access, file.actor, &file.owner.words()).await
    }

    /// It stays open or closed as it is, and is nobody's word any more: what a file does not say opens nothing.
    async fn remove(work: &mut Work, stored: Repo, _: &File<'_>) -> Result<(), Failure> {
        work.save(&Repo { owner: None, ..stored }).await
    }
}

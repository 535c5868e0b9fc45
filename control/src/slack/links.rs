//! Which Slack user is which identity. Only what the identity may do counts.

use std::sync::Arc;

use postern_service::audit::Event;
use serde_json::{Value, json};

use super::{
    config::LinkBy,
    desk::Slack,
    records::Link,
    web_api::{Method, SlackError},
};
use crate::{
    actions::{Caller, Failure},
    domain::{IdentityRecord, Refusal, canonical},
    plane::ControlPlane,
    store::{self, Filter},
    work::Work,
};

/// Why somebody is nobody here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unlinked {
    /// They have not connected yet.
    #[error("connect your account first")]
    Unknown,
    /// Slack has not said yet which workspace this is.
    #[error("the app is not at work yet; try again")]
    NotReady,
    /// The e-mail address of their profile is no use.
    #[error("{0}")]
    Unfit(&'static str),
    /// Nobody of their e-mail address is known.
    #[error("nobody here is known as {0}")]
    Stranger(String),
    /// Slack could not be asked.
    #[error("Slack could not be asked who you are; try again")]
    Slack(#[from] SlackError),
    /// The store failed, or the identity is deactivated.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Slack {
    /// The link of a user of this workspace, if there is one that is good.
    pub(super) async fn link_of(&self, user: &str) -> Result<Option<Link>, Failure> {
        let Some(here) = self.workspace.load_full() else { return Ok(None) };
        let mut tx = self.plane.store.read().await?;
        let link: Option<Link> = store::load(&mut *tx, &Link::key(&here.team, user)).await?;
        Ok(link.filter(|link| link.is_good(self.config.link)))
    }

    /// The identity behind a link, as it is now; one that is not let in is nobody.
    pub(super) async fn behind(&self, link: &Link) -> Result<IdentityRecord, Failure> {
        let name = link.identity.as_str();
        let mut tx = self.plane.store.read().await?;
        let known: Option<IdentityRecord> = store::load(&mut *tx, name).await?;
        let known = known.ok_or_else(|| Refusal::not_found("identity", name))?;
        if known.enabled { Ok(known) } else { Err(Refusal::IdentityDisabled(name.to_owned()).into()) }
    }

    /// Whom a user of this workspace acts as, if that identity is let in. Where e-mail addresses are trusted, the first
    /// call makes the link.
    pub(super) async fn linked(&self, user: &str) -> Result<Link, Unlinked> {
        if let Some(link) = self.link_of(user).await? {
            self.behind(&link).await?;
            return Ok(link);
        }
        match self.config.link {
            LinkBy::Browser => Err(Unlinked::Unknown),
            LinkBy::Email => self.link_by_email(user).await,
        }
    }

    async fn link_by_email(&self, user: &str) -> Result<Link, Unlinked> {
        let here = self.workspace.load_full().ok_or(Unlinked::NotReady)?;
        let answer = self.api.call(Method::UsersInfo, &json!({"user": user})).await?;
        let email = canonical(trusted_email(&answer, &here.team).map_err(Unlinked::Unfit)?);
        let mut tx = self.plane.store.read().await.map_err(Failure::from)?;
        let known: Option<IdentityRecord> = store::load(&mut *tx, &email).await.map_err(Failure::from)?;
        drop(tx);
        if known.is_none() {
            return Err(Unlinked::Stranger(email));
        }
        let mut work = Work::begin(&self.plane).await?;
        let link = tie(&mut work, &here.team, user, &email, LinkBy::Email).await?;
        work.commit().await.map_err(Unlinked::from)?;
        Ok(link)
    }
}

/// The e-mail address of a full member of this workspace, confirmed.
fn trusted_email<'a>(answer: &'a Value, team: &str) -> Result<&'a str, &'static str> {
    let user = answer.get("user").unwrap_or(&Value::Null);
    let is = |name: &str| user.get(name).and_then(Value::as_bool).unwrap_or(false);
    let outside = ["deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger"];
    if user.get("team_id").and_then(Value::as_str) != Some(team) || outside.iter().any(|name| is(name)) {
        return Err("only full members of this workspace can use the app");
    }
    let email = user.pointer("/profile/email").and_then(Value::as_str).unwrap_or_default();
    if email.is_empty() || !is("is_email_confirmed") {
        return Err("your Slack profile has no confirmed e-mail address");
    }
    Ok(email)
}

/// Ties a Slack user to an identity. Another Slack user of the workspace that was tied to it is so no longer.
pub(super) async fn tie(
    work: &mut Work,
    team: &str,
    user: &str,
    identity: &str,
    by: LinkBy,
) -> Result<Link, Failure> {
    let known: IdentityRecord = work.get("identity", identity).await?;
    if !known.enabled {
        return Err(Refusal::IdentityDisabled(identity.to_owned()).into());
    }
    let key = Link::key(team, user);
    let own = Filter { identity: Some(known.name.to_string()), ..Filter::default() };
    let mut before: Vec<Link> = work.find_all(&own).await?;
    before.retain(|link| link.team == team && link.key != key);
    before.extend(work.load::<Link>(&key).await?.filter(|link| link.identity != known.name));
    for before in before {
        work.remove::<Link>(&before.key).await?;
        let event = about(&before, "slack.unlinked").with("replaced_by", key.as_str());
        work.note(Event { actor: known.name.to_string(), ..event });
    }
    let since = work.now();
    let (team, user) = (team.to_owned(), user.to_owned());
    let link = Link { key, team, user, identity: known.name, since, by };
    work.save(&link).await?;
    work.note(about(&link, "slack.linked").with("by", by.as_str()));
    Ok(link)
}

/// Unties a Slack user; false when they were tied to nobody.
pub(super) async fn untie(plane: &Arc<ControlPlane>, team: &str, user: &str) -> Result<bool, Failure> {
    let mut work = Work::begin(plane).await?;
    let Some(link) = work.load::<Link>(&Link::key(team, user)).await? else { return Ok(false) };
    let by = link.identity.to_string();
    untie_within(&mut work, &link, &by, Untied::InSlack).await?;
    work.commit().await?;
    Ok(true)
}

/// How a Slack user came to be tied no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untied {
    /// They typed a command.
    InSlack,
    /// Whoever they acted as had signed in.
    InBrowser,
    /// Whoever may modify users has ended it.
    ByAdministrator,
    /// Whoever they acted as is let in no longer.
    Deactivated,
}

impl Untied {
    /// The word in records.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InSlack => "slack",
            Self::InBrowser => "browser",
            Self::ByAdministrator => "administrator",
            Self::Deactivated => "deactivation",
        }
    }
}

/// Unties a Slack user as part of something larger.
pub(super) async fn untie_within(work: &mut Work, link: &Link, by: &str, how: Untied) -> Result<(), Failure> {
    work.remove::<Link>(&link.key).await?;
    let event = about(link, "slack.unlinked").with("by", how.as_str());
    work.note(Event { actor: by.to_owned(), ..event });
    Ok(())
}

/// Unties all who act as somebody who is let in no longer: whoever comes back, or gets the name next, connects anew.
pub(crate) async fn untie_all(work: &mut Work, by: &str, identity: &str) -> Result<(), Failure> {
    untie_each(work, by, identity, Untied::Deactivated).await.map(drop)
}

/// Unties all who act as an identity, at the wish of whoever may modify users. Refused when there is nobody.
pub(crate) async fn unlink(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    identity: &str,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let identity = canonical(identity);
    if untie_each(&mut work, caller.name(), &identity, Untied::ByAdministrator).await? == 0 {
        return Err(Refusal::not_found("Slack user that acts as", identity).into());
    }
    work.commit().await?;
    Ok(())
}

/// Unties all who act as an identity; how many there were.
async fn untie_each(work: &mut Work, by: &str, identity: &str, how: Untied) -> Result<usize, Failure> {
    let own = Filter { identity: Some(identity.to_owned()), ..Filter::default() };
    let links = work.find_all::<Link>(&own).await?;
    for link in &links {
        untie_within(work, link, by, how).await?;
    }
    Ok(links.len())
}

fn about(link: &Link, kind: &'static str) -> Event {
    let identity = link.identity.to_string();
    Event { actor: identity.clone(), identity, ..Event::new(kind) }.with("slack", link.key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_confirmed_address_of_a_full_member_is_trusted() {
        let user = |more: Value| {
            let mut user = json!({
                "team_id": "T1", "is_email_confirmed": true, "profile": {"email": "alice@example.com"},
            });
            for (name, value) in more.as_object().unwrap() {
                user[name] = value.clone();
            }
            json!({"ok": true, "user": user})
        };
        assert_eq!(trusted_email(&user(json!({})), "T1"), Ok("alice@example.com"));
        for more in [
            json!({"team_id": "T2"}),
            json!({"deleted": true}),
            json!({"is_bot": true}),
            json!({"is_restricted": true}),
            json!({"is_ultra_restricted": true}),
            json!({"is_stranger": true}),
            json!({"is_email_confirmed": false}),
            json!({"profile": {}}),
        ] {
            assert!(trusted_email(&user(more.clone()), "T1").is_err(), "{more}");
        }
        assert!(trusted_email(&json!({}), "T1").is_err());
    }
}

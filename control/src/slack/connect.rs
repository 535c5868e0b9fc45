//! Connecting in the browser: a Slack user gets an address that is good once and for a short while; whoever opens it, signs
//! in and says yes is whom that Slack user acts as from then on.
//!
//! Somebody may send their own address to somebody else, in the hope of acting as them. So the page names the Slack user
//! and nothing happens before it was answered; afterwards the Slack user is told, and one who was connected before is told
//! that they are so no longer.
//!
//! In: a Slack user (`invite`), then a code and who has signed in (`web::slack`), who sees there as well which Slack users
//! act as them. Out: an address, then a link.

use std::sync::Arc;

use postern_protocol::{duration::Span, gate::naming::has_unseen};
use postern_service::{audit::Event, random};
use serde_json::{Value, json};

use super::{
    config::LinkBy,
    desk::Slack,
    links::{Unlinked, Untied, tie, untie_within},
    records::{Invitation, Link},
    web_api::Method,
};
use crate::{
    actions::Failure,
    domain::Moment,
    plane::ControlPlane,
    store::{self, Filter},
    work::Work,
};

/// The page's path at the control plane.
pub(crate) const PAGE: &str = "/slack/connect";

/// How long an address is good.
const GOOD_FOR: Span = Span::from_secs(600);

/// A name is shown up to this length.
const LONGEST_NAME: usize = 100;

impl Slack {
    /// An address where a user of this workspace can be connected; one that they got before is good no longer.
    pub(super) async fn invite(&self, user: &str) -> Result<String, Unlinked> {
        let here = self.workspace.load_full().ok_or(Unlinked::NotReady)?;
        let answer = self.api.call(Method::UsersInfo, &json!({"user": user})).await?;
        if is_outsider(&answer) {
            return Err(Unlinked::Unfit("only people of this workspace can use the app"));
        }
        let code = random::token().map_err(Failure::from)?;
        let now = self.plane.clock.now();
        let (name, handle, email) = shown(&answer);
        let invitation = Invitation {
            sha256: random::sha256_hex(code.as_bytes()),
            key: Link::key(&here.team, user),
            team: here.team.clone(),
            workspace: here.name.clone(),
            user: user.to_owned(),
            name,
            handle,
            email,
            created_at: now,
            expires_at: now.plus(GOOD_FOR),
        };
        keep(&self.plane, &invitation).await?;
        Ok(format!("{}{PAGE}?code={code}", self.plane.public_url.trim_end_matches('/')))
    }
}

/// Whether somebody belongs to another workspace, has left, or is a program. Guests may connect: they have signed in.
fn is_outsider(answer: &Value) -> bool {
    let is = |name: &str| answer.pointer(&format!("/user/{name}")).and_then(Value::as_bool).unwrap_or(false);
    ["deleted", "is_bot", "is_stranger"].into_iter().any(is)
}

/// What people see of a user: name, handle, and the confirmed e-mail address if the app may see it.
fn shown(answer: &Value) -> (String, String, Option<String>) {
    let text = |pointer: &str| {
        let text = answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        text.chars()
            .filter(|letter| !has_unseen(letter.encode_utf8(&mut [0; 4])))
            .take(LONGEST_NAME)
            .collect::<String>()
    };
    let confirmed = answer.pointer("/user/is_email_confirmed").and_then(Value::as_bool).unwrap_or(false);
    let email = Some(text("/user/profile/email")).filter(|email| confirmed && !email.is_empty());
    (text("/user/profile/real_name"), text("/user/name"), email)
}

async fn keep(plane: &Arc<ControlPlane>, invitation: &Invitation) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let before = Filter { lookup: Some(invitation.key.clone()), ..Filter::default() };
    for before in work.find_all::<Invitation>(&before).await? {
        work.remove::<Invitation>(&before.sha256).await?;
    }
    work.save(invitation).await?;
    work.commit().await?;
    Ok(())
}

fn is_good(invitation: &Invitation, now: Moment) -> bool {
    now < invitation.expires_at
}

/// What waits at the address with this code.
pub(crate) async fn waiting(plane: &ControlPlane, code: &str) -> Result<Option<Invitation>, Failure> {
    let now = plane.clock.now();
    let mut tx = plane.store.read().await?;
    let found: Option<Invitation> = store::load(&mut *tx, &random::sha256_hex(code.as_bytes())).await?;
    Ok(found.filter(|invitation| is_good(invitation, now)))
}

/// Connects the Slack user to an identity that has signed in and said yes. Nothing when the address is good no longer.
pub(crate) async fn accept(
    plane: &Arc<ControlPlane>,
    code: &str,
    identity: &str,
) -> Result<Option<Invitation>, Failure> {
    let mut work = Work::begin(plane).await?;
    let Some(taken) = take(&mut work, code).await? else { return Ok(None) };
    tie(&mut work, &taken.team, &taken.user, identity, LinkBy::Browser).await?;
    work.commit().await?;
    Ok(Some(taken))
}

/// Voids the address at the wish of somebody who has signed in. False when it was good no longer.
pub(crate) async fn decline(plane: &Arc<ControlPlane>, code: &str, identity: &str) -> Result<bool, Failure> {
    let mut work = Work::begin(plane).await?;
    let Some(taken) = take(&mut work, code).await? else { return Ok(false) };
    let event = Event {
        actor: identity.to_owned(),
        identity: identity.to_owned(),
        ..Event::new("slack.link_declined")
    };
    work.note(event.with("slack", taken.key));
    work.commit().await?;
    Ok(true)
}

/// The Slack users that act as an identity.
pub(crate) async fn connected(plane: &ControlPlane, identity: &str) -> Result<Vec<Link>, Failure> {
    let own = Filter { identity: Some(identity.to_owned()), ..Filter::default() };
    let mut tx = plane.store.read().await?;
    Ok(store::find_all(&mut *tx, &own).await?)
}

/// Disconnects one of them at the wish of whoever has signed in as that identity. False when it is none of theirs.
pub(crate) async fn disconnect(
    plane: &Arc<ControlPlane>,
    key: &str,
    identity: &str,
) -> Result<bool, Failure> {
    let mut work = Work::begin(plane).await?;
    let link: Option<Link> = work.load(key).await?;
    let Some(link) = link.filter(|link| link.identity.as_str() == identity) else { return Ok(false) };
    untie_within(&mut work, &link, identity, Untied::InBrowser).await?;
    work.commit().await?;
    Ok(true)
}

/// Takes an invitation out: it is used up, whatever comes of it.
async fn take(work: &mut Work, code: &str) -> Result<Option<Invitation>, Failure> {
    let found: Option<Invitation> = work.load(&random::sha256_hex(code.as_bytes())).await?;
    let Some(taken) = found.filter(|invitation| is_good(invitation, work.now())) else { return Ok(None) };
    work.remove::<Invitation>(&taken.sha256).await?;
    Ok(Some(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_of_a_user_what_can_be_read_and_trusted() {
        let user = |confirmed: bool| {
            json!({"user": {
                "name": "mal\u{202e}lory", "is_email_confirmed": confirmed,
                "profile": {"real_name": "Bob\u{200b} \nSmith", "email": "mallory@example.com"},
            }})
        };
        let named = ("Bob Smith".to_owned(), "mallory".to_owned());
        let email = "mallory@example.com".to_owned();
        assert_eq!(shown(&user(true)), (named.0.clone(), named.1.clone(), Some(email)));
        assert_eq!(shown(&user(false)), (named.0, named.1, None));
        assert_eq!(shown(&json!({})), (String::new(), String::new(), None));
    }
}

//! People who have signed in: how that begins, who it makes a caller, and how it ends.
//!
//! A login is the family of its tokens. Without it they are nothing, so ending it ends them, and so does deactivating
//! the identity.

use postern_protocol::{duration::Span, gate::Identity};
use postern_service::{audit::Event, random};

use super::{Caller, Failure, oauth};
use crate::{
    domain::{IdentityRecord, Login, LoginKind, Moment, Refusal, canonical, subject},
    plane::ControlPlane,
    store::{Filter, Read, load},
    work::Work,
};

/// How long a sign-in on the command line lasts, however often its tokens are renewed.
pub(crate) const COMMAND_LINE: Span = Span::from_secs(86_400);

/// How long a browser's lasts.
pub(crate) const BROWSER: Span = Span::from_secs(43_200);

/// How long a browser's lasts when nothing comes.
pub(crate) const IDLE: Span = Span::from_secs(3_600);

/// Somebody whom the SSO provider has named.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    /// The identity.
    pub identity: String,
    /// Its groups; absent when the provider says nothing of groups.
    pub groups: Option<Vec<String>>,
    /// The provider.
    pub issuer: String,
    /// Its own word for whom it named.
    pub sub: String,
    /// The provider's session.
    pub sid: Option<String>,
}

/// Begins a login, and takes over what the provider says of groups.
pub(crate) async fn begin(
    work: &mut Work,
    proven: &Proven,
    kind: LoginKind,
    secret_sha256: Option<String>,
) -> Result<Login, Failure> {
    let identity = recognised(work, &proven.identity, proven.groups.as_deref()).await?;
    let now = work.now();
    let (lasts, idle) = match kind {
        LoginKind::Browser => (BROWSER, IDLE),
        LoginKind::CommandLine => (COMMAND_LINE, COMMAND_LINE),
    };
    let login = Login {
        id: random::id("l")?,
        identity: identity.name,
        kind,
        secret_sha256,
        subject: subject(&proven.issuer, &proven.sub),
        sid: proven.sid.clone(),
        created_at: now,
        idle_until: now.plus(idle),
        expires_at: now.plus(lasts),
    };
    work.save(&login).await?;
    work.note(about(&login, "login.began"));
    Ok(login)
}

/// The identity that the provider names, made if nobody has heard of it, with the groups that the provider says.
async fn recognised(
    work: &mut Work,
    name: &str,
    groups: Option<&[String]>,
) -> Result<IdentityRecord, Failure> {
    let known: Option<IdentityRecord> = work.load(&canonical(name)).await?;
    let before = known.clone();
    let mut identity = match known {
        Some(known) => known,
        None => IdentityRecord::new(name, work.now())?,
    };
    if !identity.enabled {
        return Err(Refusal::IdentityDisabled(identity.name.to_string()).into());
    }
    identity.signed_in(groups.unwrap_or_default(), work.now());
    work.save(&identity).await?;
    if before.as_ref().is_none_or(|before| before.claimed != identity.claimed) {
        let kind = if before.is_some() { "identity.changed" } else { "identity.created" };
        let event = Event { identity: identity.name.to_string(), ..Event::new(kind) };
        work.note(event.with("groups", identity.all_groups()));
    }
    Ok(identity)
}

/// The person that a login makes a caller, if it and the identity are good.
pub(super) async fn caller(
    plane: &ControlPlane,
    tx: &mut dyn Read,
    id: &str,
    now: Moment,
) -> Result<Option<Caller>, Failure> {
    let login: Option<Login> = load(tx, id).await?;
    let Some(login) = login.filter(|login| login.is_live(now)) else { return Ok(None) };
    let identity: Option<IdentityRecord> = load(tx, login.identity.as_str()).await?;
    let let_in = identity.filter(|identity| identity.enabled);
    Ok(let_in.map(|identity| Caller::person(identity.person(), &plane.admins)))
}

/// A login's first pair of tokens.
pub(crate) async fn first_pair(
    work: &mut Work,
    login: &Login,
    plane: &ControlPlane,
) -> Result<oauth::Pair, Failure> {
    let now = work.now();
    let caller = caller(plane, work.tx(), &login.id, now).await?;
    let scope = caller.map(|caller| caller.permissions().clone()).unwrap_or_default();
    oauth::issue_for(work, login, scope).await
}

/// Ends a login and voids its tokens.
pub(super) async fn end_within(work: &mut Work, login: &Login) -> Result<(), Failure> {
    oauth::void_family(work, &login.id).await?;
    work.note(about(login, "login.ended"));
    Ok(())
}

/// Ends every login of an identity.
pub(super) async fn end_all(work: &mut Work, identity: &str) -> Result<(), Failure> {
    let own = Filter { identity: Some(identity.to_owned()), ..Filter::default() };
    for login in work.find_all::<Login>(&own).await? {
        end_within(work, &login).await?;
    }
    Ok(())
}

fn about(login: &Login, kind: &'static str) -> Event {
    let identity: &Identity = &login.identity;
    Event { actor: identity.to_string(), identity: identity.to_string(), ..Event::new(kind) }
        .with("login", login.id.as_str())
        .with("through", login.kind.as_str())
}

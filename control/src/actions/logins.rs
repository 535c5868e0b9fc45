//! People who have signed in: how that begins, who it makes a caller, and how it ends.
//!
//! A login is the family of its tokens. Without it they are nothing, so ending it ends them, and so does deactivating
//! the identity.

use std::sync::Arc;

use postern_protocol::{duration::Span, gate::Identity};
use postern_service::{audit::Event, random, secret::Secret};

use super::{Caller, Failure, device, identities, oauth};
use crate::{
    domain::{
        ApiToken, DeviceApproval, IdentityRecord, Login, LoginKind, Moment, Refusal, canonical, subject,
    },
    plane::ControlPlane,
    store::{Filter, Read, load, load_by},
    work::Work,
};

/// How long a sign-in on the command line lasts, however often its tokens are renewed.
pub(crate) const COMMAND_LINE: Span = Span::from_secs(86_400);

/// How long a browser's lasts.
pub(crate) const BROWSER: Span = Span::from_secs(43_200);

/// How long a browser's lasts when nothing comes.
pub(crate) const IDLE: Span = Span::from_secs(3_600);

/// How stale the mark of a browser's last call may be.
const TOUCH: Span = Span::from_secs(60);

/// Somebody whom the SSO provider has named.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    /// The identity.
    pub identity: String,
    /// Its groups; absent when the provider says nothing of groups.
    pub groups: Option<Vec<String>>,
    /// When the provider said all this.
    pub issued_at: Moment,
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
    let identity =
        recognised(work, &proven.identity, proven.groups.as_deref(), Some(proven.issued_at)).await?;
    let subject = subject(&proven.issuer, &proven.sub);
    let login = new(work, kind, identity.name, subject, proven.sid.clone())?;
    open(work, Login { secret_sha256, ..login }).await
}

/// Begins a browser's login under a new secret, and ends the one that the browser had before.
pub(crate) async fn begin_in_browser(
    plane: &Arc<ControlPlane>,
    proven: &Proven,
    secret_sha256: String,
    before: Option<&str>,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    if let Some(before) = before
        && let Some(before) = work.load::<Login>(before).await?
    {
        end_within(&mut work, &before).await?;
    }
    begin(&mut work, proven, LoginKind::Browser, Some(secret_sha256)).await?;
    work.commit().await?;
    Ok(())
}

/// Begins the command line's login that somebody approved in a browser.
pub(super) async fn on_command_line(work: &mut Work, approval: &DeviceApproval) -> Result<Login, Failure> {
    let DeviceApproval { identity, subject, sid } = approval.clone();
    let known: IdentityRecord = work.get("identity", identity.as_str()).await?;
    if !known.enabled {
        return Err(Refusal::IdentityDisabled(identity.to_string()).into());
    }
    let login = new(work, LoginKind::CommandLine, identity, subject, sid)?;
    open(work, login).await
}

fn new(
    work: &Work,
    kind: LoginKind,
    identity: Identity,
    subject: String,
    sid: Option<String>,
) -> Result<Login, Failure> {
    let now = work.now();
    let (lasts, idle) = match kind {
        LoginKind::Browser => (BROWSER, IDLE),
        LoginKind::CommandLine => (COMMAND_LINE, COMMAND_LINE),
    };
    Ok(Login {
        id: random::id("l")?,
        identity,
        kind,
        secret_sha256: None,
        subject,
        sid,
        created_at: now,
        idle_until: now.plus(idle),
        expires_at: now.plus(lasts),
    })
}

async fn open(work: &mut Work, login: Login) -> Result<Login, Failure> {
    work.save(&login).await?;
    work.note(about(&login, "login.began"));
    Ok(login)
}

/// The identity that the provider names, made if nobody has heard of it, with the groups that the provider says.
async fn recognised(
    work: &mut Work,
    name: &str,
    groups: Option<&[String]>,
    issued_at: Option<Moment>,
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
    identity.signed_in(groups.unwrap_or_default(), issued_at, work.now());
    work.save(&identity).await?;
    if before.as_ref().is_none_or(|before| before.claimed != identity.claimed) {
        let kind = if before.is_some() { "identity.changed" } else { "identity.created" };
        let event = Event { identity: identity.name.to_string(), ..Event::new(kind) };
        work.note(event.with("groups", identity.all_groups()));
    }
    if let Some(before) = &before {
        identities::regrouped(work, "", &identity, &before.all_groups()).await?;
    }
    Ok(identity)
}

/// The person or workload that a JWT of a trusted issuer proves, if it is let in.
///
/// Groups that the token lists are kept like those of a sign-in, for what is asked for now may be decided later; a token
/// that lists none, or is older than what the provider said last, says nothing of groups.
pub(crate) async fn by_jwt(plane: &Arc<ControlPlane>, token: &str) -> Result<Option<Caller>, Failure> {
    let now = plane.clock.now();
    let proven = match plane.issuers.verify(token, now.timestamp()).await {
        Ok(proven) => proven,
        Err(not) => {
            tracing::debug!(reason = %not, "a token of an SSO provider proves nothing");
            return Ok(None);
        }
    };
    let name = canonical(proven.identity.as_str());
    let mut tx = plane.store.read().await?;
    let known: Option<IdentityRecord> = load(&mut *tx, &name).await?;
    drop(tx);
    if known.as_ref().is_some_and(|known| !known.enabled) {
        return Ok(None);
    }
    let issued_at = proven.issued_at.map(Moment::from);
    let says_nothing_new = |known: &IdentityRecord| {
        let same = known.claims(&proven.groups) && known.claimed_at >= issued_at;
        proven.groups.is_empty() || same || !known.hears(issued_at)
    };
    let identity = if let Some(known) = known.filter(says_nothing_new) {
        known
    } else {
        let mut work = Work::begin(plane).await?;
        let identity = match recognised(&mut work, &name, Some(&proven.groups), issued_at).await {
            Err(Failure::Refused(Refusal::IdentityDisabled(_))) => return Ok(None),
            other => other?,
        };
        work.commit().await?;
        identity
    };
    // Whom an issuer of workloads names is nobody's administrator.
    let admins: &[String] = if proven.is_workload { &[] } else { &plane.admins };
    Ok(Some(Caller::person(identity.person(), admins)))
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

/// The person behind a browser's cookie, and their login, which does not idle from now on.
pub(crate) async fn of_browser(
    plane: &Arc<ControlPlane>,
    secret_sha256: &str,
) -> Result<Option<(Caller, Login)>, Failure> {
    let now = plane.clock.now();
    let mut tx = plane.store.read().await?;
    let Some(login): Option<Login> = load_by(&mut *tx, secret_sha256).await? else { return Ok(None) };
    let Some(caller) = caller(plane, &mut *tx, &login.id, now).await? else { return Ok(None) };
    drop(tx);
    if now.plus(IDLE) < login.idle_until.plus(TOUCH) {
        return Ok(Some((caller, login)));
    }
    let mut work = Work::begin(plane).await?;
    // It may have been ended meanwhile.
    if let Some(login) = work.load::<Login>(&login.id).await? {
        work.save(&Login { idle_until: now.plus(IDLE), ..login }).await?;
        work.commit().await?;
    }
    Ok(Some((caller, login)))
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

/// Ends a login at its owner's wish.
pub(crate) async fn end(plane: &Arc<ControlPlane>, login: &Login) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    if work.load::<Login>(&login.id).await?.is_some() {
        end_within(&mut work, login).await?;
        work.commit().await?;
    }
    Ok(())
}

/// Ends the login that one of its tokens names. A token that is nobody's ends nothing (RFC 7009, section 2.2).
pub(crate) async fn end_by_token(plane: &Arc<ControlPlane>, token: &Secret) -> Result<(), Failure> {
    let mut tx = plane.store.read().await?;
    let known: Option<ApiToken> = load(&mut *tx, &random::sha256_hex(token.reveal().as_bytes())).await?;
    let login: Option<Login> = match known {
        Some(token) => load(&mut *tx, &token.family).await?,
        None => None,
    };
    drop(tx);
    match login {
        Some(login) => end(plane, &login).await,
        None => Ok(()),
    }
}

/// Ends what the provider names: the logins of one of its sessions, or, where it names none, all of somebody's.
pub(crate) async fn end_named(
    work: &mut Work,
    issuer: &str,
    subject: Option<&str>,
    sid: Option<&str>,
) -> Result<(), Failure> {
    let is_meant = |whose: &str, session: Option<&str>| {
        let same_session = sid.is_none_or(|sid| session == Some(sid));
        same_session
            && whose.split(' ').next() == Some(issuer)
            && subject.is_none_or(|subject| subject == whose)
    };
    let named = Filter { owner: subject.map(str::to_owned), ..Filter::default() };
    for login in work.find_all::<Login>(&named).await? {
        if is_meant(&login.subject, login.sid.as_deref()) {
            end_within(work, &login).await?;
        }
    }
    device::forget(work, |approval| is_meant(&approval.subject, approval.sid.as_deref())).await
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
    device::forget(work, |approval| approval.identity.as_str() == identity).await
}

fn about(login: &Login, kind: &'static str) -> Event {
    let identity: &Identity = &login.identity;
    Event { actor: identity.to_string(), identity: identity.to_string(), ..Event::new(kind) }
        .with("login", login.id.as_str())
        .with("through", login.kind.as_str())
}

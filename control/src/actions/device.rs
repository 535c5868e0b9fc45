//! Signing in on the command line, by way of a browser (RFC 8628).
//!
//! The command line begins and asks again and again; in between a person who has signed in says yes or no. A yes becomes
//! a login and its first tokens when the command line asks the next time, once.

use std::{net::IpAddr, sync::Arc};

use postern_service::{audit::Event, random, secret::Secret};

use super::{Failure, logins, oauth};
use crate::{
    domain::{DeviceAnswer, DeviceApproval, DeviceLogin, Login, NotYet, Refusal, user_code},
    plane::ControlPlane,
    store::{Filter, find_all, load_by},
    work::Work,
};

/// So many codes can wait at once.
const MOST: u32 = 1_000;

/// A sign-in that has begun; the device code is shown once.
#[derive(Debug)]
pub(crate) struct Begun {
    /// What the command line keeps.
    pub device_code: Secret,
    /// What the person sees, and when it is over.
    pub waiting: DeviceLogin,
}

/// Begins a sign-in from this address.
pub(crate) async fn begin(plane: &Arc<ControlPlane>, address: IpAddr) -> Result<Begun, Failure> {
    let device_code = Secret::from(random::token()?);
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let open = Filter { due_after: Some(now), limit: Some(MOST), ..Filter::default() };
    if work.find_all::<DeviceLogin>(&open).await?.len() >= usize::try_from(MOST).unwrap_or(usize::MAX) {
        return Err(Refusal::Conflict("too many sign-ins wait for their person already".to_owned()).into());
    }
    let code = loop {
        if let Some(code) = user_code(&random::bytes::<16>()?) {
            break code;
        }
    };
    let hash = random::sha256_hex(device_code.reveal().as_bytes());
    let waiting = DeviceLogin::new(hash, code, address, now);
    work.save(&waiting).await?;
    work.commit().await?;
    Ok(Begun { device_code, waiting })
}

/// The sign-in that waits under this code, as the person types it.
pub(crate) async fn waiting(plane: &ControlPlane, code: &str) -> Result<Option<DeviceLogin>, Failure> {
    let mut tx = plane.store.read().await?;
    let now = plane.clock.now();
    let found: Option<DeviceLogin> = load_by(&mut *tx, code).await?;
    Ok(found.filter(|waiting| waiting.is_open(now)))
}

/// Says yes or no in the name of whoever has signed in.
pub(crate) async fn answer(
    plane: &Arc<ControlPlane>,
    code: &str,
    login: &Login,
    yes: bool,
) -> Result<(), Failure> {
    let mut work = Work::begin(plane).await?;
    let now = work.now();
    let by_code = Filter { lookup: Some(code.to_owned()), ..Filter::default() };
    let found = find_all::<DeviceLogin>(work.tx(), &by_code).await?.into_iter().next();
    let open = found.filter(|waiting| waiting.is_open(now));
    let mut waiting = open.ok_or_else(|| Refusal::not_found("waiting sign-in", code))?;
    let kind = if yes { "device.approved" } else { "device.denied" };
    waiting.answer = if yes {
        DeviceAnswer::Approved(DeviceApproval {
            identity: login.identity.clone(),
            subject: login.subject.clone(),
            sid: login.sid.clone(),
        })
    } else {
        DeviceAnswer::Denied
    };
    work.save(&waiting).await?;
    let name = login.identity.to_string();
    let event = Event { actor: name.clone(), identity: name, ..Event::new(kind) };
    work.note(event.with("from", waiting.address.to_string()));
    work.commit().await?;
    Ok(())
}

/// Takes back what was approved and has given no tokens yet: whoever approved it is out.
pub(super) async fn forget(
    work: &mut Work,
    is_out: impl Fn(&DeviceApproval) -> bool + Send,
) -> Result<(), Failure> {
    let open = Filter { due_after: Some(work.now()), ..Filter::default() };
    for waiting in work.find_all::<DeviceLogin>(&open).await? {
        if matches!(&waiting.answer, DeviceAnswer::Approved(approval) if is_out(approval)) {
            work.save(&DeviceLogin { answer: DeviceAnswer::Denied, ..waiting }).await?;
        }
    }
    Ok(())
}

/// Why a device code gives no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTokens {
    /// It is unknown, or has given its tokens.
    #[error("the device code is unknown or used")]
    Unknown,
    /// Not yet, or never.
    #[error(transparent)]
    NotYet(#[from] NotYet),
    /// It could not be looked up, or the identity is no longer let in.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// The command line asks for its tokens.
pub(crate) async fn tokens(plane: &Arc<ControlPlane>, code: &Secret) -> Result<oauth::Pair, NoTokens> {
    let hash = random::sha256_hex(code.reveal().as_bytes());
    // Guesses do not queue up behind the writers.
    let mut tx = plane.store.read().await.map_err(Failure::from)?;
    let known: Option<DeviceLogin> = crate::store::load(&mut *tx, &hash).await.map_err(Failure::from)?;
    known.ok_or(NoTokens::Unknown)?;
    drop(tx);
    let mut work = Work::begin(plane).await?;
    let mut waiting: DeviceLogin = work.load(&hash).await?.ok_or(NoTokens::Unknown)?;
    let said = waiting.ask(work.now());
    match said {
        Ok(approval) => {
            work.remove::<DeviceLogin>(&hash).await?;
            let login = logins::on_command_line(&mut work, &approval).await?;
            let pair = logins::first_pair(&mut work, &login, plane).await?;
            work.commit().await?;
            Ok(pair)
        }
        Err(not) => {
            work.save(&waiting).await?;
            work.commit().await?;
            Err(not.into())
        }
    }
}

//! As whom the control plane is asked: an API client of the environment, or the person who has run `postern login`.

use std::{
    env,
    time::{Duration, Instant},
};

use postern_service::secret::Secret;
use reqwest::Url;

use super::form;
use crate::{error::Error, login::Store};

/// What the command line is called where people sign in. It has no secret.
pub(crate) const COMMAND_LINE: &str = "postern-cli";

/// One of the credentials that stand in for a login.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The client's id.
    pub(crate) id: String,
    /// The client's secret.
    pub(crate) secret: Secret,
}

impl Credentials {
    /// Those of the environment; half of them is an error, for nobody means that.
    pub(super) fn from_env() -> Result<Option<Self>, Error> {
        let filled = |name| env::var(name).ok().filter(|text| !text.is_empty());
        match (filled("POSTERN_CLIENT_ID"), filled("POSTERN_CLIENT_SECRET")) {
            (Some(id), Some(secret)) => Ok(Some(Self { id, secret: secret.into() })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(Error::NoCredentials),
        }
    }
}

/// As whom.
pub(super) enum Standing {
    /// A program.
    Client(Credentials),
    /// A person.
    Login(Store),
}

/// A token that is good for minutes, so whoever waits longer gets another.
pub(super) struct Pass {
    pub(super) token: Secret,
    pub(super) renew_at: Instant,
}

impl Standing {
    /// Gets one.
    pub(super) async fn pass(&self, http: &reqwest::Client, base: &Url) -> Result<Pass, Error> {
        let now = Instant::now();
        let (token, lasts) = match self {
            Self::Client(credentials) => of_client(http, base, credentials).await?,
            Self::Login(store) => store.token(http, base).await?,
        };
        Ok(Pass { token, renew_at: now + lasts / 2 })
    }
}

async fn of_client(
    http: &reqwest::Client,
    base: &Url,
    credentials: &Credentials,
) -> Result<(Secret, Duration), Error> {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &*credentials.id),
        ("client_secret", credentials.secret.reveal()),
    ];
    let answer = form(http, base, "token", &fields).await?;
    let token = answer["access_token"].as_str();
    let token = token.ok_or_else(|| Error::Answer("no access_token in the answer".to_owned()))?;
    Ok((token.into(), Duration::from_secs(answer["expires_in"].as_u64().unwrap_or(0))))
}

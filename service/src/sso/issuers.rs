//! Whom a token proves, given the issuers that are trusted.

use std::{fmt, io, sync::Arc};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use postern_protocol::gate::{Identity, Issuer, Naming};
use serde_json::Value;

use super::{
    Claims, InvalidNaming, NoIdentity, Provider,
    claims::BadClaims,
    jws::{InvalidJws, Jws},
    naming,
    provider::NoKey,
    web::{UnusableUrl, permitted},
};

/// Whom a token proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// Who carries it.
    pub identity: Identity,
    /// The groups that it lists, without `group:`.
    pub groups: Vec<String>,
    /// When it said so; nothing where the groups are the configuration's word and not the token's.
    pub issued_at: Option<Timestamp>,
    /// Until when it counts.
    pub expires_at: Timestamp,
    /// Who says so.
    pub issuer: String,
    /// Whether it is a workload's.
    pub is_workload: bool,
    /// Everything else that it says.
    pub claims: Claims,
}

/// What a token is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To prove who is there: an ID token or an access token.
    Login,
    /// To end sessions (OpenID Connect Back-Channel Logout 1.0).
    Logout,
}

/// Why a token proves nothing. For the operator; a client is told the same whatever it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// Not a token, or one of a kind that is not accepted.
    #[error(transparent)]
    Token(#[from] InvalidJws),
    /// It is for another purpose: a logout token is no proof of who is there.
    #[error("the token is for another purpose")]
    Purpose,
    /// Its issuer is not among the trusted ones.
    #[error("the token's issuer is not trusted")]
    Issuer,
    /// Its issuer has no such key.
    #[error("the token's key is not known to its issuer")]
    UnknownKey,
    /// Its issuer's keys are not there.
    #[error("the keys of the token's issuer could not be fetched so far")]
    Unreachable,
    /// It is not signed with its issuer's key.
    #[error("the token's signature does not hold")]
    Signature,
    /// It does not count here and now.
    #[error(transparent)]
    Claims(#[from] BadClaims),
    /// It names nobody.
    #[error(transparent)]
    Identity(#[from] NoIdentity),
}

/// Why an issuer cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum UnusableIssuer {
    /// Its URL.
    #[error(transparent)]
    Url(#[from] UnusableUrl),
    /// How its tokens name people.
    #[error(transparent)]
    Naming(#[from] InvalidNaming),
    /// Tokens for anybody would count.
    #[error("it has no audiences")]
    NoAudience,
    /// Its trust anchors, or the TLS library.
    #[error("`ca`: {0}")]
    Client(#[from] io::Error),
}

struct Trusted {
    issuer: Issuer,
    provider: Arc<Provider>,
}

/// The issuers that are trusted now.
#[derive(Default)]
pub struct Issuers {
    trusted: ArcSwap<Vec<Trusted>>,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.trusted.load().iter().map(|trusted| trusted.issuer.url.clone()).collect();
        out.debug_tuple("Issuers").field(&urls).finish()
    }
}

impl Issuers {
    /// Whether an issuer is described so that it can be trusted.
    pub fn check(issuer: &Issuer) -> Result<(), UnusableIssuer> {
        permitted(&issuer.url)?;
        naming::check(&issuer.naming)?;
        if issuer.audiences.is_empty() || issuer.audiences.iter().any(String::is_empty) {
            return Err(UnusableIssuer::NoAudience);
        }
        super::client(issuer.ca.as_deref())?;
        Ok(())
    }

    /// Trusts these from now on and no others. The keys of those that were trusted before are kept. One that cannot be
    /// used is logged and left out. To be called on a runtime.
    pub fn trust(&self, issuers: Vec<Issuer>) {
        let old = self.trusted.load_full();
        let mut new: Vec<Trusted> = Vec::with_capacity(issuers.len());
        for issuer in issuers {
            let same = |known: &&Trusted| known.issuer.url == issuer.url && known.issuer.ca == issuer.ca;
            let known = new.iter().find(same).or_else(|| old.iter().find(same));
            let provider = match known {
                Some(known) => Ok(Arc::clone(&known.provider)),
                None => Provider::start(&issuer.url, issuer.ca.as_deref()).map_err(UnusableIssuer::from),
            };
            match Self::check(&issuer).and(provider) {
                Ok(provider) => new.push(Trusted { issuer, provider }),
                Err(error) => {
                    tracing::error!(issuer = issuer.url, %error, "tokens of this issuer will not count");
                }
            }
        }
        self.trusted.store(Arc::new(new));
    }

    /// The issuer of people's tokens, if there is one, and its web server.
    pub fn of_people(&self) -> Option<(Issuer, Arc<Provider>)> {
        let trusted = self.trusted.load();
        let mut people =
            trusted.iter().filter(|trusted| matches!(trusted.issuer.naming, Naming::Person { .. }));
        people.next().map(|trusted| (trusted.issuer.clone(), Arc::clone(&trusted.provider)))
    }

    /// Whom a token proves now.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Proven, NotProven> {
        self.prove(token, None, now).await
    }

    /// Whom an ID token proves that was given to `client`, whatever audiences count otherwise.
    pub async fn verify_id_token(
        &self,
        token: &str,
        client: &str,
        now: Timestamp,
    ) -> Result<Proven, NotProven> {
        self.prove(token, Some(&[client.to_owned()]), now).await
    }

    async fn prove(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        now: Timestamp,
    ) -> Result<Proven, NotProven> {
        let (claims, entries) = self.genuine(token, Purpose::Login).await?;
        let expires_at = claims.ends(now)?;
        let mut first = None;
        for issuer in entries {
            let named = claims.is_for(audiences.unwrap_or(&issuer.audiences)).map_err(NotProven::from);
            let named = named.and_then(|()| Ok(naming::name(&issuer.naming, &claims)?));
            let is_workload = matches!(issuer.naming, Naming::Workload { .. });
            match named {
                Ok((identity, _)) if !is_workload && self.is_for_workloads(&identity) => {
                    first = first.or(Some(NoIdentity::Workload.into()));
                }
                Ok((identity, groups)) => {
                    let (issuer, issued_at) = (issuer.url, claims.issued_at().filter(|_| !is_workload));
                    return Ok(Proven {
                        identity,
                        groups,
                        issued_at,
                        expires_at,
                        issuer,
                        is_workload,
                        claims,
                    });
                }
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(NotProven::Issuer))
    }

    /// Whether a name is of the kind that one of the issuers' workloads have.
    fn is_for_workloads(&self, name: &Identity) -> bool {
        self.trusted.load().iter().any(|trusted| naming::is_for_workloads(&trusted.issuer.naming, name))
    }

    /// The claims of a logout token that the people's issuer made for `client`, and until when it counts.
    pub async fn verify_logout(
        &self,
        token: &str,
        client: &str,
        now: Timestamp,
    ) -> Result<(Claims, Timestamp), NotProven> {
        let (claims, entries) = self.genuine(token, Purpose::Logout).await?;
        let ends = claims.ends(now)?;
        if !entries.iter().any(|issuer| matches!(issuer.naming, Naming::Person { .. })) {
            return Err(NotProven::Issuer);
        }
        claims.is_for(&[client.to_owned()])?;
        Ok((claims, ends))
    }

    /// The claims of a token that one of the trusted issuers has signed, and what is said of that issuer.
    async fn genuine(&self, token: &str, purpose: Purpose) -> Result<(Claims, Vec<Issuer>), NotProven> {
        let jws = Jws::parse(token)?;
        purpose.check(&jws)?;
        let url = jws.claims.get("iss").and_then(Value::as_str).ok_or(NotProven::Issuer)?;
        let (entries, provider) = self.named(url).ok_or(NotProven::Issuer)?;
        let key = provider.key(jws.kid.as_deref(), jws.algorithm).await.map_err(|no| match no {
            NoKey::Unknown => NotProven::UnknownKey,
            NoKey::Unreachable => NotProven::Unreachable,
        })?;
        if !key.verifies(jws.algorithm, jws.message, &jws.signature) {
            return Err(NotProven::Signature);
        }
        Ok((Claims(jws.claims), entries))
    }

    fn named(&self, url: &str) -> Option<(Vec<Issuer>, Arc<Provider>)> {
        let trusted = self.trusted.load();
        let of_url: Vec<_> = trusted.iter().filter(|trusted| trusted.issuer.url == url).collect();
        let provider = Arc::clone(&of_url.first()?.provider);
        Some((of_url.into_iter().map(|trusted| trusted.issuer.clone()).collect(), provider))
    }
}

impl Purpose {
    /// Whether a token is of a kind for this: what may log in may not log out, and the other way about.
    fn check(self, jws: &Jws<'_>) -> Result<(), NotProven> {
        let kind = jws.kind.as_deref();
        let tells_events = jws.claims.contains_key("events");
        let fits = match self {
            Self::Login => matches!(kind, None | Some("jwt" | "at+jwt")) && !tells_events,
            Self::Logout => matches!(kind, None | Some("jwt" | "logout+jwt")) && tells_events,
        };
        if fits { Ok(()) } else { Err(NotProven::Purpose) }
    }
}

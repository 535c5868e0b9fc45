//! What a client shows, and whom it proves.

use std::time::Duration;

use postern_protocol::gate::{Identity, TOKEN_PREFIX};
use postern_service::{
    random::sha256_hex,
    sso::{Issuers, NotProven},
};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Certified, NoName};
use crate::grants::Book;

/// The longest access token.
const MAX_TOKEN: usize = 64;

/// What a client shows.
pub(crate) enum Credential {
    /// A text: an access token, or a token of an SSO provider. How it came is all the same.
    Token(Zeroizing<String>),
    /// A certificate that the TLS handshake has verified.
    Certificate(CertificateDer<'static>),
}

/// Somebody who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) identity: Identity,
    /// The groups that the credential lists.
    pub(crate) groups: Vec<String>,
    /// When it was made, if it says so.
    pub(crate) issued_at: Option<jiff::Timestamp>,
    /// Until when the credential counts.
    pub(crate) until: Instant,
    /// The hash of an access token, by which it can be revoked.
    token_sha256: Option<String>,
}

impl Known {
    /// By a credential that lists no groups and cannot be revoked here.
    pub(super) const fn until(identity: Identity, until: Instant) -> Self {
        Self { identity, groups: Vec::new(), issued_at: None, until, token_sha256: None }
    }

    /// Whether the credential still counts.
    pub(crate) fn holds(&self, book: &Book) -> bool {
        let is_known = |hash: &String| book.identify(hash).is_some();
        Instant::now() < self.until && self.token_sha256.as_ref().is_none_or(is_known)
    }
}

/// Why a credential proves nothing. For the operator.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Unproven {
    /// No access token that is known and has not expired.
    #[error("no such access token")]
    AccessToken,
    /// A token of an SSO provider that does not count.
    #[error(transparent)]
    Sso(#[from] NotProven),
    /// A certificate that names nobody.
    #[error(transparent)]
    Certificate(#[from] NoName),
    /// The user name names somebody else.
    #[error("the credential is somebody else's")]
    SomebodyElse,
}

impl Unproven {
    /// Whether nothing could be found out, so that the same credential may count a moment later.
    pub(crate) const fn is_for_now(&self) -> bool {
        matches!(self, Self::Sso(NotProven::Unreachable))
    }
}

/// Whose credential this is. `claimed` is the identity that the user name gives, if it gives one.
pub(crate) async fn authenticate(
    book: &Book,
    issuers: &Issuers,
    credential: &Credential,
    claimed: Option<&str>,
) -> Result<Known, Unproven> {
    let known = match credential {
        Credential::Certificate(certificate) => Certified::read(certificate)?.known(claimed)?,
        Credential::Token(text) if text.starts_with(TOKEN_PREFIX) => {
            // Looked up by its hash: how long that takes says nothing about any token that exists.
            if text.len() > MAX_TOKEN {
                return Err(Unproven::AccessToken);
            }
            let hash = sha256_hex(text.as_bytes());
            let (identity, until) = book.identify(&hash).ok_or(Unproven::AccessToken)?;
            Known { token_sha256: Some(hash), ..Known::until(identity, until) }
        }
        Credential::Token(text) => {
            let now = jiff::Timestamp::now();
            let proven = issuers.verify(text, now).await?;
            let left = Duration::try_from(proven.expires_at.duration_since(now)).unwrap_or_default();
            Known {
                groups: proven.groups,
                issued_at: proven.issued_at,
                ..Known::until(proven.identity, Instant::now() + left)
            }
        }
    };
    let own = claimed.is_none_or(|claimed| claimed.eq_ignore_ascii_case(known.identity.as_str()));
    if own { Ok(known) } else { Err(Unproven::SomebodyElse) }
}

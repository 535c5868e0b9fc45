//! The two tokens that Postern issues itself.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Identity, TokenId};

/// Every access token begins with this, so that a leaked one is recognised by scanners.
pub const TOKEN_PREFIX: &str = "pst_";

/// An access token as the feed carries it: its hash, never itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessToken {
    /// `t_…`
    pub id: TokenId,
    /// SHA-256 of the whole token text, in lower-case hexadecimal. The token is 256 random bits, so a plain hash does.
    pub sha256: String,
    /// Whose it is.
    pub identity: Identity,
    /// Milliseconds since the Unix epoch.
    pub expires_at: i64,
}

/// A sidecar's enrolment token: `pss_<secret>.<key>`.
///
/// The secret proves the sidecar to the control plane. The key is the control plane's Ed25519 public key, with which
/// the sidecar verifies the feed: whoever hands over the token hands over the trust, and nothing is taken on first use.
#[derive(Clone, PartialEq, Eq)]
pub struct SidecarToken {
    text: String,
    key: String,
}

/// Why a text is no sidecar token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no sidecar token: make one with `postern sidecar-token create --name NAME`")]
pub struct InvalidSidecarToken;

impl SidecarToken {
    /// Puts a token together from a secret and an Ed25519 public key, both base64url without padding.
    #[must_use]
    pub fn new(secret: &str, key: &str) -> Self {
        Self { text: format!("pss_{secret}.{key}"), key: key.to_owned() }
    }

    /// The whole token, as it is sent as a bearer token. Secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The control plane's Ed25519 public key, base64url without padding. Not secret.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for SidecarToken {
    type Err = InvalidSidecarToken;

    fn from_str(text: &str) -> Result<Self, InvalidSidecarToken> {
        let url_safe = |part: &str| {
            part.len() == 43 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let (secret, key) = text
            .trim()
            .strip_prefix("pss_")
            .and_then(|rest| rest.split_once('.'))
            .ok_or(InvalidSidecarToken)?;
        if url_safe(secret) && url_safe(key) { Ok(Self::new(secret, key)) } else { Err(InvalidSidecarToken) }
    }
}

impl fmt::Debug for SidecarToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SidecarToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_token_reads_back_and_never_shows_itself() {
        let token = SidecarToken::new(&"s".repeat(43), &"k".repeat(43));
        let again: SidecarToken = token.reveal().parse().unwrap();
        assert_eq!(again.key(), "k".repeat(43));
        assert!(!format!("{again:?}").contains("sss"));
    }

    #[test]
    fn a_shortened_token_is_refused() {
        for text in ["", "pss_", "pss_a.b", "pst_x", &format!("pss_{}.{}", "s".repeat(43), "k".repeat(42))] {
            assert!(text.parse::<SidecarToken>().is_err(), "{text}");
        }
    }
}

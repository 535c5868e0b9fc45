//! Cookies: which there are, how they are set, how they are read.
//!
//! Over https their names begin with `__Host-`, so that no other host and no plain connection can set them (RFC 6265bis,
//! section 4.1.3.2). Scripts see none of them, and other sites' forms do not carry them.

use axum::http::{HeaderMap, header};
use postern_protocol::duration::Span;
use postern_service::secret::Secret;

use crate::plane::ControlPlane;

/// A cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Who has signed in.
    Session,
    /// Who is about to.
    Attempt,
}

impl Cookie {
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-postern-session",
            (Self::Session, false) => "postern-session",
            (Self::Attempt, true) => "__Host-postern-login",
            (Self::Attempt, false) => "postern-login",
        }
    }

    /// The header that sets it.
    pub(super) fn set(self, plane: &ControlPlane, value: &str, lasts: Span) -> String {
        let secure = is_secure(plane);
        let tail = if secure { "; Secure" } else { "" };
        let (name, seconds) = (self.name(secure), lasts.as_secs());
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{tail}")
    }

    /// The header that removes it.
    pub(super) fn clear(self, plane: &ControlPlane) -> String {
        self.set(plane, "", Span::from_secs(0))
    }

    /// What the browser sent. One that is there twice was put there by somebody else and counts as none.
    pub(super) fn read(self, plane: &ControlPlane, headers: &HeaderMap) -> Option<Secret> {
        let name = self.name(is_secure(plane));
        let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) if !value.is_empty() => Some(value.into()),
            (Some(_) | None, _) => None,
        }
    }
}

/// Whether people come over https.
pub(super) fn is_secure(plane: &ControlPlane) -> bool {
    plane.public_url.starts_with("https://")
}

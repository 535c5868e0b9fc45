//! What a genuine token says: for whom it is, since and until when.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;
/// Later than this no time is meant: the year 5138.
const LAST: f64 = 1e11;

/// Why a genuine token does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClaims {
    /// A claim that every token needs is missing, or is of another kind.
    #[error("the token's claim `{0}` is missing or unreadable")]
    Unreadable(&'static str),
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It has not begun.
    #[error("the token is not valid yet")]
    Early,
    /// It is meant for others.
    #[error("the token is meant for others")]
    Audience,
    /// It is meant for several, and not issued to any of ours.
    #[error("the token is meant for several and was issued to somebody else")]
    AuthorizedParty,
}

/// The claims of a token whose signature holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// A claim, whatever it is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// When the token ends, if its times are in order.
    pub(super) fn ends(&self, now: Timestamp) -> Result<Timestamp, BadClaims> {
        let now = now.as_second();
        let exp = self.time("exp")?.ok_or(BadClaims::Unreadable("exp"))?;
        if exp.saturating_add(SKEW) <= now {
            return Err(BadClaims::Expired);
        }
        for name in ["nbf", "iat"] {
            if self.time(name)?.is_some_and(|begin| begin > now.saturating_add(SKEW)) {
                return Err(BadClaims::Early);
            }
        }
        Timestamp::from_second(exp).map_err(|_| BadClaims::Unreadable("exp"))
    }

    /// When the token was made, if it says so.
    pub(super) fn issued_at(&self) -> Option<Timestamp> {
        self.time("iat").ok().flatten().and_then(|seconds| Timestamp::from_second(seconds).ok())
    }

    /// A `NumericDate`.
    fn time(&self, name: &'static str) -> Result<Option<i64>, BadClaims> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| (0.0..LAST).contains(seconds));
        #[expect(clippy::cast_possible_truncation, reason = "it lies between 0 and LAST")]
        let seconds = seconds.map(|seconds| seconds as i64);
        seconds.map(Some).ok_or(BadClaims::Unreadable(name))
    }

    /// Whether the token is meant for one of `ours`.
    pub(super) fn is_for(&self, ours: &[String]) -> Result<(), BadClaims> {
        let unreadable = BadClaims::Unreadable("aud");
        let audiences: Vec<&str> = match self.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => {
                list.iter().map(Value::as_str).collect::<Option<_>>().ok_or(unreadable)?
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                return Err(unreadable);
            }
        };
        let is_ours = |name: &str| ours.iter().any(|own| own == name);
        if !audiences.iter().any(|name| is_ours(name)) {
            return Err(BadClaims::Audience);
        }
        if audiences.len() > 1 && !self.text("azp").is_some_and(is_ours) {
            return Err(BadClaims::AuthorizedParty);
        }
        Ok(())
    }
}

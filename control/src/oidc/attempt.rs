//! One try to sign in, between the way to the provider and the way back.
//!
//! All of it lies in a cookie, so that strangers who begin and never come back leave nothing here. The cookie holds a
//! random secret under our seal; `state`, `nonce` and the PKCE verifier are made from that secret and the seal's key.
//! Whoever sees the address bar learns nothing about the cookie, and only the browser that began can end.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_protocol::duration::Span;
use postern_service::random::{self, NoRandomness};

use crate::{domain::Moment, seal::Seal};

/// How long somebody may take at the provider.
const PATIENCE: Span = Span::from_secs(900);

/// A try to sign in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    secret: String,
    until: Moment,
    return_to: String,
}

impl Attempt {
    /// A new one, for somebody who wants to go to `return_to` afterwards.
    pub(crate) fn begin(return_to: &str, now: Moment) -> Result<Self, NoRandomness> {
        Ok(Self { secret: random::token()?, until: now.plus(PATIENCE), return_to: return_to.to_owned() })
    }

    /// What the cookie holds.
    pub(crate) fn cookie(&self, seal: &Seal) -> String {
        let path = URL_SAFE_NO_PAD.encode(&self.return_to);
        let text = format!("{}.{}.{path}", self.secret, self.until.as_millis());
        let proof = seal.mark("attempt", &text);
        format!("{text}.{proof}")
    }

    /// The one that a cookie holds, if it is ours and not too old.
    pub(crate) fn read(cookie: &str, seal: &Seal, now: Moment) -> Option<Self> {
        let (text, proof) = cookie.rsplit_once('.')?;
        if !seal.is_mark("attempt", text, proof) {
            return None;
        }
        let mut parts = text.split('.');
        let (secret, until, path) = (parts.next()?, parts.next()?, parts.next()?);
        let until = Moment::from_millis(until.parse().ok()?);
        let return_to = String::from_utf8(URL_SAFE_NO_PAD.decode(path).ok()?).ok()?;
        (now < until).then(|| Self { secret: secret.to_owned(), until, return_to })
    }

    /// Binds the answer to this browser.
    pub(crate) fn state(&self, seal: &Seal) -> String {
        seal.mark("state", &self.secret)
    }

    /// Binds the ID token to this try.
    pub(crate) fn nonce(&self, seal: &Seal) -> String {
        seal.mark("nonce", &self.secret)
    }

    /// Proves to the provider that who began is who ends (RFC 7636).
    pub(crate) fn verifier(&self, seal: &Seal) -> String {
        seal.mark("verifier", &self.secret)
    }

    /// The verifier as the provider hears of it at first, by the method `S256`.
    pub(crate) fn challenge(&self, seal: &Seal) -> String {
        let digest = digest::digest(&digest::SHA256, self.verifier(seal).as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// Where to go afterwards.
    pub(crate) fn return_to(&self) -> &str {
        &self.return_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_reads_back_until_it_is_too_old_and_no_other_does() {
        let (ours, theirs) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let now = Moment::from_millis(1_000_000);
        let attempt = Attempt::begin("/device?user_code=A.B", now).unwrap();
        let cookie = attempt.cookie(&ours);
        let read = Attempt::read(&cookie, &ours, now).unwrap();
        assert_eq!((read.return_to(), read.state(&ours)), ("/device?user_code=A.B", attempt.state(&ours)));
        assert!(Attempt::read(&cookie, &theirs, now).is_none());
        assert!(Attempt::read(&cookie, &ours, now.plus(PATIENCE)).is_none());
        let other = Attempt::begin("//evil.example", now).unwrap().cookie(&ours);
        let (path, proof) = (other.split('.').nth(2).unwrap(), cookie.rsplit_once('.').unwrap().1);
        let mixed = format!("{}.{}.{path}.{proof}", attempt.secret, attempt.until.as_millis());
        assert!(Attempt::read(&mixed, &ours, now).is_none());
        for odd in ["", ".", "...", "a.b.c.d"] {
            assert!(Attempt::read(odd, &ours, now).is_none(), "{odd:?}");
        }
    }

    #[test]
    fn what_goes_through_the_address_bar_differs_and_tells_nothing_of_the_rest() {
        let seal = Seal::new(&[1; 32]);
        let attempt = Attempt::begin("/", Moment::default()).unwrap();
        let all =
            [attempt.state(&seal), attempt.nonce(&seal), attempt.verifier(&seal), attempt.challenge(&seal)];
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other != one));
            assert_ne!(*one, attempt.secret);
        }
    }
}

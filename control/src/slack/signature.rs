//! Whether a call comes from Slack: the signature `v0` over time and raw body.
//!
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use aws_lc_rs::hmac;
use postern_service::secret::Secret;

const VERSION: &str = "v0=";

/// How far Slack's time may lie from ours, in seconds.
const WINDOW: u64 = 300;

/// Why a call is not taken for Slack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsigned {
    /// The headers are missing or make no sense.
    #[error("the call is not signed")]
    Missing,
    /// The time lies too far away.
    #[error("the call was signed too long ago, or ahead of time")]
    Late,
    /// The signature is that of something else.
    #[error("the signature does not fit the call")]
    Wrong,
}

/// Checks a call that came at `now`, in seconds since the Unix epoch. Compares in constant time.
pub(super) fn verify(
    secret: &Secret,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: u64,
) -> Result<(), Unsigned> {
    let signed_at: u64 = timestamp.parse().map_err(|_| Unsigned::Missing)?;
    let tag = signature.strip_prefix(VERSION).and_then(from_hex).ok_or(Unsigned::Missing)?;
    if now.abs_diff(signed_at) > WINDOW {
        return Err(Unsigned::Late);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let text = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    hmac::verify(&key, &text, &tag).map_err(|_| Unsigned::Wrong)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Slack's manual.
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const AT: u64 = 1_531_420_618;

    fn check(timestamp: &str, signature: &str, body: &[u8], now: u64) -> Result<(), Unsigned> {
        verify(&"8f742231b10e8888abcd99yyyzzz85a5".into(), timestamp, signature, body, now)
    }

    #[test]
    fn the_example_of_slacks_manual_is_taken() {
        assert_eq!(check("1531420618", SIGNATURE, BODY, AT), Ok(()));
        assert_eq!(check("1531420618", SIGNATURE, BODY, AT + WINDOW), Ok(()));
    }

    #[test]
    fn what_was_changed_or_comes_late_is_not() {
        let other = SIGNATURE.replace('a', "b");
        let short = SIGNATURE.split_at(20).0;
        for (timestamp, signature, body, now, why) in [
            ("1531420618", SIGNATURE, &b"text=other"[..], AT, Unsigned::Wrong),
            ("1531420618", &*other, BODY, AT, Unsigned::Wrong),
            ("1531420618", short, BODY, AT, Unsigned::Missing),
            ("1531420618", "v0=", BODY, AT, Unsigned::Wrong),
            ("1531420618", "v1=a2", BODY, AT, Unsigned::Missing),
            ("1531420618", "", BODY, AT, Unsigned::Missing),
            ("1531420619", SIGNATURE, BODY, AT, Unsigned::Wrong),
            ("01531420618", SIGNATURE, BODY, AT, Unsigned::Wrong),
            ("soon", SIGNATURE, BODY, AT, Unsigned::Missing),
            ("1531420618", SIGNATURE, BODY, AT + WINDOW + 1, Unsigned::Late),
            ("1531420618", SIGNATURE, BODY, AT - WINDOW - 1, Unsigned::Late),
        ] {
            assert_eq!(check(timestamp, signature, body, now), Err(why), "{timestamp} {signature} {now}");
        }
    }
}

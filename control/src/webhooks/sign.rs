//! Signatures by the Standard Webhooks scheme, version 1.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use postern_service::random::{self, NoRandomness};

use crate::domain::Key;

const PREFIX: &str = "whsec_";

/// A new signing key: 256 random bits.
pub(crate) fn new_key() -> Result<Key, NoRandomness> {
    Ok(format!("{PREFIX}{}", STANDARD.encode(random::bytes::<32>()?)).into())
}

/// A signing key that somebody gives: the scheme asks for 24 to 64 bytes.
pub(crate) fn is_signing_key(key: &Key) -> bool {
    let bytes = key.reveal().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}

/// `webhook-signature`: one signature for each key, so that a receiver may change over in its own time.
pub(super) fn signatures<'a>(
    keys: impl Iterator<Item = &'a Key>,
    id: &str,
    timestamp: i64,
    body: &str,
) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let sign = |key: &Key| {
        let bytes = STANDARD.decode(key.reveal().strip_prefix(PREFIX)?).ok()?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), signed.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(tag)))
    };
    keys.filter_map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_has_the_published_signature() {
        let key: Key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into();
        let body = "{\"test\": 2432232314}";
        assert_eq!(
            signatures([&key].into_iter(), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(signatures([&key, &key].into_iter(), "a", 1, "").split(' ').count(), 2);
    }
}

//! Whether a message of the feed is what it claims to be.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use postern_protocol::gate::{Envelope, SidecarName, SidecarToken};

/// Why a message is not believed. Any of these ends the stream; what was heard on it until then stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untrusted {
    /// Not signed with the key that the enrolment token names, or not readable.
    #[error("a message of the feed is not signed by our control plane, or is malformed")]
    Signature,
    /// Meant for another sidecar.
    #[error("a message of the feed is meant for sidecar {0}")]
    Audience(SidecarName),
    /// From another stream: replayed.
    #[error("a message of the feed was replayed from another stream")]
    Nonce,
    /// Something between this message and the last is missing.
    #[error("messages of the feed are missing: expected number {expected}, got {got}")]
    Gap {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
}

/// Checks the messages of one stream.
pub(crate) struct StreamCheck {
    key: DecodingKey,
    rules: Validation,
    name: SidecarName,
    nonce: String,
    next: u64,
}

impl StreamCheck {
    /// For a stream that was opened with this nonce.
    pub(crate) fn new(token: &SidecarToken, name: SidecarName, nonce: String) -> Result<Self, Untrusted> {
        let key = DecodingKey::from_ed_components(token.key()).map_err(|_| Untrusted::Signature)?;
        // One algorithm, whatever the header says. Freshness comes from nonce and number, not from `exp`.
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        rules.validate_aud = false;
        Ok(Self { key, rules, name, nonce, next: 0 })
    }

    /// The message, or nothing when it is a repetition of one that was already taken.
    pub(crate) fn open(&mut self, jws: &str) -> Result<Option<Envelope>, Untrusted> {
        let envelope =
            decode::<Envelope>(jws, &self.key, &self.rules).map_err(|_| Untrusted::Signature)?.claims;
        if envelope.aud != self.name {
            return Err(Untrusted::Audience(envelope.aud));
        }
        if envelope.nonce != self.nonce {
            return Err(Untrusted::Nonce);
        }
        if envelope.seq > self.next {
            return Err(Untrusted::Gap { expected: self.next, got: envelope.seq });
        }
        if envelope.seq < self.next {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(envelope))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use postern_protocol::gate::Message;

    use super::*;

    struct Signer(EncodingKey, SidecarToken);

    fn signer() -> Signer {
        let pair = Ed25519KeyPair::generate().unwrap();
        let key = URL_SAFE_NO_PAD.encode(pair.public_key());
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        Signer(EncodingKey::from_ed_der(pkcs8.as_ref()), SidecarToken::new(&"s".repeat(43), &key))
    }

    fn beat(seq: u64) -> Envelope {
        Envelope {
            aud: "edge-1".into(),
            nonce: "n".to_owned(),
            seq,
            now: 0,
            message: Message::Beat { position: 1 },
        }
    }

    fn sign(signer: &Signer, envelope: &Envelope) -> String {
        encode(&Header::new(Algorithm::EdDSA), envelope, &signer.0).unwrap()
    }

    fn check(signer: &Signer) -> StreamCheck {
        StreamCheck::new(&signer.1, "edge-1".into(), "n".to_owned()).unwrap()
    }

    #[test]
    fn what_our_control_plane_signed_is_taken_once_and_in_order() {
        let signer = signer();
        let mut check = check(&signer);
        assert_eq!(check.open(&sign(&signer, &beat(0))), Ok(Some(beat(0))));
        assert_eq!(check.open(&sign(&signer, &beat(0))), Ok(None));
        assert_eq!(check.open(&sign(&signer, &beat(1))), Ok(Some(beat(1))));
        assert_eq!(check.open(&sign(&signer, &beat(3))), Err(Untrusted::Gap { expected: 2, got: 3 }));
    }

    #[test]
    fn what_another_signed_is_refused() {
        let (ours, foreign) = (signer(), signer());
        assert_eq!(check(&ours).open(&sign(&foreign, &beat(0))), Err(Untrusted::Signature));
    }

    #[test]
    fn unsigned_and_differently_signed_messages_are_refused() {
        let signer = signer();
        let signed = sign(&signer, &beat(0));
        let body = signed.split('.').nth(1).unwrap();
        let none = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        let shared = EncodingKey::from_secret(signer.1.key().as_bytes());
        let hmac = encode(&Header::new(Algorithm::HS256), &beat(0), &shared).unwrap();
        let shortened = signed.get(..signed.len() - 4).unwrap();
        for forged in [none.as_str(), hmac.as_str(), "", "a.b.c", shortened] {
            assert_eq!(check(&signer).open(forged), Err(Untrusted::Signature), "{forged}");
        }
    }

    #[test]
    fn a_message_for_another_sidecar_or_from_another_stream_is_refused() {
        let signer = signer();
        let foreign = Envelope { aud: "edge-2".into(), ..beat(0) };
        assert!(matches!(check(&signer).open(&sign(&signer, &foreign)), Err(Untrusted::Audience(_))));
        let replayed = Envelope { nonce: "old".to_owned(), ..beat(0) };
        assert_eq!(check(&signer).open(&sign(&signer, &replayed)), Err(Untrusted::Nonce));
    }
}

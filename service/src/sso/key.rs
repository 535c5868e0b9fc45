//! An issuer's public key (RFC 7517), and what may be signed with it.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The algorithms that are accepted, and no other: `none` and those with a shared secret are none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Ed25519,
}

impl Algorithm {
    /// By its name in a header or a key.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            // RFC 8037 named the family, RFC 9864 the curve.
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }
}

/// A key of a JWKS.
#[derive(Debug, Clone)]
pub(super) struct Key {
    kid: Option<String>,
    /// What the issuer says that it is for, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    /// Modulus and exponent.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point on P-256.
    P256(Vec<u8>),
    /// An uncompressed point on P-384.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// A key for signatures of a kind that is known; nothing for all others, among them shared secrets.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let algorithm = match text("alg") {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let material = match (text("kty")?, text("crv")) {
            ("RSA", None) => Material::Rsa { n: number(bytes("n")?), e: number(bytes("e")?) },
            ("EC", Some("P-256")) => Material::P256(point(bytes("x")?, bytes("y")?, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(bytes("x")?, bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some(Self { kid: text("kid").map(str::to_owned), algorithm, material })
    }

    /// Whether it has this id.
    pub(super) fn is_named(&self, kid: &str) -> bool {
        self.kid.as_deref() == Some(kid)
    }

    /// Whether it is for signatures of this algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm) && self.way(algorithm).is_some()
    }

    /// How the library verifies `algorithm` with a key of this kind.
    fn way(&self, algorithm: Algorithm) -> Option<Way> {
        use Algorithm::{Ed25519, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        Some(match (&self.material, algorithm) {
            (Material::Rsa { .. }, Rs256) => Way::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            (Material::Rsa { .. }, Rs384) => Way::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            (Material::Rsa { .. }, Rs512) => Way::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            (Material::Rsa { .. }, Ps256) => Way::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            (Material::Rsa { .. }, Ps384) => Way::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            (Material::Rsa { .. }, Ps512) => Way::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            (Material::P256(_), Es256) => Way::Plain(&signature::ECDSA_P256_SHA256_FIXED),
            (Material::P384(_), Es384) => Way::Plain(&signature::ECDSA_P384_SHA384_FIXED),
            (Material::Ed25519(_), Ed25519) => Way::Plain(&signature::ED25519),
            (
                Material::Rsa { .. } | Material::P256(_) | Material::P384(_) | Material::Ed25519(_),
                Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512 | Es256 | Es384 | Ed25519,
            ) => return None,
        })
    }

    /// Whether `signature` over `message` was made with this key's other half.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match (&self.material, self.way(algorithm)) {
            (Material::Rsa { n, e }, Some(Way::Rsa(way))) => {
                signature::RsaPublicKeyComponents { n, e }.verify(way, message, signature)
            }
            (Material::P256(key) | Material::P384(key) | Material::Ed25519(key), Some(Way::Plain(way))) => {
                UnparsedPublicKey::new(way, key).verify(message, signature)
            }
            (Material::Rsa { .. }, Some(Way::Plain(_)) | None)
            | (Material::P256(_) | Material::P384(_) | Material::Ed25519(_), Some(Way::Rsa(_)) | None) => {
                return false;
            }
        };
        verified.is_ok()
    }
}

enum Way {
    Rsa(&'static signature::RsaParameters),
    Plain(&'static dyn VerificationAlgorithm),
}

/// Without leading zeros, as the library wants it.
fn number(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4], &x[..], &y[..]].concat())
}

//! The key that signs tokens: made at the start, gone at the end.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::error::Error;

/// A key on P-256.
pub(super) struct Keys {
    key: EncodingKey,
    id: String,
    jwk: Value,
}

impl Keys {
    /// Makes one.
    pub(super) fn generate() -> Result<Self, Error> {
        let failed =
            |cause: String| Error::Failed(format!("cannot make a key for the SSO provider: {cause}"));
        let pair = KeyPair::generate().map_err(|error| failed(error.to_string()))?;
        let id = postern_service::random::id("key").map_err(|error| failed(error.to_string()))?;
        // An uncompressed point: 4, x, y.
        let point = pair.public_key_raw();
        let part = |range| point.get(range).map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let (Some(x), Some(y)) = (part(1..33), part(33..65)) else {
            return Err(failed("it is not on P-256".to_owned()));
        };
        let jwk =
            json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y });
        Ok(Self { key: EncodingKey::from_ec_der(&pair.serialize_der()), id, jwk })
    }

    /// The public half.
    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// A token of this type with these claims.
    pub(super) fn sign(&self, kind: &str, claims: &Value) -> Option<String> {
        let header = Header {
            typ: Some(kind.to_owned()),
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &self.key).ok()
    }
}

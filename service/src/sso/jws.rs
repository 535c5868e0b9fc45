//! A compact JWS (RFC 7515) taken apart. Nothing of it is believed yet.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{json, key::Algorithm};

/// The longest token that is looked at, in bytes. Those of providers that list hundreds of groups fit.
const LONGEST: usize = 16 * 1024;

/// Members of a header that bring a key along, or that change how the token is to be read.
const REFUSED: [&str; 7] = ["jwk", "jku", "x5u", "x5c", "crit", "enc", "b64"];

/// Why a text is no token that could be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJws {
    /// Longer than any token has to be.
    #[error("the token is longer than {LONGEST} bytes")]
    TooLong,
    /// Not three parts in base64url with JSON objects in the first two, or a name stands twice in one.
    #[error("the token is no JWT")]
    Malformed,
    /// `alg` is none of ours: unsigned, shared secrets, or something unknown.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// The header holds a member of [`REFUSED`].
    #[error("the token's header holds `{0}`, which is not accepted")]
    Header(&'static str),
}

/// A token in its parts.
#[derive(Debug)]
pub(super) struct Jws<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// `typ`, in lower case and without `application/`.
    pub(super) kind: Option<String>,
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    pub(super) message: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'t str) -> Result<Self, InvalidJws> {
        if token.len() > LONGEST {
            return Err(InvalidJws::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidJws::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(InvalidJws::Malformed)?;
        let header = object(header)?;
        if let Some(refused) = REFUSED.into_iter().find(|name| header.contains_key(*name)) {
            return Err(InvalidJws::Header(refused));
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let algorithm = algorithm.ok_or(InvalidJws::Algorithm)?;
        let kind = text(&header, "typ")?.map(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
        });
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| InvalidJws::Malformed)?;
        let (kid, claims) = (text(&header, "kid")?, object(claims)?);
        Ok(Self { algorithm, kid, kind, claims, message: message.as_bytes(), signature })
    }
}

fn object(part: &str) -> Result<Map<String, Value>, InvalidJws> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidJws::Malformed)?;
    json::object(&bytes).ok_or(InvalidJws::Malformed)
}

fn text(header: &Map<String, Value>, name: &str) -> Result<Option<String>, InvalidJws> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(InvalidJws::Malformed),
    }
}

//! What an issuer says of itself (OpenID Connect Discovery 1.0).

use serde::Deserialize;

use super::web::{UnusableUrl, permitted};

/// The parts of an issuer's metadata that are used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// The issuer; the same as was asked, byte for byte.
    pub issuer: String,
    /// Its keys.
    pub jwks_uri: String,
    /// Where browsers go to log in.
    #[serde(default)]
    pub authorization_endpoint: Option<String>,
    /// Where codes become tokens.
    #[serde(default)]
    pub token_endpoint: Option<String>,
    /// RFC 8628.
    #[serde(default)]
    pub device_authorization_endpoint: Option<String>,
    /// Where browsers go to log out.
    #[serde(default)]
    pub end_session_endpoint: Option<String>,
    /// How a client may prove itself at the token endpoint; `client_secret_basic` where absent.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207: whether the authorization response names the issuer.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// Why an issuer's metadata is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Not JSON, or what must be there is not.
    #[error("its metadata cannot be read: {0}")]
    Unreadable(String),
    /// It calls itself something else: tokens of another issuer would count as its own.
    #[error("its metadata is for issuer `{0}`")]
    OtherIssuer(String),
    /// One of its addresses is in clear.
    #[error(transparent)]
    Url(#[from] UnusableUrl),
}

impl Metadata {
    /// Where an issuer's metadata lie.
    #[must_use]
    pub fn address(issuer: &str) -> String {
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }

    /// Reads what `issuer` answered. Its keys and endpoints may lie at any host over TLS, for large providers keep them
    /// elsewhere: the answer came from the issuer itself, and could as well hold the keys.
    pub(super) fn read(issuer: &str, body: &[u8]) -> Result<Self, InvalidMetadata> {
        let read: Self =
            serde_json::from_slice(body).map_err(|error| InvalidMetadata::Unreadable(error.to_string()))?;
        if read.issuer != issuer {
            return Err(InvalidMetadata::OtherIssuer(read.issuer));
        }
        let endpoints = [
            &read.authorization_endpoint,
            &read.token_endpoint,
            &read.device_authorization_endpoint,
            &read.end_session_endpoint,
        ];
        for address in endpoints.into_iter().flatten().chain([&read.jwks_uri]) {
            permitted(address)?;
        }
        Ok(read)
    }
}

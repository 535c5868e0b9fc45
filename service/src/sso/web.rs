//! An issuer's web server: how it is reached, and how much of an answer is read.

use std::{io, time::Duration};

use reqwest::Url;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{http, loopback::is_private};

/// From the first byte of a question to the last of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 512 * 1024;

/// Why an address is not gone to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableUrl {
    /// No URL.
    #[error("`{0}` is no URL")]
    Invalid(String),
    /// Whoever sits in between could answer in the issuer's place.
    #[error("`{0}`: http:// is for a loopback address only; use https://")]
    Plain(String),
    /// It says more than where something lies.
    #[error("`{0}`: a user, a password or a fragment has no place here")]
    Extras(String),
}

/// The address, if keys and tokens may be fetched from there: over TLS, or on this machine.
pub fn permitted(url: &str) -> Result<Url, UnusableUrl> {
    let parsed = Url::parse(url).map_err(|_| UnusableUrl::Invalid(url.to_owned()))?;
    if !is_private(&parsed, "https", "http") {
        return Err(UnusableUrl::Plain(url.to_owned()));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err(UnusableUrl::Extras(url.to_owned()));
    }
    Ok(parsed)
}

/// A client that follows no redirects, and trusts the given authorities (PEM) or else those of the machine.
pub fn client(ca: Option<&str>) -> Result<reqwest::Client, io::Error> {
    let authorities: Option<Vec<_>> = ca
        .map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>())
        .transpose()
        .map_err(io::Error::other)?;
    if authorities.as_ref().is_some_and(Vec::is_empty) {
        return Err(io::Error::other("it holds no certificate"));
    }
    let client = http::client(authorities.as_deref()).and_then(|client| client.timeout(PATIENCE).build());
    client.map_err(io::Error::other)
}

/// The body of an answer, read to its end or to where it becomes too long.
pub(super) async fn body(response: &mut reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

//! Who sits in front of the browser.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, request::Parts},
    response::{IntoResponse, Response},
};
use postern_service::random::sha256_hex;
use reqwest::Url;

use super::{Web, cookies::Cookie, go, page::Fault};
use crate::{
    actions::{Caller, Failure, logins},
    domain::Login,
};

/// Somebody who has signed in.
pub(super) struct Visitor {
    /// As a caller: what they may do.
    pub caller: Caller,
    /// Their sign-in.
    pub login: Login,
    /// SHA-256 of their cookie's secret: what their forms are sealed with.
    pub secret_hash: String,
}

impl Visitor {
    /// The one whose cookie this is.
    pub(super) async fn of(web: &Web, headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let Some(secret) = Cookie::Session.read(&web.plane, headers) else { return Ok(None) };
        let secret_hash = sha256_hex(secret.reveal().as_bytes());
        let found = logins::of_browser(&web.plane, &secret_hash).await?;
        Ok(found.map(|(caller, login)| Self { caller, login, secret_hash }))
    }
}

/// Why there is no visitor.
pub(super) enum Turned {
    /// They have to sign in first.
    Away(String),
    /// It could not be found out.
    Fault(Fault),
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        match self {
            Self::Away(to) => go(&to),
            Self::Fault(fault) => fault.into_response(),
        }
    }
}

impl FromRequestParts<Web> for Visitor {
    type Rejection = Turned;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Turned> {
        let found = Self::of(web, &parts.headers).await.map_err(|failure| Turned::Fault(failure.into()))?;
        found.ok_or_else(|| {
            let wanted = parts.uri.path_and_query().filter(|_| parts.method == Method::GET);
            Turned::Away(login_url(wanted.map_or("/", |wanted| wanted.as_str())))
        })
    }
}

/// Where to sign in, and come back from.
pub(super) fn login_url(return_to: &str) -> String {
    let mut url = Url::parse("x:/login").ok();
    if let Some(url) = url.as_mut() {
        url.query_pairs_mut().append_pair("return_to", return_to);
    }
    let query = url.as_ref().and_then(|url| url.query()).unwrap_or_default();
    format!("/login?{query}")
}

/// A path of our own, for whatever somebody wants to be sent to after signing in. Everything else leads to the first
/// page: a sign-in here never ends at another site.
pub(super) fn own_path(base: &Url, wanted: &str) -> String {
    let first = || "/".to_owned();
    let plain = wanted.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\');
    if wanted.len() > 1_000 || !plain || !wanted.starts_with('/') || wanted.starts_with("//") {
        return first();
    }
    match base.join(wanted) {
        Ok(url)
            if url.origin() == base.origin()
                && url.path().starts_with('/')
                && !url.path().starts_with("//") =>
        {
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
        }
        Ok(_) | Err(_) => first(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_in_stays_here() {
        let base = Url::parse("https://postern.example").unwrap();
        for (wanted, path) in [
            ("/device?user_code=BCDF-GHJK", "/device?user_code=BCDF-GHJK"),
            ("/a/../b", "/b"),
            ("", "/"),
            ("https://evil.example/", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example/", "/"),
            ("\\\\evil.example/", "/"),
            ("/\t/evil.example/", "/"),
            ("/.//evil.example/", "/"),
            ("/x/..//evil.example/", "/"),
            ("javascript:alert(1)", "/"),
            ("/ok\r\nSet-Cookie: a=b", "/"),
            ("@evil.example", "/"),
            (&format!("/{}", "x".repeat(1_000)), "/"),
        ] {
            assert_eq!(own_path(&base, wanted), path, "{wanted:?}");
        }
    }

    #[test]
    fn the_way_to_the_login_carries_where_somebody_was_going() {
        assert_eq!(
            login_url("/device?user_code=A&b=c d"),
            "/login?return_to=%2Fdevice%3Fuser_code%3DA%26b%3Dc+d"
        );
    }
}

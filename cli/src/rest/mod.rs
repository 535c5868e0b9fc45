//! The one place that speaks HTTP with the control plane. `credentials` says as whom.
//!
//! In: a method, a path as segments, a body. Out: JSON, or what the control plane said against it. A write carries an
//! idempotency key, so that it can be sent again when the connection broke before the answer came.

mod credentials;

use std::{
    ffi::OsString,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use postern_service::{
    loopback::{is_here, is_private},
    random,
    secret::Secret,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    error::{Error, Refusal},
    login::Store,
    print,
};

pub(crate) use credentials::{COMMAND_LINE, Credentials};
use credentials::{Pass, Standing};

/// Longest wait for one answer. A revocation takes at most two seconds of it.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// Longest wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The control plane's largest page.
const PAGE: &str = "200";

/// Which control plane, and how to trust it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// URL of the control plane
    #[arg(long, global = true, env = "POSTERN_CONTROL", value_name = "URL")]
    pub(crate) control: Option<String>,
    /// Certificate authorities to trust, PEM, in place of the system's
    #[arg(long, global = true, env = "POSTERN_CA", value_name = "FILE")]
    pub(crate) ca: Option<OsString>,
}

/// A control plane that has let us in.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    standing: Standing,
    pass: Mutex<Pass>,
}

impl Connection {
    /// Signs in with the credentials of the environment, or else as whoever has run `postern login`.
    pub(crate) async fn sign_in(&self) -> Result<Client, Error> {
        let named = self.named();
        if let Some(credentials) = Credentials::from_env()? {
            let base = base_url(named.ok_or(Error::NoControl)?)?;
            return self.sign_in_as(base, credentials).await;
        }
        let (base, store) = match (Store::find()?, named) {
            (Some(store), Some(named)) => (store.at(&base_url(named)?)?, store),
            (Some(store), None) => (store.base()?, store),
            (None, Some(_)) => return Err(Error::NoCredentials),
            (None, None) => return Err(Error::NoControl),
        };
        self.sign_in_by(base, Standing::Login(store)).await
    }

    /// Signs in with credentials that are at hand.
    pub(crate) async fn sign_in_as(&self, base: Url, credentials: Credentials) -> Result<Client, Error> {
        self.sign_in_by(base, Standing::Client(credentials)).await
    }

    async fn sign_in_by(&self, base: Url, standing: Standing) -> Result<Client, Error> {
        let http = self.http(&base)?;
        let pass = Mutex::new(standing.pass(&http, &base).await?);
        Ok(Client { http, base, standing, pass })
    }

    /// The control plane that was named, if one was.
    pub(crate) fn named(&self) -> Option<&str> {
        self.control.as_deref().filter(|url| !url.is_empty())
    }

    /// A way to the control plane at `base`, for whoever has not signed in.
    pub(crate) fn http(&self, base: &Url) -> Result<reqwest::Client, Error> {
        let ca = self.ca.as_deref().filter(|file| !file.is_empty()).map(Path::new);
        http_client(base, ca)
    }
}

/// Sends a form to one of the sign-in endpoints, and gives the answer or what was said against it.
pub(crate) async fn form(
    http: &reqwest::Client,
    base: &Url,
    endpoint: &str,
    fields: &[(&str, &str)],
) -> Result<Value, Error> {
    let url = join(base, &["v1", "users", "oidc", endpoint])?;
    let sent = http.post(url.clone()).form(fields).send().await;
    read(sent.map_err(|error| unreachable(&url, &error))?).await
}

/// Reads the URL of a control plane.
pub(crate) fn base_url(text: &str) -> Result<Url, Error> {
    let bad = || Error::Usage(format!("`{text}` is no URL of a control plane: write https://host:port"));
    let url = Url::parse(text).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(bad());
    }
    if !is_private(&url, "https", "http") {
        print::note("warning: http:// sends secrets over the network unencrypted");
    }
    Ok(url)
}

fn http_client(base: &Url, ca: Option<&Path>) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .redirect(reqwest::redirect::Policy::none());
    if is_here(base) {
        builder = builder.no_proxy();
    }
    if let Some(file) = ca {
        let pem = fs::read(file).map_err(Error::io(format!("cannot read {}", file.display())))?;
        let unusable = |error| Error::Usage(format!("{} holds no certificates: {error}", file.display()));
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(unusable)?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| Error::Failed(format!("cannot set up TLS: {}", innermost(&error))))
}

/// Whose token it is.
pub(crate) async fn name_of(http: &reqwest::Client, base: &Url, token: &Secret) -> Result<String, Error> {
    let url = join(base, &["v1", "users", "me"])?;
    let sent = http.get(url.clone()).bearer_auth(token.reveal()).send().await;
    let me = read(sent.map_err(|error| unreachable(&url, &error))?).await?;
    Ok(print::text(&me["name"]))
}

impl Client {
    /// The control plane's URL.
    pub(crate) fn url(&self) -> &str {
        self.base.as_str()
    }

    /// The control plane's host, for clients of a sidecar that listens everywhere.
    pub(crate) fn host(&self) -> &str {
        self.base.host_str().unwrap_or("localhost")
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        let url = join(&self.base, path)?;
        let request = self.request(Method::GET, &url).await?.query(query);
        read(request.send().await.map_err(|error| unreachable(&url, &error))?).await
    }

    /// One page of a list, and where the next begins.
    pub(crate) async fn page(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        after: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let mut query = query.to_vec();
        query.push(("limit", PAGE.to_owned()));
        if let Some(after) = after {
            query.push(("after", after.to_owned()));
        }
        let mut answer = self.get(path, &query).await?;
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        match answer.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok((items, next)),
            Some(_) | None => Err(Error::Answer("no items in the answer".to_owned())),
        }
    }

    /// Every item of a list.
    pub(crate) async fn list(&self, path: &[&str], query: &[(&str, String)]) -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let (items, next) = self.page(path, query, after.as_deref()).await?;
            all.extend(items);
            // A cursor that stands still would keep us here for ever.
            if next.is_none() || next == after {
                return Ok(all);
            }
            after = next;
        }
    }

    /// Creates something or sets something going.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.write(Method::POST, path, Some(body)).await
    }

    /// Sends something in a way that the query says, such as a dry run. It is not sent again when the connection breaks.
    pub(crate) async fn post_with(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        body: &Value,
    ) -> Result<Value, Error> {
        let url = join(&self.base, path)?;
        let request = self.request(Method::POST, &url).await?.query(query).json(body);
        read(request.send().await.map_err(|error| unreachable(&url, &error))?).await
    }

    /// Creates or replaces something.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.write(Method::PUT, path, Some(body)).await
    }

    /// Changes something.
    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.write(Method::PATCH, path, Some(body)).await
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Error> {
        self.write(Method::DELETE, path, None).await
    }

    async fn write(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Value, Error> {
        let key = random::token().map_err(|error| Error::Failed(error.to_string()))?;
        let url = join(&self.base, path)?;
        let request = async || {
            let request = self.request(method.clone(), &url).await?.header("Idempotency-Key", &key);
            Ok::<_, Error>(body.iter().fold(request, RequestBuilder::json))
        };
        match request().await?.send().await {
            Ok(answer) => read(answer).await,
            // Nothing tells whether it arrived; the key makes asking again harmless.
            Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
                read(request().await?.send().await.map_err(|error| unreachable(&url, &error))?).await
            }
            Err(error) => Err(unreachable(&url, &error)),
        }
    }

    async fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Error> {
        let mut pass = self.pass.lock().await;
        if Instant::now() >= pass.renew_at {
            *pass = self.standing.pass(&self.http, &self.base).await?;
        }
        Ok(self.http.request(method, url.clone()).bearer_auth(pass.token.reveal()))
    }
}

fn join(base: &Url, path: &[&str]) -> Result<Url, Error> {
    // A URL drops such segments, and the call would go somewhere else.
    if let Some(odd) = path.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
        return Err(Error::Usage(format!("`{odd}` is no name")));
    }
    let mut url = base.clone();
    url.set_query(None);
    url.path_segments_mut()
        .map_err(|()| Error::Usage(format!("`{base}` is no URL of a control plane")))?
        .pop_if_empty()
        .extend(path);
    Ok(url)
}

async fn read(answer: Response) -> Result<Value, Error> {
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| Error::Answer(innermost(&error)))?;
    if !status.is_success() {
        return Err(Refusal { status: status.as_u16(), word: word(&body), text: said(status, &body) }.into());
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|_| Error::Answer("it is not JSON; is the URL right?".to_owned()))
}

/// The stable word of a problem or of an OAuth error.
fn word(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = problem["type"].as_str().or_else(|| problem["error"].as_str());
    word.unwrap_or_default().to_owned()
}

fn said(status: StatusCode, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (field("title").or(field("error")), field("detail").or(field("error_description"))) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => format!("the control plane answered {status}"),
    }
}

fn unreachable(url: &Url, error: &reqwest::Error) -> Error {
    let cause = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
    Error::Unreachable { url: url.origin().ascii_serialization(), cause }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_stays_one_segment() {
        let base = Url::parse("https://host:8000/postern/").unwrap();
        let url = join(&base, &["v1", "identities", "a/b@example.com"]).unwrap();
        assert_eq!(url.as_str(), "https://host:8000/postern/v1/identities/a%2Fb@example.com");
    }

    #[test]
    fn a_name_that_would_lead_elsewhere_is_refused() {
        let base = Url::parse("https://host").unwrap();
        for odd in ["", ".", ".."] {
            assert!(matches!(join(&base, &["v1", "sidecars", odd]), Err(Error::Usage(_))), "{odd:?}");
        }
    }

    #[test]
    fn what_is_no_url_is_a_usage_error() {
        for text in ["", "host:8000", "ftp://host", "/v1"] {
            assert!(matches!(base_url(text), Err(Error::Usage(_))), "{text:?}");
        }
    }

    #[test]
    fn problems_and_oauth_errors_are_said_in_the_servers_words() {
        let text = |body: &str| said(StatusCode::FORBIDDEN, body.as_bytes());
        assert_eq!(text(r#"{"title":"No rule","detail":"add one"}"#), "No rule: add one");
        assert_eq!(text(r#"{"error":"invalid_client"}"#), "invalid_client");
        assert_eq!(text("<html>"), "the control plane answered 403 Forbidden");
    }
}

//! The one client for such calls.

use std::{fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};

use futures_util::StreamExt;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};

use super::Policy;
use crate::domain::Refusal;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes: enough to say what was wrong.
const MOST_READ: usize = 4 << 10;
const MOST_SHOWN: usize = 200;
const LONGEST_URL: usize = 2_000;

/// What the other side said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// How the body begins.
    pub says: String,
}

/// Why there is no answer. The text is for whoever looks after the target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The address belongs to a network that must not be called.
    #[error("{0} is not a public address: see `allow` in [outbound]")]
    Closed(String),
    /// Without encryption, to somewhere that the operator has not named.
    #[error("http:// is for addresses that `allow` in [outbound] names: write https://")]
    Plain,
    /// The URL cannot be called.
    #[error("{0}")]
    Url(#[from] Refusal),
    /// It did not answer.
    #[error("{0}")]
    Silent(String),
}

/// Calls addresses of the public network, and those that the operator allows.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    http: reqwest::Client,
    policy: Arc<Policy>,
}

/// Why a name leads nowhere; what `reqwest` hands on.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no public address: see `allow` in [outbound]")]
struct NoPublicAddress(String);

struct Resolver(Arc<Policy>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            // Only these are connected to: a name that means something else a moment later changes nothing.
            let open: Vec<_> = found.filter(|address| policy.allows(address.ip())).collect();
            if open.is_empty() {
                return Err(NoPublicAddress(name.as_str().to_owned()).into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Reads a URL that something may be sent to.
pub(crate) fn check_url(text: &str) -> Result<Url, Refusal> {
    let invalid = |text: &str| Refusal::Invalid(format!("url: {text}"));
    if text.len() > LONGEST_URL {
        return Err(invalid(&format!("longer than {LONGEST_URL} bytes")));
    }
    let url = Url::parse(text).map_err(|_| invalid("write https://host/path"))?;
    if !["https", "http"].contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return Err(invalid("write https://host/path"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("a user name or password has no place in it"));
    }
    Ok(url)
}

impl Outbound {
    /// A client under this policy.
    pub(crate) fn new(policy: Policy) -> Result<Self, reqwest::Error> {
        let policy = Arc::new(policy);
        let http = reqwest::Client::builder()
            .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Resolver(Arc::clone(&policy)))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .pool_max_idle_per_host(2)
            .build()?;
        Ok(Self { http, policy })
    }

    /// Sends a body and waits for the answer. Redirections are not followed.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<Answer, OutboundError> {
        let url = check_url(url)?;
        self.check_host(&url).await?;
        let sent = self.http.post(url).headers(headers).body(body).send().await;
        let answer = sent.map_err(|error| OutboundError::Silent(causes(&error)))?;
        let status = answer.status().as_u16();
        let retry_after =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Answer { status, retry_after, says: beginning(answer).await })
    }

    /// An address in the URL itself never comes to the resolver.
    async fn check_host(&self, url: &Url) -> Result<(), OutboundError> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let literal = host.parse::<IpAddr>().ok();
        if let Some(address) = literal.filter(|address| !self.policy.allows(*address)) {
            return Err(OutboundError::Closed(address.to_string()));
        }
        if url.scheme() == "https" {
            return Ok(());
        }
        let silent = |error: std::io::Error| OutboundError::Silent(error.to_string());
        let mut found = match literal {
            Some(address) => vec![address],
            None => {
                tokio::net::lookup_host((host, 0)).await.map_err(silent)?.map(|found| found.ip()).collect()
            }
        };
        found.retain(|address| !self.policy.is_named(*address));
        if found.is_empty() { Ok(()) } else { Err(OutboundError::Plain) }
    }
}

async fn beginning(answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    let mut body = answer.bytes_stream();
    while let Some(Ok(chunk)) = body.next().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MOST_READ {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MOST_SHOWN).collect()
}

/// The error and what lies behind it, without the URL, which may hold a secret.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time" } else { "the call failed" }.to_owned();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // Writing to a text does not fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn outbound(allow: &[&str]) -> Outbound {
        let _ = postern_service::tls::provider().as_ref().clone().install_default();
        Outbound::new(Policy::new(allow.iter().map(|text| text.parse().unwrap()).collect())).unwrap()
    }

    async fn post(outbound: &Outbound, url: &str) -> Result<Answer, OutboundError> {
        outbound.post(url, HeaderMap::new(), "{}".to_owned()).await
    }

    #[tokio::test]
    async fn no_way_of_writing_it_leads_to_this_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let outbound = outbound(&[]);
        for host in [
            "127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0",
            "127.1",
        ] {
            for scheme in ["http", "https"] {
                let answer = post(&outbound, &format!("{scheme}://{host}:{port}/hook")).await;
                assert!(answer.is_err(), "{scheme}://{host}: {answer:?}");
            }
        }
        let accepted = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(accepted.is_err(), "a connection came in");
    }

    #[tokio::test]
    async fn a_redirection_is_an_answer_and_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await.unwrap();
            let answer = "HTTP/1.1 307 See\r\nLocation: http://169.254.169.254/\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nover";
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        let answer = post(&outbound(&["127.0.0.0/8"]), &format!("http://127.0.0.1:{port}/")).await.unwrap();
        assert_eq!(answer, Answer { status: 307, retry_after: Some(7), says: "over".to_owned() });
        served.await.unwrap();
    }

    #[test]
    fn a_url_with_a_password_or_without_a_host_is_refused() {
        for text in
            ["https://a:b@example.com/", "file:///etc/passwd", "https://", "example.com", "gopher://x/"]
        {
            assert!(check_url(text).is_err(), "{text}");
        }
    }
}

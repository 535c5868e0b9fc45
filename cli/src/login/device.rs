//! The device flow (RFC 8628) from the command line's side.

use std::time::{Duration, Instant};

use postern_service::secret::Secret;
use reqwest::Url;
use serde_json::Value;
use tokio::time::sleep;

use super::store::Tokens;
use crate::{
    error::{Error, Refusal},
    print::text,
    rest::{COMMAND_LINE, form},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What is added when the control plane says that it is asked too often (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// A sign-in that waits for its person.
pub(super) struct Waiting {
    /// Where the person goes.
    pub(super) page: String,
    /// The same with the code in it.
    pub(super) link: String,
    /// What the person types.
    pub(super) code: String,
    device_code: Secret,
    interval: Duration,
    until: Instant,
}

/// Begins one.
pub(super) async fn begin(http: &reqwest::Client, base: &Url) -> Result<Waiting, Error> {
    let answer = form(http, base, "device_authorization", &[("client_id", COMMAND_LINE)]).await?;
    let field = |name: &str| {
        let value = answer[name].as_str().filter(|text| !text.is_empty());
        value.ok_or_else(|| Error::Answer(format!("no {name} in the answer")))
    };
    let page = field("verification_uri")?;
    // It is handed to a browser, which knows other schemes too.
    let is_web = |url: &str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let link = answer["verification_uri_complete"].as_str().unwrap_or(page);
    if !is_web(page) || !is_web(link) {
        return Err(Error::Answer("verification_uri is no web address".to_owned()));
    }
    let seconds = |name: &str, usual: u64| Duration::from_secs(answer[name].as_u64().unwrap_or(usual));
    Ok(Waiting {
        page: page.to_owned(),
        link: link.to_owned(),
        code: field("user_code")?.to_owned(),
        device_code: field("device_code")?.into(),
        interval: seconds("interval", 5),
        until: Instant::now() + seconds("expires_in", 600),
    })
}

/// Asks until the person has answered.
pub(super) async fn wait(http: &reqwest::Client, base: &Url, waiting: &Waiting) -> Result<Tokens, Error> {
    let mut interval = waiting.interval;
    let fields =
        [("grant_type", GRANT), ("client_id", COMMAND_LINE), ("device_code", waiting.device_code.reveal())];
    while Instant::now() < waiting.until {
        sleep(interval).await;
        match form(http, base, "token", &fields).await {
            Ok(answer) => return tokens(&answer),
            Err(Error::Refused(Refusal { word, .. })) if word == "authorization_pending" => {}
            Err(Error::Refused(Refusal { word, .. })) if word == "slow_down" => interval += SLOWER,
            // A connection that broke tells nothing (section 3.5).
            Err(Error::Unreachable { .. }) => interval += interval.min(SLOWER),
            Err(error) => return Err(error),
        }
    }
    Err(Error::Failed("nobody answered in the browser in time".to_owned()))
}

fn tokens(answer: &Value) -> Result<Tokens, Error> {
    Tokens::read(answer)
        .ok_or_else(|| Error::Answer(format!("no tokens in the answer: {}", text(&answer["error"]))))
}

//! `[slack]`

use postern_service::{loopback::is_private, secret::Secret};
use reqwest::Url;
use serde::{Deserialize, Serialize};

const SLACK: &str = "https://slack.com/api";

/// The app's credentials, and where it talks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlackConfig {
    /// `xoxb-…`: speaks to the Web API.
    pub bot_token: Secret,
    /// What Slack signs its calls with.
    pub signing_secret: Secret,
    /// `xapp-…`: Slack's calls come over Socket Mode and not by HTTP.
    pub app_token: Option<Secret>,
    /// The approvers' channel, by its id.
    pub channel: String,
    /// The Web API.
    #[serde(default = "slack")]
    pub api_url: String,
    /// How a Slack user becomes an identity.
    #[serde(default)]
    pub link: LinkBy,
}

/// How a Slack user becomes an identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LinkBy {
    /// By signing in to the SSO provider in the browser.
    #[default]
    Browser,
    /// By the e-mail address that the workspace has for them, where its administrators alone can set it.
    Email,
}

impl LinkBy {
    /// The word in the configuration and in records.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Email => "email",
        }
    }
}

fn slack() -> String {
    SLACK.to_owned()
}

impl SlackConfig {
    /// Refuses what cannot work; `sign_in` says whether people can sign in at an SSO provider.
    pub(crate) fn check(&self, sign_in: bool) -> Result<(), String> {
        let url = Url::parse(&self.api_url).map_err(|error| format!("slack.api_url: {error}"))?;
        if !is_private(&url, "https", "http") {
            return Err("slack.api_url: https, or http to this machine".to_owned());
        }
        let id =
            |channel: &str| channel.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !self.channel.starts_with(['C', 'G']) || !id(&self.channel) {
            return Err("slack.channel: a channel's id, such as C0123456789".to_owned());
        }
        if self.link == LinkBy::Browser && !sign_in {
            return Err(
                "slack.link: \"browser\", which it is when nothing is said, has people sign in at the SSO \
                        provider: add an [oidc] section, or set link = \"email\""
                    .to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Result<SlackConfig, String> {
        let text = format!("bot_token = 'b'\nsigning_secret = 's'\nlink = 'email'\n{more}");
        let config: SlackConfig = toml::from_str(&text).map_err(|error| error.to_string())?;
        config.check(false)?;
        Ok(config)
    }

    #[test]
    fn who_connects_in_the_browser_needs_a_provider_to_sign_in_at() {
        let text = "bot_token = 'b'\nsigning_secret = 's'\nchannel = 'C1'";
        let config: SlackConfig = toml::from_str(text).unwrap();
        assert_eq!(config.link, LinkBy::Browser);
        assert!(config.check(false).unwrap_err().contains("[oidc]"));
        assert_eq!(config.check(true), Ok(()));
    }

    #[test]
    fn a_token_goes_out_over_tls_or_stays_on_this_machine() {
        for (url, good) in [
            ("https://slack.com/api", true),
            ("http://127.0.0.1:9000/api", true),
            ("http://[::1]:9000/api", true),
            ("http://slack.com/api", false),
            ("http://127.0.0.1.example.com/api", false),
            ("ftp://127.0.0.1", false),
            ("nowhere", false),
        ] {
            assert_eq!(config(&format!("channel = 'C1'\napi_url = '{url}'")).is_ok(), good, "{url}");
        }
    }

    #[test]
    fn a_channel_is_named_by_its_id() {
        for (channel, good) in [("C0123456789", true), ("G1", true), ("#access", false), ("access", false)] {
            assert_eq!(config(&format!("channel = '{channel}'")).is_ok(), good, "{channel}");
        }
    }
}

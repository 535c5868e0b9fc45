//! `control.toml`

mod oidc;

use std::{net::SocketAddr, path::Path};

use postern_protocol::duration::Span;
use postern_service::{
    admin::AdminConfig,
    config::{ConfigError, FilePath, load},
    secret::Secret,
    tls::ServerTls,
};
use serde::Deserialize;

pub(crate) use oidc::OidcConfig;

use crate::{oidc::RelyingParty, outbound::Network, plane::Settings, slack::SlackConfig, store::Place};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlConfig {
    /// Where REST, console and feed are served.
    pub listen: SocketAddr,
    /// How people and programs reach that.
    pub public_url: String,
    /// `sqlite:PATH` or `postgres://…`: see [`Place::parse`].
    store: Secret,
    /// Serve over TLS.
    pub tls: Option<ServerTls>,
    /// Networks of the load balancers and proxies in front, whose word counts on where a call came from.
    #[serde(default)]
    pub proxies: Vec<Network>,
    /// `/metrics` and the like.
    pub admin: Option<AdminConfig>,
    /// The SSO provider.
    pub oidc: Option<OidcConfig>,
    /// The Slack app.
    pub slack: Option<SlackConfig>,
    /// What may be called.
    #[serde(default)]
    pub outbound: OutboundConfig,
    /// What is kept of the audit trail.
    #[serde(default)]
    pub audit: AuditConfig,
    /// Rules that are applied at start and on SIGHUP.
    pub rules: Option<FilePath>,
    /// How long open calls may go on after SIGTERM.
    #[serde(default = "ten_seconds")]
    pub shutdown_grace: Span,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditConfig {
    /// How long records are kept, a day at least; absent: for ever.
    pub keep: Option<Span>,
}

impl AuditConfig {
    /// What is told to others is read from the records, and must have been read before they are put away.
    const LEAST_KEPT: Span = Span::from_secs(86_400);

    fn check(&self) -> Result<(), String> {
        match self.keep {
            Some(keep) if keep < Self::LEAST_KEPT => {
                Err(format!("audit.keep: records are kept for {} at least", Self::LEAST_KEPT))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// `[outbound]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboundConfig {
    /// Networks that webhooks may lead to although they are not public.
    #[serde(default)]
    pub allow: Vec<Network>,
}

fn ten_seconds() -> Span {
    Span::from_secs(10)
}

impl ControlConfig {
    /// Reads the file, and refuses what this version cannot do.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = load(path)?;
        let slack = config.slack.as_ref().map(|slack| slack.check(config.oidc.is_some())).transpose();
        slack.map_err(|text| ConfigError::invalid(path, text))?;
        config.audit.check().map_err(|text| ConfigError::invalid(path, text))?;
        if let Some(oidc) = &config.oidc {
            oidc.check().map_err(|error| ConfigError::invalid(path, error.to_string()))?;
        }
        config.place(path)?;
        Ok(config)
    }

    /// What the control plane as a whole has to know.
    pub(crate) fn settings(&self) -> Settings {
        let admins = self.oidc.as_ref().map(|oidc| oidc.admins.clone()).unwrap_or_default();
        let relying_party = self.oidc.as_ref().map(|oidc| RelyingParty {
            client_id: oidc.client_id.clone(),
            client_secret: oidc.client_secret.clone(),
            scopes: oidc.scopes.clone(),
        });
        Settings { public_url: self.public_url.clone(), admins, relying_party }
    }

    /// The database that `store` names, relative to the file that names it.
    pub(crate) fn place(&self, config: &Path) -> Result<Place, ConfigError> {
        Place::parse(self.store.reveal(), config.parent().unwrap_or(Path::new("")))
            .map_err(|error| ConfigError::invalid(config, format!("store: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<ControlConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control.toml");
        std::fs::write(&file, text).unwrap();
        ControlConfig::load(&file).map_err(|error| error.to_string())
    }

    const LEAST: &str = "listen = '127.0.0.1:0'\npublic_url = 'http://127.0.0.1:8000'\n";

    #[test]
    fn the_store_lies_beside_the_configuration() {
        let config = load_text(&format!("{LEAST}store = 'sqlite:control.db'")).unwrap();
        let place = config.place(Path::new("/etc/postern/control.toml")).unwrap();
        assert!(matches!(place, Place::Sqlite(file) if file == Path::new("/etc/postern/control.db")));
    }

    #[test]
    fn what_is_not_there_yet_is_refused_and_named() {
        let slack = "[slack]\nbot_token = 'b'\nsigning_secret = 's'\nchannel = '#access'";
        for (more, word) in [
            ("store = 'postgres://u:the-password@h/d?sslmode=the-password'".to_owned(), "sslmode"),
            ("store = 'control.db'".to_owned(), "sqlite:PATH"),
            (format!("store = 'sqlite:c.db'\n{slack}"), "slack.channel"),
            ("store = 'sqlite:c.db'\n[audit]\nkeep = '23h'".to_owned(), "audit.keep"),
            ("store = 'sqlite:c.db'\ncolour = 'red'".to_owned(), "colour"),
        ] {
            let error = load_text(&format!("{LEAST}{more}")).unwrap_err();
            assert!(error.contains(word) && !error.contains("the-password"), "{error}");
        }
    }
}

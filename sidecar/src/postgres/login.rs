//! How a client proves who it is: by its certificate, by a password in clear, or by SASL `OAUTHBEARER`.
//!
//! In: a stream on which a password may go, and the start-up packet. Out: who it is, or the refusal.
//!
//! A server names one method and the client follows or gives up, so somebody has to say beforehand which it shall be:
//! libpq with `oauth_issuer` gives up when it is asked for a password that it does not have, libpq without it gives up
//! when it is asked for a bearer token, and neither shows in the start-up packet what it can do. So the listener says
//! what is asked for (`login` in `sidecar.toml`), and a client can ask for the other with the option `postern.login`.

use bytes::BytesMut;
use postern_protocol::{
    gate::Naming,
    postgres::{
        self, Bearer, OAUTHBEARER, StartupMessage, bearer, command_line, is_acknowledgement, password_text,
    },
};
use postern_service::sso::Metadata;
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use super::{
    frames::{Frame, FrameReader, ReadError},
    refusal::Refusal,
};
use crate::{
    config::Login,
    entry::{Entrant, NoEntry},
    gatehouse::Gatehouse,
    identity::Credential,
    knock::Wish,
    net::Stream,
};

/// The longest message of a client that has not logged in: the longest token that is looked at, and what stands around
/// it.
const LIMIT: u32 = 17 * 1024;

/// What a start-up packet asks of Postern itself, and not of the database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// How the client would like to prove itself.
    pub(super) login: Option<Login>,
    /// What it wants if it has no grant.
    pub(super) wish: Option<Wish>,
}

impl Asked {
    /// Takes it out of the packet, so that the database does not see it.
    pub(super) fn take(startup: &mut StartupMessage) -> Result<Self, Refusal> {
        let (mut asked, mut reason, mut duration) = (Self::default(), None, None);
        for (name, value) in take_own(&mut startup.parameters) {
            match (name.as_str(), value.to_ascii_lowercase().as_str()) {
                ("login", "oauth") => asked.login = Some(Login::Oauth),
                ("login", "password") => asked.login = Some(Login::Password),
                ("login", _) => return Err(Refusal::OptionValue { name, value }),
                ("reason", _) => reason = Some(value),
                ("duration", _) => duration = Some(value),
                (_, _) => return Err(Refusal::Option(name)),
            }
        }
        asked.wish = Wish::new(reason, duration);
        Ok(asked)
    }
}

fn take_own(parameters: &mut Vec<(String, String)>) -> Vec<(String, String)> {
    let mut own = Vec::new();
    parameters.retain_mut(|(name, value)| {
        if let Some(name) = command_line::own_parameter(name) {
            own.push((name, std::mem::take(value)));
            return false;
        }
        if name == "options" {
            let (found, rest) = command_line::take_own(value);
            let emptied = rest.is_empty() && !found.is_empty();
            own.extend(found);
            *value = rest;
            return !emptied;
        }
        true
    });
    own
}

/// One login.
pub(super) struct Proof<'g> {
    pub(super) house: &'g Gatehouse,
    pub(super) stream: &'g mut Stream,
    pub(super) startup: &'g StartupMessage,
    pub(super) peer: std::net::SocketAddr,
    pub(super) login: Login,
}

impl Proof<'_> {
    /// Who it is. Nothing when it went away.
    pub(super) async fn identify(mut self) -> Result<Option<Entrant>, Refusal> {
        let mut question = BytesMut::new();
        if self.startup.needs_negotiation() {
            let unknown = &self.startup.protocol_options;
            question.extend_from_slice(&postgres::negotiate_protocol_version(self.startup.spoken(), unknown));
        }
        if let Some(certificate) = self.stream.peer_certificate() {
            return match self.say(&question).await {
                Some(()) => self.entrant(Credential::Certificate(certificate)).await.map(Some),
                None => Ok(None),
            };
        }
        match (self.login, self.house.issuers.of_people()) {
            (Login::Oauth, Some((issuer, _))) => {
                question.extend_from_slice(&postgres::authentication_sasl(&[OAUTHBEARER]));
                self.by_bearer(&question, &signpost(&issuer.url, &issuer.naming)).await
            }
            (Login::Oauth, None) | (Login::Password, _) => {
                question.extend_from_slice(&postgres::cleartext_password());
                self.by_password(&question).await
            }
        }
    }

    async fn entrant(&self, credential: Credential) -> Result<Entrant, Refusal> {
        Ok(self.house.identify(&self.startup.user, &credential, self.peer).await?)
    }

    async fn by_password(&mut self, question: &[u8]) -> Result<Option<Entrant>, Refusal> {
        let mut frames = FrameReader::default();
        let Some(frame) = self.ask(&mut frames, question).await? else { return Ok(None) };
        // A client that says more before it knows that it is let in is none of ours.
        if frames.has_rest() {
            return Err(Refusal::NoPassword);
        }
        let text = password_text(frame.body()).ok_or(Refusal::NoPassword)?;
        self.entrant(Credential::Token(Zeroizing::new(text.to_owned()))).await.map(Some)
    }

    async fn by_bearer(&mut self, question: &[u8], signpost: &str) -> Result<Option<Entrant>, Refusal> {
        let mut frames = FrameReader::default();
        let Some(frame) = self.ask(&mut frames, question).await? else { return Ok(None) };
        let refusal = match bearer(frame.body()).ok_or(Refusal::NoPassword)? {
            Bearer::Discovery => Refusal::NotLoggedIn,
            Bearer::Token(token) => match self.entrant(Credential::Token(token.to_owned().into())).await {
                Ok(entrant) if !frames.has_rest() => return Ok(Some(entrant)),
                Ok(_) => return Err(Refusal::NoPassword),
                Err(refusal @ Refusal::Entry(NoEntry::Credential { .. })) => refusal,
                Err(other) => return Err(other),
            },
        };
        // The client has to take note before it is told the rest.
        let challenge = postgres::authentication_sasl_continue(signpost.as_bytes());
        match self.ask(&mut frames, &challenge).await? {
            Some(frame) if is_acknowledgement(frame.body()) => Err(refusal),
            Some(_) => Err(Refusal::NoPassword),
            None => Ok(None),
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).await.ok()?;
        self.stream.flush().await.ok()
    }

    /// A question and its answer. Nothing when the client went away: psql hangs up here to ask its user, and comes back.
    async fn ask(&mut self, frames: &mut FrameReader, question: &[u8]) -> Result<Option<Frame>, Refusal> {
        if self.say(question).await.is_none() {
            return Ok(None);
        }
        match frames.next(self.stream, LIMIT).await {
            Ok(frame) if frame.kind == b'p' => Ok(Some(frame)),
            Err(ReadError::Io(_)) => Ok(None),
            Ok(_) | Err(ReadError::Frame(_) | ReadError::TooLong { .. }) => Err(Refusal::NoPassword),
        }
    }
}

/// Where a client gets a token that counts (RFC 7628, section 3.2.2).
fn signpost(issuer: &str, naming: &Naming) -> String {
    let scope = match naming {
        Naming::Person { scope, .. } => scope.as_str(),
        Naming::Workload { .. } => "openid",
    };
    serde_json::json!({
        "status": "invalid_token",
        "scope": scope,
        "openid-configuration": Metadata::address(issuer),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use postern_protocol::postgres::ProtocolVersion;

    use super::*;

    fn startup(parameters: &[(&str, &str)]) -> StartupMessage {
        StartupMessage {
            version: ProtocolVersion::V3_0,
            user: "app_ro".to_owned(),
            database: "sales".to_owned(),
            parameters: parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            protocol_options: Vec::new(),
        }
    }

    #[test]
    fn what_is_asked_of_postern_does_not_reach_the_database() {
        let asked = [("application_name", "psql"), ("options", "-c postern.login=oauth")];
        let mut packet = startup(&asked);
        assert_eq!(Asked::take(&mut packet).unwrap().login, Some(Login::Oauth));
        assert_eq!(packet.parameters, startup(&asked[..1]).parameters);
        let mut packet = startup(&[("postern.login", "Password"), ("options", "-c jit=off")]);
        assert_eq!(Asked::take(&mut packet).unwrap().login, Some(Login::Password));
        assert_eq!(packet.parameters, startup(&[("options", "-c jit=off")]).parameters);
    }

    #[test]
    fn an_option_that_postern_does_not_know_is_refused() {
        for options in ["-c postern.colour=red", "-c postern.login=red"] {
            assert!(Asked::take(&mut startup(&[("options", options)])).is_err(), "{options}");
        }
    }
}

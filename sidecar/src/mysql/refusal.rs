//! Why somebody does not get a session.
//!
//! What the client is told, what the operator reads and what is counted come from one value.

use bytes::Bytes;
use postern_protocol::{
    duration::Span,
    gate::GrantId,
    mysql::{ErrorText, InvalidLogin, Malformed},
};
use postern_service::random::NoRandomness;

use super::{
    back::BackError,
    limited::{NoFooting, Unsuitable},
    packets::ReadError,
};
use crate::{
    entry::NoEntry,
    grants::{Access, Denied},
    session::{Ending, Violation},
};

/// No session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The login packet is none.
    #[error(transparent)]
    Login(#[from] InvalidLogin),
    /// A packet is malformed, too long, or has a wrong number.
    #[error("Bad handshake: {0}")]
    Handshake(String),
    /// A password over a line that can be read.
    #[error(
        "Connections using insecure transport are prohibited: this server takes passwords inside TLS only"
    )]
    TlsRequired,
    /// The client asked for something that was not offered.
    #[error("The client asks for capabilities that were not offered")]
    NotOffered,
    /// The client can prove itself in one way only, and not by what a token needs.
    #[error("Client does not support authentication plugins: please upgrade it")]
    NoPlugins,
    /// What the client gave for a password is none.
    #[error("expected a password")]
    NoPassword,
    /// Nobody comes in.
    #[error(transparent)]
    Entry(#[from] NoEntry),
    /// A limited session cannot begin like this.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
    /// The client's bytes are no sequence of messages.
    #[error(transparent)]
    Violation(Violation),
    /// The database.
    #[error(transparent)]
    Back(#[from] BackError),
}

impl From<NoRandomness> for Refusal {
    fn from(error: NoRandomness) -> Self {
        Self::Entry(error.into())
    }
}

impl From<NoFooting> for Refusal {
    fn from(error: NoFooting) -> Self {
        match error {
            NoFooting::Back(error) => Self::Back(error),
            NoFooting::Unsuitable(unsuitable) => Self::Unsuitable(unsuitable),
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(error: Malformed) -> Self {
        Self::Handshake(error.to_string())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Handshake(error.to_string())
    }
}

impl Refusal {
    /// The label of `postern_sessions_opened_total{result}`.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Login(_)
            | Self::Handshake(_)
            | Self::NotOffered
            | Self::NoPlugins
            | Self::NoPassword
            | Self::Violation(_) => "protocol",
            Self::TlsRequired => "tls_required",
            Self::Entry(no) => no.label(),
            Self::Unsuitable(_) => "unsuitable",
            Self::Back(_) => "upstream",
        }
    }

    /// The packet that the client gets. A database's own refusal of the session is passed on as it is.
    pub(crate) fn packet(&self, sequence: u8) -> Bytes {
        if let Self::Back(BackError::Refused(own)) = self {
            own.packet(sequence)
        } else {
            self.text().packet(sequence)
        }
    }

    /// What a client is told of trouble with the database.
    pub(crate) fn text_of(error: &BackError) -> ErrorText {
        back(error)
    }

    /// What the client is told.
    pub(crate) fn text(&self) -> ErrorText {
        let message = self.to_string();
        match self {
            Self::Login(InvalidLogin::TooOld) | Self::NoPlugins => ErrorText::new(1251, "08004", message),
            Self::Login(InvalidLogin::Malformed(_)) | Self::Handshake(_) | Self::NotOffered => {
                ErrorText::new(1043, "08S01", message)
            }
            Self::Violation(_) => ErrorText::new(1156, "08S01", message),
            Self::TlsRequired => ErrorText::new(3159, "HY000", message),
            Self::NoPassword => ErrorText::new(1045, "28000", message),
            Self::Unsuitable(Unsuitable::Mode(_)) => ErrorText::new(1231, "42000", message),
            Self::Unsuitable(Unsuitable::Charset(_)) => ErrorText::new(1115, "42000", message),
            Self::Unsuitable(Unsuitable::Database(_)) => ErrorText::new(1044, "42000", message),
            Self::Entry(no) => no_entry(no, message),
            Self::Back(error) => back(error),
        }
    }
}

/// What the client is told of an ending.
pub(crate) fn last_word(ending: &Ending, grant: &GrantId) -> ErrorText {
    ErrorText::new(3169, "HY000", ending.message(grant))
}

fn no_entry(no: &NoEntry, message: String) -> ErrorText {
    match no {
        NoEntry::Credential { user, why: _ } => ErrorText::new(
            1045,
            "28000",
            format!(
                "Access denied for user '{user}' (using password: YES). The password is an access token or \
                 a token of the SSO provider: get a fresh one with \"postern access\""
            ),
        ),
        NoEntry::Denied { access, denied, public_url } => {
            ErrorText::new(1045, "28000", format!("{message}. {}", denial(access, denied, public_url)))
        }
        NoEntry::Knock(_) => ErrorText::new(1045, "28000", message),
        NoEntry::Sessions { .. } => ErrorText::new(1203, "42000", message),
        NoEntry::NoLease | NoEntry::NoKeys | NoEntry::Draining | NoEntry::TooMany => {
            ErrorText::new(1040, "08004", message)
        }
        NoEntry::Fallen(ending, grant) => last_word(ending, grant),
        NoEntry::NoRandomness(_) => ErrorText::new(1105, "HY000", message),
    }
}

fn denial(access: &Access, denied: &Denied, public_url: &str) -> String {
    let Access { identity: _, repo, account } = access;
    match denied {
        Denied::NoGrant => format!(
            "Ask for access: postern request create --repo {repo} --account {account} --duration 1h --reason TEXT; \
             or /postern request in Slack; or {public_url}/request?repo={repo}&account={account}"
        ),
        Denied::NotYet(left) => {
            format!("A grant begins in {}", Span::from_secs(left.as_secs().max(1)))
        }
        Denied::Closed(Some(left)) => format!(
            "It is outside of the grant's hours: they begin in {}",
            Span::from_secs(left.as_secs().max(1))
        ),
        Denied::Closed(None) => "The grant's hours are over".to_owned(),
        Denied::RepoOff => "Access to this repository is switched off".to_owned(),
        Denied::IdentityOff => "The identity is deactivated".to_owned(),
    }
}

/// What the client learns of the database; the account is our business and not theirs.
fn back(error: &BackError) -> ErrorText {
    let message = match error {
        BackError::Catalog(cause) => return back(cause),
        BackError::Timeout => "the database did not answer in time",
        BackError::NoTerminator => {
            "the sidecar has no connection left for ending this account's sessions: the account needs room for one \
             connection more than it has sessions"
        }
        BackError::Unreachable(_) | BackError::NoTls | BackError::Tls(_) => {
            "the database cannot be reached through this sidecar"
        }
        BackError::Account(_) | BackError::Auth(_) => {
            "the sidecar could not log in to the database; its operator finds the reason in the sidecar's log"
        }
        BackError::Changed => "the database behind this sidecar has changed; please connect again",
        BackError::Refused(_) | BackError::Nonsense(_) | BackError::Invalid(_) => {
            "the database does not answer as a MySQL server does"
        }
    };
    ErrorText::new(1040, "08004", message)
}

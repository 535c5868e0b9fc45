//! Why somebody does not get a session.
//!
//! What the client is told, what the operator reads and what is counted come from one value. The client learns what
//! it can do about it; of the database's own refusal of an account it learns only that there was one, because the
//! account is our business and not theirs.

use bytes::Bytes;
use postern_protocol::{
    duration::Span,
    postgres::{self, ErrorText, InvalidStartup},
};

use postern_service::random::NoRandomness;

use super::{
    back::BackError,
    end::last_word,
    limited::{NoFooting, Unsuitable},
};
use crate::{
    entry::NoEntry,
    grants::{Access, Denied},
    session::Violation,
};

/// No session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The start-up packet is none.
    #[error(transparent)]
    Startup(#[from] InvalidStartup),
    /// Bytes came where none may come.
    #[error("received unencrypted data after SSL request")]
    EarlyData,
    /// A password over a line that can be read.
    #[error("TLS is required")]
    TlsRequired,
    /// Something other than a password message, or one that is too long or no text.
    #[error("expected a password")]
    NoPassword,
    /// A client asked where to get a token.
    #[error("log in at the SSO provider first")]
    NotLoggedIn,
    /// Something that Postern is asked for and does not know.
    #[error("unrecognized option \"postern.{0}\"")]
    Option(String),
    /// An option of Postern's with a value that it does not have.
    #[error("invalid value for option \"postern.{name}\": \"{value}\"")]
    OptionValue {
        /// Without `postern.`.
        name: String,
        /// As it was given.
        value: String,
    },
    /// Nobody comes in.
    #[error(transparent)]
    Entry(#[from] NoEntry),
    /// No repo by that name at this listener.
    #[error("database \"{0}\" does not exist")]
    Database(String),
    /// The client's bytes are no sequence of messages.
    #[error(transparent)]
    Violation(Violation),
    /// A limited session cannot begin like this.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
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

impl Refusal {
    /// The label of `postern_sessions_opened_total{result}`.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Startup(_) | Self::EarlyData | Self::NoPassword | Self::Violation(_) => "protocol",
            Self::NotLoggedIn => "not_logged_in",
            Self::TlsRequired => "tls_required",
            Self::Database(_) => "unknown_database",
            Self::Entry(no) => no.label(),
            Self::Unsuitable(_) | Self::Option(_) | Self::OptionValue { .. } => "unsuitable",
            Self::Back(_) => "upstream",
        }
    }

    /// The message that the client gets. A database's own refusal of the session is passed on as it is.
    pub(crate) fn bytes(&self) -> Bytes {
        if let Self::Back(BackError::Refused(own)) = self {
            own.clone()
        } else {
            postgres::fatal(&self.text())
        }
    }

    fn text(&self) -> ErrorText {
        let message = self.to_string();
        match self {
            Self::Startup(InvalidStartup::Version { .. }) => ErrorText::new("0A000", message),
            Self::Startup(InvalidStartup::NoUser) => ErrorText::new("28000", message),
            Self::Startup(_) | Self::EarlyData | Self::NoPassword | Self::Violation(_) => {
                ErrorText::new("08P01", message)
            }
            Self::TlsRequired => ErrorText::new("28000", message)
                .hint("This server takes passwords inside TLS only: connect with sslmode=require or better."),
            Self::NotLoggedIn => ErrorText::new("28P01", message),
            Self::Option(_) | Self::OptionValue { .. } => ErrorText::new("22023", message),
            Self::Database(_) => ErrorText::new("3D000", message),
            Self::Entry(no) => no_entry(no, message),
            Self::Unsuitable(unsuitable) => ErrorText::new(unsuitable.sqlstate(), message),
            Self::Back(error) => back(error),
        }
    }
}

fn no_entry(no: &NoEntry, message: String) -> ErrorText {
    match no {
        NoEntry::Credential { user, why: _ } => {
            ErrorText::new("28P01", format!("password authentication failed for user \"{user}\"")).hint(
                "The password is an access token or a token of the SSO provider: \
                     get a fresh one with \"postern access\".",
            )
        }
        NoEntry::Denied { access, denied, public_url } => denial(access, denied, public_url, message),
        NoEntry::Knock(_) => ErrorText::new("28000", message),
        NoEntry::TooMany | NoEntry::Sessions { .. } => ErrorText::new("53300", message),
        NoEntry::NoLease | NoEntry::NoKeys | NoEntry::Draining => ErrorText::new("57P03", message),
        NoEntry::Fallen(ending, grant) => last_word(ending, grant),
        NoEntry::NoRandomness(_) => ErrorText::new("XX000", message),
    }
}

fn denial(access: &Access, denied: &Denied, public_url: &str, message: String) -> ErrorText {
    let Access { identity: _, repo, account } = access;
    let text = ErrorText::new("28000", message);
    match denied {
        Denied::NoGrant => text.hint(format!(
            "Ask for access: postern request create --repo {repo} --account {account} --duration 1h --reason TEXT; \
             or /postern request in Slack; or {public_url}/request?repo={repo}&account={account}"
        )),
        Denied::NotYet(left) => {
            text.detail(format!("A grant begins in {}.", Span::from_secs(left.as_secs().max(1))))
        }
        Denied::Closed(Some(left)) => text.detail(format!(
            "It is outside of the grant's hours: they begin in {}.",
            Span::from_secs(left.as_secs().max(1))
        )),
        Denied::Closed(None) => text.detail("The grant's hours are over."),
        Denied::RepoOff => text.detail("Access to this repository is switched off."),
        Denied::IdentityOff => text.detail("The identity is deactivated."),
    }
}

fn back(error: &BackError) -> ErrorText {
    match error {
        BackError::Catalog(cause) => back(cause).detail("Its catalog could not be read."),
        BackError::Timeout => ErrorText::new("57P03", error.to_string()),
        BackError::NoTerminator => {
            ErrorText::new("57P03", "the sidecar has no connection left for ending this account's sessions")
                .hint("The account needs room for one connection more than it has sessions.")
        }
        BackError::Unreachable(_) | BackError::NoTls | BackError::Tls(_) => {
            ErrorText::new("08006", "the database cannot be reached through this sidecar")
        }
        BackError::Account(_) | BackError::Auth(_) => {
            ErrorText::new("08006", "the sidecar could not log in to the database")
                .hint("Its operator finds the reason in the sidecar's log.")
        }
        BackError::Refused(_) | BackError::Nonsense(_) | BackError::Invalid(_) | BackError::Unexpected(_) => {
            ErrorText::new("08006", "the database does not answer as a PostgreSQL server does")
        }
    }
}

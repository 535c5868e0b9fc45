//! Everything that can go wrong for whoever typed the command: one line on stderr and an exit status.
//!
//! Status 2 is for a command line that makes no sense, 1 for everything that was refused or failed. What the control
//! plane refuses is said in its own words.

use std::{io, process::ExitCode};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line cannot be meant: the text says what to write instead.
    #[error("{0}")]
    Usage(String),
    /// No control plane was named.
    #[error(
        "no control plane is named: run `postern login --control URL`, set POSTERN_CONTROL or give --control URL"
    )]
    NoControl,
    /// No credentials were given.
    #[error(
        "not signed in: run `postern login`, or set POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET (see `postern api-client create`)"
    )]
    NoCredentials,
    /// The login of `postern login` is over.
    #[error("the login has ended: run `postern login`")]
    LoginEnded,
    /// A program that was started here ended with this status, and has said why.
    #[error("the client ended with status {0}")]
    Client(u8),
    /// The control plane could not be asked.
    #[error("cannot reach the control plane at {url}: {cause}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the network said.
        cause: String,
    },
    /// The control plane said no.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The control plane answered something that this version does not understand.
    #[error("the control plane answered what this version does not understand: {0}")]
    Answer(String),
    /// It was decided, and not as hoped for.
    #[error("{0}")]
    Failed(String),
    /// A file or a stream failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Whoever read the output has gone: no fault of anybody's.
    #[error("the output was closed")]
    OutputClosed,
    /// The control plane stopped.
    #[error("{0}")]
    Control(#[from] postern_control::Error),
    /// The sidecar stopped.
    #[error("{0}")]
    Sidecar(#[from] postern_sidecar::Error),
}

/// A problem document (RFC 9457) or an OAuth error (RFC 6749), as far as it is of use here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Its stable word, for programs.
    pub(crate) word: String,
    /// What it says.
    pub(crate) text: String,
}

impl Error {
    /// Makes an error of a failed file or stream.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    /// The exit status.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Client(status) => ExitCode::from(*status),
            Self::NoControl
            | Self::NoCredentials
            | Self::LoginEnded
            | Self::Unreachable { .. }
            | Self::Refused(_)
            | Self::Answer(_)
            | Self::Failed(_)
            | Self::Io { .. }
            | Self::Control(_)
            | Self::Sidecar(_) => ExitCode::from(1),
        }
    }

    /// The one line for stderr; nothing where nothing is wrong.
    pub(crate) fn line(&self) -> Option<String> {
        (!matches!(self, Self::OutputClosed | Self::Client(_)))
            .then(|| crate::print::one_line(&self.to_string()))
    }
}

//! The two long-running programs: configuration in, until a signal ends them; logs go to stderr. And what is done to a
//! control plane's store beside it.

pub(crate) mod backup;
pub(crate) mod control;
pub(crate) mod sidecar;

use std::{
    env,
    io::{self, IsTerminal},
};

use clap::{Args, ValueEnum};
use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use tracing_subscriber::{EnvFilter, fmt};

use crate::error::Error;

/// Set by the demo to its own process id: the service ends when that process does, however that ends.
pub(crate) const PARENT: &str = "POSTERN_DEMO_PID";

/// How the logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `--log-format`
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Logging {
    /// How the logs on stderr look; `RUST_LOG` says how much
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl Logging {
    /// What a service needs of the process before it starts.
    pub(crate) fn prepare(self) -> Result<(), Error> {
        end_with_parent()?;
        self.start();
        raise_file_limit();
        Ok(())
    }

    fn start(self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
            LogFormat::Json => lines.json().flatten_event(true).init(),
        }
    }
}

fn end_with_parent() -> Result<(), Error> {
    let Ok(parent) = env::var(PARENT) else { return Ok(()) };
    let failed = "cannot tie this process to its parent";
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|errno| Error::io(failed)(errno.into()))?;
    // It may have gone before the line above.
    if getppid().is_some_and(|pid| pid.as_raw_nonzero().to_string() == parent) {
        Ok(())
    } else {
        Err(Error::Failed(format!("{failed}: it is not {parent}")))
    }
}

/// A session takes two sockets, and many systems start a process with room for a thousand.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

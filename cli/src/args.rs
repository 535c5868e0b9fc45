//! The command line's first word, and which runtime its command needs.

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::{
    access, api_client, apply, audit, connect, demo, error::Error, grant, identity, login, repo, request,
    services, session, sidecar_token, sidecars, webhook,
};

/// A gate in front of your databases: access for a while, on request, ended the moment it is over.
#[derive(Debug, Parser)]
#[command(
    name = "postern",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the control plane
    Control(services::control::ControlArgs),
    /// Run a sidecar
    Sidecar(services::sidecar::SidecarArgs),
    /// Copy the control plane's store to a file, while it runs
    Backup(services::backup::BackupArgs),
    /// Run everything on this machine, with a sample database
    Demo(demo::DemoArgs),
    /// Sign in, in a browser
    Login(login::LoginArgs),
    /// Sign out
    Logout(login::LogoutArgs),
    /// Say who is signed in
    Whoami(login::WhoamiArgs),
    /// Connect to a database, asking for access if need be
    Connect(connect::ConnectArgs),
    /// Ask for access, review what others ask for
    Request(request::RequestArgs),
    /// Look after grants: what approved requests became
    Grant(grant::GrantArgs),
    /// Look after live connections
    Session(session::SessionArgs),
    /// Look after data repositories
    Repo(repo::RepoArgs),
    /// Enrol sidecars
    SidecarToken(sidecar_token::SidecarTokenArgs),
    /// Look at sidecars
    Sidecars(sidecars::SidecarsArgs),
    /// Look after clients of the REST interface
    ApiClient(api_client::ApiClientArgs),
    /// Look after people and workloads
    Identity(identity::IdentityArgs),
    /// Print connection strings with a fresh access token
    Access(access::AccessArgs),
    /// Make the rules those of a file
    Apply(apply::ApplyArgs),
    /// Look after those outside who are told of events
    Webhook(webhook::WebhookArgs),
    /// Read and verify the audit records
    Audit(audit::AuditArgs),
}

impl Cli {
    /// Does what the command line says.
    pub(crate) fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Control(args) => many_threads()?.block_on(args.run()),
            Command::Sidecar(args) => many_threads()?.block_on(args.run()),
            Command::Backup(args) => one_thread()?.block_on(args.run()),
            Command::Demo(args) => one_thread()?.block_on(args.run()),
            Command::Login(args) => one_thread()?.block_on(args.run()),
            Command::Logout(args) => one_thread()?.block_on(args.run()),
            Command::Whoami(args) => one_thread()?.block_on(args.run()),
            Command::Connect(args) => one_thread()?.block_on(args.run()),
            Command::Request(args) => one_thread()?.block_on(args.run()),
            Command::Grant(args) => one_thread()?.block_on(args.run()),
            Command::Session(args) => one_thread()?.block_on(args.run()),
            Command::Repo(args) => one_thread()?.block_on(args.run()),
            Command::SidecarToken(args) => one_thread()?.block_on(args.run()),
            Command::Sidecars(args) => one_thread()?.block_on(args.run()),
            Command::ApiClient(args) => one_thread()?.block_on(args.run()),
            Command::Identity(args) => one_thread()?.block_on(args.run()),
            Command::Access(args) => one_thread()?.block_on(args.run()),
            Command::Apply(args) => one_thread()?.block_on(args.run()),
            Command::Webhook(args) => one_thread()?.block_on(args.run()),
            Command::Audit(args) => one_thread()?.block_on(args.run()),
        }
    }
}

/// A thread's stack, in bytes: statements are judged by recursion, and may be nested deeply.
const STACK: usize = 8 * 1024 * 1024;

fn many_threads() -> Result<Runtime, Error> {
    Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(Error::io("cannot start the runtime"))
}

/// The demo needs this too: a child that is to die with its parent dies with the very thread that started it.
fn one_thread() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(Error::io("cannot start the runtime"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }
}

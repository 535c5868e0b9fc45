//! The one binary: control plane, sidecar, demo, and the commands that people and scripts give to a control plane.
//!
//! One folder per noun of the command line. `rest` speaks with the control plane, `print` writes answers, `error`
//! decides exit statuses; nothing else does any of these.

mod access;
mod api_client;
mod apply;
mod args;
mod audit;
mod connect;
mod demo;
mod error;
mod grant;
mod identity;
mod login;
mod print;
mod repo;
mod request;
mod rest;
mod services;
mod session;
mod sidecar_token;
mod sidecars;
mod webhook;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Every TLS connection of the process finds it. Fails only when it was done before.
    let _ = postern_service::tls::provider().as_ref().clone().install_default();
    match args::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(line) = error.line() {
                print::note(&format!("postern: {line}"));
            }
            error.exit_code()
        }
    }
}

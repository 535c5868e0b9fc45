//! The command line against a double of the control plane: exit statuses, what is sent, what is printed.

#![allow(clippy::unwrap_used, reason = "the whole crate is a test")]

mod double;
mod errors;
mod requests;
mod revoking;

use std::process::{Command, Output};

use double::Double;

/// Runs `postern` with the double's address and credentials.
fn postern(double: &Double, args: &[&str]) -> Output {
    bare(args)
        .env("POSTERN_CONTROL", double.url())
        .env("POSTERN_CLIENT_ID", "c_1")
        .env("POSTERN_CLIENT_SECRET", "hush-hush")
        .output()
        .unwrap()
}

/// `postern` without anything in its environment.
fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    for name in ["POSTERN_CONTROL", "POSTERN_CLIENT_ID", "POSTERN_CLIENT_SECRET", "POSTERN_CA"] {
        command.env_remove(name);
    }
    // Nobody has signed in there.
    command.env("XDG_CONFIG_HOME", "/nonexistent").args(args);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

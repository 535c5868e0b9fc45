//! The certified OpenID provider of npm, and people who log in there.

use std::{path::PathBuf, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    folder::{Folder, fetched},
    port,
    process::{Process, bound, succeed},
    wait::until,
};

/// A running provider. It knows alice (engineering) and bob (engineering, dba) at `example.com`.
pub struct Provider {
    /// Its URL.
    pub url: String,
    _process: Process,
    _folder: Folder,
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers/oidc").join(name)
}

impl Provider {
    /// Starts one with these clients (RFC 7591 metadata); `None` when it could not be fetched.
    pub async fn start(clients: &Value) -> Option<Self> {
        let modules = fetched("oidc8")?;
        let (folder, port) = (Folder::new(), port::free());
        let mut command = bound("node", "KILL");
        command.arg(script("provider.mjs")).args([port.to_string(), clients.to_string()]);
        command.env("OIDC_MODULES", modules);
        let mut process = Process::start(command, &folder.path().join("oidc.log"), Signal::KILL);
        until("the SSO provider", async || {
            assert!(process.is_running(), "the provider ended:\n{}", process.said());
            process.said().lines().any(|line| line == "ready")
        })
        .await;
        Some(Self { url: format!("http://127.0.0.1:{port}"), _process: process, _folder: folder })
    }

    /// Somebody opens `page` in a browser, logs in as `login` and agrees to everything. Returns the last page's text.
    pub fn visit(&self, page: &str, login: &str) -> String {
        let output = succeed(Command::new("node").arg(script("person.mjs")).args([page, login]));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

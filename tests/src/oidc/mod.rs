//! An SSO provider, the certified `oidc-provider` of npm, and a browser that signs in there without a window or scripts.

mod browser;

use std::{path::PathBuf, process::Command, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

pub use browser::Browser;

use crate::{
    folder::{Folder, fetched},
    port,
    process::{Process, bound},
    rest::install_tls,
    wait::{PATIENCE, until},
};

/// A running provider.
#[derive(Debug)]
pub struct Idp {
    process: Process,
    http: reqwest::Client,
    port: u16,
    _folder: Folder,
}

/// A script of `tests/oidc`, as node runs it: its modules lie in the cache.
pub fn script(name: &str) -> Option<Command> {
    let modules = fetched("sso")?;
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("oidc").join(name);
    let mut command = bound("node", "KILL");
    command.arg(script).env("MODULES", modules);
    Some(command)
}

impl Idp {
    /// Starts one for the control plane at this port; nothing when it was not fetched.
    pub async fn start(control: u16) -> Option<Self> {
        let port = port::free();
        let mut command = script("provider.mjs")?;
        command
            .env("PORT", port.to_string())
            .env("ISSUER", format!("http://127.0.0.1:{port}"))
            .env("CONTROL", format!("http://127.0.0.1:{control}"));
        let folder = Folder::new();
        let process = Process::start(command, &folder.path().join("idp.log"), Signal::KILL);
        install_tls();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build();
        let mut idp = Self { process, http: http.expect("a client"), port, _folder: folder };
        until("the SSO provider", async || {
            assert!(idp.process.is_running(), "the SSO provider ended:\n{}", idp.process.said());
            let metadata = format!("{}/.well-known/openid-configuration", idp.url());
            idp.http.get(metadata).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        Some(idp)
    }

    /// Its issuer.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the control plane's configuration says of it.
    pub fn section(&self) -> String {
        format!(
            "[oidc]\nissuer = \"{}\"\nclient_id = \"postern\"\nclient_secret = \"a secret of the control plane\"\n\
             audiences = [\"postern\", \"psql\"]\nadmins = [\"root@example.com\"]\n",
            self.url()
        )
    }

    /// Signs with a new key from now on; the old one stays published unless it is to be forgotten.
    pub async fn rotate(&self, forget: bool) {
        let tail = if forget { "?forget=1" } else { "" };
        let sent = self.http.post(format!("{}/test/rotate{tail}", self.url())).send().await;
        assert!(sent.expect("the provider answers").status().is_success());
    }

    /// Lets it answer nobody, or everybody again.
    pub fn pause(&self, paused: bool) {
        self.process.signal(if paused { Signal::STOP } else { Signal::CONT });
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.process.end(Signal::KILL, PATIENCE);
    }

    /// Somebody opens the page of the device flow that holds a code, signs in, and agrees.
    pub async fn approve(&self, page: &str, who: &str) {
        let mut browser = Browser::new();
        browser.get(page).await;
        browser.submit(&[]).await;
        browser.submit(&[("confirm", "yes")]).await;
        browser.sign_in(who).await;
        assert!(browser.status.is_success(), "{} {}", browser.url, browser.body);
    }

    /// A JWT for somebody, by the device flow of the public client.
    pub async fn token_for(&self, who: &str) -> Value {
        let post = async |path: &str, form: &[(&str, &str)]| {
            let sent = self.http.post(format!("{}{path}", self.url())).form(form).send().await;
            sent.expect("the provider answers").json::<Value>().await.expect("JSON")
        };
        let fields = [("client_id", "psql"), ("scope", "openid email profile")];
        let begun = post("/device/auth", &fields).await;
        let page = begun["verification_uri_complete"].as_str().unwrap_or_else(|| panic!("{begun}"));
        self.approve(page, who).await;
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let code = begun["device_code"].as_str().expect("a device code");
        post("/token", &[("grant_type", grant), ("client_id", "psql"), ("device_code", code)]).await
    }
}

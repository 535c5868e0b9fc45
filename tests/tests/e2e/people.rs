//! People sign in: in a browser and on the command line, at a certified SSO provider; and they are out when it says so.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use postern_tests::{
    folder::{Folder, fetched},
    gate::Control,
    office::{ALICE, BOB, open_rule},
    oidc::{Browser, Idp, script},
    port,
    process::{bound, postern},
    rest::Api,
    wait::until,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// A control plane with an SSO provider.
struct House {
    idp: Idp,
    control: Control,
    api: Api,
}

impl House {
    async fn open() -> Option<Self> {
        let port = port::free();
        let idp = Idp::start(port).await?;
        let control = Control::start_at(port, &idp.section()).await;
        let api = control.bootstrap();
        Some(Self { idp, control, api })
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.control.url())
    }

    /// A browser in which somebody has signed in.
    async fn browser(&self, who: &str) -> Browser {
        let mut browser = Browser::new();
        browser.get(&self.at("/login")).await;
        browser.sign_in(who).await;
        assert!(browser.body.contains(who), "{} {}", browser.url, browser.body);
        browser
    }

    /// Signs somebody in with `postern login`; the browser that let it in.
    async fn login(&self, home: &Path, who: &str) -> Browser {
        let mut command = as_person(home, &["login", "--control", &self.control.url()]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let code = shown_code(&mut child);
        let mut browser = self.browser(who).await;
        browser.get(&self.at(&format!("/device?user_code={code}"))).await;
        browser.submit(&[]).await;
        assert!(browser.body.contains(&code), "{}", browser.body);
        browser.submit(&[("decision", "approve")]).await;
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(who), "{said} {output:?}");
        browser
    }
}

/// `postern` as somebody with a configuration folder of their own.
pub(crate) fn as_person(home: &Path, arguments: &[&str]) -> Command {
    let mut command = bound(postern(), "KILL");
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("XDG_CONFIG_HOME", home);
    command
}

/// The code that `postern login` shows.
pub(crate) fn shown_code(child: &mut Child) -> String {
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    loop {
        line.clear();
        assert!(out.read_line(&mut line).expect("text") > 0, "no code: {:?}", errors(child));
        if let Some((_, behind)) = line.split_once("type the code ") {
            child.stdout = Some(out.into_inner());
            return behind.split('.').next().unwrap().to_owned();
        }
    }
}

fn errors(child: &mut Child) -> String {
    let mut text = String::new();
    let _ = child.stderr.take().expect("piped").read_to_string(&mut text);
    text
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_person_signs_in_at_the_provider_and_comes_back_to_where_they_were_going() {
    let Some(house) = House::open().await else { return };
    let mut alice = Browser::new();
    alice.get(&house.at("/device?user_code=BCDF-GHJK")).await;
    alice.sign_in(ALICE).await;
    assert_eq!(alice.url.as_str(), house.at("/device?user_code=BCDF-GHJK"));
    let known = house.api.get(&format!("/v1/identities/{ALICE}")).await.ok();
    assert_eq!(known["groups_from"]["login"], json!(["engineering"]));
    let mut elsewhere = Browser::new();
    elsewhere.get(&house.at("/login?return_to=https://evil.example/")).await;
    elsewhere.sign_in(BOB).await;
    assert_eq!(elsewhere.url.as_str(), house.at("/"));
}

#[tokio::test]
async fn an_answer_counts_once_and_only_in_the_browser_that_asked() {
    let Some(house) = House::open().await else { return };
    let mut alice = Browser::new();
    alice.get(&house.at("/login")).await;
    alice.plant("postern-session", "planted-by-somebody-else");
    alice.sign_in(ALICE).await;
    assert_ne!(alice.cookie("postern-session").as_deref(), Some("planted-by-somebody-else"));
    let answer = alice.trail.iter().find(|url| url.path() == "/login/callback").expect("a way back").clone();
    // Used again, in the same browser and in a victim's.
    let mut again = alice.clone();
    again.get(answer.as_str()).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    let mut victim = Browser::new();
    victim.get(&house.at("/login")).await;
    victim.get(answer.as_str()).await;
    assert_eq!(victim.status, StatusCode::FORBIDDEN);
    assert_eq!(victim.cookie("postern-session"), None);
    // A fresh code of an attacker's, which comes into the victim's browser with the victim's own state.
    let state = |url: &reqwest::Url| {
        url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned())
    };
    let mut attacker = Browser::new();
    attacker.stop_at = Some("/login/callback");
    attacker.get(&house.at("/login")).await;
    let mut owner = Browser::new();
    owner.get(&house.at("/login")).await;
    let asked = owner.trail.iter().find(|url| url.path() == "/auth").expect("the provider is asked").clone();
    attacker.sign_in("mallory@example.com").await;
    let mut stolen = attacker.url.clone();
    let code = stolen.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let issuer = house.idp.url();
    stolen.query_pairs_mut().clear().append_pair("code", &code);
    stolen
        .query_pairs_mut()
        .append_pair("state", &state(&asked).expect("a state"))
        .append_pair("iss", &issuer);
    owner.get(stolen.as_str()).await;
    assert_eq!(owner.status, StatusCode::FORBIDDEN);
    assert_eq!(owner.cookie("postern-session"), None);
    let mut other_issuer = Browser::new();
    other_issuer.get(&house.at("/login")).await;
    let asked = other_issuer.trail.iter().find(|url| url.path() == "/auth").expect("asked").clone();
    let path = format!("/login/callback?code=x&state={}&iss=https://evil.example", state(&asked).unwrap());
    other_issuer.get(&house.at(&path)).await;
    assert!(other_issuer.body.contains("another SSO provider"), "{}", other_issuer.body);
}

#[tokio::test]
async fn the_provider_ends_logins_of_browser_and_command_line() {
    let Some(house) = House::open().await else { return };
    let home = Folder::new();
    let mut alice = house.login(home.path(), ALICE).await;
    let mut bob = house.browser(BOB).await;
    let whoami = || as_person(home.path(), &["whoami"]).output().expect("the binary runs");
    assert!(said(&whoami()).contains(ALICE));
    let mut leaving = alice.clone();
    leaving.get(&format!("{}/session/end?client_id=postern", house.idp.url())).await;
    leaving.submit(&[("logout", "yes")]).await;
    until("the back-channel to be heard", async || {
        alice.get(&house.at("/")).await;
        !alice.body.contains(ALICE)
    })
    .await;
    assert_eq!(whoami().status.code(), Some(1));
    bob.get(&house.at("/")).await;
    assert!(bob.body.contains(BOB));
}

#[tokio::test]
async fn the_command_line_signs_in_renews_and_signs_out() {
    let Some(house) = House::open().await else { return };
    open_rule(&house.api).await;
    let home = Folder::new();
    let run = |arguments: &[&str]| as_person(home.path(), arguments).output().expect("the binary runs");
    assert!(said(&run(&["whoami", "--control", &house.control.url()])).contains("postern login"));
    house.login(home.path(), ALICE).await;
    let me: Value = serde_json::from_slice(&run(&["whoami", "--format", "json"]).stdout).unwrap();
    assert_eq!((&me["name"], &me["groups"]), (&json!(ALICE), &json!(["engineering"])));
    let ask = [
        "request",
        "create",
        "--repo",
        "sales",
        "--account",
        "app_ro",
        "--duration",
        "1h",
        "--reason",
        "x",
        "--nowait",
    ];
    assert!(run(&ask).status.success());
    // As if five minutes had gone by: many commands at once renew the one token, and none of them loses.
    let file = home.path().join("postern/login.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let before = kept["refresh_token"].clone();
    kept["access_until"] = json!(0);
    std::fs::write(&file, kept.to_string()).unwrap();
    let all: Vec<Child> = (0..4)
        .map(|_| as_person(home.path(), &["whoami"]).stdout(Stdio::null()).spawn().expect("the binary runs"))
        .collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_ne!(kept["refresh_token"], before);
    assert!(said(&run(&["whoami", "--control", "http://127.0.0.1:1"])).contains("signed in at"));
    assert!(run(&["logout"]).status.success());
    assert!(!file.exists());
    assert_eq!(run(&["whoami"]).status.code(), Some(1));
}

#[tokio::test]
async fn keys_are_changed_amid_sign_ins_and_a_provider_that_is_down_keeps_nobody_out_who_is_in() {
    let Some(mut house) = House::open().await else { return };
    let mut alice = house.browser(ALICE).await;
    house.idp.rotate(false).await;
    house.browser(BOB).await;
    house.idp.rotate(true).await;
    let mut carol = house.browser("carol@example.com").await;
    house.idp.kill();
    for (browser, who) in [(&mut alice, ALICE), (&mut carol, "carol@example.com")] {
        browser.get(&house.at("/")).await;
        assert!(browser.body.contains(who));
    }
    house.api.get("/v1/identities").await.ok();
}

#[tokio::test]
async fn a_real_browser_signs_in_lets_the_command_line_in_and_leaves() {
    let (Some(house), Some(chromium)) = (House::open().await, fetched("chromium")) else { return };
    let home = Folder::new();
    let mut command = as_person(home.path(), &["login", "--control", &house.control.url()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let code = shown_code(&mut child);
    let mut browser = script("browser.mjs").expect("it was fetched with the provider");
    browser.env("BROWSER", chromium.join("browser")).env("CONTROL", house.control.url());
    let output = browser.env("CODE", &code).env("WHO", ALICE).output().expect("node runs");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!(seen["after_login"], house.at(&format!("/device?user_code={code}")));
    assert_eq!(
        (seen["code"].as_str(), seen["approved"].as_str()),
        (Some(&*code), Some("The command line is in"))
    );
    assert!(seen["confirmation"].as_str().unwrap().contains("127.0.0.1"), "{seen}");
    assert!(seen["home"].as_str().unwrap().contains(ALICE), "{seen}");
    assert_eq!((&seen["session"]["httpOnly"], &seen["session"]["sameSite"]), (&json!(true), &json!("Lax")));
    assert!(seen["left_to"].as_str().unwrap().starts_with(&house.idp.url()), "{seen}");
    assert!(child.wait_with_output().expect("it ends").status.success());
}

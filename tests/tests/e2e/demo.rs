//! The demo's people sign in at its own provider: in a browser, on the command line, and with a token at the database.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use postern_tests::{
    folder::Folder,
    oidc::Browser,
    process::{bound, postern, succeed},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::people::{as_person, said, shown_code};

/// A demo that is ready, and what it wrote down.
struct Demo {
    child: Child,
    _folder: Folder,
    env: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start() -> Self {
        let folder = Folder::new();
        let dir = folder.path().join("demo");
        let mut command = bound(postern(), "TERM");
        command.arg("demo").arg("--dir").arg(&dir).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "ready"), "the demo is not ready");
        std::thread::spawn(move || lines.for_each(drop));
        let env = fs::read_to_string(dir.join("demo.env")).expect("it was written");
        Self { child, _folder: folder, env }
    }

    fn value(&self, name: &str) -> &str {
        let mut all = self.env.lines().filter_map(|line| line.split_once('='));
        all.find(|(known, _)| *known == name).expect("it is there").1
    }

    /// A token of the demo's provider, as the instructions have it.
    async fn jwt(&self, who: &str) -> String {
        let form = [("grant_type", "password"), ("client_id", "psql"), ("username", who), ("password", who)];
        postern_tests::rest::install_tls();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.post(format!("{}/token", self.value("POSTERN_ISSUER"))).form(&form).send().await;
        let answer: Value = answer.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    fn psql(&self, password: &str) -> Command {
        let mut command = Command::new("psql");
        let port = self.value("POSTERN_PG_PORT");
        command.arg(format!("host=127.0.0.1 port={port} dbname=sales user=app_ro"));
        command.args(["-XAtqc", "select count(*) from sales"]).env("PGPASSWORD", password);
        command
    }
}

#[tokio::test]
async fn people_of_the_demo_sign_in_and_their_tokens_open_the_database() {
    let has = |program: &str| Command::new(program).arg("-V").output().is_ok();
    if !(has("psql") && has("mariadb") && std::path::Path::new("/usr/lib/postgresql").exists()) {
        eprintln!("SKIPPED: PostgreSQL or MariaDB is not installed");
        return;
    }
    let demo = Demo::start();
    let (alice, bob) = (Folder::new(), Folder::new());
    for (home, who) in [(&alice, "alice"), (&bob, "bob")] {
        let control = demo.value("POSTERN_CONTROL");
        let mut command = as_person(home.path(), &["login", "--no-browser", "--control", control]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let code = shown_code(&mut child);
        let mut browser = Browser::new();
        browser.get(&format!("{control}/device?user_code={code}")).await;
        assert!(browser.body.contains("Development login"), "{} {}", browser.url, browser.body);
        browser.submit(&[("person", who)]).await;
        browser.submit(&[]).await;
        assert!(browser.body.contains(&code), "{} {}", browser.url, browser.body);
        browser.submit(&[("decision", "approve")]).await;
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let whoami = succeed(&mut as_person(home.path(), &["whoami"]));
        assert!(said(&whoami).contains(&format!("{who}@example.com")), "{}", said(&whoami));
    }
    let jwt = demo.jwt("alice").await;
    let refused = demo.psql(&jwt).output().unwrap();
    assert!(said(&refused).contains("no active grant for alice@example.com"), "{}", said(&refused));
    let ask = ["request", "create", "--repo", "sales", "--account", "app_ro", "--duration", "1h"];
    let filed = succeed(as_person(alice.path(), &ask).args(["--reason", "a look", "--nowait"]));
    let request = said(&filed).split(' ').next().unwrap().to_owned();
    succeed(&mut as_person(bob.path(), &["request", "review", &request, "--approve"]));
    let read = succeed(&mut demo.psql(&jwt));
    assert_eq!(said(&read), "5\n");
}

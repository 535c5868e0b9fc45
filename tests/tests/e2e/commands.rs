//! Commands that need a control plane alone: rules from files, webhooks, reports.

use std::{fs, path::Path, process::Output};

use postern_tests::{
    folder::Folder,
    office::{ALICE, Office},
    process::{bound, postern},
};
use serde_json::{Value, json};

fn run(office: &Office, arguments: &[&str]) -> Output {
    let (id, secret) = office.api.credentials();
    let mut command = bound(postern(), "KILL");
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command
        .env("POSTERN_CONTROL", office.control.url())
        .env("POSTERN_CLIENT_ID", id)
        .env("POSTERN_CLIENT_SECRET", secret)
        .output()
        .expect("the binary runs")
}

fn text(office: &Office, arguments: &[&str]) -> String {
    let output = run(office, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn json_of(office: &Office, arguments: &[&str]) -> Value {
    let text = text(office, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

fn refused(office: &Office, arguments: &[&str]) -> String {
    let output = run(office, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write(file: &Path, rules: &[(&str, &str)]) {
    let rule = |(name, most): &(&str, &str)| {
        format!(
            "[[rule]]\nname = '{name}'\nrequesters = ['*']\nrepos = ['{name}']\naccounts = ['app_ro']\nwhole = true\n\
             max_duration = '{most}'\n\n"
        )
    };
    fs::write(file, rules.iter().map(rule).collect::<String>()).expect("a file");
}

#[tokio::test]
async fn a_file_of_rules_is_applied_shown_beforehand_and_owns_what_it_made() {
    let office = Office::open().await;
    let folder = Folder::new();
    let path = folder.path().join("team.toml");
    let file = path.to_str().expect("text");
    write(&path, &[("sales", "2h"), ("stock", "1h")]);
    let shown = text(&office, &["apply", "-f", file, "--dry-run"]);
    assert!(
        shown.contains("+ rule sales") && shown.contains("2 created, 0 changed, 0 deleted (dry run"),
        "{shown}"
    );
    assert!(office.api.get("/v1/rules/sales").await.status == 404);
    assert!(text(&office, &["apply", "-f", file]).ends_with("2 created, 0 changed, 0 deleted\n"));
    assert_eq!(json_of(&office, &["apply", "-f", file])["changes"], json!([]));
    write(&path, &[("sales", "4h")]);
    let changed = text(&office, &["apply", "-f", file]);
    assert!(
        changed.contains("~ rule sales\n    max_duration: \"2h\" -> \"4h\"\n- rule stock\n"),
        "{changed}"
    );
    assert_eq!(office.api.get("/v1/rules/sales").await.ok()["owner"], "file:team.toml");
    assert_eq!(office.api.get("/v1/rules/stock").await.status, 404);
    assert_eq!(office.api.get("/v1/rules/open").await.ok()["owner"], "rest");

    fs::write(&path, "[[rule]]\nname = 'sales'\nrepos = ['sales']\ncolour = 'red'\n").expect("a file");
    assert!(refused(&office, &["apply", "-f", file]).contains("colour"));
    fs::write(&path, "[[rule]]\nname = \n").expect("a file");
    assert!(refused(&office, &["apply", "-f", file]).contains("line 2"));
    fs::write(&path, "[[rules]]\nname = 'sales'\n").expect("a file");
    assert!(refused(&office, &["apply", "-f", file]).contains("`rules`"));
    assert_eq!(office.api.get("/v1/rules/sales").await.ok()["max_duration"], "4h");

    assert_eq!(run(&office, &["apply", "-f", "-"]).status.code(), Some(2));
    let emptied = text(&office, &["apply", "-f", "-", "--owner", "team.toml"]);
    assert!(emptied.contains("- rule sales"), "{emptied}");
}

#[tokio::test]
async fn webhooks_and_the_report_are_there_by_command() {
    let office = Office::open().await;
    let url = "https://hooks.example.com/postern";
    let made = text(&office, &["webhook", "create", "--name", "ops", "--url", url, "--type", "grant.*"]);
    let id = made.split_whitespace().find_map(|word| word.strip_prefix("id=")).expect("an id").to_owned();
    assert!(made.contains("secret=whsec_"), "{made}");
    let hooks = json_of(&office, &["webhook", "ls"]);
    assert_eq!((&hooks[0]["name"], &hooks[0]["types"]), (&json!("ops"), &json!(["grant.*"])));
    let ping = json_of(&office, &["webhook", "ping", &id]);
    let deliveries = json_of(&office, &["webhook", "deliveries", "--webhook", &id]);
    assert_eq!(deliveries[0]["id"], ping["id"]);
    text(&office, &["webhook", "delete", &id]);
    assert_eq!(json_of(&office, &["webhook", "ls"]), json!([]));

    let ask =
        json!({"repo": "sales", "account": "app_ro", "duration": "1h", "reason": "OPS-1", "for": ALICE});
    let access = office.api.access(ask).await;
    let report = json_of(&office, &["audit", "report", "--identity", ALICE]);
    assert_eq!((&report[0]["id"], &report[0]["used"]), (&json!(access.grant), &json!(false)));
    assert!(text(&office, &["audit", "report", "--by-rule"]).contains("open"));
    assert!(text(&office, &["audit", "--kind", "request.approved"]).contains(ALICE));
    assert!(text(&office, &["audit", "--verify"]).contains("records intact"));
}

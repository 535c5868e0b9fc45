//! The whole way by commands, as a person would paste them.

use std::{
    fs,
    process::{Command, Output},
};

use postern_tests::{
    folder::Folder,
    process::{bound, postern},
    stage::{ALICE, BOB, Stage},
    wait::until,
};
use serde_json::Value;

fn run(stage: &Stage, arguments: &[&str]) -> Output {
    let (id, secret) = stage.api.credentials();
    let mut command = bound(postern(), "KILL");
    command.args(arguments).env("POSTERN_CONTROL", stage.control.url());
    command
        .env("POSTERN_CLIENT_ID", id)
        .env("POSTERN_CLIENT_SECRET", secret)
        .output()
        .expect("the binary runs")
}

fn text(stage: &Stage, arguments: &[&str]) -> String {
    let output = run(stage, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn items(stage: &Stage, arguments: &[&str]) -> Vec<Value> {
    let text = text(stage, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// Asks for access and approves it; the grant's id.
fn approved(stage: &Stage) -> String {
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
        "OPS-1",
    ];
    text(stage, &[&ask[..], &["--for", ALICE, "--nowait"]].concat());
    let requests = items(stage, &["request", "ls", "--all"]);
    let request = requests[0]["id"].as_str().unwrap();
    text(stage, &["request", "review", request, "--approve", "--reason", "fine", "--by", BOB]);
    let grants = items(stage, &["grant", "ls"]);
    assert_eq!(grants[0]["request"], request);
    grants[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_commands_lead_from_a_request_to_a_session_and_end_it() {
    let stage = Stage::new().await;
    let grant = approved(&stage);
    let table = text(&stage, &["request", "ls", "--all"]);
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["ID", "USER", "REPO", "ACCOUNT", "RESOURCES", "CREATED(UTC)", "STATUS"]);
    assert!(table.contains(ALICE) && table.contains("APPROVED"), "{table}");

    let printed = text(&stage, &["access", "sales", "--account", "app_ro", "--for", ALICE]);
    let line = printed.lines().find_map(|line| line.find("PGPASSWORD=").and_then(|at| line.get(at..)));
    let line = line.unwrap_or_else(|| panic!("no line to paste in {printed}"));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{line} -XAtqc 'select current_user'")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    let mut said = None;
    until("the pasted line to work", async || {
        let output = shell.output().expect("a shell");
        said = Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        output.status.success()
    })
    .await;
    assert_eq!(said.as_deref(), Some("app_ro"));

    let token = printed.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter));
    let token = token.into_iter().find(|word| word.starts_with("pst_")).expect("a token").to_owned();
    let mut open = stage.raw_as("app_ro", &token).await.unwrap();
    until("the session to be listed", async || !items(&stage, &["session", "ls"]).is_empty()).await;
    let revoked = text(&stage, &["grant", "revoke", &grant, "--reason", "the ticket is closed"]);
    assert!(revoked.contains("edge-1"), "{revoked}");
    assert_eq!(open.last_error().await.unwrap().code(), "57P01");
    assert!(stage.raw_as("app_ro", &token).await.is_err());
    text(&stage, &["audit", "--verify"]);
    assert!(text(&stage, &["audit", "--since", "1h"]).contains("the ticket is closed"));
}

#[tokio::test]
async fn a_refused_command_says_so_in_one_line_and_by_its_exit_code() {
    let stage = Stage::new().await;
    for (arguments, code) in [
        (&["grant", "revoke", "g_000000000000000000000000", "--reason", "x"][..], 1),
        (
            &[
                "request",
                "create",
                "--repo",
                "sales",
                "--account",
                "app_ro",
                "--duration",
                "never",
                "--reason",
                "x",
            ],
            2,
        ),
        (&["request", "create", "--repo", "sales"], 2),
        (&["no-such-command"], 2),
        (&["control", "--config", "/no/such/file.toml"], 1),
    ] {
        let output = run(&stage, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(!error.is_empty() && !error.contains("panicked"), "{arguments:?}: {error}");
        assert!(code == 2 || error.trim().lines().count() == 1, "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn a_backup_is_made_while_the_control_plane_runs_and_overwrites_nothing() {
    let stage = Stage::new().await;
    let (folder, config) = (Folder::new(), stage.control.config());
    let copy = folder.path().join("control.db");
    let arguments = ["backup", "--config", config.to_str().unwrap(), copy.to_str().unwrap()];
    text(&stage, &arguments);
    let whole = fs::read(&copy).unwrap();
    assert!(whole.starts_with(b"SQLite format 3\0"));
    let again = run(&stage, &arguments);
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!((again.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(fs::read(&copy).unwrap(), whole);
    stage.api.get("/v1/grants").await.ok();
}

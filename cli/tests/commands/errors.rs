//! What goes wrong is one line on stderr and an exit status.

use serde_json::json;

use crate::{bare, double::Double, postern, stderr, stdout};

#[test]
fn a_command_line_that_makes_no_sense_is_status_2() {
    for args in [
        &[][..],
        &["dance"],
        &["request", "create", "--repo", "sales"],
        &["request", "review", "r_1"],
        &["request", "review", "r_1", "--approve", "--deny"],
        &["grant", "extend", "g_1", "--duration", "soon", "--reason", "x"],
        &["request", "ls", "--format", "xml"],
        &["audit", "--file", "x"],
        &["control"],
    ] {
        assert_eq!(bare(args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_resource_that_cannot_be_meant_is_status_2_and_nothing_is_sent() {
    let double = Double::start();
    let args = "request create --repo sales --account a --duration 1h --reason x --resource sales";
    let output = postern(&double, &args.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("schema.table"), "{}", stderr(&output));
    assert!(double.asked("POST /v1/users/oidc/token").is_empty());
}

#[test]
fn missing_credentials_are_named() {
    let output = bare(&["grant", "ls"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("POSTERN_CONTROL"));
    let output =
        bare(&["grant", "ls", "--control", "http://127.0.0.1:1"]).env("POSTERN_CA", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("POSTERN_CLIENT_ID"));
}

#[test]
fn a_control_plane_that_is_away_is_said_in_one_line() {
    let output = bare(&["grant", "ls", "--control", "http://127.0.0.1:1"])
        .envs([("POSTERN_CLIENT_ID", "c"), ("POSTERN_CLIENT_SECRET", "hush-hush")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("postern: cannot reach the control plane at http://127.0.0.1:1: "));
    assert_eq!(stderr(&output).lines().count(), 1);
    assert!(!stderr(&output).contains("hush"));
}

#[test]
fn a_refusal_is_told_in_the_control_planes_words() {
    let problem =
        json!({"type": "no-rule", "title": "No rule covers this", "detail": "ask\nfor less", "status": 403});
    let double = Double::start().on("GET /v1/grants/g_1", 403, problem);
    let output = postern(&double, &["grant", "show", "g_1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "postern: No rule covers this: ask for less\n");
    assert_eq!(stdout(&output), "");
}

#[test]
fn wrong_credentials_are_status_1() {
    let double = Double::start().on("POST /v1/users/oidc/token", 401, json!({"error": "invalid_client"})).on(
        "GET /v1/grants/g_1",
        200,
        json!({}),
    );
    // The first answer is used up by somebody who is let in.
    assert_eq!(postern(&double, &["grant", "show", "g_1"]).status.code(), Some(0));
    let output = postern(&double, &["grant", "show", "g_1"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), "postern: invalid_client\n"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let double = Double::start().on("GET /v1/grants?limit=200", 200, json!({"items": [], "next": null}));
    let mut child = bare(&["grant", "ls", "--control", &double.url()])
        .envs([("POSTERN_CLIENT_ID", "c"), ("POSTERN_CLIENT_SECRET", "s")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn an_unknown_key_in_a_configuration_is_named_without_a_backtrace() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, "name = 'edge'\nnmae = 'x'\n").unwrap();
    let output = bare(&["sidecar", "--config", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("sidecar.toml") && stderr(&output).contains("nmae"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

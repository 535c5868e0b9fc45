//! `postern connect`: from a repo's name to a client that is connected, with a request on the way.

use std::process::{Output, Stdio};

use postern_tests::{
    mysql::{
        server::Version,
        stage::{Stage, Wish},
    },
    process::{bound, postern},
    stage::BOB,
    wait::until,
};
use serde_json::{Value, json};

/// Runs `postern connect` with MySQL's or MariaDB's own client, and decides on the request that it files.
async fn connect(stage: &Stage, decision: &str) -> Output {
    let (id, secret) = stage.api.credentials();
    let mut command = bound(postern(), "KILL");
    command.args(["connect", "sales", "--account", "app_ro", "--duration", "1h", "--reason", "OPS-1", "--"]);
    command.arg(stage.mysql.program(stage.mysql.client())).args(stage.mysql.client_plugins().map(
        |plugins| {
            let mut option = std::ffi::OsString::from("--plugin-dir=");
            option.push(plugins);
            option
        },
    ));
    command.args(["-BNe", "select current_user()"]).env("POSTERN_CONTROL", stage.control.url());
    command.env("POSTERN_CLIENT_ID", id).env("POSTERN_CLIENT_SECRET", secret);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut request = Value::Null;
    until("the request", async || {
        request = stage.api.get("/v1/requests?status=PENDING").await.ok()["items"][0].clone();
        !request.is_null()
    })
    .await;
    assert_eq!(request["reason"], "OPS-1");
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    stage.api.post(&path, json!({"decision": decision, "reason": "so it is", "by": BOB})).await.ok();
    tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap()
}

async fn the_client_is_started_when_the_request_is_approved(version: Version) {
    let Some(stage) = Stage::on(version, Wish::default()).await else { return };
    let refused = connect(&stage, "deny").await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("so it is") && refused.stdout.is_empty(), "{told}");
    let output = connect(&stage, "approve").await;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("app_ro@"), "{output:?}");
    let tokens = stage.api.get("/v1/access-tokens").await.ok();
    assert_eq!(tokens["items"], json!([]), "the client's token is void when it has ended");
}

on_both! { the_client_is_started_when_the_request_is_approved }

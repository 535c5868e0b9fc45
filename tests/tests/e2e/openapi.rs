//! The OpenAPI document is true: a generator of calls finds no answer that the document does not foresee.

use std::{fmt::Write, fs, process::Stdio};

use postern_tests::{
    folder::{Folder, fetched},
    office::{ALICE, Office},
    process::bound,
};
use serde_json::{Value, json};

/// What a generated call could take from the run itself: the client that it calls with.
const OWN_CLIENT: [&str; 2] = ["/v1/api-clients/{id}", "/v1/api-clients/{id}/rotate"];

/// Streams have no end to wait for.
const STREAMS: [&str; 2] = ["/v1/events", "/v1/sidecar/feed"];

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Things that are there, so that calls find them: the beginning of a route, the part of its path, and what to write.
async fn things(office: &Office) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let ask =
        json!({"repo": "sales", "account": "app_ro", "duration": "1h", "reason": "OPS-1", "for": ALICE});
    let access = office.api.access(ask.clone()).await;
    let waiting = office.api.request(ask).await;
    let id = |made: &Value, field: &str| made[field].as_str().expect("an id").to_owned();
    let hook = json!({"name": "ops", "url": "https://hooks.example.com/x"});
    let hook = office.api.post("/v1/webhooks", hook).await.ok();
    let parts = json!({"parts": [{"repo": "sales", "account": "app_ro"}]});
    office.api.put("/v1/bundles/oncall", parts).await.ok();
    let user = json!({"schemas": [USER], "userName": "carol@example.com", "active": true});
    let user = office.api.post("/scim/v2/Users", user).await.ok();
    let group = json!({"schemas": [GROUP], "displayName": "night shift"});
    let group = office.api.post("/scim/v2/Groups", group).await.ok();
    vec![
        ("/scim/v2/Users", "id", vec![id(&user, "id")]),
        ("/scim/v2/Groups", "id", vec![id(&group, "id")]),
        ("/v1/requests", "id", vec![id(&waiting, "id")]),
        ("/v1/grants", "id", vec![access.grant]),
        ("/v1/webhooks", "id", vec![id(&hook, "id")]),
        ("/v1/bundles", "name", vec!["oncall".to_owned()]),
        ("/v1/rules", "name", vec!["open".to_owned()]),
        ("/v1/sidecars", "name", vec!["edge-1".to_owned()]),
        ("/v1/identities", "name", vec![ALICE.to_owned()]),
    ]
}

/// The generator's configuration: most paths lead to what is there.
fn configuration(things: &[(&str, &str, Vec<String>)]) -> String {
    let mut text = String::new();
    for (at, (route, part, values)) in things.iter().enumerate() {
        writeln!(text, "[dictionaries.d{at}]\nvalues = {values:?}").expect("a string");
        writeln!(text, "[[operations]]\ninclude-path-regex = '^{route}/[{{]{part}[}}]'").expect("a string");
        let binding = format!("{{ dictionary = 'd{at}', probability = 0.8 }}");
        writeln!(text, "parameters = {{ 'path.{part}' = {binding} }}").expect("a string");
    }
    text
}

#[tokio::test]
async fn no_generated_call_is_answered_otherwise_than_the_document_says() {
    let Some(schemathesis) = fetched("schemathesis") else { return };
    let office = Office::open().await;
    let folder = Folder::new();
    let config = folder.path().join("schemathesis.toml");
    fs::write(&config, configuration(&things(&office).await)).expect("a file");
    let bearer = office.api.bearer().await;
    let mut command = bound(schemathesis.join("venv/bin/python"), "KILL");
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(config).arg("run");
    command.arg(format!("http://127.0.0.1:{}/openapi.json", office.control.port()));
    command.arg("-H").arg(format!("Authorization: Bearer {bearer}"));
    command.args(["--phases", "examples,coverage,fuzzing", "-n", "4", "--checks", CHECKS, "--no-shrink"]);
    command.arg("--generation-deterministic");
    command.args(["--request-timeout", "20", "--output-truncate", "false"]);
    for path in OWN_CLIENT.iter().chain(&STREAMS) {
        command.args(["--exclude-path", path]);
    }
    command.current_dir(folder.path()).stdin(Stdio::null()).env("NO_COLOR", "1");
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("it runs").expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

//! Revoking, and looking at what is left.

use std::io::Write;

use postern_service::audit::{Chain, Event, Record};
use serde_json::json;

use crate::{bare, double::Double, postern, stderr, stdout};

#[test]
fn a_revocation_prints_what_each_sidecar_said() {
    let answer = json!({"grant": {"id": "g_1", "state": "REVOKED"}, "sidecars": [
        {"name": "edge-1", "acknowledged": true, "sessions_ended": 3, "milliseconds": 1.5}]});
    let double = Double::start().on("POST /v1/grants/g_1/revoke", 200, answer);
    let output = postern(&double, &["grant", "revoke", "g_1", "--reason", "enough"]);
    assert_eq!(stdout(&output), "g_1 REVOKED\nedge-1: acknowledged, 3 sessions ended in 1.5 ms\n");
    assert_eq!(double.asked("POST /v1/grants/g_1/revoke"), [json!({"reason": "enough"})]);
}

#[test]
fn disabling_an_identity_keeps_its_groups() {
    let double = Double::start()
        .on(
            "GET /v1/identities/alice@example.com",
            200,
            json!({"name": "alice@example.com", "groups": ["a", "b"], "enabled": true}),
        )
        .on("PUT /v1/identities/alice@example.com", 200, json!({}));
    let output = postern(&double, &["identity", "disable", "alice@example.com"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let sent = double.asked("PUT /v1/identities/alice@example.com");
    assert_eq!(sent, [json!({"enabled": false, "reason": ""})]);
}

#[test]
fn a_sidecar_is_drained_and_the_order_taken_back() {
    let until = json!({"name": "edge-1", "sessions": 2, "draining": {"until": "2026-01-31T09:15:00Z"}});
    let double = Double::start().on("POST /v1/sidecars/edge-1/drain", 200, until);
    let drain = ["sidecars", "drain", "edge-1", "--within", "30m", "--reason", "new kernel"];
    assert_eq!(
        stdout(&postern(&double, &drain)),
        "edge-1 takes no new sessions; 2 open, until 2026-01-31 09:15:00 UTC at most\n"
    );
    let undone = stdout(&postern(&double, &["sidecars", "drain", "edge-1", "--undo"]));
    assert_eq!(undone, "edge-1 takes sessions again\n");
    let sent = double.asked("POST /v1/sidecars/edge-1/drain");
    let wanted = [
        json!({"undo": false, "within": "30m", "reason": "new kernel"}),
        json!({"undo": true, "reason": ""}),
    ];
    assert_eq!(sent, wanted);
}

#[test]
fn a_directorys_token_is_printed_once_and_asked_for_without_permissions() {
    let made = json!({"client_id": "c_1", "client_secret": "pscim_x", "scim": true});
    let double = Double::start().on("POST /v1/api-clients", 201, made);
    let create = ["api-client", "create", "--name", "okta", "--scim"];
    assert_eq!(stdout(&postern(&double, &create)), "client_id=c_1 scim_token=pscim_x\n");
    let sent = double.asked("POST /v1/api-clients");
    assert_eq!(sent, [json!({"name": "okta", "permissions": [], "scim": true})]);
    let both = [&create[..], &["--permission", "modify_users"]].concat();
    assert_eq!(postern(&double, &both).status.code(), Some(2));
    let neither = ["api-client", "create", "--name", "okta"];
    assert_eq!(postern(&double, &neither).status.code(), Some(2));
}

#[test]
fn a_sidecar_token_is_printed_alone() {
    let double = Double::start().on("POST /v1/sidecars", 201, json!({"name": "edge-1", "token": "pss_x.y"}));
    assert_eq!(stdout(&postern(&double, &["sidecar-token", "create", "--name", "edge-1"])), "pss_x.y\n");
}

#[test]
fn access_prints_a_line_for_each_client() {
    let repo =
        json!({"name": "sales", "engine": "postgres", "accounts": ["app_ro"], "listen": "0.0.0.0:15432"});
    let double = Double::start().on("GET /v1/repos/sales", 200, repo).on(
        "POST /v1/access-tokens",
        201,
        json!({"id": "t_1", "token": "pst_x"}),
    );
    let output = postern(&double, &["access", "sales", "--for", "alice@example.com"]);
    let text = stdout(&output);
    for part in [
        "postgresql://app_ro:pst_x@127.0.0.1:15432/sales",
        "jdbc:postgresql://",
        "127.0.0.1:15432:sales:app_ro:pst_x",
        "PGPASSWORD=pst_x psql",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(double.asked("POST /v1/access-tokens"), [json!({"for": "alice@example.com"})]);
}

fn chain(count: usize) -> Vec<Record> {
    let mut chain = Chain::new("control");
    (0..count).map(|_| chain.append(jiff::Timestamp::UNIX_EPOCH, Event::new("test.event"))).collect()
}

#[test]
fn verifying_finds_a_chain_whose_end_was_cut_off() {
    let records = chain(3);
    let head = json!({"items": [{"chain": "control", "count": 3, "hash": records[2].hash}], "next": null});
    let verify = |records: &[Record]| {
        let double = Double::start().on("GET /v1/audit/heads?limit=200", 200, head.clone()).on(
            "GET /v1/audit?limit=200",
            200,
            json!({"items": records, "next": null}),
        );
        postern(&double, &["audit", "--verify"])
    };
    let intact = verify(&records);
    assert_eq!(intact.status.code(), Some(0), "{}", stderr(&intact));
    assert!(stdout(&intact).starts_with("control: 3 records intact"));
    let cut = verify(&records[..2]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(stderr(&cut).contains("ends after 2 records, but 3 were written"), "{}", stderr(&cut));
}

#[test]
fn a_local_copy_is_verified_without_a_control_plane() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut records = chain(3);
    let verify = |path: &std::path::Path| {
        bare(&["audit", "--verify", "--file", path.to_str().unwrap()]).output().unwrap()
    };
    for record in &records {
        writeln!(file, "{}", serde_json::to_string(record).unwrap()).unwrap();
    }
    assert_eq!(verify(file.path()).status.code(), Some(0));
    records[1].identity = "mallory@example.com".to_owned();
    let text: String = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    std::fs::write(file.path(), text).unwrap();
    let output = verify(file.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("line 2: control #1: the record was changed"), "{}", stderr(&output));
}

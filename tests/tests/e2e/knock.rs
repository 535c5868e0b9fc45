//! Knocking: a client that has no grant says what it wants while it connects, and waits.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use postern_tests::{
    folder::fetched,
    gate::Extra,
    mysql::{
        login::LogIn,
        server::Version,
        stage::{Stage as MysqlStage, Wish as MysqlWish},
    },
    process::bound,
    rest::Api,
    stage::{ALICE, Access, BOB, REPO, Stage, Wish},
    wait::until,
    wire::{Fields, PROTOCOL_3_0, Raw, frame, startup, zero_terminated},
};
use serde_json::{Value, json};

use crate::access::psql_command;

const WISH: &str = "-c postern.reason=INC-42 -c postern.duration=30m";

/// Makes the open rule one under which clients may knock as `app_ro`.
async fn let_knock(api: &Api) {
    let rule = json!({
        "requesters": ["*"], "repos": ["*"], "accounts": ["app_ro"], "whole": true, "privileges": ["SELECT"],
        "max_duration": "1d", "approvals": [{"from": ["*"], "count": 1}], "knock": true,
        "auto_deny": "request.reason == 'never'",
    });
    api.put("/v1/rules/open", rule).await.ok();
}

async fn decide(api: &Api, request: &str, decision: &str) {
    let review = json!({"decision": decision, "reason": "said Bob", "by": BOB});
    api.post(&format!("/v1/requests/{request}/reviews"), review).await.ok();
}

/// The one request that waits for a decision.
async fn pending(api: &Api) -> Value {
    let mut found = Value::Null;
    until("the request", async || {
        found = api.get("/v1/requests?status=PENDING").await.ok()["items"][0].clone();
        !found.is_null()
    })
    .await;
    found
}

/// Alice's token, when the sidecar knows it.
async fn known_token(stage: &Stage) -> String {
    let token = stage.token(ALICE).await;
    until("the token to reach the sidecar", async || {
        stage.raw_as("app_ro", &token).await.err().is_some_and(|refusal| refusal.code() == "28000")
    })
    .await;
    token
}

/// Alice as `app_ro`, without a grant.
fn alices(token: String) -> Access {
    let (grant, identity, account) = (String::new(), ALICE.to_owned(), "app_ro".to_owned());
    Access { grant, identity, account, token }
}

/// Knocks; what comes behind the password: the id of the request, or the refusal.
async fn knock(stage: &Stage, token: &str, account: &str, options: &str) -> (Raw, Result<String, Fields>) {
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(&startup(PROTOCOL_3_0, &[("user", account), ("database", REPO), ("options", options)])).await;
    assert_eq!(raw.next().await.unwrap().body, [0, 0, 0, 3]);
    raw.send(&frame(b'p', &zero_terminated(token))).await;
    let first = raw.next().await.unwrap();
    if first.kind == b'E' {
        return (raw, Err(first.fields()));
    }
    assert_eq!((first.kind, &first.body[..]), (b'R', &[0; 4][..]));
    let notice = raw.next().await.unwrap();
    assert_eq!(notice.kind, b'N');
    let text = notice.fields().message().to_owned();
    let id =
        text.split_whitespace().find(|word| word.starts_with("r_")).expect("the request's id").to_owned();
    (raw, Ok(id))
}

/// What a program says in the end. It waits for somebody on this runtime to approve.
async fn finished(mut program: Command) -> Output {
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[tokio::test]
async fn psql_that_knocks_reads_its_requests_id_and_enters_on_approval() {
    let stage = Stage::new().await;
    let token = known_token(&stage).await;
    let_knock(&stage.api).await;
    let access = alices(token);
    let options = format!("options='{WISH} -c statement_timeout=7s'");
    let approve = async {
        let request = pending(&stage.api).await;
        let said = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (said("identity"), said("reason"), said("duration")),
            (ALICE.into(), "INC-42".into(), "30m".into())
        );
        let (_raw, same) = knock(&stage, &access.token, "app_ro", WISH).await;
        assert_eq!(same.unwrap(), said("id"), "the same wish is the same request");
        decide(&stage.api, &said("id"), "approve").await;
        said("id")
    };
    let asking = finished(psql_command(&stage, &options, &access, "show statement_timeout"));
    let (id, output) = tokio::join!(approve, asking);
    assert_eq!(text(&output.stdout), "7s", "what is not ours goes to the database: {output:?}");
    assert!(text(&output.stderr).contains(&format!("NOTICE:  request {id} is waiting")), "{output:?}");
}

#[tokio::test]
async fn a_client_that_knocks_is_told_why_it_is_not_let_in() {
    let extra = Extra { tables: "[identity]\nknock_wait = \"2s\"\n".to_owned(), ..Extra::default() };
    let stage = Stage::with(Wish { extra, ..Wish::default() }).await;
    let token = known_token(&stage).await;
    let refused = async |account: &str, options: &str| {
        let refusal = knock(&stage, &token, account, options).await.1.unwrap_err();
        assert_eq!(refusal.code(), "28000", "{account} {options}");
        refusal.message().to_owned()
    };
    assert!(
        refused("app_ro", WISH).await.contains("lets nobody ask by connecting"),
        "the rule has no `knock`"
    );
    let_knock(&stage.api).await;
    for (account, options, word) in [
        ("app_rw", WISH, "not filed"),
        ("app_ro", "-c postern.reason=please -c postern.duration=soon", "no duration"),
        ("app_ro", "-c postern.reason=please -c postern.duration=90d", "not filed"),
    ] {
        let message = refused(account, options).await;
        assert!(message.contains(word), "{account} {options}: {message}");
    }
    assert_eq!(stage.api.get("/v1/requests").await.ok()["items"], json!([]), "nothing was filed");
    // The refusal comes behind `AuthenticationOk`: libpq would try again without TLS otherwise, and file it once more.
    let (mut raw, request) = knock(&stage, &token, "app_ro", "-c postern.reason=never").await;
    assert!(request.is_ok());
    assert!(raw.last_error().await.unwrap().message().contains("refused by rule:open"));

    let (mut raw, request) = knock(&stage, &token, "app_ro", "-c postern.reason=please").await;
    let late = raw.last_error().await.unwrap();
    assert!(late.message().contains("not decided yet"), "{late:?}");
    let (mut raw, again) = knock(&stage, &token, "app_ro", "-c postern.reason=please").await;
    assert_eq!(again, request);
    decide(&stage.api, &again.unwrap(), "deny").await;
    let denied = raw.last_error().await.unwrap();
    assert_eq!(denied.code(), "28000");
    assert!(denied.message().contains("refused by bob@example.com: said Bob"), "{denied:?}");
}

#[tokio::test]
async fn whoever_gives_up_waiting_or_loses_their_credential_is_not_let_in_by_an_approval() {
    let stage = Stage::new().await;
    let token = known_token(&stage).await;
    let_knock(&stage.api).await;
    let mut waiting = Vec::new();
    let full = loop {
        match knock(&stage, &token, "app_ro", WISH).await {
            (raw, Ok(request)) => waiting.push((raw, request)),
            (_, Err(refusal)) => break refusal,
        }
    };
    assert!(full.message().contains("too many clients wait"), "{full:?}");
    let (mut hasty, request) = waiting.pop().unwrap();
    hasty.send(&frame(b'X', b"")).await;
    assert!(hasty.last_error().await.unwrap().message().contains("did not wait"));
    waiting.clear();
    until("the places to be given back", async || {
        let (raw, knocked) = knock(&stage, &token, "app_ro", WISH).await;
        let is_taken = knocked == Ok(request.clone());
        waiting.extend(knocked.ok().map(|request| (raw, request)));
        is_taken
    })
    .await;
    let tokens = stage.api.get("/v1/access-tokens").await.ok();
    let id = tokens["items"][0]["id"].as_str().unwrap();
    stage.api.delete(&format!("/v1/access-tokens/{id}")).await.ok();
    decide(&stage.api, &request, "approve").await;
    let (mut raw, _) = waiting.pop().unwrap();
    assert!(raw.last_error().await.unwrap().message().contains("revoked"));
    assert_eq!(stage.api.get("/v1/sessions").await.ok()["items"], json!([]));
}

/// A stage at which Alice's token is known and clients may knock.
async fn on_mysql(version: Version) -> Option<(MysqlStage, String)> {
    let stage = MysqlStage::on(version, MysqlWish { tls: true, ..MysqlWish::default() }).await?;
    let token = stage.api.token_for(ALICE).await;
    let_knock(&stage.api).await;
    until("the token to reach the sidecar", async || {
        let login = LogIn { tls: stage.tls(), ..LogIn::new("app_ro", &token) };
        stage.raw_as(&login).await.err().is_some_and(|refusal| refusal.message.contains("no active grant"))
    })
    .await;
    Some((stage, token))
}

#[tokio::test]
async fn connector_python_that_knocks_enters_on_approval() {
    let Some(python) = fetched("mysqlpython") else { return };
    let Some((stage, token)) = on_mysql(Version::MySql9).await else { return };
    let [_, way] = stage.ways(&alices(token));
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers/mysql/connector_python_knock.py");
    let mut program = bound(python.join("venv/bin/python"), "KILL");
    program.arg(script);
    way.tell(&mut program);
    let approve = async {
        let request = pending(&stage.api).await;
        assert_eq!((&request["reason"], &request["duration"]), (&json!("INC-42"), &json!("30m")));
        decide(&stage.api, request["id"].as_str().unwrap(), "approve").await;
    };
    let ((), output) = tokio::join!(approve, finished(program));
    assert_eq!(text(&output.stdout), "[('program_name', 'knocker')]", "{output:?}");
}

#[tokio::test]
async fn a_client_of_mariadb_that_knocks_is_told_when_its_request_is_refused() {
    let Some((stage, token)) = on_mysql(Version::MariaDb10).await else { return };
    let attributes = [("postern_reason", "INC-42"), ("program_name", "app")];
    let login = LogIn { tls: stage.tls(), attributes: &attributes, ..LogIn::new("app_ro", &token) };
    let deny = async { decide(&stage.api, pending(&stage.api).await["id"].as_str().unwrap(), "deny").await };
    let (refused, ()) = tokio::join!(stage.raw_as(&login), deny);
    let refusal = refused.err().unwrap();
    assert_eq!(refusal.code, 1045);
    assert!(refusal.message.contains("refused by bob@example.com: said Bob"), "{refusal:?}");
}

//! How Slack's calls come in, and which do not.

use postern_tests::slack::{APP, Answer, Seal, TEAM};
use serde_json::{Value, json};

use super::{ALICE, BOB, Floor, GUEST};

const COMMANDS: &str = "/slack/commands";

async fn sends(floor: &Floor, body: &str, seal: &Seal) -> u16 {
    floor.slack.post(COMMANDS, body, seal).await.status
}

#[tokio::test]
async fn a_call_that_slack_did_not_sign_is_turned_away() {
    let floor = Floor::new().await;
    let body = floor.slack.command_body(ALICE, "connect");
    let good = Seal::of(&body, 0);
    let unsigned = Seal { signature: String::new(), ..good.clone() };
    let of_another = Seal::of(&floor.slack.command_body(ALICE, "disconnect"), 0);
    for seal in [Seal::with("another secret", &body, 0), unsigned, of_another] {
        assert_eq!(sends(&floor, &body, &seal).await, 401);
    }
    assert_eq!(sends(&floor, &format!("{body}&text=help"), &good).await, 401);
    assert_eq!(sends(&floor, &body, &good).await, 200);
}

#[tokio::test]
async fn a_call_that_comes_late_or_twice_is_turned_away() {
    let floor = Floor::new().await;
    let body = floor.slack.command_body(ALICE, "connect");
    assert_eq!(sends(&floor, &body, &Seal::of(&body, 400)).await, 401);
    let seal = Seal::of(&body, 200);
    assert_eq!(sends(&floor, &body, &seal).await, 200);
    assert_eq!(sends(&floor, &body, &seal).await, 401);
    let louder = Seal { signature: seal.signature.to_uppercase().replace("V0=", "v0="), ..seal };
    assert_eq!(sends(&floor, &body, &louder).await, 401);
}

#[tokio::test]
async fn a_call_of_another_workspace_or_app_is_turned_away() {
    let floor = Floor::new().await;
    for (ours, other) in [(TEAM, "T0OTHER"), (APP, "A0OTHER")] {
        let body = floor.slack.command_body(ALICE, "connect").replace(ours, other);
        assert_eq!(sends(&floor, &body, &Seal::of(&body, 0)).await, 403);
    }
}

#[tokio::test]
async fn what_slack_sends_again_is_done_once() {
    let floor = Floor::new().await;
    let body = floor.slack.command_body(ALICE, "connect");
    let first = floor.slack.post(COMMANDS, &body, &Seal::of(&body, 0)).await;
    assert!(first.body["text"].as_str().unwrap().contains("alice@example.com"), "{first:?}");
    let again = floor.slack.post(COMMANDS, &body, &Seal::of(&body, 1)).await;
    assert_eq!(again, Answer { status: 200, body: Value::Null });
}

#[tokio::test]
async fn nonsense_is_refused_and_breaks_nothing() {
    let floor = Floor::new().await;
    for (path, body, status) in [
        (COMMANDS, "", 400),
        (COMMANDS, "text=help", 400),
        ("/slack/interactions", "payload=", 400),
        ("/slack/interactions", "payload=%7B%7D", 400),
        ("/slack/interactions", "payload=%7B%22type%22%3A%22new_thing%22%7D", 200),
        ("/slack/events", "[]", 400),
        ("/slack/events", r#"{"type":"new_thing"}"#, 200),
    ] {
        assert_eq!(floor.slack.post(path, body, &Seal::of(body, 0)).await.status, status, "{path} {body}");
    }
    assert!(floor.slack.command(ALICE, "help").await.contains("/postern list repos"));
}

#[tokio::test]
async fn slack_hears_that_somebody_is_there() {
    let floor = Floor::new().await;
    let body = json!({"type": "url_verification", "token": "old", "challenge": "3eZbrw1a"}).to_string();
    let answer = floor.slack.post("/slack/events", &body, &Seal::of(&body, 0)).await;
    assert_eq!(answer.body, json!("3eZbrw1a"));
    assert_eq!(floor.slack.post("/slack/events", &body, &Seal::with("other", &body, 0)).await.status, 401);
}

#[tokio::test]
async fn whoever_is_a_guest_or_unknown_is_nobody() {
    let floor = Floor::new().await;
    floor.slack.add("USTRANGER", "mallory@example.com", json!({}));
    assert!(floor.slack.command(GUEST, "connect").await.contains("full members"));
    assert!(floor.slack.command("USTRANGER", "connect").await.contains("nobody here is known"));
    assert!(floor.slack.command(GUEST, "list repos").await.contains("full members"));
    assert!(floor.slack.command(BOB, "disconnect").await.contains("not connected"));
    assert!(floor.slack.command(BOB, "connect").await.contains("bob@example.com"));
    assert!(floor.slack.command(BOB, "disconnect").await.contains("disconnected"));
}

#[tokio::test]
async fn socket_mode_serves_the_same_and_outlives_its_connections() {
    let floor = Floor::with(true, "email").await;
    assert!(floor.slack.command(ALICE, "connect").await.contains("alice@example.com"));
    floor.slack.refresh_socket().await;
    assert!(floor.slack.command(ALICE, "list repos").await.contains("no data repositories yet"));
    let before = floor.slack.sockets_opened();
    floor.slack.cut_sockets();
    postern_tests::wait::until("a new connection", async || floor.slack.sockets_opened() > before).await;
    assert!(floor.slack.command(ALICE, "list sidecars").await.contains("no sidecars yet"));
}

#[tokio::test]
async fn what_is_typed_comes_back_as_text_and_nothing_else() {
    let floor = Floor::new().await;
    let said = floor.slack.command(ALICE, "<!channel> `*hi*` <@UBOB>").await;
    assert!(!said.contains("<!") && !said.contains("<@"), "{said}");
    assert!(said.contains("is no command") && said.contains("list repos"), "{said}");
}

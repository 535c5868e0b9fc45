//! The guides' walks in Slack, with everything real but Slack itself.

use postern_tests::{
    postgres::Version,
    slack::{Message, Slack, Way, rendered},
    stage::{ALICE, Access, BOB, REPO, Stage, Wish},
    wait::until_some,
};
use serde_json::json;

const ALICE_IN_SLACK: &str = "UALICE";
const BOB_IN_SLACK: &str = "UBOB";

/// A stage whose control plane is in a workspace, with Alice and Bob connected.
async fn floor(socket_mode: bool) -> (Stage, Slack) {
    let slack = Slack::start().await;
    slack.add(ALICE_IN_SLACK, ALICE, json!({}));
    slack.add(BOB_IN_SLACK, BOB, json!({}));
    let wish = Wish { control: slack.config(socket_mode, "email"), ..Wish::default() };
    let stage =
        Stage::on(Version::Fifteen, wish).await.expect("PostgreSQL 15 is installed: see tests/deps.sh");
    if !socket_mode {
        slack.reach(Way::Http(stage.control.url()));
        slack.is_served().await;
    }
    for (user, identity) in [(ALICE_IN_SLACK, ALICE), (BOB_IN_SLACK, BOB)] {
        assert!(slack.command(user, "connect").await.contains(identity));
    }
    (stage, slack)
}

/// Alice asks by the dialog, and Bob sees it in the channel.
async fn ask(slack: &Slack, reason: &str) -> Message {
    slack.command(ALICE_IN_SLACK, &format!("request {REPO} app_ro 1h {reason}")).await;
    let wrong = slack.dialog(ALICE_IN_SLACK).await.submit().await;
    assert!(wrong.is_empty(), "{wrong:?}");
    slack.posted("the request", |message| rendered(message).contains(reason)).await
}

async fn card(slack: &Slack, reason: &str, standing: &str) -> Message {
    let fits = |message: &Message| {
        let text = rendered(message);
        text.contains(reason) && text.lines().next().is_some_and(|title| title.contains(standing))
    };
    slack.posted(&format!("{reason} to be {standing}"), fits).await
}

async fn walk(socket_mode: bool) {
    let (stage, slack) = floor(socket_mode).await;
    assert!(slack.command(ALICE_IN_SLACK, "list repos").await.contains(REPO));
    assert!(slack.command(ALICE_IN_SLACK, "list sidecars").await.contains("`edge-1` (connected)"));
    let token = stage.token(ALICE).await;
    let access =
        Access { grant: String::new(), identity: ALICE.to_owned(), account: "app_ro".to_owned(), token };
    let asked = ask(&slack, "OPS-1").await;
    assert!(stage.raw(&access).await.is_err());
    slack.click(BOB_IN_SLACK, &asked, "approve").await;
    let told = slack.told(ALICE_IN_SLACK, "is approved").await;
    assert!(rendered(&told).contains("postern connect sales --account app_ro"), "{}", rendered(&told));
    let mut session = until_some("the gate to open", async || stage.raw(&access).await.ok()).await;
    assert_eq!(session.ask("select current_user").await[1].first_column().as_deref(), Some("app_ro"));
    let active = card(&slack, "OPS-1", "active").await;
    slack.click(BOB_IN_SLACK, &active, "revoke").await;
    let ended = session.last_error().await.expect("the client is told");
    assert_eq!(ended.code(), "57P01");
    assert!(ended.get('M').contains(BOB), "{ended:?}");
    let told = slack.told(ALICE_IN_SLACK, "was revoked").await;
    card(&slack, "OPS-1", "revoked").await;
    slack.click(ALICE_IN_SLACK, &told, "again").await;
    let mut dialog = slack.dialog(ALICE_IN_SLACK).await;
    dialog.write("reason", "OPS-2").await;
    assert!(dialog.submit().await.is_empty());
    let again = card(&slack, "OPS-2", "waiting").await;
    slack.click(BOB_IN_SLACK, &again, "approve").await;
    until_some("the gate to open again", async || stage.raw(&access).await.ok()).await;
    let seen = format!("{:?}{:?}", slack.channel(), slack.direct(ALICE_IN_SLACK));
    assert!(!seen.contains(&access.token) && slack.secrets().iter().all(|secret| !seen.contains(secret)));
}

#[tokio::test]
async fn asked_approved_used_revoked_and_asked_again_in_slack() {
    walk(false).await;
}

#[tokio::test]
async fn asked_approved_used_revoked_and_asked_again_over_socket_mode() {
    walk(true).await;
}

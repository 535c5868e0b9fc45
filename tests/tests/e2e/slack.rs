//! The guides' walks in Slack, with everything real but Slack itself.

use postern_tests::{
    oidc::{Browser, Idp},
    port,
    postgres::Version,
    slack::{Message, Slack, Way, rendered},
    stage::{ALICE, Access, BOB, REPO, Stage, Wish},
    wait::until_some,
};
use serde_json::json;

const ALICE_IN_SLACK: &str = "UALICE";
const BOB_IN_SLACK: &str = "UBOB";

const PEOPLE: [(&str, &str); 2] = [(ALICE_IN_SLACK, ALICE), (BOB_IN_SLACK, BOB)];

/// A workspace with Alice and Bob in it.
async fn workspace() -> Slack {
    let slack = Slack::start().await;
    for (user, identity) in PEOPLE {
        slack.add(user, identity, json!({}));
    }
    slack
}

async fn stage(wish: Wish) -> Stage {
    Stage::on(Version::Fifteen, wish).await.expect("PostgreSQL 15 is installed: see tests/deps.sh")
}

/// A stage whose control plane is in a workspace over Socket Mode, with Alice and Bob connected by their addresses.
async fn by_socket() -> (Stage, Slack) {
    let slack = workspace().await;
    let stage = stage(Wish { control: slack.config(true, "email"), ..Wish::default() }).await;
    for (user, identity) in PEOPLE {
        assert!(slack.command(user, "connect").await.contains(identity));
    }
    (stage, slack)
}

/// The same over HTTP, with Alice and Bob connected by signing in at the SSO provider.
async fn by_http() -> Option<(Stage, Slack, Idp)> {
    let slack = workspace().await;
    let port = port::free();
    let idp = Idp::start(port).await?;
    let control = format!("{}{}", slack.config(false, "browser"), idp.section());
    let stage = stage(Wish { control, control_port: Some(port), ..Wish::default() }).await;
    slack.reach(Way::Http(stage.control.url()));
    slack.is_served().await;
    for (user, identity) in PEOPLE {
        connect(&slack, user, identity).await;
    }
    Some((stage, slack, idp))
}

/// Somebody follows the link that they get in Slack, signs in, and says yes.
async fn connect(slack: &Slack, user: &str, identity: &str) {
    assert!(slack.command(user, "list repos").await.contains("Connect your account first"));
    let said = slack.command(user, "connect").await;
    let url = said.split(['<', '|']).find(|part| part.starts_with("http")).expect(&said);
    let mut browser = Browser::new();
    browser.get(url).await;
    browser.sign_in(identity).await;
    assert!(browser.body.contains(user) && browser.body.contains(identity), "{}", browser.body);
    browser.submit(&[("decision", "connect")]).await;
    assert!(browser.body.contains("Tick the box"), "{}", browser.body);
    browser.submit(&[("decision", "connect"), ("asked", "yes")]).await;
    assert!(browser.body.contains("acts as"), "{}", browser.body);
    slack.told(user, &format!("You act as `{identity}`")).await;
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

async fn walk(stage: &Stage, slack: &Slack) {
    assert!(slack.command(ALICE_IN_SLACK, "list repos").await.contains(REPO));
    assert!(slack.command(ALICE_IN_SLACK, "list sidecars").await.contains("`edge-1` (connected)"));
    let token = stage.token(ALICE).await;
    let access =
        Access { grant: String::new(), identity: ALICE.to_owned(), account: "app_ro".to_owned(), token };
    let asked = ask(slack, "OPS-1").await;
    assert!(stage.raw(&access).await.is_err());
    slack.click(BOB_IN_SLACK, &asked, "approve").await;
    let told = slack.told(ALICE_IN_SLACK, "is approved").await;
    assert!(rendered(&told).contains("postern connect sales --account app_ro"), "{}", rendered(&told));
    let mut session = until_some("the gate to open", async || stage.raw(&access).await.ok()).await;
    assert_eq!(session.ask("select current_user").await[1].first_column().as_deref(), Some("app_ro"));
    let active = card(slack, "OPS-1", "active").await;
    slack.click(BOB_IN_SLACK, &active, "revoke").await;
    let ended = session.last_error().await.expect("the client is told");
    assert_eq!(ended.code(), "57P01");
    assert!(ended.get('M').contains(BOB), "{ended:?}");
    let told = slack.told(ALICE_IN_SLACK, "was revoked").await;
    card(slack, "OPS-1", "revoked").await;
    slack.click(ALICE_IN_SLACK, &told, "again").await;
    let mut dialog = slack.dialog(ALICE_IN_SLACK).await;
    dialog.write("reason", "OPS-2").await;
    assert!(dialog.submit().await.is_empty());
    let again = card(slack, "OPS-2", "waiting").await;
    slack.click(BOB_IN_SLACK, &again, "approve").await;
    until_some("the gate to open again", async || stage.raw(&access).await.ok()).await;
    let seen = format!("{:?}{:?}", slack.channel(), slack.direct(ALICE_IN_SLACK));
    slack.check_types();
    assert!(!seen.contains(&access.token) && slack.secrets().iter().all(|secret| !seen.contains(secret)));
}

#[tokio::test]
async fn asked_approved_used_revoked_and_asked_again_in_slack() {
    let Some((stage, slack, _idp)) = by_http().await else { return };
    walk(&stage, &slack).await;
}

#[tokio::test]
async fn asked_approved_used_revoked_and_asked_again_over_socket_mode() {
    let (stage, slack) = by_socket().await;
    walk(&stage, &slack).await;
}

/// What Bob's click on a card's button asks him for, he gives.
async fn with_reason(slack: &Slack, card: &Message, button: &str, reason: &str) {
    slack.click(BOB_IN_SLACK, card, button).await;
    let mut dialog = slack.dialog(BOB_IN_SLACK).await;
    dialog.write("reason", reason).await;
    assert!(dialog.submit().await.is_empty());
}

#[tokio::test]
async fn denied_and_given_more_time_and_let_in_at_once_in_slack() {
    let (stage, slack) = by_socket().await;
    let glass = json!({
        "requesters": [ALICE], "repos": [REPO], "accounts": ["app_rw"], "whole": true, "priority": 9,
        "approvals": [{"from": ["group:dba"]}], "break_glass": {"requesters": [ALICE], "max_duration": "1h"},
    });
    stage.api.put("/v1/rules/fire", glass).await.ok();
    let token = stage.token(ALICE).await;
    let denied = ask(&slack, "OPS-3").await;
    with_reason(&slack, &denied, "deny", "use the replica").await;
    assert!(rendered(&slack.told(ALICE_IN_SLACK, "was denied").await).contains("use the replica"));
    assert!(stage.raw_as("app_ro", &token).await.is_err());

    slack.command(ALICE_IN_SLACK, &format!("request {REPO} app_ro 15s OPS-4")).await;
    assert!(slack.dialog(ALICE_IN_SLACK).await.submit().await.is_empty());
    slack.click(BOB_IN_SLACK, &card(&slack, "OPS-4", "waiting").await, "approve").await;
    let open = async || stage.raw_as("app_ro", &token).await.ok();
    let mut session = until_some("the gate to open", open).await;
    slack.open_home(ALICE_IN_SLACK).await;
    slack.click_home(ALICE_IN_SLACK, "extend").await;
    let mut dialog = slack.dialog(ALICE_IN_SLACK).await;
    dialog.write("reason", "not done yet").await;
    assert!(dialog.submit().await.is_empty());
    slack.click(BOB_IN_SLACK, &card(&slack, "not done yet", "waiting").await, "approve").await;
    slack.told(ALICE_IN_SLACK, "now lasts until").await;
    assert_eq!(
        session.ask("select pg_sleep(16)").await.last().unwrap().kind,
        b'Z',
        "it outlives its first end"
    );

    slack.command(ALICE_IN_SLACK, &format!("request {REPO} app_rw 1h")).await;
    let mut dialog = slack.dialog(ALICE_IN_SLACK).await;
    dialog.choose("urgency", "emergency").await;
    dialog.write("reason", "the shop is down").await;
    assert!(dialog.submit().await.is_empty());
    let open = async || stage.raw_as("app_rw", &token).await.ok();
    let mut emergency = until_some("the gate to open at once", open).await;
    slack.posted("the alarm", |message| rendered(message).contains("has taken emergency access")).await;
    with_reason(&slack, &card(&slack, "the shop is down", "Emergency").await, "deny", "it was up").await;
    let ended = emergency.last_error().await.expect("the client is told");
    assert_eq!((ended.code(), ended.get('M').contains(BOB)), ("57P01", true), "{ended:?}");
    slack.check_types();
}

//! The guides' walks in Slack, with everything real but Slack itself.

use std::{collections::BTreeSet, sync::Arc};

use postern_tests::{
    office::Office,
    oidc::{Browser, Idp},
    port,
    postgres::Version,
    process::{bound, postern},
    slack::{Fault, Message, Slack, Way, rendered},
    stage::{ALICE, Access, BOB, REPO, Stage, Wish},
    wait::{until, until_some},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const ALICE_IN_SLACK: &str = "UALICE";
const BOB_IN_SLACK: &str = "UBOB";
const CAROL_IN_SLACK: &str = "UCAROL";
const CAROL: &str = "carol@example.com";

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

/// A rule for one account of the repo, approved by these groups.
fn rule(account: &str, groups: &[&str], escalate: Option<Value>) -> Value {
    let approvals: Vec<Value> =
        groups.iter().map(|group| json!({"from": [format!("group:{group}")]})).collect();
    let mut rule = json!({
        "requesters": ["group:engineering"], "repos": [REPO], "accounts": [account], "whole": true, "priority": 5,
        "approvals": approvals,
    });
    if let Some(escalate) = escalate {
        rule["escalate"] = escalate;
    }
    rule
}

#[tokio::test]
async fn two_groups_approve_a_request_and_a_bundle_and_an_escalation_and_an_outage_are_lived_through() {
    let (stage, slack) = by_socket().await;
    slack.add(CAROL_IN_SLACK, CAROL, json!({}));
    stage.api.put(&format!("/v1/identities/{CAROL}"), json!({"groups": ["security"]})).await.ok();
    assert!(slack.command(CAROL_IN_SLACK, "connect").await.contains(CAROL));
    stage.api.put("/v1/rules/readers", rule("app_ro", &["dba", "security"], None)).await.ok();
    stage.api.put("/v1/rules/writers", rule("app_rw", &["dba"], None)).await.ok();
    let token = stage.token(ALICE).await;
    two_groups(&stage, &slack, &token).await;
    a_bundle(&stage, &slack, &token).await;
    escalated(&stage, &slack, &token).await;
    an_outage(&stage, &slack, &token).await;
    an_administrator_disconnects(&stage, &slack).await;
    slack.check_types();
}

fn identity(stage: &Stage, arguments: &[&str]) -> String {
    let (id, secret) = stage.api.credentials();
    let mut command = bound(postern(), "KILL");
    command.arg("identity").args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("POSTERN_CONTROL", stage.control.url());
    command.env("POSTERN_CLIENT_ID", id).env("POSTERN_CLIENT_SECRET", secret);
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

async fn an_administrator_disconnects(stage: &Stage, slack: &Slack) {
    assert!(identity(stage, &["show", ALICE]).contains(ALICE_IN_SLACK));
    assert!(identity(stage, &["unlink", ALICE]).contains("nobody in Slack acts as alice@example.com"));
    assert!(!identity(stage, &["show", ALICE]).contains(ALICE_IN_SLACK));
    slack.told(ALICE_IN_SLACK, "an administrator has disconnected you").await;
}

async fn two_groups(stage: &Stage, slack: &Slack, token: &str) {
    let asked = ask(slack, "OPS-20").await;
    slack.click(BOB_IN_SLACK, &asked, "approve").await;
    let half = slack.posted("one approval", |message| rendered(message).contains("✓ 1 of 1")).await;
    assert!(rendered(&half).contains("• 0 of 1 from `group:security`"), "{}", rendered(&half));
    assert!(stage.raw_as("app_ro", token).await.is_err());
    slack.click(CAROL_IN_SLACK, &half, "approve").await;
    slack.told(ALICE_IN_SLACK, "is approved").await;
    until_some("the gate to open", async || stage.raw_as("app_ro", token).await.ok()).await;
    let active = card(slack, "OPS-20", "active").await;
    slack.click(CAROL_IN_SLACK, &active, "revoke").await;
    card(slack, "OPS-20", "revoked").await;
}

async fn a_bundle(stage: &Stage, slack: &Slack, token: &str) {
    let parts = ["app_ro", "app_rw"].map(|account| json!({"repo": REPO, "account": account}));
    let bundle = json!({"description": "what on-call needs", "parts": parts});
    stage.api.put("/v1/bundles/oncall", bundle).await.ok();
    slack.open_home(ALICE_IN_SLACK).await;
    slack.click_home(ALICE_IN_SLACK, "bundle").await;
    let mut dialog = slack.dialog(ALICE_IN_SLACK).await;
    dialog.write("reason", "OPS-21").await;
    assert!(dialog.submit().await.is_empty());
    slack.click(BOB_IN_SLACK, &card(slack, "OPS-21", "waiting").await, "approve").await;
    let half = |message: &Message| {
        rendered(message).contains("OPS-21") && rendered(message).contains("• 0 of 1 from `group:security`")
    };
    let half = slack.posted("the first approval", half).await;
    assert!(stage.raw_as("app_rw", token).await.is_err(), "half of a bundle opens nothing");
    slack.click(CAROL_IN_SLACK, &half, "approve").await;
    let told = rendered(&slack.told(ALICE_IN_SLACK, "the bundle `oncall` is approved").await);
    assert!(told.contains("--account app_ro`") && told.contains("--account app_rw`"), "{told}");
    let mut sessions = Vec::new();
    for account in ["app_ro", "app_rw"] {
        sessions.push(until_some(account, async || stage.raw_as(account, token).await.ok()).await);
    }
    slack.click(BOB_IN_SLACK, &card(slack, "OPS-21", "active").await, "revoke_all").await;
    for session in &mut sessions {
        let ended = session.last_error().await.expect("the client is told");
        assert_eq!((ended.code(), ended.get('M').contains(BOB)), ("57P01", true), "{ended:?}");
    }
    slack.told(ALICE_IN_SLACK, "by the bundle `oncall` was revoked").await;
    card(slack, "OPS-21", "revoked").await;
    let about = |messages: Vec<Message>, words: &str| {
        messages.iter().filter(|message| rendered(message).contains(words)).count()
    };
    assert_eq!(about(slack.channel(), "OPS-21"), 1);
    assert_eq!(about(slack.direct(ALICE_IN_SLACK), "`oncall`"), 3);
}

async fn escalated(stage: &Stage, slack: &Slack, token: &str) {
    let escalate = json!({"after": "1s", "to": ["group:security"]});
    stage.api.put("/v1/rules/writers", rule("app_rw", &["dba"], Some(escalate))).await.ok();
    slack.command(ALICE_IN_SLACK, &format!("request {REPO} app_rw 1h OPS-22")).await;
    assert!(slack.dialog(ALICE_IN_SLACK).await.submit().await.is_empty());
    let alarm = slack.posted("the alarm", |message| rendered(message).contains("Nobody has decided")).await;
    assert!(rendered(&alarm).contains("<!here>") && rendered(&alarm).contains("<@UCAROL>"));
    slack.click(CAROL_IN_SLACK, &card(slack, "OPS-22", "waiting").await, "approve").await;
    until_some("the gate to open", async || stage.raw_as("app_rw", token).await.ok()).await;
}

/// While Slack is away requests are approved elsewhere, and what there is to say is said when it is back.
async fn an_outage(stage: &Stage, slack: &Slack, token: &str) {
    slack.be_down(true);
    let request = json!({
        "for": ALICE, "repo": REPO, "account": "app_ro", "duration": "1h", "reason": "OPS-23",
    });
    let request = stage.api.request(request).await;
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().expect("an id"));
    for by in [BOB, CAROL] {
        stage.api.post(&path, json!({"decision": "approve", "by": by})).await.ok();
    }
    let mut session = until_some("the gate to open", async || stage.raw_as("app_ro", token).await.ok()).await;
    assert_eq!(session.ask("select current_user").await[1].first_column().as_deref(), Some("app_ro"));
    slack.be_down(false);
    card(slack, "OPS-23", "active").await;
    let before = slack.channel().iter().filter(|message| rendered(message).contains("OPS-23")).count();
    assert_eq!(before, 1);
    let told = async || {
        let all = slack.direct(ALICE_IN_SLACK);
        all.iter().filter(|message| message.text.contains("is approved")).count() == 4
    };
    until("the requester to be told", told).await;
}

const CROWD: usize = 1_000;
const CHANNELS: usize = 125;

/// The channel of the rule of this number.
fn channel(number: usize) -> String {
    format!("C1CROWD{number:03}")
}

#[tokio::test]
async fn of_a_thousand_requests_at_once_each_is_told_once_at_the_pace_that_slack_allows() {
    let slack = workspace().await;
    let office = Arc::new(Office::open_with(&slack.config(true, "email")).await);
    let mut made = JoinSet::new();
    for number in 0..CHANNELS {
        let office = Arc::clone(&office);
        made.spawn(async move {
            let rule = json!({
                "requesters": ["*"], "repos": [format!("r{number}")], "accounts": ["app_ro"], "whole": true, "priority": 9,
                "approvals": [{"from": ["group:dba"]}], "notify": {"slack": channel(number)},
            });
            office.api.put(&format!("/v1/rules/r{number}"), rule).await.ok();
        });
    }
    made.join_all().await;
    // Slack stumbles on the way: it does some without saying so, and puts some off.
    for fault in [Fault::Lost, Fault::Wait(1), Fault::Status(503), Fault::Lost, Fault::Word("internal_error")]
    {
        slack.fail("chat.postMessage", fault);
    }
    let mut filed = JoinSet::new();
    for turn in 0..8 {
        let office = Arc::clone(&office);
        filed.spawn(async move {
            let mut ids = Vec::new();
            for number in 0..CHANNELS {
                let ask = json!({"repo": format!("r{number}"), "account": "app_ro", "duration": "1h",
                                 "reason": format!("OPS-{turn}-{number}"), "for": "crowd@example.com"});
                ids.push(office.api.request(ask).await["id"].as_str().expect("an id").to_owned());
            }
            ids
        });
    }
    let ids: BTreeSet<String> = filed.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids.len(), CROWD);
    let keys = || -> Vec<String> {
        let key = |message: &Message| {
            let key = message.metadata["event_payload"]["key"].as_str().unwrap_or_default().to_owned();
            key.trim_start_matches("card/").to_owned()
        };
        slack.everywhere().iter().map(key).collect()
    };
    let all = async || keys().into_iter().collect::<BTreeSet<String>>() == ids;
    until("every request to be told", all).await;
    assert_eq!((keys().len(), slack.limited()), (CROWD, 0));
}

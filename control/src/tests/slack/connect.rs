//! Who a Slack user is: whoever signs in in the browser and says yes there, and nobody else.

use std::time::Duration;

use postern_tests::wait::until;
use serde_json::json;

use super::{ALICE, BOB, DAVE, Floor};
use crate::tests::web::Browser;

const PAGE: &str = "/slack/connect";

impl Floor {
    async fn in_the_browser() -> Self {
        Self::with(false, "browser").await
    }

    /// Somebody types `/postern connect`. The code in the address that they get.
    async fn code(&self, user: &str) -> String {
        let said = self.slack.command(user, "connect").await;
        let (_, behind) = said.split_once("<http://postern.example/slack/connect?code=").expect(&said);
        behind.split('|').next().unwrap().to_owned()
    }

    /// What the app says to somebody who wants to see what there is.
    async fn hears(&self, user: &str) -> String {
        self.slack.command(user, "list repos").await
    }

    async fn records(&self, kind: &str) -> usize {
        let list = self.house.admin.get(&format!("/v1/audit?kind={kind}")).await.expect(200);
        list["items"].as_array().unwrap().len()
    }
}

async fn looks(browser: &Browser<'_>, code: &str) -> (u16, String) {
    let page = browser.get(&format!("{PAGE}?code={code}")).await;
    (page.status().as_u16(), page.text().await.unwrap())
}

async fn answers(browser: &Browser<'_>, code: &str, decision: &str, asked: &str) -> (u16, String) {
    let proof = browser.proof().await;
    let fields = [("proof", &*proof), ("code", code), ("decision", decision), ("asked", asked)];
    let page = browser.post(PAGE, &fields).await;
    (page.status().as_u16(), page.text().await.unwrap())
}

#[tokio::test]
async fn a_slack_user_is_who_signs_in_and_says_yes_in_the_browser() {
    let floor = Floor::in_the_browser().await;
    assert!(floor.hears(ALICE).await.contains("Connect your account first"));
    let code = floor.code(ALICE).await;
    let alice = floor.house.browser("alice@example.com").await;
    let nobody = Browser { cookie: "postern-session=guess".to_owned(), ..floor.house.browser("x@y").await };
    assert_eq!(looks(&nobody, &code).await.0, 303);
    let (status, page) = looks(&alice, &code).await;
    assert_eq!(status, 200);
    for shown in
        ["would act as <strong>alice@example.com</strong>", "UALICE", "T0POSTERN", "yourself just now"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("which is not who you are here"), "{page}");
    let (_, unticked) = answers(&alice, &code, "connect", "").await;
    assert!(unticked.contains("Tick the box"), "{unticked}");
    let forged = [("proof", "guess"), ("code", &*code), ("decision", "connect"), ("asked", "yes")];
    assert_eq!(alice.post(PAGE, &forged).await.status(), 403);
    assert!(floor.hears(ALICE).await.contains("Connect your account first"), "looking is not saying yes");
    let (status, page) = answers(&alice, &code, "connect", "yes").await;
    assert!(status == 200 && page.contains("acts as <strong>alice@example.com</strong>"), "{page}");
    floor.slack.told(ALICE, "You act as `alice@example.com` here from now on").await;
    assert!(floor.hears(ALICE).await.contains("no data repositories yet"));
    assert!(floor.slack.command(ALICE, "connect").await.contains("You are connected as `alice@example.com`"));
    assert_eq!(floor.records("slack.linked").await, 1);
    assert!(floor.slack.command(ALICE, "disconnect").await.contains("You are disconnected"));
    assert!(floor.hears(ALICE).await.contains("Connect your account first"));
    assert_eq!(floor.records("slack.unlinked").await, 1);
}

#[tokio::test]
async fn an_address_is_good_once_for_ten_minutes_and_only_the_newest() {
    let floor = Floor::in_the_browser().await;
    let alice = floor.house.browser("alice@example.com").await;
    let (older, newer) = (floor.code(ALICE).await, floor.code(ALICE).await);
    assert_eq!(looks(&alice, &older).await.0, 404);
    assert_eq!(answers(&alice, &older, "connect", "yes").await.0, 404);
    assert_eq!(answers(&alice, &newer, "connect", "yes").await.0, 200);
    for decision in ["connect", "refuse"] {
        assert_eq!(answers(&alice, &newer, decision, "yes").await.0, 404, "{decision}");
    }
    let late = floor.code(BOB).await;
    floor.house.clock.advance(Duration::from_mins(10));
    assert_eq!(looks(&alice, &late).await.0, 404);
    assert_eq!(answers(&alice, &late, "connect", "yes").await.0, 404);
    for name in ["deleted", "is_bot", "is_stranger"] {
        floor.slack.add("UELSE", "else@example.com", json!({(name): true}));
        assert!(floor.slack.command("UELSE", "connect").await.contains("only people of this workspace"));
    }
    for odd in ["", "x", &"x".repeat(5_000)] {
        assert_eq!(answers(&alice, odd, "connect", "yes").await.0, 404);
    }
    assert!(floor.hears(BOB).await.contains("Connect your account first"));
}

#[tokio::test]
async fn an_address_that_somebody_else_sent_is_shown_as_such_and_can_be_refused() {
    let floor = Floor::in_the_browser().await;
    let alice = floor.house.browser("alice@example.com").await;
    let code = floor.code(DAVE).await;
    let (_, page) = looks(&alice, &code).await;
    assert!(page.contains("UDAVE") && page.contains("which is not who you are here"), "{page}");
    assert_eq!(answers(&alice, &code, "refuse", "").await.0, 200);
    assert_eq!(answers(&alice, &code, "connect", "yes").await.0, 404);
    assert!(floor.hears(DAVE).await.contains("Connect your account first"));
    assert_eq!((floor.records("slack.link_declined").await, floor.records("slack.linked").await), (1, 0));
}

#[tokio::test]
async fn whoever_is_replaced_is_told_and_has_no_rights_any_more() {
    let floor = Floor::in_the_browser().await;
    let alice = floor.house.browser("alice@example.com").await;
    for user in [ALICE, DAVE] {
        let code = floor.code(user).await;
        assert_eq!(answers(&alice, &code, "connect", "yes").await.0, 200);
    }
    floor.slack.told(ALICE, "`alice@example.com` is connected with <@UDAVE> from now on").await;
    assert!(floor.hears(ALICE).await.contains("Connect your account first"));
    assert!(floor.slack.command(DAVE, "connect").await.contains("`alice@example.com`"));
    let bob = floor.house.browser("bob@example.com").await;
    let code = floor.code(DAVE).await;
    assert_eq!(answers(&bob, &code, "connect", "yes").await.0, 200);
    floor.slack.told(DAVE, "You act as `bob@example.com`").await;
    assert_eq!((floor.records("slack.linked").await, floor.records("slack.unlinked").await), (3, 2));
}

#[tokio::test]
async fn whoever_has_signed_in_sees_who_acts_as_them_and_can_end_it() {
    let floor = Floor::in_the_browser().await;
    let (alice, bob) =
        (floor.house.browser("alice@example.com").await, floor.house.browser("bob@example.com").await);
    let code = floor.code(DAVE).await;
    assert_eq!(answers(&alice, &code, "connect", "yes").await.0, 200);
    let home = async |browser: &Browser<'_>| browser.get("/").await.text().await.unwrap();
    assert!(home(&alice).await.contains("UDAVE") && !home(&bob).await.contains("UDAVE"));
    let ends = async |browser: &Browser<'_>, proof: &str| {
        let fields = [("proof", proof), ("slack", "T0POSTERN/UDAVE")];
        browser.post("/slack/disconnect", &fields).await.status().as_u16()
    };
    let (own, bobs) = (alice.proof().await, bob.proof().await);
    assert_eq!((ends(&bob, &bobs).await, ends(&alice, &bobs).await), (404, 403));
    assert!(floor.hears(DAVE).await.contains("no data repositories yet"));
    assert_eq!((ends(&alice, &own).await, ends(&alice, &own).await), (200, 404));
    floor.slack.told(DAVE, "You act as `alice@example.com` here no longer").await;
    assert!(floor.hears(DAVE).await.contains("Connect your account first"));
    assert!(!home(&alice).await.contains("UDAVE"));
}

#[tokio::test]
async fn a_link_ends_with_the_identity_and_does_not_come_back() {
    let floor = Floor::in_the_browser().await;
    let alice = floor.house.browser("alice@example.com").await;
    let (code, proof) = (floor.code(ALICE).await, alice.proof().await);
    assert_eq!(answers(&alice, &code, "connect", "yes").await.0, 200);
    let next = floor.code(DAVE).await;
    floor.house.admin.put("/v1/identities/alice@example.com", json!({"enabled": false})).await.expect(200);
    for words in
        ["list repos", "list sidecars", "my requests", "review", "request", "status r_1", "revoke g_1"]
    {
        let said = floor.slack.command(ALICE, words).await;
        assert!(said.contains("Connect your account first"), "{words}: {said}");
    }
    let fields = [("proof", &*proof), ("code", &*next), ("decision", "connect"), ("asked", "yes")];
    assert_eq!(alice.post(PAGE, &fields).await.status(), 403);
    assert!(floor.hears(DAVE).await.contains("Connect your account first"));
    floor.house.admin.put("/v1/identities/alice@example.com", json!({"enabled": true})).await.expect(200);
    assert!(floor.hears(ALICE).await.contains("Connect your account first"));
    assert_eq!(floor.records("slack.unlinked").await, 1);
}

#[tokio::test]
async fn a_link_by_e_mail_is_none_where_e_mail_is_not_trusted_any_more() {
    // The app that trusts addresses is gone when the other comes.
    let house = {
        let trusting = Floor::new().await;
        assert!(trusting.slack.command(ALICE, "connect").await.contains("`alice@example.com`"));
        trusting.house
    };
    let floor = Floor::around(house, false, "browser").await;
    assert!(floor.hears(ALICE).await.contains("Connect your account first"));
    floor.house.filed().await;
    floor.card("waiting").await;
    until("the card and a notice", async || floor.tried().await >= 2).await;
    assert!(floor.slack.direct(ALICE).is_empty());
}

#[tokio::test]
async fn the_home_tab_leads_to_the_address_as_well() {
    let floor = Floor::in_the_browser().await;
    let home = floor.slack.open_home(ALICE).await.to_string();
    assert!(home.contains("Connect your Slack user") && !home.contains("Request access"), "{home}");
    floor.slack.click_home(ALICE, "connect").await;
    let dialog = floor.slack.dialog(ALICE).await;
    assert!(dialog.text().contains("http://postern.example/slack/connect?code="), "{}", dialog.text());
}

#[tokio::test]
async fn whoever_modifies_users_sees_who_acts_as_whom_and_can_end_it() {
    let floor = Floor::with_sales().await;
    let admin = &floor.house.admin;
    let all = admin.get("/v1/slack-links").await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 4);
    let own = admin.get("/v1/slack-links?identity=Alice@example.com").await.expect(200);
    let link = &own["items"][0];
    assert_eq!(
        (&link["identity"], &link["team"], &link["user"], &link["by"]),
        (&json!("alice@example.com"), &json!("T0POSTERN"), &json!(ALICE), &json!("email"))
    );
    let shown = admin.get("/v1/identities/alice@example.com").await.expect(200);
    assert_eq!(shown["slack"], own["items"]);
    admin.delete("/v1/slack-links/ALICE@example.com").await.expect(204);
    floor.slack.told(ALICE, "an administrator has disconnected you").await;
    assert_eq!(admin.delete("/v1/slack-links/alice@example.com").await.problem(404), "not-found");
    assert_eq!(admin.get("/v1/slack-links?identity=alice@example.com").await.expect(200)["items"], json!([]));
    let shown = admin.get("/v1/identities/alice@example.com").await.expect(200);
    assert!(shown.get("slack").is_none(), "{shown}");
    let records = admin.get("/v1/audit?kind=slack.unlinked").await.expect(200);
    let record = &records["items"][0];
    assert!(record["actor"].as_str().unwrap().starts_with("client:admin"), "{record}");
    assert_eq!(record["detail"]["by"], "administrator");
}

#[tokio::test]
async fn somebody_who_is_shut_out_is_nobody_in_slack_at_once_and_stays_so() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let card = floor.card("waiting").await;
    let bob = "/v1/identities/bob@example.com";
    floor.house.admin.put(bob, json!({"enabled": false})).await.expect(200);
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.whispered(BOB, "is deactivated").await;
    assert_eq!(floor.house.admin.get(bob).await.expect(200).get("slack"), None);
    assert!(floor.slack.command(BOB, "review").await.contains("is deactivated"));
    let list = floor.house.admin.get("/v1/requests").await.expect(200);
    assert_eq!((&list["items"][0]["status"], &list["items"][0]["reviews"]), (&json!("PENDING"), &json!([])));
    let mentioned = async || super::rendered(&floor.card("waiting").await);
    floor
        .house
        .admin
        .patch(&format!("/v1/requests/{}", floor.request_id().await), json!({"duration": "2h"}))
        .await
        .expect(200);
    until("the card to follow", async || mentioned().await.contains("2h")).await;
    assert!(mentioned().await.contains("<@UCAROL>") && !mentioned().await.contains("<@UBOB>"));
}

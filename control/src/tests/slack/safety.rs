//! What nobody can bring about by Slack, and what an outage cannot take.

use postern_tests::{
    slack::{Fault, rendered},
    wait::until,
};
use serde_json::json;

use super::{ALICE, BOB, CAROL, DAVE, Floor};
use crate::{
    domain::Grant,
    store::{Filter, find_all},
    tests::alices,
};

#[tokio::test]
async fn nobody_approves_their_own_request_or_one_that_is_not_theirs_to_approve() {
    let floor = Floor::with_sales().await;
    floor
        .house
        .admin
        .put("/v1/identities/alice@example.com", json!({"groups": ["engineering", "dba"]}))
        .await
        .expect(200);
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let card = floor.card("waiting").await;
    for button in ["approve", "deny", "shorter"] {
        floor.slack.click(ALICE, &card, button).await;
    }
    until("three refusals", async || {
        floor.slack.whispers(ALICE).iter().filter(|text| text.contains("a request of their own")).count() == 3
    })
    .await;
    floor.slack.click(DAVE, &card, "approve").await;
    floor.slack.whispered(DAVE, "is not among those who may review").await;
    floor.slack.click("UNOBODY", &card, "approve").await;
    floor.house.admin.put("/v1/identities/bob@example.com", json!({"groups": []})).await.expect(200);
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.whispered(BOB, "is not among those who may review").await;
    floor.house.admin.put("/v1/identities/carol@example.com", json!({"enabled": false})).await.expect(200);
    floor.slack.click(CAROL, &card, "approve").await;
    floor.slack.whispered(CAROL, "is deactivated").await;
    let id = floor.request_id().await;
    let request = floor.house.admin.get(&format!("/v1/requests/{id}")).await.expect(200);
    assert_eq!((&request["status"], &request["reviews"]), (&json!("PENDING"), &json!([])));
}

#[tokio::test]
async fn a_click_approves_what_the_card_showed_and_nothing_that_it_became() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let card = floor.card("waiting").await;
    let path = format!("/v1/requests/{}", floor.request_id().await);
    let more = json!({"duration": "3h"});
    floor.house.admin.patch(&path, more).await.expect(200);
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.whispered(BOB, "asks for something else by now").await;
    floor.slack.click(BOB, &card, "shorter").await;
    let mut shorter = floor.slack.dialog(BOB).await;
    shorter.write("duration", "30m").await;
    assert!(shorter.submit().await["duration"].contains("asks for something else by now"));
    let request = floor.house.admin.get(&path).await.expect(200);
    assert_eq!((&request["status"], &request["reviews"]), (&json!("PENDING"), &json!([])));
    until("the card to show it", async || rendered(&floor.card("waiting").await).contains("3h")).await;
    floor.slack.click(BOB, &floor.card("waiting").await, "approve").await;
    floor.card("active").await;
}

#[tokio::test]
async fn what_a_call_names_is_looked_at_anew_whoever_has_signed_it() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let card = floor.card("waiting").await;
    let id = floor.request_id().await;
    let buttons = ["approve", "deny", "shorter", "revoke", "cancel", "again", "extend", "keep"];
    let odd = [("approve", ""), ("revoke", "g_none"), ("forget", "f_none"), ("favourite", "../x")];
    for (count, (button, value)) in
        (1..).zip(buttons.map(|button| (button, id.as_str())).into_iter().chain(odd))
    {
        floor.slack.press(DAVE, button, value).await;
        let refused =
            async || floor.slack.whispers(DAVE).iter().filter(|text| text.contains("Refused")).count();
        until(button, async || refused().await == count).await;
    }
    floor.slack.click(BOB, &card, "deny").await;
    let mut deny = floor.slack.dialog(BOB).await.in_hands_of(DAVE);
    deny.write("reason", "not yours").await;
    assert!(deny.submit().await["reason"].contains("not among those who may review"));
    let mut own = deny.in_hands_of(ALICE);
    own.write("reason", "my own").await;
    assert!(own.submit().await["reason"].contains("a request of their own"));
    let mut elsewhere = own.in_hands_of(BOB).about("r_none");
    elsewhere.write("reason", "what?").await;
    assert!(elsewhere.submit().await["reason"].contains("there is no request"));
    let request = floor.house.admin.get(&format!("/v1/requests/{id}")).await.expect(200);
    assert_eq!((&request["status"], &request["reviews"]), (&json!("PENDING"), &json!([])));
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    floor.slack.open_home(ALICE).await;
    floor.slack.click_home(ALICE, "extend").await;
    let more = floor.slack.dialog(ALICE).await;
    assert!(more.in_hands_of(BOB).submit().await["duration"].contains("somebody else's"));
    let requests = floor.house.admin.get("/v1/requests").await.expect(200);
    assert_eq!(requests["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bundle_is_not_given_in_part_nor_by_whoever_has_no_say_in_it() {
    let floor = Floor::with_sales().await;
    floor.bundle("security").await;
    let card = floor.card("Bundle request: waiting").await;
    let id = floor.request_id().await;
    let grants = async || {
        let list = floor.house.admin.get("/v1/grants").await.expect(200);
        list["items"].as_array().unwrap().len()
    };
    for button in ["approve", "deny", "shorter", "revoke_all"] {
        floor.slack.press(ALICE, button, &id).await;
        floor.slack.press("UNOBODY", button, &id).await;
    }
    until("three refusals", async || {
        floor.slack.whispers(ALICE).iter().filter(|text| text.contains("a request of their own")).count() == 3
    })
    .await;
    floor.slack.click(BOB, &card, "approve").await;
    let part = floor.slack.posted("one of two", |message| rendered(message).contains("✓ 1 of 1")).await;
    assert!(rendered(&part).contains("• 0 of 1 from `group:security`\n"), "{}", rendered(&part));
    assert!(rendered(&part).contains("decided together.\n<@UDAVE>"), "{}", rendered(&part));
    floor.slack.click(BOB, &part, "approve").await;
    floor.slack.whispered(BOB, "has approved this request already").await;
    assert_eq!(grants().await, 0);
    let amended = floor.house.admin.patch(&format!("/v1/requests/{id}"), json!({"duration": "7h"})).await;
    assert_eq!(amended.problem(409), "conflict");
    floor.slack.click(DAVE, &part, "deny").await;
    let mut no = floor.slack.dialog(DAVE).await;
    no.write("reason", "one at a time").await;
    assert!(no.submit().await.is_empty());
    let told = floor.slack.told(ALICE, "was denied by `dave@example.com`").await;
    assert!(rendered(&told).contains("for the bundle `oncall` was denied"), "{}", rendered(&told));
    let over = rendered(&floor.card("Bundle request: denied").await);
    assert!(!over.contains("by the rule") && !over.contains("[Approve]"), "{over}");
    for (user, stale) in [(DAVE, &card), (BOB, &part)] {
        floor.slack.click(user, stale, "approve").await;
        floor.slack.whispered(user, "settled already").await;
    }
    assert_eq!((grants().await, floor.slack.channel().len(), floor.slack.direct(ALICE).len()), (0, 1, 2));
}

#[tokio::test]
async fn a_bundle_that_is_withdrawn_or_runs_out_cannot_be_approved_by_an_old_click() {
    let floor = Floor::with_sales().await;
    floor.bundle("security").await;
    let card = floor.card("Bundle request: waiting").await;
    floor.slack.click(ALICE, &floor.slack.told(ALICE, "waits for approval").await, "cancel").await;
    let over = rendered(&floor.card("Bundle request: withdrawn").await);
    assert_eq!(over.matches("Withdrawn").count(), 1, "{over}");
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.whispered(BOB, "settled already").await;
    let ask = json!({"bundle": "oncall", "duration": "1h", "reason": "OPS-2", "for": "alice@example.com"});
    floor.house.admin.post("/v1/requests", ask).await.expect(201);
    let card = floor.card("Bundle request: waiting").await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.posted("one of two", |message| rendered(message).contains("✓ 1 of 1")).await;
    floor.house.clock.advance(std::time::Duration::from_hours(24 * 30));
    floor.slack.click(DAVE, &card, "approve").await;
    floor.slack.whispered(DAVE, "settled already").await;
    crate::actions::timers::settle(&floor.house.plane).await.unwrap();
    floor.slack.told(ALICE, "Nobody has decided in time about your request for the bundle `oncall`").await;
    floor.card("Bundle request: nobody decided in time").await;
    let grants = async || {
        let mut tx = floor.house.plane.store.read().await.unwrap();
        find_all::<Grant>(&mut *tx, &Filter::default()).await.unwrap().len()
    };
    assert_eq!(grants().await, 0);
}

#[tokio::test]
async fn what_nobody_decides_of_a_bundle_is_said_aloud_once() {
    let floor = Floor::with_sales().await;
    for name in ["sales", "hr"] {
        let rule = json!({
            "requesters": ["group:engineering"], "repos": [name], "accounts": ["app_ro"], "whole": true, "priority": 5,
            "approvals": [{"from": ["group:dba"]}], "escalate": {"after": "15m", "to": ["group:security"]},
        });
        floor.house.admin.put(&format!("/v1/rules/slow-{name}"), rule).await.expect(201);
    }
    floor.bundle("dba").await;
    floor.card("Bundle request: waiting").await;
    floor.house.clock.advance(std::time::Duration::from_mins(16));
    crate::actions::timers::settle(&floor.house.plane).await.unwrap();
    let alarm = floor.slack.posted("the alarm", |message| rendered(message).contains("<!here>")).await;
    let line = "Nobody has decided yet whether `alice@example.com` may use the bundle `oncall`. <@UBOB>";
    assert!(rendered(&alarm).contains(line) && rendered(&alarm).contains("<@UDAVE>"), "{}", rendered(&alarm));
    floor.slack.click(DAVE, &floor.card("Bundle request: waiting").await, "approve").await;
    floor.card("Bundle request: active").await;
    assert_eq!(floor.slack.channel().len(), 2);
}

#[tokio::test]
async fn an_alarm_that_comes_late_does_not_say_what_is_true_no_more() {
    let floor = Floor::with_sales().await;
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_rw"], "whole": true,
        "approvals": [{"from": ["group:dba"]}], "escalate": {"after": "15m", "to": ["group:security"]},
    });
    floor.house.admin.put("/v1/rules/slow", rule).await.expect(201);
    floor.ask(ALICE, "sales app_rw 1h OPS-1").await;
    let card = floor.card("waiting").await;
    floor.slack.be_down(true);
    floor.house.clock.advance(std::time::Duration::from_mins(16));
    crate::actions::timers::settle(&floor.house.plane).await.unwrap();
    until("an attempt", async || floor.tried().await > 2).await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.be_down(false);
    until("the card", async || {
        floor.later().await;
        floor.slack.channel().iter().any(|message| rendered(message).contains("request: active"))
    })
    .await;
    until("all to be through", async || {
        floor.later().await;
        floor.open_deliveries().await == 0
    })
    .await;
    assert_eq!(floor.slack.channel().len(), 1);
}

#[tokio::test]
async fn names_that_look_like_mentions_are_shown_as_names() {
    let floor = Floor::with_sales().await;
    let odd = "<!channel> <@UBOB|x> `*<https:evil.example|a>*`";
    let rule = json!({
        "requesters": ["group:engineering", odd], "repos": ["sales"], "accounts": ["app_ro"], "whole": true, "priority": 99,
        "approvals": [{"from": ["group:dba"]}, {"from": [odd]}],
        "escalate": {"after": "1m", "to": [format!("group:{odd}")]},
    });
    let path = |of: &str| {
        let mut url = reqwest::Url::parse(&format!("http://x/v1/{of}")).unwrap();
        url.path_segments_mut().unwrap().push(odd);
        url.path().to_owned()
    };
    floor.house.admin.put(&path("rules"), rule).await.expect(201);
    let bundle = json!({"description": odd, "parts": [{"repo": "sales", "account": "app_ro"}]});
    floor.house.admin.put(&path("bundles"), bundle).await.expect(201);
    floor.slack.open_home(ALICE).await;
    floor.slack.click_home(ALICE, "bundle").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    dialog.write("reason", odd).await;
    assert!(dialog.submit().await.is_empty());
    let card = floor.card("waiting").await;
    floor.house.clock.advance(std::time::Duration::from_mins(2));
    crate::actions::timers::settle(&floor.house.plane).await.unwrap();
    floor.slack.posted("the alarm", |message| rendered(message).contains("Nobody has decided")).await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.posted("the approval", |message| rendered(message).contains("1 of 1")).await;
    let mut marked = Vec::new();
    collect(&floor.slack.open_home(ALICE).await, &mut marked);
    collect(&floor.slack.open_home(BOB).await, &mut marked);
    for message in floor.slack.channel().into_iter().chain(floor.slack.direct(ALICE)) {
        marked.push(message.text.clone());
        collect(&message.blocks, &mut marked);
    }
    assert!(marked.iter().any(|text| text.contains("&lt;!channel&gt;")), "{marked:?}");
    for text in marked {
        assert!(
            !text.contains("<!channel") && !text.contains("<@UBOB|") && !text.contains("<http"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn words_of_others_mention_nobody_and_link_nowhere() {
    let floor = Floor::with_sales().await;
    let reason = "<!channel> <!everyone> <@UBOB> <https://evil.example|*click*> & `code`";
    floor.ask(ALICE, &format!("sales app_ro public.orders 1h {reason}")).await;
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "deny").await;
    let mut dialog = floor.slack.dialog(BOB).await;
    dialog.write("reason", reason).await;
    assert!(dialog.submit().await.is_empty());
    floor.slack.told(ALICE, "was denied").await;
    floor.card("denied").await;
    let mut marked = Vec::new();
    for message in floor.slack.channel().into_iter().chain(floor.slack.direct(ALICE)) {
        marked.push(message.text.clone());
        collect(&message.blocks, &mut marked);
    }
    for text in marked {
        assert!(
            !text.contains("<!channel") && !text.contains("<!everyone") && !text.contains("<http"),
            "{text}"
        );
    }
}

/// Every text that Slack reads as markup.
fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
    if value["type"] == "mrkdwn" {
        assert_eq!(value["verbatim"], true, "names and addresses would be made into links: {value}");
        into.extend(value["text"].as_str().map(str::to_owned));
    }
    let members = value.as_object().into_iter().flat_map(serde_json::Map::values);
    members.chain(value.as_array().into_iter().flatten()).for_each(|inner| collect(inner, into));
}

#[tokio::test]
async fn an_outage_delays_messages_and_nothing_else() {
    let floor = Floor::with_sales().await;
    floor.slack.be_down(true);
    let id = floor.house.filed().await;
    let review = json!({"decision": "approve", "by": "bob@example.com"});
    floor.house.admin.post(&format!("/v1/requests/{id}/reviews"), review).await.expect(200);
    until("the attempts", async || floor.tried().await >= 1).await;
    assert!(floor.slack.channel().is_empty());
    floor.slack.be_down(false);
    until("the messages to come through", async || {
        floor.later().await;
        floor.slack.channel().iter().any(|message| rendered(message).contains("active"))
            && !floor.slack.direct(ALICE).is_empty()
    })
    .await;
    assert_eq!(floor.slack.channel().len(), 1);
}

#[tokio::test]
async fn an_answer_that_gets_lost_doubles_no_message() {
    let floor = Floor::with_sales().await;
    floor.slack.fail("chat.postMessage", Fault::Lost);
    floor.house.filed().await;
    until("the second attempt", async || {
        floor.later().await;
        floor.slack.count("conversations.history") > 0
    })
    .await;
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.card("active").await;
    assert_eq!(floor.slack.channel().len(), 1);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let floor = Floor::with_sales().await;
    for fault in [Fault::Wait(1), Fault::Status(503), Fault::Word("internal_error")] {
        floor.slack.fail("chat.postMessage", fault);
    }
    floor.house.filed().await;
    until("the card", async || {
        floor.later().await;
        !floor.slack.channel().is_empty()
    })
    .await;
    assert_eq!(floor.slack.channel().len(), 1);
}

#[tokio::test]
async fn what_slack_refuses_for_good_is_given_up_and_holds_up_nothing_else() {
    let floor = Floor::with_sales().await;
    floor.slack.fail("chat.postMessage", Fault::Word("is_archived"));
    floor.house.filed().await;
    floor.house.admin.post("/v1/requests", alices("3h")).await.expect(201);
    until("the other three messages", async || {
        floor.slack.channel().len() + floor.slack.direct(ALICE).len() == 3
    })
    .await;
    assert_eq!(floor.tried().await, 4);
}

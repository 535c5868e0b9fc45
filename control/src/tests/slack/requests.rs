//! Asking, deciding and taking back, as the guides of such apps walk people through it.

use std::time::Duration;

use postern_tests::{
    slack::{Message, rendered},
    wait::until,
};
use serde_json::{Value, json};

use super::{ALICE, BOB, CAROL, DAVE, Floor};
use crate::{actions::timers, tests::Answer};

/// What a reader sees, with the parts that differ from run to run taken out.
fn seen(message: &Message) -> String {
    let text = rendered(message);
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<!date^") {
        shown.push_str(before);
        shown.push_str("<time>");
        rest = after.split_once('>').map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    for word in text.split(['`', ' ']).filter(|word| word.starts_with("r_") || word.starts_with("g_")) {
        shown = shown.replace(word, "<id>");
    }
    shown
}

async fn state(floor: &Floor) -> String {
    let list = floor.house.admin.get("/v1/requests").await.expect(200);
    list["items"][0]["status"].as_str().unwrap().to_owned()
}

async fn grant_state(floor: &Floor) -> String {
    let list = floor.house.admin.get("/v1/grants").await.expect(200);
    list["items"][0]["state"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_goes_from_the_dialog_over_the_channel_to_access_and_back() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 2h OPS-1").await;
    let card = floor.slack.posted("the request", |message| rendered(message).contains("OPS-1")).await;
    assert_eq!(
        seen(&card),
        "## Access request: waiting for approval\n\
         *Who* `alice@example.com`\n*Repository* `sales`\n*Account* `app_ro`\n*How long* 2h\n*From* at once\n*Rule* `sales`\n\
         *What*\n• `public.orders` SELECT\n\
         Reason: OPS-1\n\
         • 0 of 1 from `group:dba`\n<@UBOB> <@UCAROL>\n\
         (No earlier grant of this account in the last 30 days · `<id>` · filed <time>)\n\
         [Approve] [Approve shorter…] [Deny…]"
    );
    floor.slack.click(BOB, &card, "approve").await;
    let told = floor.slack.told(ALICE, "is approved").await;
    assert_eq!(
        seen(&told),
        "Your request for `app_ro` of `sales` is approved. Access ends <time>.\n\
         • `public.orders` SELECT\n\
         Connect with `postern connect sales --account app_ro`, or find your own client's settings with `postern access`.\n\
         (`bob@example.com` approved <time>)\n\
         [Open Postern] [Give back]"
    );
    let card = floor.card("active").await;
    assert!(
        rendered(&card).contains("[Revoke]") && !rendered(&card).contains("[Approve]"),
        "{}",
        rendered(&card)
    );
    floor.slack.click(BOB, &card, "revoke").await;
    let told = floor.slack.told(ALICE, "was revoked").await;
    assert_eq!(
        seen(&told),
        "Your access as `app_ro` of `sales` was revoked by `bob@example.com`.\n[Request again…]"
    );
    assert_eq!(
        seen(&floor.card("revoked").await),
        "## Access request: revoked\n\
         *Who* `alice@example.com`\n*Repository* `sales`\n*Account* `app_ro`\n*How long* 2h\n*From* <time>\n*Rule* `sales`\n*Until* <time>\n\
         *What*\n• `public.orders` SELECT\n\
         Reason: OPS-1\n\
         `bob@example.com` approved <time>\n\
         Revoked by `bob@example.com` <time>\n\
         (No earlier grant of this account in the last 30 days · `<id>` · filed <time>)"
    );
    assert_eq!(floor.slack.channel().len(), 1);
    floor.slack.click(ALICE, &told, "again").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    assert!(dialog.text().contains("public.orders"), "{}", dialog.text());
    dialog.write("reason", "OPS-2").await;
    assert!(dialog.submit().await.is_empty());
    let again = floor.slack.posted("the second request", |message| rendered(message).contains("OPS-2")).await;
    assert!(rendered(&again).contains("1 earlier grant of this account"), "{}", rendered(&again));
    let text = format!("{:?}{:?}", floor.slack.channel(), floor.slack.direct(ALICE));
    assert!(!text.contains("pst_") && floor.slack.secrets().iter().all(|secret| !text.contains(secret)));
}

#[tokio::test]
async fn a_denial_carries_its_reason_to_the_card_and_to_the_requester() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "deny").await;
    let mut dialog = floor.slack.dialog(BOB).await;
    assert_eq!(dialog.submit().await.values().next().unwrap(), "missing");
    dialog.write("reason", "use the replica").await;
    assert!(dialog.submit().await.is_empty());
    let told = floor.slack.told(ALICE, "was denied").await;
    assert_eq!(
        seen(&told),
        "Your request for `app_ro` of `sales` was denied by `bob@example.com`.\nReason: use the replica\n[Request again…]"
    );
    let card = floor.card("denied").await;
    assert!(seen(&card).contains("`bob@example.com` denied <time>: “use the replica”"), "{}", seen(&card));
    assert_eq!(state(&floor).await, "REJECTED");
}

#[tokio::test]
async fn an_approver_gives_less_time_than_was_asked_for() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 4h OPS-1").await;
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "shorter").await;
    let mut dialog = floor.slack.dialog(BOB).await;
    dialog.write("duration", "soon").await;
    assert!(dialog.submit().await["duration"].contains("no duration"));
    dialog.write("duration", "5h").await;
    assert!(dialog.submit().await["duration"].contains("shorten"));
    dialog.write("duration", "30m").await;
    assert!(dialog.submit().await.is_empty());
    floor.slack.told(ALICE, "is approved").await;
    let list = floor.house.admin.get("/v1/grants").await.expect(200);
    let at = |name: &str| list["items"][0][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(
        (at("expires_at") - at("not_before")).get_seconds()
            + 60 * (at("expires_at") - at("not_before")).get_minutes(),
        1_800
    );
}

#[tokio::test]
async fn two_groups_approve_one_after_the_other() {
    let floor = Floor::with_sales().await;
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_ro"], "whole": true, "priority": 9,
        "approvals": [{"from": ["group:dba"]}, {"from": ["group:security"]}],
    });
    floor.house.admin.put("/v1/rules/both", rule).await.expect(201);
    floor.ask(ALICE, "sales app_ro 1h OPS-1").await;
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "approve").await;
    let card =
        floor.slack.posted("the first approval", |message| rendered(message).contains("✓ 1 of 1")).await;
    let shown = seen(&card);
    assert!(shown.contains("✓ 1 of 1 from `group:dba`\n• 0 of 1 from `group:security`\n"), "{shown}");
    assert!(shown.contains("<@UDAVE>") && !shown.contains("<@UBOB>"), "{shown}");
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.whispered(BOB, "has approved this request already").await;
    assert_eq!(state(&floor).await, "PENDING");
    floor.slack.click(DAVE, &card, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    floor.card("active").await;
}

#[tokio::test]
async fn before_the_end_there_is_a_word_and_afterwards_another() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    floor.house.clock.advance(Duration::from_mins(56));
    for _ in 0..2 {
        timers::warn(&floor.house.plane).await.unwrap();
    }
    let warning = floor.slack.told(ALICE, "and your sessions with it").await;
    assert_eq!(
        seen(&warning),
        "Your access as `app_ro` of `sales` ends <time>, and your sessions with it.\n[Extend…]"
    );
    floor.slack.click(ALICE, &warning, "extend").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    dialog.write("duration", "9h").await;
    assert!(dialog.submit().await["duration"].contains("longer than the 8h"));
    dialog.write("duration", "2h").await;
    dialog.write("reason", "OPS-1 goes on").await;
    assert!(dialog.submit().await.is_empty());
    let more = floor.slack.posted("the extension", |message| rendered(message).contains("goes on")).await;
    assert!(rendered(&more).starts_with("## More time: waiting for approval"), "{}", rendered(&more));
    floor.slack.click(BOB, &more, "approve").await;
    floor.slack.told(ALICE, "now lasts until").await;
    let given =
        floor.slack.posted("the time", |message| rendered(message).contains("More time: given")).await;
    assert!(!rendered(&given).contains("[Revoke]"), "{}", rendered(&given));
    floor.house.clock.advance(Duration::from_mins(5));
    timers::settle(&floor.house.plane).await.unwrap();
    let mine = floor.slack.command(ALICE, "my requests").await;
    assert!(
        mine.contains("active until") && !mine.contains("expired"),
        "the same grant lasts longer: {mine}"
    );
    floor.house.clock.advance(Duration::from_hours(2));
    timers::settle(&floor.house.plane).await.unwrap();
    let over = floor.slack.told(ALICE, "has expired").await;
    assert_eq!(seen(&over), "Your access as `app_ro` of `sales` has expired.\n[Request again…]");
    let warnings =
        floor.slack.direct(ALICE).iter().filter(|message| message.text.contains("with it")).count();
    assert_eq!(warnings, 1);
}

#[tokio::test]
async fn an_emergency_opens_at_once_is_announced_and_looked_at_afterwards() {
    let floor = Floor::with_sales().await;
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_rw"], "whole": true,
        "approvals": [{"from": ["group:dba"]}],
        "break_glass": {"requesters": ["alice@example.com"], "max_duration": "1h"},
    });
    floor.house.admin.put("/v1/rules/fire", rule).await.expect(201);
    floor.slack.command(ALICE, "request sales app_rw 1h").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    dialog.choose("urgency", "emergency").await;
    assert!(dialog.text().contains("lets you in at once"), "{}", dialog.text());
    dialog.write("reason", "the shop is down").await;
    assert!(dialog.submit().await.is_empty());
    let alarm = floor.slack.posted("the alarm", |message| rendered(message).contains("<!here>")).await;
    assert!(rendered(&alarm).contains("has taken emergency access"), "{}", rendered(&alarm));
    floor.slack.told(ALICE, "is approved").await;
    assert_eq!(grant_state(&floor).await, "ACTIVE");
    let card = floor.slack.posted("the card", |message| rendered(message).starts_with("## Emergency")).await;
    floor.slack.click(BOB, &card, "deny").await;
    let mut dialog = floor.slack.dialog(BOB).await;
    dialog.write("reason", "it was not").await;
    assert!(dialog.submit().await.is_empty());
    floor.slack.told(ALICE, "was revoked").await;
    assert_eq!(grant_state(&floor).await, "REVOKED");
}

#[tokio::test]
async fn what_nobody_decides_is_escalated_aloud() {
    let floor = Floor::with_sales().await;
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_rw"], "whole": true,
        "approvals": [{"from": ["group:dba"]}], "escalate": {"after": "15m", "to": ["group:security"]},
    });
    floor.house.admin.put("/v1/rules/slow", rule).await.expect(201);
    floor.ask(ALICE, "sales app_rw 1h OPS-1").await;
    floor.card("waiting").await;
    floor.house.clock.advance(Duration::from_mins(16));
    timers::settle(&floor.house.plane).await.unwrap();
    let alarm = floor.slack.posted("the alarm", |message| rendered(message).contains("<!here>")).await;
    assert!(rendered(&alarm).contains("Nobody has decided yet") && rendered(&alarm).contains("<@UDAVE>"));
    let card = floor.card("waiting").await;
    floor.slack.click(DAVE, &card, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
}

#[tokio::test]
async fn commands_tell_how_things_stand() {
    let floor = Floor::with_sales().await;
    assert!(floor.slack.command(ALICE, "list repos").await.contains("`sales`: `app_ro`, `app_rw`"));
    assert!(floor.slack.command(ALICE, "list repos AL").await.contains("`sales`: `app_ro`, `app_rw`"));
    assert!(floor.slack.command(ALICE, "list repos hr").await.contains("has a name like that"));
    assert!(floor.slack.command(ALICE, "list sidecars").await.contains("`edge-1`"));
    assert!(floor.slack.command(ALICE, "my requests").await.contains("no active access"));
    assert!(floor.slack.command(BOB, "review").await.contains("Nothing waits"));
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let id = floor.request_id().await;
    assert!(floor.slack.command(BOB, "review").await.contains(&id));
    assert!(floor.slack.command(ALICE, "review").await.contains("Nothing waits"));
    assert!(floor.slack.command(ALICE, &format!("status {id}")).await.contains("waiting for approval"));
    assert!(floor.slack.command(CAROL, "status r_none").await.contains("there is no request"));
    let card = floor.card("waiting").await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    assert!(floor.slack.command(ALICE, "my requests").await.contains("active until"));
    assert!(floor.slack.command(ALICE, &format!("revoke {id}")).await.contains("is revoked"));
    assert!(floor.slack.command(ALICE, &format!("status {id}")).await.contains("revoked"));
    assert!(floor.slack.command(DAVE, &format!("status {id}")).await.contains("there is no request"));
}

#[tokio::test]
async fn the_home_tab_shows_what_waits_what_is_there_and_what_was() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 2h OPS-1").await;
    floor.card("waiting").await;
    let home = floor.slack.open_home(BOB).await.to_string();
    assert!(home.contains("OPS-1") && home.contains("alice@example.com"), "{home}");
    floor.slack.click_home(BOB, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    let home = floor.slack.open_home(ALICE).await.to_string();
    assert!(home.contains("2h left") && home.contains("Give back"), "{home}");
    floor.slack.click_home(ALICE, "keep").await;
    let kept = async || floor.slack.home(ALICE).await.to_string().contains("Favourites");
    until("the favourite", kept).await;
    floor.slack.click_home(ALICE, "favourite").await;
    let dialog = floor.slack.dialog(ALICE).await;
    assert!(dialog.text().contains("public.orders") && dialog.text().contains("<2h>"), "{}", dialog.text());
    assert!(dialog.submit().await.is_empty());
    floor.slack.click_home(ALICE, "forget").await;
    until("the favourite to be gone", async || !kept().await).await;
    floor.slack.click_home(ALICE, "revoke").await;
    until("the access to be gone", async || {
        floor.slack.home(ALICE).await.to_string().contains("You have no access now")
    })
    .await;
    floor.slack.click_home(ALICE, "request").await;
    assert!(floor.slack.dialog(ALICE).await.has("repo"));
    let stranger = floor.slack.open_home(super::GUEST).await.to_string();
    assert!(stranger.contains("full members"), "{stranger}");
}

#[tokio::test]
async fn what_was_filed_elsewhere_is_shown_and_decided_here_and_the_other_way_round() {
    let floor = Floor::with_sales().await;
    let id = floor.house.filed().await;
    let card = floor.card("waiting").await;
    assert!(rendered(&card).contains("*Filed by*"), "{}", rendered(&card));
    let review = json!({"decision": "approve", "by": "carol@example.com"});
    let answer: Answer = floor.house.admin.post(&format!("/v1/requests/{id}/reviews"), review).await;
    answer.expect(200);
    floor.card("active").await;
    floor.slack.click(BOB, &card, "approve").await;
    let told = floor.slack.whispered(BOB, "settled already").await;
    assert!(told.contains("active") && told.contains("carol@example.com"), "{told}");
    let values: Value = floor.house.admin.get(&format!("/v1/requests/{id}")).await.expect(200);
    assert_eq!(values["reviews"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bundle_is_asked_for_at_once_and_decided_together() {
    let floor = Floor::with_sales().await;
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["hr"], "accounts": ["app_ro"], "whole": true,
        "max_duration": "2h", "approvals": [{"from": ["group:dba"]}],
    });
    floor.house.admin.put("/v1/rules/hr", rule).await.expect(201);
    let part = |repo: &str| json!({"repo": repo, "account": "app_ro"});
    for (name, repos) in [("oncall", ["sales", "hr"]), ("beyond", ["payroll", "wages"])] {
        let bundle = json!({"description": "what on-call needs", "parts": repos.map(part)});
        floor.house.admin.put(&format!("/v1/bundles/{name}"), bundle).await.expect(201);
    }
    let home = floor.slack.open_home(ALICE).await.to_string();
    assert!(home.contains("what on-call needs") && !home.contains("beyond"), "{home}");
    floor.slack.click_home(ALICE, "bundle").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    assert_eq!(dialog.offers("repo", "").await, ["sales", "bundle:oncall"]);
    assert_eq!(dialog.offers("duration", "").await.last().unwrap(), "2h");
    let text = dialog.text();
    for shown in ["`app_ro` of `hr`", "The rule `hr` decides", "decided together"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    dialog.choose("repo", "sales").await;
    assert!(dialog.has("account"));
    dialog.choose("repo", "bundle:oncall").await;
    dialog.write("reason", "OPS-9").await;
    assert!(dialog.submit().await.is_empty());
    let card = floor.card("Bundle request: waiting").await;
    assert_eq!(
        seen(&card),
        "## Bundle request: waiting for approval\n\
         *Who* `alice@example.com`\n*Bundle* `oncall`\n*How long* 1h\n*From* at once\n\
         *`app_ro` of `sales`* (rule `sales`)\neverything that the account can do\n• 0 of 1 from `group:dba`\n\
         *`app_ro` of `hr`* (rule `hr`)\neverything that the account can do\n• 0 of 1 from `group:dba`\n\
         Reason: OPS-9\n\
         All of it is decided together.\n<@UBOB> <@UCAROL>\n\
         (`<id>` · filed <time>)\n\
         [Approve] [Approve shorter…] [Deny…]"
    );
    let home = floor.slack.open_home(BOB).await.to_string();
    assert_eq!(home.matches("the bundle `oncall` (2 accesses)").count(), 1, "{home}");
    assert!(floor.slack.command(BOB, "review").await.contains("the bundle `oncall` (2 accesses) by"));
    floor.slack.click(BOB, &card, "approve").await;
    let told = floor.slack.told(ALICE, "is approved").await;
    assert_eq!(
        seen(&told),
        "Your request for the bundle `oncall` is approved. Access ends <time>.\n\
         *`app_ro` of `sales`*\neverything that the account can do\n\
         Connect with `postern connect sales --account app_ro`, or find your own client's settings with `postern access`.\n\
         *`app_ro` of `hr`*\neverything that the account can do\n\
         Connect with `postern connect hr --account app_ro`, or find your own client's settings with `postern access`.\n\
         (`bob@example.com` approved <time>)\n\
         [Open Postern] [Give back]"
    );
    floor.card("Bundle request: active").await;
    floor.slack.press(ALICE, "again", &floor.request_id().await).await;
    assert!(floor.slack.dialog(ALICE).await.text().contains("Bundle oncall"));
    bundle_is_taken_back(&floor).await;
}

/// One of its grants is taken back, then what is left; and of another bundle all at once.
async fn bundle_is_taken_back(floor: &Floor) {
    let card = floor.card("Bundle request: active").await;
    floor.slack.click(BOB, &card, "revoke").await;
    floor.slack.told(ALICE, "as `app_ro` of `sales` was revoked by `bob@example.com`").await;
    let card = floor.card("Bundle request: 1 revoked, 1 active").await;
    assert!(seen(&card).contains("Revoked by `bob@example.com` <time>"), "{}", seen(&card));
    assert!(!seen(&card).contains("[Revoke all]"), "{}", seen(&card));
    floor.slack.click(BOB, &card, "revoke_all").await;
    floor.slack.told(ALICE, "as `app_ro` of `hr` was revoked").await;
    floor.card("Bundle request: revoked").await;
    assert_eq!((floor.slack.channel().len(), floor.slack.direct(ALICE).len()), (1, 4));
    let ask = json!({"bundle": "oncall", "duration": "1h", "reason": "OPS-10", "for": "alice@example.com"});
    floor.house.admin.post("/v1/requests", ask).await.expect(201);
    floor.slack.click(BOB, &floor.card("Bundle request: waiting").await, "approve").await;
    let card = floor.card("Bundle request: active").await;
    assert!(
        seen(&card).contains("[Revoke all]") && seen(&card).contains("Earlier grants of it"),
        "{}",
        seen(&card)
    );
    floor.slack.click(BOB, &card, "revoke_all").await;
    let told = floor.slack.told(ALICE, "by the bundle").await;
    assert_eq!(
        seen(&told),
        "Your access by the bundle `oncall` was revoked by `bob@example.com`.\n[Request again…]"
    );
    floor.card("Bundle request: revoked").await;
    floor.slack.click(BOB, &card, "revoke_all").await;
    floor.slack.whispered(BOB, "settled already").await;
    assert_eq!((floor.slack.channel().len(), floor.slack.direct(ALICE).len()), (2, 7));
}

#[tokio::test]
async fn of_a_bundle_somebody_asks_for_what_they_need() {
    let floor = Floor::with_sales().await;
    floor.bundle("dba").await;
    floor.slack.open_home(ALICE).await;
    floor.slack.click_home(ALICE, "bundle").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    assert!(
        dialog.text().contains("What you need of it: <app_ro of sales, app_ro of hr>"),
        "{}",
        dialog.text()
    );
    let offered = dialog.offers("parts", "").await;
    dialog.choose_all("parts", &[&offered[1]]).await;
    let text = dialog.text();
    assert!(text.contains("`app_ro` of `hr`: The rule") && !text.contains("`sales`: The rule"), "{text}");
    dialog.write("reason", "only people").await;
    assert!(dialog.submit().await.is_empty());
    let card = floor.slack.posted("the card", |message| rendered(message).contains("only people")).await;
    assert!(seen(&card).contains("of `hr`*") && !seen(&card).contains("of `sales`*"), "{}", seen(&card));
    let again = format!("/v1/requests/{}/again", floor.request_id().await);
    let again = floor.house.admin.post(&again, json!({})).await.expect(201);
    assert_eq!((&again["repo"], again["bundle"]["requests"].as_array().unwrap().len()), (&json!("hr"), 1));
    let ask = |parts: Value, bundle: Option<&str>| json!({"bundle": bundle, "parts": parts, "duration": "1h", "for": "alice@example.com"});
    let known = json!([{"repo": "hr", "account": "app_ro"}]);
    let unknown = json!([{"repo": "hr", "account": "app_rw"}]);
    for (parts, bundle) in [(unknown, Some("oncall")), (known, None)] {
        assert_eq!(floor.house.admin.post("/v1/requests", ask(parts, bundle)).await.problem(422), "invalid");
    }
    let other = json!({"description": "", "parts": [{"repo": "sales", "account": "app_ro"}]});
    floor.house.admin.put("/v1/bundles/oncall", other).await.expect(200);
    let again = format!("/v1/requests/{}/again", again["id"].as_str().unwrap());
    assert_eq!(floor.house.admin.post(&again, json!({})).await.problem(409), "conflict");
}

#[tokio::test]
async fn of_a_bundle_those_parts_are_offered_that_somebody_may_ask_for() {
    let floor = Floor::with_sales().await;
    floor.bundle("dba").await;
    let rule = json!({
        "requesters": ["bob@example.com"], "repos": ["hr"], "accounts": ["app_ro"], "whole": true,
        "max_duration": "8h", "approvals": [{"from": ["group:dba"]}],
    });
    floor.house.admin.put("/v1/rules/hr", rule).await.expect(200);
    floor.slack.open_home(ALICE).await;
    floor.slack.click_home(ALICE, "bundle").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    let text = dialog.text();
    assert!(text.contains("There is more in this bundle; no rule lets you ask for it."), "{text}");
    assert!(!text.contains("hr") && !text.contains("What you need of it"), "{text}");
    dialog.write("reason", "what I may").await;
    assert!(dialog.submit().await.is_empty());
    let card = floor.slack.posted("the card", |message| rendered(message).contains("what I may")).await;
    assert!(seen(&card).contains("of `sales`*") && !seen(&card).contains("hr"), "{}", seen(&card));
}

#[tokio::test]
async fn a_bundle_ends_with_one_word_ahead_and_one_afterwards() {
    let floor = Floor::with_sales().await;
    floor.bundle("dba").await;
    floor.slack.click(BOB, &floor.card("Bundle request: waiting").await, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    floor.house.clock.advance(Duration::from_mins(56));
    timers::warn(&floor.house.plane).await.unwrap();
    let warning = floor.slack.told(ALICE, "and your sessions with it").await;
    assert_eq!(
        seen(&warning),
        "Your access by the bundle `oncall` ends <time>, and your sessions with it.\n\
         `app_ro` of `sales`\n[Extend…]\n`app_ro` of `hr`\n[Extend…]"
    );
    floor.slack.click(ALICE, &warning, "extend").await;
    assert!(floor.slack.dialog(ALICE).await.submit().await.is_empty());
    floor.slack.click(BOB, &floor.card("More time: waiting").await, "approve").await;
    floor.slack.told(ALICE, "as `app_ro` of `sales` now lasts until").await;
    floor.house.clock.advance(Duration::from_mins(5));
    timers::settle(&floor.house.plane).await.unwrap();
    floor.slack.told(ALICE, "as `app_ro` of `hr` has expired").await;
    floor.card("Bundle request: 1 active, 1 expired").await;
    floor.house.clock.advance(Duration::from_hours(2));
    timers::settle(&floor.house.plane).await.unwrap();
    floor.slack.told(ALICE, "as `app_ro` of `sales` has expired").await;
    floor.card("Bundle request: expired").await;
}

#[tokio::test]
async fn what_a_list_shows_as_under_way_can_be_ended_there() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    let list = floor.slack.list(ALICE, "my requests").await;
    assert_eq!(
        seen(&list),
        "*Your requests*\n• `<id>` `app_ro` of `sales`: waiting for approval\n[Withdraw]"
    );
    floor.slack.click(ALICE, &list, "cancel").await;
    floor.slack.whispered(ALICE, "is withdrawn").await;
    floor.slack.click(ALICE, &list, "cancel").await;
    floor.slack.whispered(ALICE, "settled already").await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-2").await;
    let card = floor.slack.posted("the request", |message| rendered(message).contains("OPS-2")).await;
    floor.slack.click(BOB, &card, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    let list = floor.slack.list(ALICE, "my requests").await;
    assert_eq!(
        seen(&list),
        "*Your requests*\n• `<id>` `app_ro` of `sales`: active until <time>\n[Give back]\n\
         • `<id>` `app_ro` of `sales`: withdrawn"
    );
    floor.slack.open_home(ALICE).await;
    floor.slack.click_home(ALICE, "how").await;
    let how = floor.slack.dialog(ALICE).await.text();
    assert!(how.contains("postern connect sales --account app_ro"), "{how}");
    floor.slack.click(ALICE, &list, "revoke").await;
    floor.slack.told(ALICE, "was revoked by `alice@example.com`").await;
}

#[tokio::test]
async fn more_time_for_what_is_over_comes_to_nothing_and_says_so() {
    let floor = Floor::with_sales().await;
    floor.ask(ALICE, "sales app_ro public.orders 1h OPS-1").await;
    floor.slack.click(BOB, &floor.card("waiting").await, "approve").await;
    floor.slack.told(ALICE, "is approved").await;
    floor.slack.open_home(ALICE).await;
    floor.slack.click_home(ALICE, "extend").await;
    assert!(floor.slack.dialog(ALICE).await.submit().await.is_empty());
    let more = floor.card("More time: waiting").await;
    floor.slack.click(BOB, &floor.card("Access request: active").await, "revoke").await;
    floor.slack.told(ALICE, "was revoked").await;
    floor.slack.click(BOB, &more, "approve").await;
    floor.slack.told(ALICE, "was approved and came to nothing").await;
    floor.card("More time: failed").await;
    assert_eq!(grant_state(&floor).await, "REVOKED");
}

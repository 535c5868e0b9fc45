//! How the sessions of a grant live: inside its hours, not idle for too long, not too many at once.

use postern_protocol::gate::{Change, Grant, SessionTerms, Stretch};
use postern_tests::{
    liar::{grant, now},
    mysql::{self, server::Version},
    rest::Api,
    stage::{ALICE, REPO, Stage, whole},
    wait::until_some,
};
use serde_json::{Value, json};

use super::doubt::Den;

on_both! {
    idle_sessions_of_mysql_end_and_busy_ones_go_on
    outside_of_its_hours_a_grant_opens_no_mysql
}

/// Lets everybody ask for everything, on these terms.
async fn on_terms(api: &Api, terms: Value) {
    let mut rule = json!({"priority": 9, "requesters": ["*"], "repos": ["*"], "accounts": ["*"], "whole": true,
                          "approvals": [{"from": ["*"], "count": 1}]});
    for (field, value) in terms.as_object().unwrap() {
        rule[field] = value.clone();
    }
    api.put("/v1/rules/terms", rule).await.ok();
}

/// Hours that begin in half an hour from now, on whatever day that is.
fn later_today() -> Value {
    let clock = |ahead: i64| {
        let minute = (now() / 60_000 + ahead) % (24 * 60);
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    json!([{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": clock(30), "to": clock(60), "tz": "UTC"}])
}

#[tokio::test]
async fn idle_sessions_end_and_busy_ones_go_on() {
    let stage = Stage::new().await;
    on_terms(&stage.api, json!({"session": {"max_idle": "2s"}})).await;
    let access = stage.access("app_ro", "1h").await;
    let (mut idle, mut busy) = (stage.raw(&access).await.unwrap(), stage.raw(&access).await.unwrap());
    idle.ask("begin").await;
    let answer = busy.ask("select 'done', pg_sleep(5)").await;
    assert_eq!(answer[1].first_column().as_deref(), Some("done"), "{answer:?}");
    let told = idle.last_error().await.unwrap();
    assert_eq!((told.get('S'), told.code()), ("FATAL", "57P01"));
    assert!(told.message().contains("idle for longer than 2s") && told.message().contains(&access.grant));
    assert_eq!(busy.last_error().await.unwrap().code(), "57P01");
}

#[tokio::test]
async fn a_grant_holds_as_many_sessions_as_it_may() {
    let stage = Stage::new().await;
    on_terms(&stage.api, json!({"session": {"max_sessions": 2}})).await;
    let access = stage.access("app_ro", "1h").await;
    let first = until_some("the first session", async || stage.raw(&access).await.ok()).await;
    let _second = until_some("the second session", async || stage.raw(&access).await.ok()).await;
    let refused = stage.raw(&access).await.err().unwrap();
    assert_eq!((refused.get('S'), refused.code()), ("FATAL", "53300"), "{refused:?}");
    assert!(refused.message().contains("allows 2 sessions"), "{refused:?}");
    drop(first);
    until_some("room for another", async || stage.raw(&access).await.ok()).await;
}

#[tokio::test]
async fn the_end_of_the_hours_ends_the_session_and_the_next_one_waits_for_them() {
    let (den, stream) = Den::open("60s").await;
    let hours = vec![
        Stretch { from: now() - 1_000, to: now() + 4_000 },
        Stretch { from: now() + 1_800_000, to: now() + 2_000_000 },
    ];
    let session = SessionTerms { hours: Some(hours), ..SessionTerms::default() };
    stream.say_changes(11, vec![Change::Grant(Grant { session, ..grant("g_2", "app_ro", 1) })]);
    den.until_admitted("app_ro").await;
    let mut open = den.log_in("app_ro").await.unwrap();
    open.ask("begin").await;
    let told = open.last_error().await.unwrap();
    assert_eq!((told.get('S'), told.code()), ("FATAL", "57P01"));
    assert!(told.message().contains("hours") && told.message().contains("g_2"), "{told:?}");
    let refused = den.log_in("app_ro").await.err().unwrap();
    assert_eq!((refused.get('S'), refused.code()), ("FATAL", "28000"));
    assert!(refused.get('D').contains("begin in 29m"), "{refused:?}");
}

#[tokio::test]
async fn outside_of_its_hours_a_grant_opens_no_database() {
    let stage = Stage::new().await;
    on_terms(&stage.api, json!({"windows": later_today()})).await;
    let access = stage.api.access(whole(ALICE, "app_ro", "2h")).await;
    let grant = stage.api.get(&format!("/v1/grants/{}", access.grant)).await.ok();
    assert_eq!(grant["state"], "ACTIVE");
    let refused = stage.raw_to(REPO, "app_ro", &access.token).await.err().unwrap();
    assert_eq!(refused.code(), "28000");
    assert!(refused.get('D').contains("outside of the grant's hours"), "{refused:?}");
}

async fn idle_sessions_of_mysql_end_and_busy_ones_go_on(version: Version) {
    let Some(stage) = mysql::stage::Stage::on(version, mysql::stage::Wish::default()).await else { return };
    on_terms(&stage.api, json!({"session": {"max_idle": "2s", "max_sessions": 2}})).await;
    let access = stage.access("app_rw", "1h").await;
    let mut idle = until_some("the first session", async || stage.raw(&access).await.ok()).await;
    let mut busy = until_some("the second session", async || stage.raw(&access).await.ok()).await;
    let refused = stage.raw(&access).await.err().unwrap();
    assert_eq!((refused.code, refused.state.as_str()), (1203, "42000"), "{refused:?}");
    assert_eq!(busy.value("select sleep(5)").await, "0");
    let told = idle.ask("select 1").await.unwrap_err();
    assert_eq!((told.code, told.state.as_str()), (3169, "HY000"), "{told:?}");
    assert!(told.message.contains("idle for longer than 2s"), "{told:?}");
}

async fn outside_of_its_hours_a_grant_opens_no_mysql(version: Version) {
    let Some(stage) = mysql::stage::Stage::on(version, mysql::stage::Wish::default()).await else { return };
    on_terms(&stage.api, json!({"windows": later_today()})).await;
    let access = stage.api.access(whole(ALICE, "app_rw", "2h")).await;
    let refused = stage.raw(&access).await.err().unwrap();
    assert_eq!((refused.code, refused.state.as_str()), (1045, "28000"));
    assert!(refused.message.contains("outside of the grant's hours"), "{refused:?}");
}

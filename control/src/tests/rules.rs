//! What rules say by themselves: conditions, emergencies, escalation; and reviews that narrow.

use std::time::Duration;

use serde_json::{Value, json};

use postern_protocol::gate::{Change, Stretch};

use super::{House, alices, sidecar::Sidecar};
use crate::{actions::timers, domain::Permission};

/// The rule of [`House::with_people`] with something more.
async fn rule(house: &House, more: Value) {
    let mut rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_ro"], "whole": true,
        "approvals": [{"from": ["group:dba"], "count": 1}],
    });
    for (field, value) in more.as_object().unwrap() {
        rule[field] = value.clone();
    }
    house.admin.put("/v1/rules/sales", rule).await.expect(200);
}

async fn kinds(house: &House, kind: &str) -> Vec<Value> {
    let page = house.admin.get(&format!("/v1/audit?kind={kind}")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

/// The emergencies that nobody has reviewed yet.
async fn awaiting_hindsight(house: &House) -> Vec<Value> {
    let page = house.admin.get("/v1/requests?awaits_hindsight=true").await.expect(200);
    page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
}

fn by(who: &str, decision: &str) -> Value {
    json!({"decision": decision, "reason": "seen", "by": who})
}

#[tokio::test]
async fn a_condition_approves_or_denies_at_once() {
    let house = House::new().await.with_people().await;
    let short = "request.duration <= duration('1h') && 'engineering' in identity.groups";
    rule(&house, json!({"auto_approve": short, "auto_deny": "request.reason.contains('forbidden')"})).await;
    let short = house.admin.post("/v1/requests", alices("1h")).await.expect(201);
    assert_eq!((short["status"].as_str(), short["grant_state"].as_str()), (Some("APPROVED"), Some("ACTIVE")));
    let long = house.admin.post("/v1/requests", alices("2h")).await.expect(201);
    assert_eq!(long["status"], "PENDING");
    let mut bad = alices("1h");
    bad["reason"] = json!("forbidden");
    let forecast = house.admin.post("/v1/requests?dry_run=true", bad.clone()).await.expect(200);
    assert_eq!((&forecast["denied_at_once"], &forecast["approved_at_once"]), (&json!(true), &json!(false)));
    let denied = house.admin.post("/v1/requests", bad).await.expect(201);
    assert_eq!((denied["status"].as_str(), &denied["grant"]), (Some("REJECTED"), &Value::Null));
    assert_eq!(kinds(&house, "request.rejected").await[0]["actor"], "rule:sales");
}

#[tokio::test]
async fn a_condition_that_cannot_be_evaluated_approves_nothing_and_is_told_in_the_audit() {
    let house = House::new().await.with_people().await;
    rule(&house, json!({"auto_approve": "identity.groups[size(request.resources) + 3] == 'x' || true"}))
        .await;
    rule(&house, json!({"auto_approve": "1 / size(request.resources) == 1"})).await;
    let forecast = house.admin.post("/v1/requests?dry_run=true", alices("1h")).await.expect(200);
    assert!(forecast["troubles"][0].as_str().unwrap().starts_with("auto_approve: "), "{forecast}");
    let filed = house.admin.post("/v1/requests", alices("1h")).await.expect(201);
    assert_eq!(filed["status"], "PENDING");
    let told = kinds(&house, "rule.undecided").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["detail"]["rule"], "sales");
}

#[tokio::test]
async fn a_condition_that_makes_no_sense_is_refused_with_its_place() {
    let house = House::new().await.with_people().await;
    for (condition, word) in [
        ("request.duration <", "line 1, column"),
        ("request.color == 'red'", "request.color"),
        ("request.duration < 3600", "overload"),
        ("request.resources.all(a, request.resources.all(b, request.resources.all(c, a == b)))", "too long"),
    ] {
        let rule = json!({"requesters": ["*"], "repos": ["*"], "accounts": ["*"], "auto_approve": condition});
        let answer = house.admin.put("/v1/rules/odd", rule).await;
        let detail = answer.body["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("auto_approve: ") && detail.contains(word), "{detail}");
        assert_eq!(answer.problem(422), "invalid");
    }
}

#[tokio::test]
async fn who_breaks_the_glass_is_in_at_once_and_looked_at_afterwards() {
    let house = House::new().await.with_people().await;
    let glass = json!({"requesters": ["alice@example.com"], "max_duration": "1h"});
    rule(&house, json!({"break_glass": glass})).await;
    let mut ask = alices("1h");
    ask["break_glass"] = json!(true);
    let mut silent = ask.clone();
    silent["reason"] = json!(" ");
    assert_eq!(house.admin.post("/v1/requests", silent).await.problem(422), "invalid");
    let mut long = ask.clone();
    long["duration"] = json!("2h");
    assert_eq!(house.admin.post("/v1/requests", long).await.problem(403), "no-rule");
    let mut other = ask.clone();
    other["for"] = json!("bob@example.com");
    assert_eq!(house.admin.post("/v1/requests", other).await.problem(403), "no-rule");
    let broken = house.admin.post("/v1/requests", ask.clone()).await.expect(201);
    assert_eq!((broken["status"].as_str(), &broken["awaits_hindsight"]), (Some("APPROVED"), &json!(true)));
    let told = kinds(&house, "request.glass_broken").await;
    assert_eq!(
        (&told[0]["identity"], &told[0]["detail"]["break_glass"]),
        (&json!("alice@example.com"), &json!(true))
    );
    assert_eq!(awaiting_hindsight(&house).await, [broken["id"].clone()]);
    let path = format!("/v1/requests/{}/reviews", broken["id"].as_str().unwrap());
    assert_eq!(house.admin.post(&path, by("alice@example.com", "approve")).await.problem(403), "own-request");
    assert_eq!(
        house.admin.post(&path, by("dave@example.com", "approve")).await.problem(403),
        "not-an-approver"
    );
    let seen = house.admin.post(&path, by("bob@example.com", "approve")).await.expect(200);
    assert_eq!((&seen["awaits_hindsight"], seen["grant_state"].as_str()), (&json!(false), Some("ACTIVE")));
    assert_eq!(awaiting_hindsight(&house).await, [Value::Null; 0]);
    let stranger = house.client("stranger", &[Permission::AccessRequest]).await;
    assert_eq!(
        house.admin.post(&path, by("carol@example.com", "deny")).await.problem(409),
        "already-decided"
    );
    let again = house.admin.post("/v1/requests", ask).await.expect(201);
    assert_eq!(awaiting_hindsight(&house).await, [again["id"].clone()]);
    assert_eq!(stranger.get("/v1/requests?awaits_hindsight=true").await.expect(200)["items"], json!([]));
    let both = "/v1/requests?awaits_hindsight=true&status=APPROVED";
    assert_eq!(house.admin.get(both).await.problem(400), "malformed");
    let path = format!("/v1/requests/{}/reviews", again["id"].as_str().unwrap());
    let condemned = house.admin.post(&path, by("bob@example.com", "deny")).await.expect(200);
    assert_eq!(condemned["grant_state"], "REVOKED");
    assert_eq!(kinds(&house, "grant.revoked").await[0]["actor"], "bob@example.com");
}

#[tokio::test]
async fn a_request_that_nobody_decides_is_escalated_once() {
    let mut house = House::new().await.with_people().await;
    let escalate = json!({"after": "15m", "to": ["group:security"]});
    rule(&house, json!({"escalate": escalate, "pending_ttl": "2h"})).await;
    let path = format!("/v1/requests/{}", house.filed().await);
    let reviews = format!("{path}/reviews");
    let early = house.admin.post(&reviews, by("dave@example.com", "approve")).await;
    assert_eq!(early.problem(403), "not-an-approver");
    house.clock.advance(Duration::from_mins(15));
    house.admin = house.client("again", &Permission::ALL).await;
    for _ in 0..3 {
        timers::settle(&house.plane).await.unwrap();
    }
    let told = kinds(&house, "request.escalated").await;
    assert_eq!((told.len(), &told[0]["detail"]["to"]), (1, &json!(["group:security"])));
    assert_eq!(house.admin.get(&path).await.expect(200)["escalated"], true);
    let approved = house.admin.post(&reviews, by("dave@example.com", "approve")).await.expect(200);
    assert_eq!(approved["status"], "APPROVED");
}

#[tokio::test]
async fn an_approver_can_narrow_what_is_granted_and_never_widen_it() {
    let house = House::new().await.with_people().await;
    let mut ask = alices("1h");
    ask["resources"] = json!([{"resource": "public.orders"}, {"resource": "public.sales.id"}]);
    let request = house.admin.post("/v1/requests", ask).await.expect(201);
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    let review = |resource: &str| json!({"decision": "approve", "by": "bob@example.com", "resources": [{"resource": resource}]});
    assert_eq!(house.admin.post(&path, review("public.sales")).await.problem(422), "invalid");
    let approved = house.admin.post(&path, review("public.orders.id")).await.expect(200);
    assert_eq!(approved["reviews"][0]["resources"][0]["resource"], "public.orders.id");
    let grant = format!("/v1/grants/{}", approved["grant"].as_str().unwrap());
    let grant = house.admin.get(&grant).await.expect(200);
    assert_eq!(grant["resources"], json!([{"resource": "public.orders.id", "privileges": ["SELECT"]}]));
}

#[tokio::test]
async fn reviews_survive_an_amendment_that_asks_for_less() {
    let house = House::new().await.with_people().await;
    rule(&house, json!({"approvals": [{"from": ["group:dba"], "count": 2}]})).await;
    let path = format!("/v1/requests/{}", house.filed().await);
    let reviews = format!("{path}/reviews");
    house.admin.post(&reviews, by("bob@example.com", "approve")).await.expect(200);
    let less = json!({"duration": "1h", "resources": [{"resource": "public.orders"}]});
    let amended = house.admin.patch(&path, less).await.expect(200);
    assert_eq!((amended["duration"].as_str(), amended["reviews"].as_array().unwrap().len()), (Some("1h"), 1));
    let more = json!({"resources": [{"resource": "public.sales.id"}]});
    assert_eq!(house.admin.patch(&path, more).await.expect(200)["reviews"], json!([]));
}

#[tokio::test]
async fn windows_become_the_hours_of_the_grant_that_the_sidecar_is_told() {
    let house = House::new().await.with_people().await;
    let (_sidecar, mut feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    // The clock stands at 2026-11-18T11:06:40Z, a Wednesday.
    let window = json!({"days": ["wed"], "from": "08:00", "to": "13:30", "tz": "Europe/Paris"});
    rule(&house, json!({"windows": [window], "session": {"max_idle": "5m", "max_sessions": 2}})).await;
    let id = house.granted().await;
    let grant = house.admin.get(&format!("/v1/grants/{id}")).await.expect(200);
    let hours = json!([{"from": "2026-11-18T11:06:40Z", "to": "2026-11-18T12:30:00Z"}]);
    assert_eq!(
        (&grant["hours"], grant["max_idle"].as_str(), &grant["max_sessions"]),
        (&hours, Some("5m"), &json!(2))
    );
    let (_, changes) = feed.changes().await;
    let [Change::Grant(told)] = &changes[..] else { panic!("{changes:?}") };
    let stretch = Stretch { from: 1_795_000_000_000, to: 1_795_005_000_000 };
    assert_eq!(told.session.hours.as_deref(), Some(&[stretch][..]));
    assert_eq!(told.session.max_sessions, Some(2));
    let mut saturday = alices("2h");
    saturday["not_before"] = json!("2026-11-21T10:00:00Z");
    assert_eq!(house.admin.post("/v1/requests", saturday).await.problem(403), "forbidden");
}

#[tokio::test]
async fn of_two_hundred_reviews_at_once_one_decides() {
    let house = House::new().await.with_people().await;
    let path = format!("/v1/requests/{}/reviews", house.filed().await);
    let calls = (0..200).map(|n| {
        let (house, path) = (&house, &path);
        let decision = if n % 2 == 0 { "approve" } else { "deny" };
        async move { house.admin.post(path, json!({"decision": decision})).await.status.as_u16() }
    });
    let mut codes = futures_util::future::join_all(calls).await;
    codes.sort_unstable();
    assert_eq!((codes[0], codes[1], codes[199]), (200, 409, 409));
}

#[tokio::test]
async fn more_time_is_asked_for_and_approved_like_access_itself() {
    let house = House::new().await.with_people().await;
    rule(&house, json!({"approvals": [{"from": ["group:dba"]}, {"from": ["group:security"]}]})).await;
    let path = format!("/v1/requests/{}/reviews", house.filed().await);
    house.admin.post(&path, by("bob@example.com", "approve")).await.expect(200);
    let granted = house.admin.post(&path, by("dave@example.com", "approve")).await.expect(200);
    let grant = format!("/v1/grants/{}", granted["grant"].as_str().unwrap());
    let before = house.admin.get(&grant).await.expect(200);
    let more = json!({"duration": "1h", "reason": "not done"});
    let asked = house.admin.post(&format!("{grant}/extend"), more).await.expect(202);
    assert_eq!((asked["status"].as_str(), &asked["extends"]), (Some("PENDING"), &granted["grant"]));
    assert_eq!(house.admin.get(&grant).await.expect(200)["expires_at"], before["expires_at"]);
    let path = format!("/v1/requests/{}", asked["id"].as_str().unwrap());
    assert_eq!(house.admin.patch(&path, json!({"duration": "2h"})).await.problem(409), "conflict");
    assert_eq!(house.admin.post(&format!("{path}/again"), json!({})).await.problem(409), "conflict");
    let reviews = format!("{path}/reviews");
    let approved = house.admin.post(&reviews, by("dave@example.com", "approve")).await.expect(200);
    assert_eq!((approved["status"].as_str(), &approved["grant"]), (Some("APPROVED"), &granted["grant"]));
    let after = house.admin.get(&grant).await.expect(200);
    assert_eq!(after["revision"], 2);
    let seconds =
        |grant: &Value| grant["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(seconds(&after) - seconds(&before), 3_600);
}

#[tokio::test]
async fn more_time_for_what_is_over_by_then_fails() {
    let house = House::new().await.with_people().await;
    let approvals = json!([{"from": ["group:dba"]}, {"from": ["group:security"]}]);
    let grant = format!("/v1/grants/{}", house.granted().await);
    rule(&house, json!({"approvals": approvals})).await;
    let asked = house.admin.post(&format!("{grant}/extend"), json!({"duration": "1h"})).await.expect(202);
    house.admin.post(&format!("{grant}/revoke"), json!({})).await.expect(200);
    let path = format!("/v1/requests/{}/reviews", asked["id"].as_str().unwrap());
    let failed = house.admin.post(&path, by("dave@example.com", "approve")).await.expect(200);
    assert_eq!((failed["status"].as_str(), &failed["grant"]), (Some("FAILED"), &Value::Null));
    assert_eq!(kinds(&house, "request.failed").await.len(), 1);
    assert_eq!(
        house.admin.post(&format!("{grant}/extend"), json!({"duration": "1h"})).await.problem(409),
        "grant-ended"
    );
}

#[tokio::test]
async fn whoever_may_only_ask_asks_for_more_of_their_own_alone() {
    let house = House::new().await.with_people().await;
    let theirs = format!("/v1/grants/{}/extend", house.granted().await);
    let bot = house.client("bot", &[Permission::AccessRequest]).await;
    assert_eq!(bot.post(&theirs, json!({"duration": "1h"})).await.problem(403), "missing-permission");
    assert_eq!(
        bot.post("/v1/grants/g_0/extend", json!({"duration": "1h"})).await.problem(403),
        "missing-permission"
    );
    assert_eq!(
        house.admin.post("/v1/grants/g_0/extend", json!({"duration": "1h"})).await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn a_session_that_is_one_too_many_over_all_sidecars_is_killed() {
    let house = House::new().await.with_people().await;
    rule(&house, json!({"session": {"max_sessions": 1}})).await;
    let grant = house.granted().await;
    let start = |id: &str| {
        json!({"instance": "i-1", "all": false, "ended": [],
               "started": [{"id": id, "grant": grant, "identity": "alice@example.com", "repo": "sales",
                            "account": "app_ro", "client": "10.0.0.7:1", "application": "", "started_at": 0}]})
    };
    let (one, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let (two, mut feed) = Sidecar::serving(&house, "edge-2", &["sales"]).await;
    one.wire.post("/v1/sidecar/sessions", start("s_1")).await.expect(204);
    two.wire.post("/v1/sidecar/sessions", start("s_2")).await.expect(204);
    let (_, changes) = feed.changes().await;
    let [Change::Kill { session, reason, .. }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(session.as_str(), "s_2");
    assert!(reason.contains("allows 1 session"), "{reason}");
}

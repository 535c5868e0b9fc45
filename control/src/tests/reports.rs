//! Who had access to what, and whether it was used.

use std::time::Duration;

use postern_service::audit::{Chain, Event};
use serde_json::{Value, json};

use super::{House, alices, sidecar::Sidecar};
use crate::{actions::timers, domain::Permission};

/// A grant of alice's for these tables and columns.
async fn limited(house: &House, names: &[&str]) -> Value {
    let mut ask = alices("1h");
    ask["resources"] = names.iter().map(|name| json!({"resource": name})).collect();
    let request = house.admin.post("/v1/requests", ask).await.expect(201);
    let path = format!("/v1/requests/{}/reviews", request["id"].as_str().unwrap());
    house.admin.post(&path, json!({"decision": "approve"})).await.expect(200)["grant"].clone()
}

#[tokio::test]
async fn the_report_tells_what_was_used_and_what_was_given_for_nothing() {
    let house = House::new().await.with_people().await;
    let (used, unused) = (house.granted().await, house.granted().await);
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let start = json!({"id": "s_1", "grant": used, "identity": "alice@example.com", "repo": "sales",
        "account": "app_ro", "client": "10.0.0.7:50412", "application": "psql",
        "started_at": house.plane.clock.now().as_millis()});
    let report = json!({"instance": "i-1", "all": false, "started": [start], "ended": []});
    sidecar.wire.post("/v1/sidecar/sessions", report.clone()).await.expect(204);
    // What is reported twice is counted once.
    sidecar.wire.post("/v1/sidecar/sessions", report).await.expect(204);
    let all = house.admin.get("/v1/reports/access?repo=sales").await.expect(200);
    let find =
        |id: &str| all["items"].as_array().unwrap().iter().find(|access| access["id"] == id).unwrap().clone();
    let access = find(&used);
    assert_eq!((&access["used"], &access["sessions"]), (&json!(true), &json!(1)));
    assert_eq!((&access["approved_by"], &access["reason"]), (&json!(["bob@example.com"]), &json!("OPS-1")));
    assert_eq!(find(&unused)["used"], false);
    // It may still be used.
    assert_eq!(house.admin.get("/v1/reports/access?unused=true").await.expect(200)["items"], json!([]));
    house.clock.advance(Duration::from_hours(3));
    timers::settle(&house.plane).await.unwrap();
    let auditor = house.client("auditor", &[Permission::ViewAuditLogs]).await;
    let wasted = auditor.get("/v1/reports/access?unused=true").await.expect(200);
    assert_eq!((wasted["items"].as_array().unwrap().len(), &wasted["items"][0]["id"]), (1, &json!(unused)));
    let rules = auditor.get("/v1/reports/rules").await.expect(200);
    let rule = &rules["items"][0];
    assert_eq!(
        (&rule["rule"], &rule["grants"], &rule["used"], &rule["never_used"]),
        (&json!("sales"), &json!(2), &json!(1), &json!(1))
    );
    let account = json!({"repo": "sales", "account": "app_ro", "grants": 2, "used": 1});
    assert_eq!(rule["accounts"], json!([account]));
    assert_eq!(auditor.get("/v1/reports/access?since=30m").await.expect(200)["items"], json!([]));
    assert_eq!(auditor.get("/v1/reports/access?until=1d").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn whoever_gave_more_time_is_among_those_who_approved() {
    let house = House::new().await.with_people().await;
    let grant = house.granted().await;
    let bot = house.client("bot", &[Permission::AccessManagementProxyRequest]).await;
    let more = json!({"duration": "1h", "reason": "OPS-2"});
    let asked = house.admin.post(&format!("/v1/grants/{grant}/extend"), more).await.expect(200);
    assert_eq!(asked["id"], json!(grant));
    let all = house.admin.get("/v1/reports/access").await.expect(200);
    let approved: Vec<String> = serde_json::from_value(all["items"][0]["approved_by"].clone()).unwrap();
    assert!(approved.len() == 2 && approved.contains(&"bob@example.com".to_owned()), "{approved:?}");
    assert_eq!(bot.get("/v1/reports/access").await.problem(403), "missing-permission");
    assert_eq!(bot.get("/v1/reports/rules").await.problem(403), "missing-permission");
}

#[tokio::test]
async fn a_long_report_comes_in_pages() {
    let house = House::new().await.with_people().await;
    for _ in 0..3 {
        house.granted().await;
    }
    let first = house.admin.get("/v1/reports/access?limit=2").await.expect(200);
    let path = format!("/v1/reports/access?limit=2&after={}", first["next"].as_str().unwrap());
    let second = house.admin.get(&path).await.expect(200);
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), &second["next"]), (2, 1, &json!(null)));
}

#[tokio::test]
async fn the_report_tells_of_tables_that_were_given_for_nothing() {
    let house = House::new().await.with_people().await;
    let used = limited(&house, &["public.sales.id", "public.orders"]).await;
    limited(&house, &["public.orders", "public.sales.note"]).await;
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let start = json!({"id": "s_1", "grant": used, "identity": "alice@example.com", "repo": "sales",
        "account": "app_ro", "client": "10.0.0.7:50412", "application": "psql",
        "started_at": house.plane.clock.now().as_millis()});
    let report = json!({"instance": "i-1", "all": false, "started": [start], "ended": []});
    sidecar.wire.post("/v1/sidecar/sessions", report).await.expect(204);
    let rules = house.admin.get("/v1/reports/rules").await.expect(200);
    let of = |resource: &str, grants: u64, used: u64| json!({"repo": "sales", "resource": resource, "grants": grants, "used": used, "touched": 0});
    let all = [of("public.orders", 2, 1), of("public.sales.id", 1, 1), of("public.sales.note", 1, 0)];
    assert_eq!((&rules["items"][0]["resources"], &rules["items"][0]["whole"]), (&json!(all), &json!(0)));
}

/// Sends what this sidecar says that statements of these grants used.
async fn tell(house: &House, sidecar: &Sidecar, chain: &mut Chain, told: &[(&Value, Value)]) {
    let at = house.plane.clock.now().timestamp();
    let record = |(grant, detail): &(&Value, Value)| {
        let event = Event {
            grant: grant.as_str().unwrap().to_owned(),
            detail: detail.as_object().unwrap().clone(),
            ..Event::new("resources.used")
        };
        chain.append(at, event)
    };
    let records: Vec<_> = told.iter().map(record).collect();
    sidecar.wire.post("/v1/sidecar/audit", json!({"records": records})).await.expect(204);
}

fn used(resource: &str, privileges: &[&str]) -> Value {
    json!({"resource": resource, "privileges": privileges})
}

#[tokio::test]
async fn the_report_tells_what_statements_really_read_and_wrote() {
    let house = House::new().await.with_people().await;
    let grant = limited(&house, &["public.sales.id", "public.sales.note", "public.orders"]).await;
    let whole = json!(house.granted().await);
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let mut chain = Chain::new("sidecar:edge-1:i-1");
    let told = json!({"resources": [used("public.sales.id", &["SELECT"]), used("public.orders.qty", &["SELECT"]),
        used("hr.salaries", &["SELECT"]), used("public.orders", &["DELETE"])]});
    tell(&house, &sidecar, &mut chain, &[(&grant, told.clone()), (&whole, told)]).await;
    let all = house.admin.get("/v1/reports/access").await.expect(200);
    let find =
        |id: &Value| all["items"].as_array().unwrap().iter().find(|one| one["id"] == *id).unwrap().clone();
    let access = find(&grant);
    let done = [used("public.orders.qty", &["SELECT"]), used("public.sales.id", &["SELECT"])];
    assert_eq!(access["used_resources"], json!(done), "and nothing that it did not give");
    assert_eq!(access["unused_resources"], json!([used("public.sales.note", &["SELECT"])]));
    let access = find(&whole);
    assert_eq!((&access["used_resources"], &access["unused_resources"]), (&Value::Null, &Value::Null));
    let rules = house.admin.get("/v1/reports/rules").await.expect(200);
    let rule = &rules["items"][0];
    let touched = |at: usize| (&rule["resources"][at]["resource"], &rule["resources"][at]["touched"]);
    assert_eq!(touched(0), (&json!("public.orders"), &json!(1)));
    assert_eq!(touched(2), (&json!("public.sales.note"), &json!(0)));
    let first = json!({"repo": "sales", "resource": "public.orders.qty", "privilege": "SELECT", "grants": 1});
    assert_eq!((&rule["used_resources"][0], &rule["used_more"]), (&first, &json!(false)));
}

#[tokio::test]
async fn a_sidecar_tells_of_its_own_repos_and_in_good_order_or_its_word_changes_nothing() {
    let house = House::new().await.with_people().await;
    let grant = limited(&house, &["public.sales.id"]).await;
    let stranger = Sidecar::enrol(&house, "edge-2").await;
    stranger.hello(&["other"]).await;
    let told = json!({"resources": [used("public.sales.id", &["SELECT"])]});
    tell(&house, &stranger, &mut Chain::new("sidecar:edge-2:i-1"), &[(&grant, told)]).await;
    let start = json!({"id": "s_1", "grant": grant, "identity": "alice@example.com", "repo": "sales",
        "account": "app_ro", "client": "10.0.0.7:50412", "application": "psql",
        "started_at": house.plane.clock.now().as_millis()});
    let report = json!({"instance": "i-1", "all": false, "started": [start], "ended": []});
    stranger.wire.post("/v1/sidecar/sessions", report).await.expect(204);
    let sidecar = Sidecar::enrol(&house, "edge-1").await;
    sidecar.hello(&["sales"]).await;
    let odd = [
        (&grant, json!({"resources": "public.sales.id"})),
        (&grant, json!({"resources": [used("public", &["SELECT"])]})),
        (&grant, json!({"resources": [used("public.sales.id", &["DROP"])]})),
        (&json!("g_nobody"), json!({"resources": [used("public.sales.id", &["SELECT"])]})),
    ];
    tell(&house, &sidecar, &mut Chain::new("sidecar:edge-1:i-1"), &odd).await;
    let access = &house.admin.get("/v1/reports/access").await.expect(200)["items"][0];
    assert_eq!((&access["used"], &access["used_resources"]), (&json!(false), &json!([])));
    assert_eq!(house.admin.get("/v1/sessions").await.expect(200)["items"], json!([]));
}

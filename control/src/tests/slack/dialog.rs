//! The request dialog: it offers what rules allow, follows what is chosen, and says at the field what is wrong.

use serde_json::{Value, json};

use super::{ALICE, BOB, Floor};

#[tokio::test]
async fn the_dialog_offers_only_what_a_rule_lets_somebody_ask_for() {
    let floor = Floor::with_sales().await;
    floor.slack.command(ALICE, "request").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    assert_eq!(dialog.offers("repo", "").await, ["sales"]);
    assert_eq!(dialog.offers("account", "").await, ["app_ro"]);
    let offered = dialog.offers("resources", "").await;
    assert_eq!(
        offered,
        [
            "rule:sales",
            "public.orders",
            "public.orders.id",
            "public.orders.note",
            "public.sales",
            "public.sales.id",
            "public.sales.note"
        ]
    );
    assert_eq!(
        dialog.offers("resources", "note").await,
        ["public.orders", "public.orders.note", "public.sales", "public.sales.note"]
    );
    assert_eq!(dialog.offers("resources", "public.sales.i").await, ["public.sales", "public.sales.id"]);
    assert_eq!(dialog.offers("resources", "customers").await, Vec::<String>::new());
    assert!(!dialog.has("privileges") && !dialog.has("urgency"));
    assert_eq!(dialog.offers("duration", "").await.last().unwrap(), "8h");
    dialog.choose_all("resources", &["public.orders"]).await;
    assert!(
        dialog
            .text()
            .contains("The rule `sales` decides. Can approve: `bob@example.com`, `carol@example.com`."),
        "{}",
        dialog.text()
    );
    floor.slack.command(BOB, "request").await;
    let dialog = floor.slack.dialog(BOB).await;
    assert!(dialog.text().contains("No rule lets you ask for anything yet"), "{}", dialog.text());
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field() {
    let floor = Floor::with_sales().await;
    let rule = json!({
        "requesters": ["group:engineering"], "repos": ["sales"], "accounts": ["app_rw"], "resources": ["public.*"],
        "privileges": ["SELECT", "UPDATE"], "max_duration": "4h", "approvals": [{"from": ["group:dba"]}],
        "reason": {"required": true, "pattern": "^OPS-[0-9]+"},
    });
    floor.house.admin.put("/v1/rules/writers", rule).await.expect(201);
    floor.slack.command(ALICE, "request sales app_rw").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    assert_eq!(dialog.submit().await.values().next().unwrap(), "missing");
    dialog.choose_all("resources", &["public.sales", "public.orders.id"]).await;
    dialog.choose_all("privileges", &["SELECT", "UPDATE"]).await;
    dialog.choose("duration", "3h").await;
    dialog.write("reason", "please").await;
    assert!(dialog.submit().await["reason"].contains("OPS-"));
    dialog.write("reason", "OPS-7 please").await;
    dialog.at("start", 1_600_000_000).await;
    assert!(dialog.submit().await["start"].contains("has passed"));
    dialog.at("start", 1_795_003_600).await;
    assert!(dialog.submit().await.is_empty());
    let list = floor.house.admin.get("/v1/requests").await.expect(200);
    let filed = &list["items"][0];
    assert_eq!(filed["resources"].as_array().unwrap().len(), 2);
    assert_eq!(
        filed["resources"][1],
        json!({"resource": "public.sales", "privileges": ["SELECT", "UPDATE"]})
    );
    assert_eq!((&filed["duration"], &filed["identity"]), (&json!("3h"), &json!("alice@example.com")));
    assert!(filed["not_before"].is_string(), "{filed}");
}

#[tokio::test]
async fn a_rules_tables_can_be_asked_for_all_at_once() {
    let floor = Floor::with_sales().await;
    floor.slack.command(ALICE, "request sales app_ro").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    dialog.choose_all("resources", &["rule:sales"]).await;
    assert!(dialog.submit().await.is_empty());
    let list = floor.house.admin.get("/v1/requests").await.expect(200);
    let names: Vec<&Value> =
        list["items"][0]["resources"].as_array().unwrap().iter().map(|entry| &entry["resource"]).collect();
    assert_eq!(names, ["public.orders", "public.sales"]);
}

#[tokio::test]
async fn thousands_of_columns_are_found_by_typing() {
    let floor = Floor::with_sales().await;
    let columns: Vec<Value> =
        (0..3_000).map(|number| json!({"name": format!("c{number:04}"), "type": "integer"})).collect();
    let wide = json!({"schema": "public", "table": "sales", "kind": "table", "columns": columns});
    floor.catalog(&[wide]).await;
    floor.slack.command(ALICE, "request sales app_ro").await;
    let mut dialog = floor.slack.dialog(ALICE).await;
    assert_eq!(dialog.offers("resources", "").await.len(), 100);
    dialog.choose_all("resources", &["public.sales.c2999"]).await;
    assert!(dialog.submit().await.is_empty());
}

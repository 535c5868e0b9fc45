//! What sidecars find in the repos, and how it is looked up.

use serde_json::{Value, json};

use super::{House, sidecar::Sidecar};
use crate::domain::Permission;

fn table(schema: &str, table: &str) -> Value {
    let columns =
        json!([{"name": "id", "type": "integer"}, {"name": "note", "type": "character varying(20)"}]);
    json!({"schema": schema, "table": table, "kind": "table", "columns": columns})
}

fn report(after: Option<&str>, through: Option<&str>, tables: &[Value]) -> Value {
    json!({"repo": "sales", "after": after, "through": through, "tables": tables})
}

async fn tell(sidecar: &Sidecar, report: Value) {
    sidecar.wire.post("/v1/sidecar/resources", report).await.expect(204);
}

async fn names(house: &House, query: &str) -> Vec<String> {
    let list = house.admin.get(&format!("/v1/repos/sales/resources{query}")).await.expect(200);
    let name = |item: &Value| item["resource"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_repo_shows_what_a_sidecar_found_in_it() {
    let house = House::new().await;
    let (sidecar, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let none = house.admin.get("/v1/repos/sales").await.expect(200);
    assert_eq!((&none["resources"], &none["resources_next"]), (&json!([]), &Value::Null));
    let view = json!({"schema": "public", "table": "v", "kind": "materialized_view", "columns": []});
    tell(&sidecar, report(None, None, &[table("odd.schema", "t"), table("public", "sales"), view])).await;
    let shown = house.admin.get("/v1/repos/sales").await.expect(200);
    let found = shown["resources"].as_array().unwrap();
    assert_eq!(found[0]["resource"], "\"odd.schema\".t");
    assert_eq!(found[1]["columns"][1], json!({"name": "note", "type": "character varying(20)"}));
    assert_eq!((&found[1]["schema"], &found[1]["table"]), (&json!("public"), &json!("sales")));
    assert_eq!(found[2]["kind"], "materialized_view");
    assert_eq!(shown["engine"], "postgres");
}

#[tokio::test]
async fn a_report_replaces_its_own_stretch_and_nothing_else() {
    let house = House::new().await;
    let (sidecar, _feed) = Sidecar::serving(&house, "edge-1", &["sales", "other"]).await;
    tell(&sidecar, report(None, Some("public.m"), &[table("public", "a"), table("public", "m")])).await;
    tell(&sidecar, report(Some("public.m"), None, &[table("public", "n"), table("public", "z")])).await;
    assert_eq!(names(&house, "").await, ["public.a", "public.m", "public.n", "public.z"]);
    tell(&sidecar, report(Some("public.a"), Some("public.n"), &[table("public", "c")])).await;
    assert_eq!(names(&house, "").await, ["public.a", "public.c", "public.z"]);
    let elsewhere = json!({"repo": "other", "after": null, "through": null, "tables": []});
    tell(&sidecar, elsewhere).await;
    assert_eq!(names(&house, "").await.len(), 3);
    tell(&sidecar, report(None, None, &[])).await;
    assert!(names(&house, "").await.is_empty());
}

#[tokio::test]
async fn a_list_of_resources_comes_in_pages() {
    let house = House::new().await;
    let (sidecar, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    for part in ["a", "b"] {
        let tables: Vec<Value> =
            (0..600).map(|number| table("public", &format!("{part}{number:03}"))).collect();
        let (after, through) = (Some("public.a599"), None);
        let (after, through) = if part == "a" { (None, after) } else { (after, through) };
        tell(&sidecar, report(after, through, &tables)).await;
    }
    let shown = house.admin.get("/v1/repos/sales").await.expect(200);
    assert_eq!(shown["resources"].as_array().unwrap().len(), 1_000);
    assert_eq!(shown["resources_next"], "public.b399");
    let (mut path, mut seen) = ("/v1/repos/sales/resources?limit=500".to_owned(), Vec::new());
    loop {
        let page = house.admin.get(&path).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["table"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/repos/sales/resources?limit=500&after={next}");
    }
    assert_eq!(seen.len(), 1_200);
    assert!(seen.is_sorted_by_key(|table| table.as_str().unwrap().to_owned()));
    assert_eq!(house.admin.get("/v1/repos/sales/resources?limit=0").await.problem(400), "malformed");
}

#[tokio::test]
async fn a_name_is_completed_up_to_its_columns() {
    let house = House::new().await;
    let (sidecar, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let all = [
        ("hr", "staff"),
        ("odd.schema", "t"),
        ("public", "sale%"),
        ("public", "sales"),
        ("public", "sales_old"),
    ];
    let mut tables: Vec<Value> = all.iter().map(|(schema, name)| table(schema, name)).collect();
    tables.sort_by_key(|table| table["schema"] != "odd.schema");
    tell(&sidecar, report(None, None, &tables)).await;
    for (prefix, expected) in [
        ("public.", vec!["public.sale%", "public.sales", "public.sales_old"]),
        ("public.sales", vec!["public.sales", "public.sales_old"]),
        ("public.sales.", vec!["public.sales"]),
        ("public.sales.no", vec!["public.sales"]),
        ("public.sale%25", vec!["public.sale%"]),
        ("public.SALES", vec![]),
        ("h", vec!["hr.staff"]),
        ("%22odd", vec!["\"odd.schema\".t"]),
        ("%22odd.schema%22.t.i", vec!["\"odd.schema\".t"]),
        ("nowhere.at.all", vec![]),
    ] {
        assert_eq!(names(&house, &format!("?prefix={prefix}")).await, expected, "{prefix}");
    }
}

#[tokio::test]
async fn what_is_not_in_its_place_is_refused() {
    let house = House::new().await;
    let (sidecar, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let [a, b] = ["a", "b"].map(|name| table("public", name));
    let many: Vec<Value> = (0..1_001).map(|number| table("public", &format!("t{number:04}"))).collect();
    for bad in [
        report(None, None, &[b.clone(), a.clone()]),
        report(None, None, &[a.clone(), a.clone()]),
        report(Some("public.a"), None, std::slice::from_ref(&a)),
        report(None, Some("public.a"), std::slice::from_ref(&b)),
        report(None, None, &many),
    ] {
        assert_eq!(sidecar.wire.post("/v1/sidecar/resources", bad).await.problem(422), "invalid");
    }
    assert!(names(&house, "").await.is_empty());
}

#[tokio::test]
async fn a_sidecar_speaks_of_its_own_repos_only() {
    let house = House::new().await;
    let (_one, _feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let (two, _feed) = Sidecar::serving(&house, "edge-2", &["other"]).await;
    let report = report(None, None, &[table("public", "a")]);
    assert_eq!(two.wire.post("/v1/sidecar/resources", report).await.problem(403), "forbidden");
    assert_eq!(house.admin.get("/v1/repos/nowhere/resources").await.problem(404), "not-found");
    let stranger = house.client("stranger", &[Permission::AccessRequest]).await;
    assert_eq!(stranger.get("/v1/repos/sales/resources").await.problem(403), "missing-permission");
}

//! Sidecars as a fleet: what each may claim, and draining one.

use postern_protocol::gate::{Change, Drain};
use serde_json::{Value, json};

use super::{Answer, House, sidecar::Sidecar};

/// What a sidecar says that serves one repo.
async fn claims(sidecar: &Sidecar, repo: &str, engine: &str, database: Option<&str>) -> Answer {
    let served = json!({"name": repo, "engine": engine, "database": database, "listen": "127.0.0.1:1", "accounts": []});
    let hello = json!({"name": sidecar.name, "instance": "i-9", "version": "0.1.0", "repos": [served]});
    sidecar.wire.post("/v1/sidecar/hello", hello).await
}

async fn shown(house: &House, name: &str) -> Value {
    house.admin.get(&format!("/v1/sidecars/{name}")).await.expect(200)
}

#[tokio::test]
async fn a_repo_is_the_same_at_every_sidecar_or_the_later_claim_is_refused() {
    let house = House::new().await;
    let (first, second) = (Sidecar::enrol(&house, "edge-1").await, Sidecar::enrol(&house, "edge-2").await);
    claims(&first, "sales", "postgres", Some("sales")).await.expect(200);
    for (engine, database) in [("mysql", None), ("postgres", Some("other"))] {
        assert_eq!(claims(&second, "sales", engine, database).await.problem(403), "forbidden");
        claims(&second, "sales", engine, database).await.problem(403);
    }
    let turned_away = shown(&house, "edge-2").await;
    assert_eq!(turned_away["state"], "refused");
    assert!(turned_away["refused"].as_str().unwrap().contains("edge-1"), "{turned_away:#}");
    let repo = house.admin.get("/v1/repos/sales").await.expect(200);
    assert_eq!((&repo["engine"], &repo["database"]), (&json!("postgres"), &json!("sales")));
    let trail = house.admin.get("/v1/audit?kind=sidecar.refused").await.expect(200);
    assert_eq!(trail["items"].as_array().unwrap().len(), 2, "each claim once: {trail:#}");
    claims(&second, "sales", "postgres", Some("sales")).await.expect(200);
    assert_eq!(shown(&house, "edge-2").await["refused"], Value::Null);
    house.admin.delete("/v1/sidecars/edge-2").await.expect(204);
    claims(&first, "sales", "mysql", None).await.expect(200);
}

#[tokio::test]
async fn a_token_for_certain_repos_is_good_for_those_alone() {
    let house = House::new().await;
    let made = json!({"name": "edge-1", "repos": ["sales"]});
    let made = house.admin.post("/v1/sidecars", made).await.expect(201);
    assert_eq!(made["bound_to"], json!(["sales"]));
    let token = made["token"].as_str().unwrap();
    let sidecar = Sidecar::with_token(&house, "edge-1", token);
    assert_eq!(claims(&sidecar, "hr", "postgres", Some("hr")).await.problem(403), "forbidden");
    assert_eq!(house.admin.get("/v1/repos/hr").await.problem(404), "not-found");
    claims(&sidecar, "sales", "postgres", Some("sales")).await.expect(200);
    let none = json!({"name": "edge-2", "repos": []});
    assert_eq!(house.admin.post("/v1/sidecars", none).await.problem(422), "invalid");
}

#[tokio::test]
async fn a_drained_sidecar_is_told_at_once_and_again_when_it_comes_back() {
    let house = House::new().await;
    let (sidecar, mut feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    assert_eq!(shown(&house, "edge-1").await["state"], "connected");
    let order = json!({"within": "30m", "reason": "new kernel"});
    let call = house.admin.post("/v1/sidecars/edge-1/drain", order);
    let heard = async {
        let (position, changes) = feed.changes().await;
        sidecar.ack(position, false).await;
        changes
    };
    let (answer, changes) = tokio::join!(call, heard);
    let answer = answer.expect(200);
    assert_eq!((&answer["state"], &answer["draining"]["reason"]), (&json!("draining"), &json!("new kernel")));
    let [Change::Drain(Some(Drain { until: Some(_), by, reason }))] = &*changes else {
        panic!("{changes:?}")
    };
    assert_eq!((by.starts_with("client:admin"), reason.as_str()), (true, "new kernel"));
    drop(feed);
    let again = sidecar.feed(None).await.snapshot().await;
    assert_eq!(again.drain.map(|drain| drain.reason).as_deref(), Some("new kernel"));
    house.admin.post("/v1/sidecars/edge-1/drain", json!({"undo": true})).await.expect(200);
    assert_eq!(sidecar.feed(None).await.snapshot().await.drain, None);
    let mixed = json!({"undo": true, "within": "1h"});
    assert_eq!(house.admin.post("/v1/sidecars/edge-1/drain", mixed).await.problem(422), "invalid");
    assert_eq!(house.admin.post("/v1/sidecars/nobody/drain", json!({})).await.problem(404), "not-found");
}

#[tokio::test]
async fn a_sidecar_that_is_silent_shows_as_stale() {
    let house = House::new().await;
    assert_eq!(house.admin.post("/v1/sidecars", json!({"name": "edge-0"})).await.expect(201)["state"], "new");
    let (_sidecar, feed) = Sidecar::serving(&house, "edge-1", &["sales"]).await;
    let view = shown(&house, "edge-1").await;
    assert_eq!((&view["state"], &view["behind"]), (&json!("connected"), &json!(0)));
    house.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(shown(&house, "edge-1").await["state"], "stale");
    drop(feed);
}

//! Old audit records are put away, and what is left still verifies.

use std::time::Duration;

use postern_protocol::duration::Span;
use postern_service::audit::{Record, Verifier};
use serde_json::json;

use super::{House, alices};
use crate::{actions::audit, domain::Permission};

const KEEP: Span = Span::from_secs(30 * 86_400);

#[tokio::test]
async fn what_is_left_verifies_from_where_it_was_cut() {
    let house = House::new().await.with_people().await;
    house.filed().await;
    audit::prune(&house.plane, KEEP).await.unwrap();
    let before = house.admin.get("/v1/audit?limit=1000").await.expect(200);
    let old = before["items"].as_array().unwrap().len();
    assert!(old > 5, "nothing is old yet, and nothing is put away");
    house.clock.advance(Duration::from_hours(31 * 24));
    let admin = house.client("later", &Permission::ALL).await;
    admin.post("/v1/requests", alices("1h")).await.expect(201);
    audit::prune(&house.plane, KEEP).await.unwrap();
    audit::prune(&house.plane, KEEP).await.unwrap();
    let page = admin.get("/v1/audit?limit=1000").await.expect(200);
    let records: Vec<Record> = serde_json::from_value(page["items"].clone()).unwrap();
    let kinds: Vec<&str> = records.iter().map(|record| record.kind.as_str()).collect();
    assert_eq!(kinds, ["api_client.created", "request.created", "audit.pruned"]);
    let heads = admin.get("/v1/audit/heads").await.expect(200);
    let (head, cut) = (&heads["items"][0], &heads["items"][0]["cut"]);
    assert_eq!(cut["count"], old);
    assert_eq!(records[2].detail["chains"]["control"], *cut);
    let mut verifier = Verifier::after(cut["count"].as_u64().unwrap(), cut["hash"].as_str().unwrap());
    for record in &records {
        verifier.check(record).unwrap();
    }
    let (count, hash) = verifier.head();
    assert_eq!((&head["count"], &head["hash"]), (&json!(count), &json!(hash)));
}

#[tokio::test]
async fn a_reader_of_events_that_were_put_away_is_told_so() {
    let house = House::new().await.with_people().await;
    house.clock.advance(Duration::from_hours(31 * 24));
    let admin = house.client("later", &Permission::ALL).await;
    audit::prune(&house.plane, KEEP).await.unwrap();
    assert_eq!(admin.get("/v1/events?after=1").await.problem(410), "events-gone");
}

#[tokio::test]
async fn a_chain_whose_records_are_all_old_goes_on_where_it_was() {
    let house = House::new().await;
    let sidecar = super::sidecar::Sidecar::enrol(&house, "edge-1").await;
    let records = super::audit::records("sidecar:edge-1:i-1", 5);
    sidecar.wire.post("/v1/sidecar/audit", json!({"records": records[..4]})).await.expect(204);
    // A sidecar's record is as old as the control plane's own that came in behind it.
    house.client("between", &[]).await;
    house.clock.advance(Duration::from_hours(31 * 24));
    let admin = house.client("later", &Permission::ALL).await;
    audit::prune(&house.plane, KEEP).await.unwrap();
    let left = admin.get("/v1/audit?chain=sidecar:edge-1:i-1").await.expect(200);
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    sidecar.wire.post("/v1/sidecar/audit", json!({"records": records[3..]})).await.expect(204);
    let left = admin.get("/v1/audit?chain=sidecar:edge-1:i-1").await.expect(200);
    assert_eq!(left["items"].as_array().unwrap().len(), 2);
}

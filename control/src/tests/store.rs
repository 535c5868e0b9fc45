//! What every store must do, whatever database is behind it.

use std::sync::Arc;

use postern_service::audit::{Chain, Event};
use serde_json::{Value, json};

use super::ground::Ground;
use crate::domain::Moment;
use crate::store::{
    AuditFilter, Columns, Filter, LogReach, Order, ResourceFilter, ResourceRow, SqliteStore, Store,
    StoreError, Table,
};

/// Every store that there is passes the same tests.
macro_rules! on_every_store {
    ($($test:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let ground = super::Ground::sqlite();
                super::$test(ground.open().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                let ground = super::Ground::postgres().await;
                super::$test(ground.open().await).await;
            })*
        }
    };
}

on_every_store! {
    what_is_not_committed_is_not_there,
    a_reader_sees_one_moment,
    records_are_found_by_their_columns,
    a_record_that_is_replaced_keeps_its_place,
    a_second_key_belongs_to_one_record,
    positions_are_given_in_the_order_of_commits_without_reuse,
    audit_records_come_back_as_they_were_and_chains_have_heads,
    resources_are_found_by_how_their_names_begin_and_replaced_by_stretches,
    after_a_step_that_failed_nothing_lasts,
    who_is_on_a_list_is_found_by_name_and_by_every_group,
}

async fn put(store: &Arc<dyn Store>, id: &str, columns: Columns<'_>) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    tx.put(Table::Grants, id, columns, format!("\"{id}\"")).await?;
    tx.commit().await
}

async fn ids(store: &Arc<dyn Store>, filter: Filter) -> Vec<String> {
    let mut tx = store.read().await.unwrap();
    tx.find(Table::Grants, &filter).await.unwrap().into_iter().map(|row| row.body.replace('"', "")).collect()
}

async fn what_is_not_committed_is_not_there(store: Arc<dyn Store>) {
    let mut tx = store.write().await.unwrap();
    tx.put(Table::Grants, "a", Columns::default(), "1".to_owned()).await.unwrap();
    tx.append_log(Moment::default(), "[]".to_owned()).await.unwrap();
    drop(tx);
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.get(Table::Grants, "a").await.unwrap(), None);
    assert_eq!(tx.log_reach().await.unwrap(), LogReach::default());
}

async fn a_reader_sees_one_moment(store: Arc<dyn Store>) {
    put(&store, "a", Columns::default()).await.unwrap();
    let mut reader = store.read().await.unwrap();
    assert!(reader.get(Table::Grants, "a").await.unwrap().is_some());
    put(&store, "b", Columns::default()).await.unwrap();
    assert_eq!(reader.get(Table::Grants, "b").await.unwrap(), None);
    assert!(store.read().await.unwrap().get(Table::Grants, "b").await.unwrap().is_some());
}

async fn records_are_found_by_their_columns(store: Arc<dyn Store>) {
    let at = |millis| Some(Moment::from_millis(millis));
    let columns = |identity, state, due| Columns {
        identity: Some(identity),
        state: Some(state),
        due,
        ..Columns::default()
    };
    put(&store, "a", columns("alice", "ACTIVE", at(10))).await.unwrap();
    put(&store, "b", columns("bob", "ACTIVE", at(20))).await.unwrap();
    put(&store, "c", columns("alice", "REVOKED", at(30))).await.unwrap();
    let alice = || Filter { identity: Some("alice".to_owned()), ..Filter::default() };
    assert_eq!(ids(&store, alice()).await, ["c", "a"]);
    assert_eq!(ids(&store, Filter { order: Order::Oldest, ..alice() }).await, ["a", "c"]);
    assert_eq!(ids(&store, Filter { states: vec!["ACTIVE"], ..alice() }).await, ["a"]);
    assert_eq!(ids(&store, Filter { states: vec!["ACTIVE", "REVOKED"], ..alice() }).await, ["c", "a"]);
    assert_eq!(ids(&store, Filter { due_by: at(20), ..Filter::default() }).await, ["b", "a"]);
    assert_eq!(ids(&store, Filter { due_after: at(20), ..Filter::default() }).await, ["c"]);
    assert_eq!(ids(&store, Filter { limit: Some(1), ..Filter::default() }).await, ["c"]);
    assert_eq!(ids(&store, Filter { order: Order::Due, ..Filter::default() }).await, ["a", "b", "c"]);
    let named = Some(vec!["c".to_owned(), "a".to_owned(), "z".to_owned()]);
    assert_eq!(ids(&store, Filter { ids: named, ..Filter::default() }).await, ["c", "a"]);
    assert!(ids(&store, Filter { keyed: true, ..Filter::default() }).await.is_empty());
    assert_eq!(store.read().await.unwrap().count(Table::Grants, "ACTIVE").await.unwrap(), 2);
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.delete_due(Table::Grants, Moment::from_millis(10)).await.unwrap(), 1);
    assert!(tx.delete(Table::Grants, "b").await.unwrap());
    assert!(!tx.delete(Table::Grants, "b").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(ids(&store, Filter::default()).await, ["c"]);
}

async fn a_record_that_is_replaced_keeps_its_place(store: Arc<dyn Store>) {
    for id in ["a", "b", "a"] {
        put(&store, id, Columns::default()).await.unwrap();
    }
    assert_eq!(ids(&store, Filter { order: Order::Oldest, ..Filter::default() }).await, ["a", "b"]);
}

async fn a_second_key_belongs_to_one_record(store: Arc<dyn Store>) {
    let named = Columns { lookup: Some("name"), ..Columns::default() };
    put(&store, "0", Columns::default()).await.unwrap();
    put(&store, "a", named).await.unwrap();
    assert_eq!(ids(&store, Filter { keyed: true, ..Filter::default() }).await, ["a"]);
    put(&store, "a", named).await.unwrap();
    assert!(matches!(put(&store, "b", named).await, Err(StoreError::Taken)));
}

async fn positions_are_given_in_the_order_of_commits_without_reuse(store: Arc<dyn Store>) {
    let writers = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            let position = tx.append_log(Moment::from_millis(5), "[]".to_owned()).await.unwrap();
            tx.commit().await.unwrap();
            let mut tx = store.read().await.unwrap();
            // Whoever sees a position sees every earlier one.
            assert!(tx.log_after(0, 100).await.unwrap().len() as u64 >= position);
        })
    });
    for writer in futures_util::future::join_all(writers).await {
        writer.unwrap();
    }
    let mut tx = store.write().await.unwrap();
    tx.prune_log(Moment::from_millis(6)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.read().await.unwrap().log_reach().await.unwrap(), LogReach { pruned: 20, newest: 20 });
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.append_log(Moment::from_millis(7), "[]".to_owned()).await.unwrap(), 21);
    tx.commit().await.unwrap();
    assert_eq!(store.read().await.unwrap().log_after(20, 10).await.unwrap().len(), 1);
}

async fn audit_records_come_back_as_they_were_and_chains_have_heads(store: Arc<dyn Store>) {
    let mut chain = Chain::new("control");
    let records: Vec<_> = (0..3)
        .map(|n| {
            chain.append(jiff::Timestamp::from_second(n).unwrap(), Event::new("test.event").with("n", n))
        })
        .collect();
    let mut tx = store.write().await.unwrap();
    tx.append_audit(&records).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read().await.unwrap();
    let all = tx.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).await.unwrap();
    assert_eq!(all.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>(), records);
    let since = AuditFilter { since: Some(Moment::from_millis(1_000)), limit: 1, ..AuditFilter::default() };
    assert_eq!(tx.audit(&since).await.unwrap()[0].1, records[1]);
    assert_eq!(tx.audit_last("control").await.unwrap().as_ref(), records.last());
    assert_eq!(tx.audit_last("other").await.unwrap(), None);
    let heads = tx.audit_heads().await.unwrap();
    assert_eq!((heads[0].count, &heads[0].hash), (3, &records[2].hash));
    drop(tx);
    let mut tx = store.write().await.unwrap();
    assert!(tx.append_audit(&records[..1]).await.is_err());
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::sqlite();
    let _store = ground.open().await;
    for file in std::fs::read_dir(ground.folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

#[tokio::test]
async fn a_new_file_can_be_opened_by_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.db");
    let opening = (0..8).map(|_| {
        let file = file.clone();
        tokio::spawn(async move { SqliteStore::open(&file).await.map(drop) })
    });
    for opened in futures_util::future::join_all(opening).await {
        opened.unwrap().unwrap();
    }
}

async fn resources_are_found_by_how_their_names_begin_and_replaced_by_stretches(store: Arc<dyn Store>) {
    let row = |name: &str| ResourceRow { name: name.to_owned(), body: "{}".to_owned() };
    let of = |repo: &str| ResourceFilter { repo: repo.to_owned(), ..ResourceFilter::default() };
    let mut tx = store.write().await.unwrap();
    let all = ["a.é", "a.é1", "a.f", "b.x"].map(row);
    let all = [all[2].clone(), all[0].clone(), all[1].clone(), all[3].clone()];
    tx.replace_resources(&of("one"), &all).await.unwrap();
    tx.replace_resources(&of("two"), &all[..1]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.resources(&of("one")).await.unwrap(), all);
    let filter = |after: Option<&str>, prefix: Option<&str>, limit| ResourceFilter {
        after: after.map(str::to_owned),
        prefix: prefix.map(str::to_owned),
        limit,
        ..of("one")
    };
    assert_eq!(tx.resources(&filter(None, Some("a.é"), None)).await.unwrap(), all[1..3]);
    assert_eq!(tx.resources(&filter(Some("a.f"), None, Some(2))).await.unwrap(), all[1..3]);
    let stretch =
        ResourceFilter { after: Some("a.f".to_owned()), through: Some("a.é1".to_owned()), ..of("one") };
    tx.replace_resources(&stretch, &[]).await.unwrap();
    assert_eq!(tx.resources(&of("one")).await.unwrap(), [all[0].clone(), all[3].clone()]);
    assert_eq!(tx.resources(&of("two")).await.unwrap().len(), 1);
}

async fn after_a_step_that_failed_nothing_lasts(store: Arc<dyn Store>) {
    let named = Columns { lookup: Some("name"), ..Columns::default() };
    put(&store, "a", named).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.put(Table::Grants, "b", Columns::default(), "1".to_owned()).await.unwrap();
    assert!(matches!(tx.put(Table::Grants, "c", named, "1".to_owned()).await, Err(StoreError::Taken)));
    assert!(tx.commit().await.is_err());
    assert_eq!(ids(&store, Filter::default()).await, ["a"]);
}

async fn who_is_on_a_list_is_found_by_name_and_by_every_group(store: Arc<dyn Store>) {
    let write = async |name: &str, groups: Value| {
        let mut tx = store.write().await.unwrap();
        tx.put(Table::Identities, name, Columns::default(), groups.to_string()).await.unwrap();
        let own = Columns { identity: Some(name), ..Columns::default() };
        tx.put(Table::SlackLinks, &format!("T1/{name}"), own, format!("\"{name}\"")).await.unwrap();
        tx.commit().await.unwrap();
    };
    let listed = async |list: &[&str]| -> Vec<String> {
        let listed = Some(list.iter().map(|entry| (*entry).to_owned()).collect());
        let filter = Filter { listed, order: Order::Oldest, ..Filter::default() };
        let mut tx = store.read().await.unwrap();
        let links = tx.find(Table::SlackLinks, &filter).await.unwrap();
        let people = tx.find(Table::Identities, &filter).await.unwrap();
        assert_eq!(links.len(), people.len());
        links.into_iter().map(|row| row.body.replace('"', "")).collect()
    };
    write("alice", json!({"groups": ["dba", "it's"], "provisioned": ["dba"]})).await;
    write("bob", json!({"groups": [], "claimed": ["dba"]})).await;
    write("carol", json!({"groups": []})).await;
    assert_eq!(listed(&["group:dba"]).await, ["alice", "bob"]);
    assert_eq!(listed(&["group:it's", "carol"]).await, ["alice", "carol"]);
    assert_eq!(listed(&["*"]).await, ["alice", "bob", "carol"]);
    assert_eq!(listed(&["dba", "group:alice"]).await, Vec::<String>::new());
    assert_eq!(listed(&[]).await, Vec::<String>::new());
    write("alice", json!({"groups": ["sre"], "provisioned": ["dba"]})).await;
    write("bob", json!({"groups": []})).await;
    assert_eq!(listed(&["group:dba"]).await, ["alice"]);
    assert_eq!(listed(&["group:it's"]).await, Vec::<String>::new());
    let mut tx = store.write().await.unwrap();
    for table in [(Table::Identities, "alice"), (Table::SlackLinks, "T1/alice")] {
        assert!(tx.delete(table.0, table.1).await.unwrap());
    }
    tx.commit().await.unwrap();
    assert_eq!(listed(&["group:dba", "group:sre"]).await, Vec::<String>::new());
}

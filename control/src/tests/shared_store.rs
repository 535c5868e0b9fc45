//! A store on a server: what becomes of it when the server, or the way to it, is away for a while.

use std::{net::Ipv4Addr, sync::Arc};

use postern_tests::{cut::Wire, wait::until};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::ground::{Ground, postgres_at};
use crate::store::{Columns, Store, StoreError, Table};

async fn put(store: &Arc<dyn Store>, id: &str) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    tx.put(Table::Grants, id, Columns::default(), "1".to_owned()).await?;
    tx.commit().await
}

async fn has(store: &Arc<dyn Store>, id: &str) -> bool {
    store.read().await.unwrap().get(Table::Grants, id).await.unwrap().is_some()
}

/// Cuts every connection, and returns when they are cut.
async fn cut(wire: &Wire) {
    wire.sever();
    let mut late = TcpStream::connect((Ipv4Addr::LOCALHOST, wire.port())).await.unwrap();
    assert!(matches!(late.read(&mut [0]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_server_that_was_started_again_is_used_again() {
    let mut ground = Ground::postgres().await;
    let store = ground.open().await;
    put(&store, "before").await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.put(Table::Grants, "cut", Columns::default(), "1".to_owned()).await.unwrap();
    let server = ground.server.as_mut().unwrap();
    server.stop();
    assert!(matches!(tx.get(Table::Grants, "cut").await, Err(StoreError::Unavailable(_))));
    drop(tx);
    server.restart().await;
    put(&store, "after").await.unwrap();
    assert!(has(&store, "before").await && has(&store, "after").await && !has(&store, "cut").await);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_asked_about() {
    let ground = Ground::postgres().await;
    let server = ground.server.as_ref().unwrap();
    let wire = Wire::to(server.port()).await;
    let store = postgres_at(wire.port()).open().await.unwrap();
    let admin = server.admin().await;
    // The server makes it last, and answers when a standby has it as well.
    admin.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    until("the setting to hold", async || {
        let row = server.admin().await.query_one("show synchronous_standby_names", &[]).await.unwrap();
        row.get::<_, String>(0) == "nobody"
    })
    .await;
    let mut tx = store.write().await.unwrap();
    tx.put(Table::Grants, "a", Columns::default(), "1".to_owned()).await.unwrap();
    let commit = tokio::spawn(tx.commit());
    until("the commit to wait", async || server.backends("wait_event = 'SyncRep'").await == 1).await;
    cut(&wire).await;
    wire.heal();
    admin.batch_execute("alter system reset synchronous_standby_names").await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    commit.await.unwrap().unwrap();
    assert!(has(&store, "a").await);
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_reported_as_not_done() {
    let ground = Ground::postgres().await;
    let wire = Wire::to(ground.server.as_ref().unwrap().port()).await;
    let store = postgres_at(wire.port()).open().await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.put(Table::Grants, "a", Columns::default(), "1".to_owned()).await.unwrap();
    wire.freeze();
    let commit = tokio::spawn(tx.commit());
    tokio::task::yield_now().await;
    cut(&wire).await;
    wire.heal();
    assert!(matches!(commit.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert!(!has(&store, "a").await);
}

#[tokio::test]
async fn a_control_plane_that_is_cut_off_in_the_middle_of_a_change_stops_the_others_for_a_moment_only() {
    let ground = Ground::postgres().await;
    let wire = Wire::to(ground.server.as_ref().unwrap().port()).await;
    let (cut_off, other) = (postgres_at(wire.port()).open().await.unwrap(), ground.open().await);
    let mut tx = cut_off.write().await.unwrap();
    tx.put(Table::Grants, "lost", Columns::default(), "1".to_owned()).await.unwrap();
    wire.freeze();
    put(&other, "a").await.unwrap();
    wire.heal();
    assert!(tx.commit().await.is_err());
    assert!(has(&other, "a").await && !has(&other, "lost").await);
}

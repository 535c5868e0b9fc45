//! Another user in the middle of a connection: what the one before held is free, and what is said around the change is
//! answered as the server would.

use postern_tests::{
    mysql::{
        limits::{lay, resources},
        prepared::change_user,
        server::{Mysql, Version},
        stage::{Stage, Wish},
        wire::{Raw, STMT_CLOSE, command, query},
    },
    stage::Access,
};

on_both! {
    nothing_that_the_user_before_held_stands_in_the_way_of_the_next
    what_is_said_before_the_change_is_answered_and_nothing_can_be_said_behind_it
}

/// Whole access to the sample data, and access to a part of it.
async fn both_kinds(version: Version) -> Option<(Stage, [Access; 2])> {
    let mysql = Mysql::start(version).await?;
    lay(&mysql);
    let stage = Stage::around(mysql, Wish { tls: true, ..Wish::default() }).await;
    let accesses = [stage.access("app_rw", "1h").await, stage.limited("root", &resources()).await];
    Some((stage, accesses))
}

async fn nothing_that_the_user_before_held_stands_in_the_way_of_the_next(version: Version) {
    let Some((stage, [access, _])) = both_kinds(version).await else { return };
    let login = stage.login(&access);
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let greeting = raw.log_in(&login).await.unwrap();
    raw.run("create table many (id int auto_increment primary key, name varchar(200))").await;
    raw.run("insert into many (name) values (repeat('x', 200))").await;
    for _ in 0..15 {
        raw.run("insert into many (name) select name from many").await;
    }
    raw.run("begin; update many set name = ''; do get_lock('mine', 0)").await;
    raw.change_user(&login, &greeting).await.unwrap();
    raw.run("select id from many where id = 1 for update nowait").await;
    assert_eq!(raw.value("select get_lock('mine', 0)").await, "1");
}

async fn what_is_said_before_the_change_is_answered_and_nothing_can_be_said_behind_it(version: Version) {
    let Some((stage, accesses)) = both_kinds(version).await else { return };
    for access in &accesses {
        let login = stage.login(access);
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        let greeting = raw.log_in(&login).await.unwrap();
        let change = change_user(&login, &greeting);
        let (prepared, _) = raw.prepare("select 1").await.unwrap();
        raw.send(&[command(STMT_CLOSE, &prepared.id.to_le_bytes()), change.clone()].concat()).await;
        raw.be_admitted(&login, &greeting).await.unwrap();
        raw.send(&[query("select sku from shop.sales"), change.clone()].concat()).await;
        assert!(raw.response().await.len() > 3);
        raw.be_admitted(&login, &greeting).await.unwrap();
        assert_eq!(raw.value("select count(id) from shop.sales").await, "5");
        raw.send(&[change, query("select sku from shop.sales")].concat()).await;
        assert_eq!(raw.last_error().await.map(|error| error.code), Some(1156));
    }
}

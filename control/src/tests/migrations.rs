//! Tables of every version are brought up to date, and those of a newer one are left alone.

use std::collections::BTreeSet;

use sqlx::{
    Connection, PgConnection, SqliteConnection, migrate::Migrator, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};

use super::ground::Ground;
use crate::store::{
    Columns, Filter, POSTGRES_MIGRATIONS, Place, SQLITE_MIGRATIONS, Store, StoreError, Table,
};

async fn file(place: &Place) -> SqliteConnection {
    let Place::Sqlite(file) = place else { panic!("this is a file") };
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn server(place: &Place) -> &PgConnectOptions {
    let Place::Postgres(options) = place else { panic!("this is a server") };
    options
}

fn last(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap()
}

async fn keeps_every_kind(store: &dyn Store) {
    let mut tx = store.write().await.unwrap();
    for table in Table::ALL {
        tx.put(table, "a", Columns::default(), "\"a\"".to_owned()).await.unwrap();
        assert_eq!(tx.get(table, "a").await.unwrap().as_deref(), Some("\"a\""), "{table:?}");
    }
    tx.commit().await.unwrap();
}

async fn refuses_a_newer_version(ground: &Ground) {
    let error = ground.place().open().await.err().unwrap();
    assert!(matches!(error, StoreError::Newer(9_999)), "{error}");
    assert!(error.to_string().contains("a newer version of Postern"), "{error}");
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_indexes() {
    let (one, other) = (Ground::sqlite(), Ground::postgres().await);
    let _stores = (one.open().await, other.open().await);
    let of_file = "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite%' \
                   AND name NOT LIKE '\\_sqlx%' ESCAPE '\\'";
    let of_server = "SELECT relname::text FROM pg_class LEFT JOIN pg_constraint ON conindid = pg_class.oid \
                     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') AND contype IS NULL \
                     AND relname NOT LIKE '\\_sqlx%'";
    let in_file: Vec<String> =
        sqlx::query_scalar(of_file).fetch_all(&mut file(one.place()).await).await.unwrap();
    let mut server = PgConnection::connect_with(server(other.place())).await.unwrap();
    let on_server: Vec<String> = sqlx::query_scalar(of_server).fetch_all(&mut server).await.unwrap();
    let sorted = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sorted(in_file), sorted(on_server));
}

const FROM_THE_FUTURE: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                               SELECT 9999, description, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";

#[tokio::test]
async fn a_file_of_any_earlier_version_is_brought_up_to_date() {
    for version in 0..=last(&SQLITE_MIGRATIONS) {
        let ground = Ground::sqlite();
        SQLITE_MIGRATIONS.run_to(version, &mut file(ground.place()).await).await.unwrap();
        keeps_every_kind(&*ground.open().await).await;
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let ground = Ground::sqlite();
    drop(ground.open().await);
    sqlx::query(FROM_THE_FUTURE).execute(&mut file(ground.place()).await).await.unwrap();
    refuses_a_newer_version(&ground).await;
}

#[tokio::test]
async fn a_database_of_any_earlier_version_is_brought_up_to_date_and_one_of_a_newer_version_is_refused() {
    let ground = Ground::postgres().await;
    let options = server(ground.place());
    for version in 0..=last(&POSTGRES_MIGRATIONS) {
        let mut connection = PgConnection::connect_with(options).await.unwrap();
        sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .execute(&mut connection)
            .await
            .unwrap();
        POSTGRES_MIGRATIONS.run_to(version, &mut connection).await.unwrap();
        keeps_every_kind(&*ground.open().await).await;
    }
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    sqlx::query(FROM_THE_FUTURE).execute(&mut connection).await.unwrap();
    refuses_a_newer_version(&ground).await;
}

#[tokio::test]
async fn whoever_was_there_before_there_was_an_index_of_groups_is_in_it() {
    const ALICE: &str =
        "INSERT INTO identities (id, body) VALUES ('alice', '{\"groups\":[],\"claimed\":[\"dba\"]}')";
    let (one, other) = (Ground::sqlite(), Ground::postgres().await);
    let before = |migrations: &Migrator| {
        migrations.iter().map(|step| step.version).filter(|step| *step < 45).max().unwrap()
    };
    let mut on_file = file(one.place()).await;
    SQLITE_MIGRATIONS.run_to(before(&SQLITE_MIGRATIONS), &mut on_file).await.unwrap();
    sqlx::query(ALICE).execute(&mut on_file).await.unwrap();
    let mut on_server = PgConnection::connect_with(server(other.place())).await.unwrap();
    POSTGRES_MIGRATIONS.run_to(before(&POSTGRES_MIGRATIONS), &mut on_server).await.unwrap();
    sqlx::query(ALICE).execute(&mut on_server).await.unwrap();
    for store in [one.open().await, other.open().await] {
        let listed = Some(vec!["group:dba".to_owned()]);
        let mut tx = store.read().await.unwrap();
        assert_eq!(
            tx.find(Table::Identities, &Filter { listed, ..Filter::default() }).await.unwrap().len(),
            1
        );
    }
}

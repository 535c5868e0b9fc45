//! Drivers for MySQL in Rust: each does the same directly and through the gate, over TLS, and must see the same.

use mysql_async::{Conn, OptsBuilder, SslOpts, TxOpts, Value, prelude::Queryable};
use postern_tests::mysql::{
    accounts::DATABASE,
    server::BOTH,
    stage::{Stage, Wish},
    way::Way,
};
use sqlx::{
    Connection, Executor, Row, SqlSafeStr,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions, MySqlSslMode},
};

async fn both_alike(application: impl AsyncFn(Way) -> Vec<String>) {
    for version in BOTH {
        let Some(stage) = Stage::on(version, Wish { tls: true, ..Wish::default() }).await else { continue };
        let access = stage.access("app_rw", "1h").await;
        let [direct, through] = stage.ways(&access);
        assert_eq!(application(direct).await, application(through).await);
    }
}

async fn sqlx_application(options: MySqlConnectOptions) -> sqlx::Result<Vec<String>> {
    let mut seen = Vec::new();
    let mut connection = MySqlConnection::connect_with(&options).await?;
    connection.execute("create table app (id int primary key, name varchar(50), raw blob)").await?;
    for n in 0..50_i32 {
        let insert = sqlx::query("insert into app values (?, ?, ?)");
        insert.bind(n).bind(format!("näme {n}")).bind(vec![0_u8; 5]).execute(&mut connection).await?;
    }
    let select = "select * from app where id > ? order by id";
    for row in sqlx::query(select).bind(45).fetch_all(&mut connection).await? {
        let (id, name, raw): (i32, String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        seen.push(format!("{id} {name} {raw:?}"));
    }
    let mut transaction = connection.begin().await?;
    let error = sqlx::query("insert into app (id) values (1)").execute(&mut *transaction).await;
    seen.push(format!("{:?}", error.map_err(|error| error.to_string())));
    transaction.rollback().await?;
    seen.push(format!(
        "{:?}",
        connection.describe(sqlx::AssertSqlSafe(select).into_sql_str()).await?.columns
    ));
    connection.execute("drop table app").await?;
    let pool = MySqlPoolOptions::new().max_connections(4).connect_with(options).await?;
    let version: String = sqlx::query_scalar("select version()").fetch_one(&pool).await?;
    seen.push(version);
    Ok(seen)
}

#[tokio::test]
async fn sqlx_sees_no_difference() {
    both_alike(async |way| {
        let options = MySqlConnectOptions::new().host("127.0.0.1").port(way.port).username(&way.user);
        let options = options.password(&way.password).database(DATABASE);
        let options = options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca(way.authority.unwrap());
        sqlx_application(options).await.unwrap()
    })
    .await;
}

async fn mysql_async_application(options: OptsBuilder) -> mysql_async::Result<Vec<String>> {
    let mut seen = Vec::new();
    let mut connection = Conn::new(options).await?;
    seen.push(format!("{:?}", connection.server_version()));
    connection.query_drop("create table app (id int primary key, name varchar(50), raw blob)").await?;
    let rows = (0..50).map(|n| (n, format!("näme {n}"), vec![0_u8; 5]));
    connection.exec_batch("insert into app values (?, ?, ?)", rows).await?;
    let result = connection.exec_iter("select * from app where id > ? order by id", (45,)).await?;
    seen.push(format!("{:?}", result.columns()));
    let rows: Vec<(i32, String, Vec<u8>)> = result.collect_and_drop().await?;
    seen.push(format!("{rows:?}"));
    let mut transaction = connection.start_transaction(TxOpts::default()).await?;
    transaction.query_drop("update app set name = 'x'").await?;
    let error = transaction.query_drop("insert into app (id) values (1)").await;
    seen.push(format!("{:?} {error:?}", transaction.affected_rows()));
    transaction.rollback().await?;
    let mut several = connection
        .query_iter("select name from app where id = 1; do 1; select cast('12x' as signed)")
        .await?;
    while !several.is_empty() {
        let rows: Vec<Value> = several.collect().await?;
        seen.push(format!("{rows:?} {} {:?}", several.warnings(), several.columns()));
    }
    drop(several);
    seen.push(format!("{}", connection.get_warnings()));
    connection.query_drop("set @a = 5").await?;
    connection.reset().await?;
    let left: Option<Value> = connection.query_first("select @a").await?;
    seen.push(format!("{left:?}"));
    connection.query_drop("drop table app").await?;
    connection.disconnect().await?;
    Ok(seen)
}

#[tokio::test]
async fn mysql_async_sees_no_difference() {
    both_alike(async |way| {
        let tls = SslOpts::default().with_root_certs(vec![way.authority.unwrap().into()]);
        let options =
            OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(way.port).user(Some(way.user));
        let options = options.pass(Some(way.password)).db_name(Some(DATABASE)).ssl_opts(Some(tls));
        mysql_async_application(options.prefer_socket(Some(false))).await.unwrap()
    })
    .await;
}

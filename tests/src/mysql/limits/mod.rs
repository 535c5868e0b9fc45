//! What a limited session may do on MySQL and MariaDB, put to the test.
//!
//! In: the fixed schema of `tests/data/mysql_schema.sql` and one grant on it. The same grant exists as a native account,
//! [`NATIVE`], which is the oracle. Out: the sample data at a server, statements, and what came otherwise than it must.

pub mod generate;
pub mod oracle;
pub mod talk;

use std::{fs::File, path::Path};

use serde_json::{Value, json};

use super::{
    server::{Mysql, Version},
    stage::{Stage, Wish},
    way::Way,
};
use crate::office::Access;

/// The account that the database itself holds to the grant. It has no password.
pub const NATIVE: &str = "limited";

/// The grant, as the database knows it.
const GRANTS: &str = "
create user if not exists limited@'%' identified by '';
grant select (id, prod_name, sku) on shop.sales to limited@'%';
grant select, insert, update on shop.orders to limited@'%';
";

/// The grant, as a request names it.
pub fn resources() -> Value {
    let column = |name: &str| json!({"resource": format!("shop.sales.{name}"), "privileges": ["SELECT"]});
    let orders = json!({"resource": "shop.orders", "privileges": ["SELECT", "INSERT", "UPDATE"]});
    json!([column("id"), column("prod_name"), column("sku"), orders])
}

/// A file of `tests/data`.
pub fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// Puts the sample data into the server, as they were at first.
pub fn lay(mysql: &Mysql) {
    let mut client = Way::direct(mysql, "root").command(mysql, mysql.client());
    let schema = File::open(data("mysql_schema.sql")).expect("it is part of the tests");
    let loaded = client.stdin(schema).output().expect("the client runs");
    assert!(loaded.status.success(), "{loaded:?}");
}

/// The sample data, and a grant for some of them on the account that may do everything.
pub async fn limited(version: Version) -> Option<(Stage, Access)> {
    limited_on(version, Wish::default()).await
}

/// The same on another stage.
pub async fn limited_on(version: Version, wish: Wish) -> Option<(Stage, Access)> {
    let mysql = Mysql::start(version).await?;
    lay(&mysql);
    let stage = Stage::around(mysql, wish).await;
    let access = stage.limited("root", &resources()).await;
    Some((stage, access))
}

/// Makes the native account.
pub async fn let_native_account_in(mysql: &Mysql) {
    mysql.admin().await.run(GRANTS).await;
}

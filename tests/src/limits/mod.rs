//! What a limited session may do, put to the test.
//!
//! In: the fixed schema of `tests/data/pg_schema.sql`, one grant on it, and sessions with the verdict that they must get.
//! Out: what came otherwise. The same grant exists as a native role, [`NATIVE`], which is the oracle.

pub mod case;
pub mod functions;
pub mod generate;
pub mod ground;
pub mod markers;
pub mod oracle;
pub mod state;
pub mod talk;
pub mod tally;
pub mod trial;
pub mod views;

use std::env;

use serde_json::{Value, json};

/// The account of the limited sessions: it could do everything.
pub const ACCOUNT: &str = "postgres";
/// The role that the database itself holds to the same grant. It logs in directly, without a password.
pub const NATIVE: &str = "limited";

/// The grant, as a request names it.
pub fn resources() -> Value {
    json!([
        {"resource": "public.sales.id", "privileges": ["SELECT"]},
        {"resource": "public.sales.prod_name", "privileges": ["SELECT"]},
        {"resource": "public.sales.sku", "privileges": ["SELECT"]},
        {"resource": "public.orders", "privileges": ["SELECT", "INSERT", "UPDATE"]},
    ])
}

/// The grant, as the database knows it.
pub const GRANTS: &str = "
grant select (id, prod_name, sku) on public.sales to limited;
grant select, insert, update on public.orders to limited;
";

/// A number that the environment may set.
pub fn number(name: &str, ordinary: u64) -> u64 {
    env::var(name).ok().map_or(ordinary, |text| text.parse().expect("a number"))
}

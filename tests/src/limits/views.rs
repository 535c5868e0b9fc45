//! Views beside the fixed schema, for the oracle: some read with the rights of whoever reads them.
//!
//! What such a view reads the reader must be granted, through views that use it, too. The generator knows them as
//! [`TABLES`](super::generate::schema::TABLES).

use serde_json::{Value, json};

use super::{ground::COMMON, resources};
use crate::postgres::Postgres;

const VIEWS: &str = "
create schema desk;
create view desk.own with (security_invoker) as select id, prod_name, sku from public.sales;
create view desk.pairs with (security_invoker = on) as
    select o.id, s.sku, o.qty from public.orders o join public.sales s on s.id = o.sale_id;
create view desk.over as select id, upper(sku) as sku from desk.own where id > 1;
create view desk.more with (security_invoker) as select card_number as sku, id from public.sales;
create view desk.beneath as select id, sku from desk.more;
create view desk.chosen with (security_invoker) as
    select id, sku from public.sales where id in (select employee_id from hr.reviews);
create view desk.part as select id, prod_name, card_number from public.sales;
grant usage on schema desk to limited;
grant select on desk.own, desk.pairs, desk.over, desk.more, desk.beneath, desk.chosen to limited;
grant select (id, prod_name) on desk.part to limited;
";

/// Makes them, and grants them to the native role.
pub async fn lay(postgres: &Postgres) {
    postgres.admin_of(COMMON).await.batch_execute(VIEWS).await.expect("the views are new");
}

/// The grant with these views, as a request names it.
pub fn resources_with_views() -> Value {
    let mut all = resources();
    let whole = ["own", "pairs", "over", "more", "beneath", "chosen"].map(|view| format!("desk.{view}"));
    let part = ["id", "prod_name"].map(|column| format!("desk.part.{column}"));
    for resource in whole.into_iter().chain(part) {
        let list = all.as_array_mut().expect("resources are a list");
        list.push(json!({"resource": resource, "privileges": ["SELECT"]}));
    }
    all
}

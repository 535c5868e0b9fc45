//! Beside the fixed schema, for the oracle: views, some of which read with the rights of whoever reads them, and a table
//! with a column of each type.
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

/// A table with a column of each of the server's own types that people use, and rows with values and without.
pub const KINDS: &str = "
create table desk.kinds (
    a_bool bool, a_char \"char\", a_name name, an_int2 int2, an_int4 int4, an_int8 int8, a_float4 float4,
    a_float8 float8, a_numeric numeric, a_money money, a_text text, a_varchar varchar, a_bpchar char(4), a_bytea bytea,
    a_date date, a_time time, a_timetz timetz, a_timestamp timestamp, a_timestamptz timestamptz,
    an_interval interval, a_uuid uuid, a_json json, a_jsonb jsonb, a_jsonpath jsonpath, a_bit bit, a_varbit varbit,
    a_point point, a_line line, an_lseg lseg, a_box box, a_path path, a_polygon polygon, a_circle circle, an_inet inet,
    a_cidr cidr, a_macaddr macaddr, a_macaddr8 macaddr8, a_tsvector tsvector, a_tsquery tsquery, an_oid oid,
    an_xid xid, an_xid8 xid8, a_cid cid, a_tid tid, a_pg_lsn pg_lsn, an_oidvector oidvector, an_int2vector int2vector,
    a_snapshot pg_snapshot, an_aclitem aclitem, an_int4range int4range, a_numrange numrange, a_tsrange tsrange,
    an_int4multirange int4multirange, many_ints int4[], many_texts text[]);
insert into desk.kinds values (
    true, 'c', 'name', 2, 4, 8, 0.5, 0.25, 1.5, 3.2, 'text', 'varchar', 'char', 'bytes', '2024-02-29', '12:34:56',
    '12:34:56+02', '2024-02-29 12:34:56', '2024-02-29 12:34:56+02', '1 day 2 hours',
    '00000000-0000-4000-8000-000000000001', '{\"a\": [1, null]}', '{\"a\": [1, null]}', '$.a[*]', '1', '101', '(1,2)',
    '{1,2,3}', '[(0,0),(1,1)]', '(2,2),(0,0)', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(2,0))', '<(0,0),2>', '10.0.0.1/8',
    '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'a fat cat', 'fat & cat', 11, '3', '5', '7', '(0,1)',
    '0/16', '1 2', '3 4', '10:20:10,14,15', 'postgres=r/postgres', '[1,5)', '(1.5,2.5]',
    '[2024-01-01,2024-02-01)', '{[1,2),[5,9)}', '{1,2,null}', '{a,b}');
insert into desk.kinds (an_int4, a_text) values (-1, '');
insert into desk.kinds default values;
";

/// Makes them, and grants them to the native role.
pub async fn lay(postgres: &Postgres) {
    let all = format!("{VIEWS}{KINDS} grant select on desk.kinds to limited;");
    postgres.admin_of(COMMON).await.batch_execute(&all).await.expect("they are new");
}

/// The grant with these views, as a request names it.
pub fn resources_with_views() -> Value {
    let mut all = resources();
    let whole =
        ["own", "pairs", "over", "more", "beneath", "chosen", "kinds"].map(|view| format!("desk.{view}"));
    let part = ["id", "prod_name"].map(|column| format!("desk.part.{column}"));
    for resource in whole.into_iter().chain(part) {
        let list = all.as_array_mut().expect("resources are a list");
        list.push(json!({"resource": resource, "privileges": ["SELECT"]}));
    }
    all
}

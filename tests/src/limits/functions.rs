//! The server's own functions, and which of them limited sessions are kept from.
//!
//! In: `tests/data/pg_functions_kept_back.txt`, names under the reason that ARCHITECTURE.md gives for them. Out: the
//! functions of a running server, and a native role that may not call those either, which is what the grant comes to.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::NATIVE;

const KEPT_BACK: &str = include_str!("../../data/pg_functions_kept_back.txt");

/// Each function that SQL can call, with a call that has `NULL` for every argument. Polymorphic ones get integers.
const CALLS: &str = r#"
with nulls(type, sample) as (values
    ('"any"'::regtype, 'null::int4'), ('anyelement', 'null::int4'), ('anynonarray', 'null::int4'),
    ('anycompatible', 'null::int4'), ('anycompatiblenonarray', 'null::int4'), ('anyarray', 'null::int4[]'),
    ('anycompatiblearray', 'null::int4[]'), ('anyrange', 'null::int4range'), ('anycompatiblerange', 'null::int4range'),
    ('anymultirange', 'null::int4multirange'), ('anycompatiblemultirange', 'null::int4multirange'),
    ('record', 'row(1)'))
select p.oid::regprocedure::text, p.proname::text, format('select pg_catalog.%I(%s)%s', p.proname, (
        select string_agg(coalesce(sample, 'null::' || format_type(arg, null)), ', ' order by place)
        from unnest(p.proargtypes) with ordinality as given(arg, place) left join nulls on type = arg),
    case p.prokind when 'w' then ' over ()' else '' end)
from pg_proc p
where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'w')
    and not 'internal'::regtype = any (proargtypes::oid[] || prorettype)"#;

/// A function of the server's own.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name with the types of its arguments.
    pub signature: String,
    /// Its name.
    pub name: String,
    /// A query that calls it.
    pub call: String,
}

/// Those of the database that this connection is to.
pub async fn callable(admin: &Client) -> Vec<Function> {
    let rows = admin.query(CALLS, &[]).await.expect("the catalog can be read");
    let text = |row: &tokio_postgres::Row, at: usize| row.get::<_, String>(at);
    rows.iter()
        .map(|row| Function { signature: text(row, 0), name: text(row, 1), call: text(row, 2) })
        .collect()
}

/// Names by the reason why limited sessions are kept from them, for all versions together.
pub fn kept_back() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut all = BTreeMap::<_, BTreeSet<_>>::new();
    let mut reason = "";
    for line in KEPT_BACK.lines() {
        match line.strip_prefix("# ") {
            Some(head) => reason = head,
            None => all.entry(reason).or_default().extend(line.split_whitespace()),
        }
    }
    all
}

/// Whether the native role may call a function of this name.
pub async fn native_role_may_call(admin: &Client, name: &str) -> bool {
    let sql = format!(
        "select bool_or(has_function_privilege('{NATIVE}', oid, 'execute')) from pg_proc
         where pronamespace = 'pg_catalog'::regnamespace and proname = $1"
    );
    let may: Option<bool> = admin.query_one(&sql, &[&name]).await.expect("the query runs").get(0);
    may.unwrap_or(true)
}

/// Takes from the native role what limited sessions are kept from.
pub async fn keep_native_role_from_them(admin: &Client) {
    let names: BTreeSet<&str> = kept_back().into_values().flatten().collect();
    let these: Vec<String> = callable(admin)
        .await
        .into_iter()
        .filter(|function| names.contains(&*function.name))
        .map(|function| function.signature)
        .collect();
    let all = these.join(", ");
    let sql = format!("revoke execute on function {all} from public, {NATIVE}");
    admin.batch_execute(&sql).await.expect("functions can be taken away");
}

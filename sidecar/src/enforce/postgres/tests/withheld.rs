//! What metadata queries are given in the place of what nobody is told.

use postern_protocol::gate::Star;

use super::{denied, ground_of, judge, shop, shop_parts, verdict};

fn sent(text: &str) -> String {
    let judgement = verdict(text).map_err(|denial| format!("{text}: {denial:?}")).unwrap();
    judgement.instead.expect(text).into()
}

const ANYARRAY: &str = "NULL::\"pg_catalog\".\"anyarray\"";
const TEXT: &str = "NULL::\"pg_catalog\".\"text\"";

#[test]
fn a_star_over_the_servers_own_tables_keeps_all_of_its_columns() {
    let text = sent(
        "SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value FROM \
         pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN \
         pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum) WHERE a.attnum > 0",
    );
    assert!(text.starts_with("SELECT c.relname,\"a\".\"attrelid\", \"a\".\"attname\", "), "{text}");
    assert!(text.contains(&format!(", {ANYARRAY} AS \"attmissingval\",pg_catalog.pg_get_expr(")), "{text}");
    let text = sent("TABLE pg_sequences");
    assert!(
        text.ends_with(
            "\"pg_sequences\".\"cache_size\", NULL::\"pg_catalog\".\"int8\" AS \"last_value\" FROM pg_sequences"
        ),
        "{text}"
    );
    let text = sent("EXPLAIN SELECT * FROM information_schema.views v(a, b, c, d)");
    let closed = "NULL::\"information_schema\".\"character_data\" AS \"d\"";
    assert!(text.contains(&format!("\"v\".\"c\", {closed}, \"v\".\"check_option\"")), "{text}");
    for text in [
        "SELECT x.* FROM pg_trigger x JOIN pg_class c ON c.oid = x.tgrelid",
        "SELECT p.*, n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace",
        "SELECT * FROM pg_aggregate JOIN pg_depend ON aggfnoid = objid NATURAL JOIN (SELECT 'x'::char AS aggkind) x",
        "SELECT x.prosrc FROM (SELECT * FROM pg_proc) x WHERE x.prosrc LIKE 'a%'",
        "WITH v AS (SELECT * FROM pg_views) SELECT * FROM v, orders o WHERE length(v.viewname) = o.id",
        "SELECT pg_matviews.* FROM pg_matviews UNION ALL SELECT * FROM pg_matviews",
        "PREPARE p AS SELECT * FROM information_schema.triggers",
        "DECLARE c CURSOR FOR SELECT * FROM information_schema.routines",
    ] {
        assert!(sent(text).contains("NULL::"), "{text}");
    }
}

#[test]
fn a_star_over_a_granted_table_is_no_other_than_before() {
    for text in ["SELECT * FROM sales, pg_proc", "SELECT p.*, s.* FROM sales s, pg_proc p"] {
        assert_eq!(denied(text).message, "permission denied for table sales", "{text}");
    }
    let ground = ground_of(shop_parts(), Star::Expand);
    let text = judge("SELECT * FROM sales s, pg_views v", &ground).unwrap().instead.unwrap();
    let wanted =
        format!("\"s\".\"sku\", \"v\".\"schemaname\", \"v\".\"viewname\", \"v\".\"viewowner\", {TEXT} AS");
    assert!(text.contains(&wanted), "{text}");
    assert_eq!(judge("SELECT * FROM orders, pg_class", &shop()).unwrap().instead, None);
}

#[test]
fn rows_that_hold_what_nobody_is_told_are_refused_as_values() {
    for text in [
        "SELECT p FROM pg_proc p",
        "SELECT to_json(p.*) FROM pg_proc p",
        "SELECT (p).* FROM pg_proc p",
        "SELECT (p).prosrc FROM pg_proc p",
        "SELECT ROW(p.*) FROM pg_proc p",
        "SELECT count(p.*) FROM pg_proc p",
        "SELECT x.* FROM pg_proc p, LATERAL (VALUES (p.*)) x",
        "SELECT 1 FROM pg_proc NATURAL JOIN (SELECT 'x'::text AS prosrc) x",
        "SELECT 1 FROM pg_proc JOIN (SELECT 'x'::text AS prosrc) x USING (prosrc)",
        "SELECT * FROM pg_proc p JOIN pg_proc q USING (prosrc)",
        "SELECT * FROM pg_settings",
        "SELECT * FROM pg_stat_user_tables",
        "SELECT * FROM pg_stats",
    ] {
        denied(text);
    }
}

#[test]
fn what_is_only_shown_becomes_null_of_the_same_name_and_type() {
    for (text, wanted) in [
        ("SELECT proname, prosrc FROM pg_proc", format!("SELECT proname, {TEXT} AS \"prosrc\" FROM pg_proc")),
        (
            "SELECT p . \"prosrc\" /* x */ AS source, 1 FROM pg_proc p ORDER BY 1",
            format!("SELECT {TEXT} /* x */ AS source, 1 FROM pg_proc p ORDER BY 1"),
        ),
        (
            "SELECT pg_catalog.pg_trigger.tgargs a FROM pg_catalog.pg_trigger",
            "SELECT NULL::\"pg_catalog\".\"bytea\" a FROM pg_catalog.pg_trigger".to_owned(),
        ),
        (
            "SELECT srvoptions FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw",
            "SELECT NULL::\"pg_catalog\".\"_text\" AS \"srvoptions\" FROM pg_foreign_server s JOIN \
             pg_foreign_data_wrapper w ON w.oid = s.srvfdw"
                .to_owned(),
        ),
        (
            "SELECT pg_catalog . pg_get_viewdef (c.oid, true), 2 FROM pg_class c",
            format!("SELECT {TEXT} AS \"pg_get_viewdef\", 2 FROM pg_class c"),
        ),
        (
            "SELECT pg_get_functiondef(oid) AS \")\" FROM pg_proc WHERE proname = ')'",
            format!("SELECT {TEXT} AS \")\" FROM pg_proc WHERE proname = ')'"),
        ),
        (
            "SELECT CASE WHEN l.lanname = 'internal' THEN p.prosrc ELSE pg_get_functiondef(p.oid) END AS definition \
             FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang",
            format!(
                "SELECT CASE WHEN l.lanname = 'internal' THEN {TEXT} ELSE {TEXT} END AS definition \
                 FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
            ),
        ),
        (
            "SELECT prosrc FROM pg_proc; SELECT 'ä', definition FROM pg_views; TABLE pg_class",
            format!(
                "SELECT {TEXT} AS \"prosrc\" FROM pg_proc; SELECT 'ä', {TEXT} AS \"definition\" FROM pg_views; TABLE pg_class"
            ),
        ),
        (
            "EXPLAIN SELECT definition FROM pg_views ORDER BY definition",
            format!("EXPLAIN SELECT {TEXT} AS \"definition\" FROM pg_views ORDER BY definition"),
        ),
    ] {
        assert_eq!(sent(text), wanted);
    }
}

#[test]
fn what_is_computed_of_it_or_compared_with_it_is_refused() {
    for text in [
        "SELECT proname FROM pg_proc WHERE prosrc LIKE '%secret%'",
        "SELECT prosrc FROM pg_proc WHERE prosrc LIKE '%secret%'",
        "SELECT prosrc FROM pg_proc ORDER BY length(prosrc)",
        "SELECT prosrc AS x FROM pg_proc ORDER BY prosrc",
        "SELECT prosrc, count(*) FROM pg_proc GROUP BY prosrc",
        "SELECT DISTINCT ON (p.prosrc) prosrc FROM pg_proc p",
        "SELECT length(prosrc) FROM pg_proc",
        "SELECT prosrc || '' FROM pg_proc",
        "SELECT prosrc::int FROM pg_proc",
        "SELECT prosrc COLLATE \"C\" FROM pg_proc",
        "SELECT CASE WHEN prosrc > 'a' THEN 1 END AS x FROM pg_proc",
        "SELECT CASE prosrc WHEN 'a' THEN 1 END AS x FROM pg_proc",
        "SELECT CASE WHEN true THEN length(prosrc) END AS x FROM pg_proc",
        "SELECT (SELECT prosrc FROM pg_proc LIMIT 1)",
        "SELECT (SELECT prosrc) FROM pg_proc",
        "SELECT x.prosrc FROM pg_proc p, LATERAL (SELECT p.prosrc) x",
        "INSERT INTO orders (id) SELECT agginitval FROM pg_aggregate",
        "UPDATE orders SET qty = 1 FROM pg_proc p WHERE p.prosrc = 'a' RETURNING p.prosrc",
        "SELECT pg_get_functiondef(16400)",
        "SELECT pg_get_functiondef(p.oid) || '' FROM pg_proc p",
        "SELECT pg_get_functiondef(p.oid::int4) FROM pg_proc p",
        "SELECT pg_get_viewdef((SELECT max(price)::oid FROM sales)) FROM pg_class",
        "SELECT pg_get_viewdef(s.price) FROM sales s",
        "SELECT oid FROM pg_class WHERE pg_get_viewdef(oid) LIKE 'a%'",
        "SELECT x.f FROM pg_proc p, pg_get_functiondef(p.oid) AS x(f)",
        "SELECT setting FROM pg_settings",
        "SELECT seq_scan FROM pg_stat_user_tables",
        "SELECT price FROM sales",
    ] {
        denied(text);
    }
}

#[test]
fn somebodys_function_is_not_taken_for_the_servers() {
    let mut parts = shop_parts();
    parts.functions.push(super::Named { schema: "public".into(), name: "pg_get_viewdef".into() });
    let ground = ground_of(parts, Star::Deny);
    assert!(judge("SELECT pg_get_viewdef(oid) FROM pg_class", &ground).is_err());
}

#[test]
fn tables_are_found_by_their_statistics_and_nothing_is_told_of_these() {
    let text = "SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN \
                pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE st.relname = 'orders'";
    assert_eq!(verdict(text).unwrap().instead, None);
    for text in [
        "SELECT st.heap_blks_read FROM pg_statio_all_tables st",
        "SELECT relname FROM pg_stat_user_tables WHERE n_live_tup > 0",
        "SELECT st FROM pg_stat_user_tables st",
        "SELECT relname FROM pg_stat_xact_all_tables",
    ] {
        denied(text);
    }
}

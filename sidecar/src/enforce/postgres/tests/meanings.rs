//! What things mean that look like something else, or mean something else tomorrow.

use super::*;

/// The shop, with a column of a type that is not the server's own in `orders`.
fn shop_with(column: &str) -> Ground {
    let mut parts = shop_parts();
    for relation in parts.relations.iter_mut().filter(|relation| &*relation.name == "orders") {
        let odd = Column { name: column.into(), number: 9, type_oid: 99_999 };
        relation.columns = relation.columns.iter().cloned().chain([odd]).collect();
    }
    ground_of(parts, Star::Deny)
}

#[test]
fn what_a_function_in_from_gives_is_not_guessed_where_it_may_be_a_row() {
    for text in [
        "SELECT (SELECT card_number FROM any_value_transfn(a, a) card_number) FROM sales, (SELECT a FROM pg_am a LIMIT 1) x(a)",
        "SELECT (SELECT price FROM area(o) price) FROM sales, orders o",
        "SELECT (SELECT price FROM lower(o.area) price) FROM sales, orders o",
        "SELECT (SELECT price FROM lower(area) AS price) FROM sales, orders",
        "SELECT (SELECT price FROM lower(x.a) price) FROM sales, (SELECT area AS a FROM orders) x",
        "SELECT (SELECT price FROM jsonb_each(o) AS e(price)) FROM sales, orders o WHERE (SELECT key FROM jsonb_each(o)) = price",
        "SELECT (SELECT price FROM unnest(ARRAY[1], (SELECT array_agg(o) FROM orders o)) z) FROM sales",
        "SELECT (SELECT price FROM CAST(o AS record) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM CAST(o AS pg_catalog.record) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM unnest(ARRAY[o::record]) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM unnest(ARRAY[ARRAY[o::record]]) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM lower(o::record) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM CAST(o AS anyelement) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM CAST(o AS \"any\") AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM unnest(CAST(ARRAY[o] AS anyarray)) AS price) FROM sales, orders o",
        "SELECT (SELECT price FROM unnest(ARRAY[o::anycompatible]) AS price) FROM sales, orders o",
    ] {
        judge(text, &shop_with("area")).expect_err(text);
    }
    for text in [
        "SELECT (SELECT price FROM lower('a') AS x(price)) FROM sales",
        "SELECT (SELECT x FROM lower('a') x) FROM sales",
        "SELECT (SELECT x FROM lower($1::int4range) x) FROM sales",
        "SELECT (SELECT x FROM abs(o.qty) AS x) FROM sales, orders o",
        "SELECT e.key FROM orders o, jsonb_each(to_jsonb(o)) e JOIN (SELECT 'a' AS key) k USING (key)",
        "SELECT * FROM unnest('{1,2}'::int[], $1::int[]) AS t(a, id) JOIN orders USING (id)",
        "SELECT j.value FROM orders o, jsonb_array_elements(to_jsonb(o) -> 'a') j JOIN (SELECT 1 AS value) k USING (value)",
        "SELECT day, o.id FROM generate_series(1, 3) AS day LEFT JOIN orders o ON o.id = day ORDER BY day",
    ] {
        judge(text, &shop_with("area")).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
}

/// The shop on a server of this version.
fn shop_on(server_version: u32) -> Ground {
    ground_of(Parts { server_version, ..shop_parts() }, Star::Deny)
}

#[test]
fn what_the_server_may_call_otherwise_is_looked_for_further_out_as_well() {
    for from in [
        "CAST(json_array_elements('[1]'::json) AS json) AS price",
        "CAST(CAST(json_array_elements('[1]'::json) AS json) AS json) AS price",
        "ROWS FROM (CAST(json_array_elements('[1]'::json) AS json)) AS price",
        "CAST(('[1]'::json).json_array_elements AS json) AS price",
        "to_json(1) j, CAST(j.json_array_elements AS json) AS price",
        "text(CAST(json_array_elements_text('[1]') AS text)) AS price",
        "CAST(pg_partition_ancestors('orders') AS regclass) AS price",
        "json_array_elements('[1]'::json) AS price",
        "lower('a') AS price",
        "unnest(ARRAY[1]) AS price",
        "now() AS price",
        "current_date AS price",
    ] {
        judge(&format!("SELECT (SELECT price FROM {from} LIMIT 1) FROM sales"), &shop_on(150_000))
            .expect_err(from);
    }
    for from in ["lower('a') AS x(price)", "(SELECT lower('a') AS price) x", "CAST(1 AS int) AS x(price)"] {
        judge(&format!("SELECT (SELECT price FROM {from} LIMIT 1) FROM sales"), &shop_on(150_000))
            .expect(from);
    }
    for text in [
        "SELECT (SELECT int4 FROM CAST(1 AS int4) AS x(y)) FROM sales AS int4",
        "SELECT (SELECT json_each FROM ROWS FROM (CAST(1 AS int), json_each('{}'))) FROM sales AS json_each",
        "SELECT (SELECT json_each FROM ROWS FROM (lower('a'), json_each('{}'))) FROM sales AS json_each",
        "SELECT (SELECT ordinality FROM orders o, unnest(o.area) WITH ORDINALITY AS t(a) LIMIT 1) FROM sales s(a, b, c, ordinality)",
        "SELECT (SELECT generate_series FROM orders o, ROWS FROM (unnest(o.area), generate_series(1, 2)) AS t(a)) \
         FROM sales s(a, b, c, generate_series)",
    ] {
        judge(text, &shop_with("area")).expect_err(text);
    }
}

#[test]
fn what_search_and_cycle_add_is_not_in_the_star_of_a_query_further_in() {
    let search = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2) \
                  SEARCH DEPTH FIRST BY x SET price";
    let cycle = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2) CYCLE x SET price USING p";
    for with in [search, cycle] {
        for query in [
            "SELECT (SELECT price FROM (SELECT * FROM c) d LIMIT 1) FROM sales",
            "SELECT (SELECT price FROM (SELECT c.* FROM c) d LIMIT 1) FROM sales",
            "SELECT (SELECT price FROM (TABLE c) d LIMIT 1) FROM sales",
            "SELECT (SELECT price FROM (SELECT * FROM c UNION SELECT * FROM c) d LIMIT 1) FROM sales",
            "SELECT (SELECT price FROM (SELECT * FROM c JOIN orders USING (x)) d LIMIT 1) FROM sales",
            "SELECT (SELECT price FROM (SELECT * FROM (c CROSS JOIN orders) j) d LIMIT 1) FROM sales",
            "SELECT (SELECT price FROM (SELECT *, 1 AS price FROM c) d(p, q) LIMIT 1) FROM sales",
            "SELECT id FROM (SELECT * FROM c) d, sales ORDER BY price",
            "SELECT d.* FROM (SELECT * FROM c) d, sales ORDER BY price",
            "SELECT d.*, count(*) FROM (SELECT * FROM c) d, sales GROUP BY price",
            "SELECT DISTINCT ON (price) d.* FROM (SELECT * FROM c) d, sales",
            "SELECT 1 FROM (SELECT * FROM c) d NATURAL JOIN sales",
        ] {
            verdict(&format!("{with} {query}")).expect_err(query);
        }
        for query in [
            "SELECT x, price FROM c ORDER BY price",
            "SELECT * FROM c",
            "SELECT d.x FROM (SELECT * FROM c) d",
        ] {
            verdict(&format!("{with} {query}")).expect(query);
        }
    }
}

#[test]
fn nested_columns_of_a_json_table_come_behind_the_others() {
    let text = |columns: &str, alias: &str, name: &str| {
        let table = format!("JSON_TABLE('{{}}'::jsonb, '$' COLUMNS ({columns})) AS t{alias}");
        judge(&format!("SELECT (SELECT {name} FROM {table} LIMIT 1) FROM sales"), &shop_on(180_000))
    };
    let nested = "NESTED PATH '$.x[*]' COLUMNS (n int PATH '$'), price int PATH '$.q'";
    text(nested, "(p)", "price").unwrap_err();
    text(nested, "(p)", "p").unwrap();
    text(nested, "(p)", "n").unwrap();
    text("NESTED '$.a' COLUMNS (NESTED '$.b' COLUMNS (n int), price int), q int", "(a, b)", "price")
        .unwrap_err();
}

#[test]
fn a_row_that_is_called_a_record_is_the_row_that_it_was() {
    for text in [
        "SELECT s::record FROM sales s",
        "SELECT CAST(s.* AS record)::text FROM sales s",
        "SELECT (s::record).id FROM sales s",
        "SELECT to_jsonb(s::record) FROM sales s",
        "SELECT record_out(s) FROM sales s",
        "SELECT record_out(CAST(s AS record)) FROM sales s",
        "SELECT record_send(s) FROM sales s",
        "SELECT 1 FROM sales s WHERE s::record > ROW(1)",
        "SELECT ('a'::text::record).pg_read_file",
        "SELECT record(s) FROM sales s",
        "SELECT CAST(s AS anyelement) FROM sales s",
        "SELECT (CAST(s AS \"any\")).card_number FROM sales s",
        "SELECT CAST('employees' AS anyelement)::regclass",
        "SELECT s.record_out FROM sales s",
        "SELECT (CAST(NULL AS record[])) FROM orders",
        "SELECT CAST(NULL AS _record) FROM orders",
        "SELECT CAST(NULL AS public.record) FROM orders",
        "SELECT * FROM json_to_record('{}') AS t(a record)",
        "PREPARE p(record) AS SELECT $1",
    ] {
        verdict(text).expect_err(text);
    }
    for text in [
        "SELECT CAST(NULL AS record) < CAST(NULL AS pg_catalog.record), CAST(NULL AS record) *<> ROW(1, 'a')",
        "SELECT ROW(id, sku)::record, poly_in(CAST('1' AS cstring)) FROM sales",
        "SELECT to_jsonb(o::record), record_out(o), CAST(o AS anyelement) FROM orders o",
        "SELECT CAST(NULL AS \"any\"), CAST(NULL AS anymultirange), CAST('{a}' AS _cstring)",
        "SELECT t.a FROM json_populate_record(CAST(NULL AS record), '{}') AS t(a int)",
    ] {
        verdict(text).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
}

#[test]
fn a_type_called_record_before_the_servers_own_is_nobodys_to_use() {
    let mut parts = shop_parts();
    let (schema, name) = (Arc::from("public"), "record".into());
    parts.types.push(Type { oid: 70_000, schema, name, harmless: false });
    let ground = ground_of(parts, Star::Deny);
    let first = Ground { path: ["public", "pg_catalog"].map(Arc::from).into(), ..ground.clone() };
    let text = "SELECT CAST(NULL AS record)";
    judge(text, &first).expect_err(text);
    judge(text, &ground).unwrap();
}

fn sent(text: &str) -> String {
    let judgement = verdict(text).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    judgement.instead.as_deref().unwrap_or(text).to_owned()
}

#[test]
fn a_search_path_that_means_the_same_today_is_sent_as_the_one_that_the_session_began_with() {
    for (text, wanted) in [
        ("SET search_path = public", "SET search_path = '$user', 'public'"),
        ("SET SCHEMA 'public'", "SET search_path = '$user', 'public'"),
        ("set local schema 'public'", "SET LOCAL search_path = '$user', 'public'"),
        ("SET search_path = tenant_9, public", "SET search_path = '$user', 'public'"),
        (
            "SET LOCAL Search_Path TO pg_temp_2, public ; SELECT 1",
            "SET LOCAL search_path = '$user', 'public' ; SELECT 1",
        ),
        (
            "SELECT id, set_config('search_path', E'pg_temp_2,public', false) FROM sales",
            "SELECT id, set_config('search_path', '\"$user\", public', false) FROM sales",
        ),
        ("SELECT 1; RESET search_path; SELECT 2", "SELECT 1; SET search_path = '$user', 'public'; SELECT 2"),
        (
            "/* a */ SET LOCAL search_path TO DEFAULT -- b",
            "/* a */ SET LOCAL search_path = '$user', 'public'",
        ),
    ] {
        assert_eq!(sent(text), wanted);
    }
    for text in [
        "SET search_path = \"$user\", public",
        "SET search_path TO '$user', 'public'; RESET ALL; DISCARD ALL",
        "SELECT set_config('search_path', '\"$user\",public', true)",
        "RESET work_mem",
    ] {
        assert_eq!(sent(text), text);
    }
}

#[test]
fn nothing_returns_to_defaults_that_have_changed_since_the_session_began() {
    let now = ground_of(Parts { loaded: "tomorrow".into(), ..shop_parts() }, Star::Deny);
    let (begun, catalog) = (shop(), Arc::clone(&now.catalog));
    let steps = |text| judge(text, &begun).unwrap().steps;
    assert_eq!(*steps("RESET work_mem; SET work_mem = 1"), [Step::Plain, Step::Plain]);
    assert_eq!(*steps("RESET ALL; DISCARD ALL"), [Step::ResetAll, Step::DiscardAll]);
    assert!(!begun.has_moved() && Ground { catalog, ..begun }.has_moved());
    for text in ["RESET ALL", "DISCARD ALL", "SELECT 1; RESET ALL"] {
        verdict(text).unwrap();
        assert_eq!(judge(text, &now).unwrap_err().reason, crate::enforce::Reason::Setting, "{text}");
    }
    judge("RESET work_mem", &now).unwrap();
}

#[test]
fn a_pool_may_return_to_the_account_where_that_changes_nothing() {
    let reset = "SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;\
         SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP";
    assert_eq!(sent(reset), reset);
    for text in [
        "SET SESSION AUTHORIZATION DEFAULT",
        "SET LOCAL SESSION AUTHORIZATION DEFAULT; RESET ALL",
        "RESET SESSION AUTHORIZATION; RESET ALL",
        "SET SESSION AUTHORIZATION app; RESET ALL",
        "SET SESSION AUTHORIZATION DEFAULT; DISCARD ALL",
        "SET ROLE NONE; RESET ALL",
    ] {
        assert_eq!(denied(text).reason, crate::enforce::Reason::Setting, "{text}");
    }
    let as_role = |server_version| {
        let ground = ground_of(Parts { server_version, ..shop_parts() }, Star::Deny);
        Ground { user: "chosen".into(), ..ground }
    };
    for text in [reset, "DISCARD ALL"] {
        judge(text, &as_role(150_009)).expect_err(text);
        judge(text, &as_role(150_010)).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
}

#[test]
fn settings_are_shown_by_name_where_nothing_can_be_computed_of_others() {
    for text in [
        "SELECT name FROM pg_settings WHERE (CASE name WHEN 'primary_conninfo' THEN setting END)::int IS NULL AND name IN ('work_mem', 'jit')",
        "SELECT name FROM pg_settings WHERE name = 'jit' AND setting::int > 1",
        "SELECT name FROM pg_settings WHERE name = 'jit' HAVING max(setting)::int > 1",
        "SELECT name FROM pg_settings WHERE name = 'jit' GROUP BY name, setting::int",
        "SELECT x.name FROM (SELECT name, setting FROM pg_settings WHERE name IN ('work_mem', 'jit')) x WHERE x.setting::int > 1",
        "SELECT name FROM pg_show_all_settings() WHERE name = 'jit' AND setting::int > 1",
        "SELECT DISTINCT ON (setting::int) name FROM pg_settings WHERE name = 'jit'",
        "SELECT setting FROM pg_settings WHERE name = ANY (ARRAY['jit', 'primary_conninfo'])",
        "SELECT name FROM pg_settings WHERE setting = ANY (ARRAY['jit'])",
        "SELECT query FROM pg_stat_activity",
        "SELECT query FROM pg_stat_activity WHERE pid = 12",
        "SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid() OR query::int = 1",
        "SELECT pid FROM (SELECT * FROM pg_stat_activity WHERE pid = pg_backend_pid()) x WHERE query::int = 1",
        "WITH x AS (SELECT * FROM pg_stat_activity WHERE pid = pg_backend_pid()) SELECT 1 FROM x",
        "SELECT a.query FROM pg_stat_activity a, pg_stat_activity b WHERE a.pid = pg_backend_pid()",
    ] {
        denied(text);
    }
    for text in [
        "SELECT name, setting, s.unit FROM pg_settings s WHERE s.name = 'jit' ORDER BY 1",
        "SELECT name, setting FROM pg_settings WHERE name = ANY (ARRAY['work_mem', 'jit'])",
        "SELECT setting::int FROM pg_settings WHERE name IN ('max_connections')",
        "SELECT pid, state, a.application_name FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()",
    ] {
        assert_eq!(sent(text), text);
    }
}

#[test]
fn an_applications_own_settings_are_set_but_not_shown() {
    for text in [
        "SET app.tenant = '1'",
        "SET LOCAL app.current_user_id TO 7",
        "SELECT set_config('request.jwt.claims', $1, true)",
        "RESET app.tenant",
    ] {
        assert_eq!(sent(text), text);
    }
    for text in [
        "SET plpgsql.variable_conflict = 'use_column'",
        "SET pgaudit.log = 'none'",
        "SELECT current_setting('app.jwt_secret', true)",
        "SHOW app.jwt_secret",
        "SELECT setting FROM pg_settings WHERE name = 'app.jwt_secret'",
    ] {
        denied(text);
    }
}

#[test]
fn a_call_that_may_be_a_cast_to_somebodys_type_is_refused() {
    let with = |harmless, cast_targets| {
        let (schema, name) = ("public".into(), "scale".into());
        let mut parts = Parts { cast_targets, ..shop_parts() };
        parts.types.push(Type { oid: 70_000, schema, name, harmless });
        judge("SELECT scale(1)", &ground_of(parts, Star::Deny))
    };
    verdict("SELECT scale(1), text('a'), date('2020-01-01')").unwrap();
    assert!(with(false, Vec::new()).is_err() && with(true, vec![70_000]).is_err());
    with(true, Vec::new()).unwrap();
}

#[test]
fn what_information_schema_reckons_with_is_called_where_nobody_has_put_more_beside_it() {
    let text = "SELECT information_schema._pg_char_max_length(25, -1)";
    verdict(text).unwrap();
    verdict("SELECT _pg_char_max_length(25, -1)").unwrap_err();
    verdict("SELECT information_schema.lower('A')").unwrap_err();
    let (schema, name) = ("information_schema".into(), "_pg_char_max_length".into());
    let parts = Parts { functions: vec![Named { schema, name }], ..shop_parts() };
    judge(text, &ground_of(parts, Star::Deny)).unwrap_err();
}

#[test]
fn where_any_value_may_run_somebodys_function_nothing_is_read() {
    let ground = ground_of(Parts { implicit_casts: true, ..shop_parts() }, Star::Deny);
    for text in [
        "SELECT sum(true)",
        "INSERT INTO orders(qty) VALUES (1)",
        "EXPLAIN SELECT 1",
        "COPY (SELECT 1) TO STDOUT",
    ] {
        judge(text, &ground).expect_err(text);
    }
    judge("BEGIN", &ground).unwrap();
}

#[test]
fn where_somebodys_function_casts_or_compares_values_of_a_type_they_are_not_read() {
    let with = |lively: &[i16]| {
        let mut parts = shop_parts();
        for relation in parts.relations.iter_mut().filter(|relation| &*relation.name == "orders") {
            relation.lively = lively.into();
        }
        ground_of(parts, Star::Deny)
    };
    let orders = shop_parts().relations.into_iter().find(|relation| &*relation.name == "orders").unwrap();
    let number = orders.column("qty").unwrap().number;
    for text in [
        "SELECT qty FROM orders",
        "SELECT id FROM orders ORDER BY qty",
        "SELECT * FROM orders",
        "SELECT o FROM orders o",
        "SELECT 1 FROM orders JOIN (SELECT 1 AS qty) x USING (qty)",
        "SELECT j.qty FROM (orders CROSS JOIN (SELECT 1) x) j",
        "UPDATE orders SET qty = 1 RETURNING qty",
    ] {
        judge(text, &with(&[0, number])).expect_err(text);
        verdict(text).expect(text);
    }
    for text in [
        "SELECT id FROM orders",
        "UPDATE orders SET qty = 1",
        "INSERT INTO orders(qty) VALUES (1)",
        "COPY orders TO STDOUT",
    ] {
        judge(text, &with(&[0, number])).expect(text);
    }
    for text in ["SELECT to_jsonb(o) FROM orders o", "SELECT upper(orders::text) FROM orders"] {
        judge(text, &with(&[0])).expect_err(text);
    }
    judge("SELECT o.id FROM orders o", &with(&[0])).unwrap();
}

#[test]
fn where_what_is_written_may_run_somebodys_function_nothing_is_written() {
    let ground = ground_of(Parts { assignment_casts: true, ..shop_parts() }, Star::Deny);
    judge("SELECT id FROM sales", &ground).unwrap();
    for text in ["INSERT INTO orders(qty) VALUES (1)", "UPDATE orders SET qty = 1"] {
        judge(text, &ground).expect_err(text);
    }
}

#[test]
fn what_other_sessions_do_is_not_told() {
    for text in [
        "SELECT client_dn FROM pg_stat_ssl",
        "SELECT ssl, version FROM pg_stat_ssl",
        "SELECT * FROM pg_stat_gssapi",
        "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    ] {
        denied(text);
    }
    for text in [
        "SELECT gss_authenticated, encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()",
        "SELECT * FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()",
    ] {
        verdict(text).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
}

#[test]
fn what_a_sequence_gave_last_is_told_where_the_table_whose_column_it_fills_may_be_inserted_into() {
    let parts = shop_parts();
    let oid = |name: &str| parts.relations.iter().find(|relation| &*relation.name == name).unwrap().oid;
    let sequence = |oid, name: &str| Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind: b'S',
        columns: Box::default(),
        lively: Box::default(),
    };
    let sequences = vec![(80_001, oid("orders")), (80_002, oid("sales"))];
    let mut parts = Parts { sequences, ..parts };
    let named = [(80_001, "of_orders"), (80_002, "of_sales"), (80_003, "of_none")];
    parts.relations.extend(named.map(|(oid, name)| sequence(oid, name)));
    let ground = ground_of(parts, Star::Deny);
    for text in [
        "SELECT currval('of_orders'), currval('public.of_orders'::regclass), lastval()",
        "SELECT pg_catalog.currval('\"of_orders\"')",
        "SELECT currval(pg_get_serial_sequence('orders', 'id'))",
    ] {
        judge(text, &ground).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
    for text in [
        "SELECT currval('of_sales')",
        "SELECT currval('of_none')",
        "SELECT currval('of_' || 'orders')",
        "SELECT currval(80001)",
        "SELECT hr.currval('of_orders')",
        "SELECT nextval('of_orders')",
        "SELECT setval('of_orders', 1)",
    ] {
        judge(text, &ground).expect_err(text);
    }
}

#[test]
fn a_star_over_a_join_becomes_the_granted_columns_of_its_sides() {
    let ground = ground_of(shop_parts(), Star::Expand);
    let sales = r#""s"."id", "s"."prod_name", "s"."sku""#;
    for (text, wanted) in [
        ("SELECT * FROM sales s JOIN LATERAL (SELECT o.qty FROM orders o WHERE o.sale_id = s.id) q ON true",
         format!("SELECT {sales}, \"q\".\"qty\" FROM sales s JOIN LATERAL (SELECT o.qty FROM orders o WHERE o.sale_id = s.id) q ON true")),
        ("SELECT * FROM sales s JOIN (SELECT id, qty FROM orders) o USING (id)",
         "SELECT \"id\", \"s\".\"prod_name\", \"s\".\"sku\", \"o\".\"qty\" FROM sales s JOIN (SELECT id, qty FROM orders) o USING (id)".to_owned()),
        ("SELECT j.* FROM (sales s CROSS JOIN (SELECT 1 AS one) x) j",
         r#"SELECT "j"."id", "j"."prod_name", "j"."sku", "j"."one" FROM (sales s CROSS JOIN (SELECT 1 AS one) x) j"#.to_owned()),
        ("(TABLE sales) UNION /* table */ table ONLY public.sales ORDER BY 1",
         r#"(SELECT "sales"."id", "sales"."prod_name", "sales"."sku" FROM sales) UNION /* table */ SELECT "sales"."id", "sales"."prod_name", "sales"."sku" FROM ONLY public.sales ORDER BY 1"#.to_owned()),
        ("SELECT name.* FROM sales AS name", r#"SELECT "name"."id", "name"."prod_name", "name"."sku" FROM sales AS name"#.to_owned()),
        ("SELECT * FROM sales s LEFT JOIN sales t ON s.id = t.id, (SELECT 1) AS u(v)",
         format!("SELECT {sales}, \"t\".\"id\", \"t\".\"prod_name\", \"t\".\"sku\", \"u\".\"v\" FROM sales s LEFT JOIN sales t ON s.id = t.id, (SELECT 1) AS u(v)")),
    ] {
        let judgement = judge(text, &ground).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
        assert_eq!(judgement.instead.as_deref(), Some(&*wanted));
    }
    let wanted = r#"(SELECT "sales"."id", "sales"."prod_name", "sales"."sku" FROM sales) UNION /* table */ SELECT "sales"."id", "sales"."prod_name", "sales"."sku" FROM ONLY public.sales ORDER BY 1"#;
    let text = "(TABLE sales) UNION /* table */ table ONLY public.sales ORDER BY 1";
    assert_eq!(judge(text, &ground).unwrap().instead.as_deref(), Some(wanted));
    assert_eq!(judge("TABLE orders", &ground).unwrap().instead, None);
    for text in [
        "SELECT * FROM sales NATURAL JOIN sales t",
        "SELECT * FROM employees",
        "SELECT * FROM orders o, employees",
    ] {
        judge(text, &ground).expect_err(text);
    }
}

#[test]
fn a_cast_that_somebody_made_stands_in_no_constants_way() {
    let (schema, name) = ("public".into(), "mood".into());
    let mut parts = Parts { cast_targets: vec![70_000], ..shop_parts() };
    parts.types.push(Type { oid: 70_000, schema, name, harmless: true });
    let ground = ground_of(parts, Star::Deny);
    for text in
        ["SELECT NULL::mood, 'ok'::mood, CAST('ok' AS public.mood)", "SELECT mood 'ok', '{ok}'::mood[]"]
    {
        judge(text, &ground).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
    }
    for text in ["SELECT sku::mood FROM sales", "SELECT $1::mood", "SELECT 1::mood", "SELECT 'a'::text::mood"]
    {
        judge(text, &ground).expect_err(text);
    }
}

#[test]
fn a_view_that_reads_with_its_callers_rights_needs_what_it_reads() {
    let of = |query: &str| {
        let mut parts = shop_parts();
        let view = parts.relations.iter_mut().find(|relation| &*relation.name == "v_sales_all").unwrap();
        let (oid, inner) = (view.oid, view.oid + 50_000);
        view.name = "orders_view".into();
        let again = Relation { oid: inner, name: "inner_view".into(), ..view.clone() };
        parts.relations.push(again);
        parts.invokers = vec![(oid, query.into()), (inner, " SELECT id FROM public.employees;".into())];
        let mut ground = ground_of(parts, Star::Deny);
        let whole = |name: &str| resource(name, &[Privilege::Select, Privilege::Insert]);
        let mut list = vec![whole("public.orders_view"), whole("public.inner_view")];
        list.extend(
            ["id", "sku"].map(|name| resource(&format!("public.sales.{name}"), &[Privilege::Select])),
        );
        ground.limits = Arc::new(Limits::new(&list, Terms::default()));
        ground
    };
    for query in [" SELECT sku FROM public.sales;", " SELECT s.sku FROM public.orders_view v, public.sales s"]
    {
        judge("SELECT * FROM orders_view", &of(query)).unwrap_or_else(|denial| panic!("{query}: {denial:?}"));
    }
    for query in [
        " SELECT sales.sku, sales.card_number FROM public.sales;",
        " SELECT s.sku FROM public.sales s WHERE s.price > 1::numeric;",
        " SELECT inner_view.id FROM public.inner_view;",
        " SELECT count(*) FROM public.employees;",
        " SELECT public.leak_cards() AS sku;",
        " SELECT pg_settings.setting FROM pg_settings WHERE pg_settings.name = 'port'::text;",
        " what is no query",
        "",
    ] {
        for text in ["SELECT 1 FROM orders_view", "SELECT (SELECT count(*) FROM sales s, orders_view)"] {
            let denial = judge(text, &of(query)).expect_err(query);
            assert_eq!(denial.message, "permission denied for table orders_view", "{query}");
            assert!(denial.detail.is_empty(), "{query}");
        }
    }
    let ground = of(" SELECT sku FROM public.sales;");
    judge("INSERT INTO orders_view(sku) VALUES ('a')", &ground).expect_err("sales.sku may not be written");
    judge("SELECT sku FROM orders_view FOR UPDATE", &ground).expect_err("sales may not be locked");
}

#[test]
fn a_view_over_one_that_reads_with_its_callers_rights_needs_what_that_reads() {
    let of = |query: &str| {
        let mut parts = shop_parts();
        let view = parts.relations.iter_mut().find(|relation| &*relation.name == "v_sales_all").unwrap();
        let (inner, over) = (view.oid, view.oid + 50_000);
        let again = Relation { oid: over, name: "over".into(), ..view.clone() };
        parts.relations.push(again);
        parts.invokers = vec![(inner, query.into())];
        parts.users_of_invokers = vec![(over, inner)];
        let mut ground = ground_of(parts, Star::Deny);
        let all = [Privilege::Select, Privilege::Insert, Privilege::Update];
        let mut list = vec![resource("public.over", &all), resource("public.sales.sku", &all)];
        list.push(resource("public.sales.id", &[Privilege::Select]));
        ground.limits = Arc::new(Limits::new(&list, Terms::default()));
        ground
    };
    judge("SELECT * FROM over", &of(" SELECT id, sku FROM public.sales;")).unwrap();
    for query in [" SELECT id, card_number AS sku FROM public.sales;", ""] {
        let denial = judge("SELECT id FROM over", &of(query)).expect_err(query);
        assert_eq!(denial.message, "permission denied for table over");
    }
    let ground = of(" SELECT sku FROM public.sales;");
    for text in ["INSERT INTO over(sku) VALUES ('a')", "SELECT sku FROM over FOR SHARE"] {
        judge(text, &ground).expect_err(text);
    }
}

#[test]
fn the_text_of_a_view_is_told_to_those_who_may_read_the_view() {
    let parts = shop_parts();
    let number = |name: &str| parts.relations.iter().find(|relation| &*relation.name == name).unwrap().oid;
    let (granted, other, table) = (number("v_sales_all"), number("v_sales_public"), number("orders"));
    let mut ground = ground_of(shop_parts(), Star::Deny);
    let list = ["public.v_sales_all", "public.orders"].map(|name| resource(name, &[Privilege::Select]));
    ground.limits = Arc::new(Limits::new(&list, Terms::default()));
    for text in [
        &format!(
            "SELECT r.rulename, trim(trailing ';' from pg_catalog.pg_get_ruledef(r.oid, true)) \
             FROM pg_catalog.pg_rewrite r WHERE r.ev_class = '{granted}' AND r.rulename != '_RETURN' ORDER BY 1"
        ),
        &format!("SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = {granted}"),
        "SELECT pg_get_viewdef('v_sales_all')",
        "SELECT pg_get_viewdef('public.v_sales_all'::regclass, true)",
        &format!("SELECT pg_catalog.pg_get_viewdef('{granted}'::pg_catalog.oid, true)"),
        &format!("SELECT pg_get_viewdef({granted})"),
        &format!(
            "SELECT CASE WHEN c.oid IN ({granted}) THEN pg_get_viewdef(c.oid, true) END AS x FROM pg_class c"
        ),
    ] {
        let judgement = judge(text, &ground).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
        assert!(!judgement.alike, "another number is another view: {text}");
    }
    let turned = format!(
        "SELECT CASE false WHEN c.oid IN ({granted}) THEN pg_get_viewdef(c.oid) END AS x FROM pg_class c"
    );
    let sent = judge(&turned, &ground).unwrap().instead.unwrap();
    for number in [format!("0{granted}"), format!(" {granted}"), format!("+{granted}"), "0x1".to_owned()] {
        judge(&format!("SELECT pg_get_viewdef('{number}'::oid)"), &ground).expect_err(&number);
        judge(&format!("SELECT pg_relation_size('{number}'::oid)"), &ground).expect_err(&number);
    }
    assert!(sent.contains("THEN CASE WHEN \"c\".\"oid\" IN ("), "what is shown is chosen once more: {sent}");
    for text in [
        "SELECT pg_get_viewdef('v_sales_public')",
        "SELECT pg_get_viewdef('orders')",
        "SELECT pg_get_viewdef(relname) FROM pg_class",
        "SELECT pg_get_viewdef(c.oid, x) FROM pg_class c, (VALUES (true)) v(x)",
        "SELECT pg_get_viewdef(o.id) FROM orders o",
        "SELECT oid FROM pg_class WHERE pg_get_viewdef(oid) LIKE 'C%'",
        "SELECT (SELECT pg_get_viewdef(c.oid)) FROM pg_class c",
        &format!(
            "SELECT CASE WHEN c.oid IN ({granted}, {other}) THEN pg_get_viewdef(c.oid) END AS x FROM pg_class c"
        ),
        &format!(
            "SELECT CASE WHEN c.oid NOT IN ({granted}) THEN pg_get_viewdef(c.oid) END AS x FROM pg_class c"
        ),
        &format!(
            "SELECT CASE WHEN c.oid IN ({granted}) THEN pg_get_viewdef(d.oid) END AS x FROM pg_class c, pg_class d"
        ),
        &format!(
            "SELECT CASE WHEN c.oid IN ({granted}) THEN 'a' ELSE pg_get_viewdef(c.oid) END AS x FROM pg_proc c"
        ),
        &format!(
            "SELECT CASE WHEN c.oid IN ({granted}) OR true THEN pg_get_viewdef(c.oid) END AS x FROM pg_class c"
        ),
        &format!("SELECT CASE WHEN c.oid = {granted} THEN pg_get_viewdef(c.oid) END AS x FROM pg_class c"),
        &format!(
            "SELECT CASE WHEN c.oid IN ({granted}) THEN pg_get_viewdef(c.oid) || '' END AS x FROM pg_class c"
        ),
        &format!("SELECT CASE WHEN c.oid IN ({granted}) THEN pg_get_ruledef(c.oid) END AS x FROM pg_class c"),
        &format!(
            "SELECT 1 FROM pg_class c WHERE CASE WHEN c.oid IN ({granted}) THEN pg_get_viewdef(c.oid) END > ''"
        ),
        "SELECT hr.pg_get_viewdef('v_sales_all')",
        "SELECT pg_get_functiondef('v_sales_all'::regclass)",
        &format!("SELECT pg_get_viewdef({other})"),
        &format!("SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = {other}"),
        &format!("SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = {granted} OR true"),
        &format!("SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE NOT ev_class = {granted}"),
        &format!("SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE oid = {granted}"),
        &format!("SELECT pg_get_ruledef({other}) FROM pg_rewrite WHERE ev_class = {granted}"),
        &format!("SELECT pg_get_ruledef(oid) FROM pg_rewrite a(ev_class, oid) WHERE ev_class = {granted}"),
        &format!("SELECT pg_get_ruledef(r.oid) FROM pg_rewrite r, pg_rewrite s WHERE r.ev_class = {granted}"),
        &format!(
            "SELECT t FROM (SELECT pg_get_ruledef(oid) AS t FROM pg_rewrite WHERE ev_class = {granted}) x"
        ),
        &format!(
            "SELECT (SELECT pg_get_ruledef(s.oid) FROM pg_rewrite s) FROM pg_rewrite WHERE ev_class = {granted}"
        ),
        &format!("SELECT 1 FROM pg_rewrite WHERE ev_class = {granted} AND pg_get_ruledef(oid) LIKE 'C%'"),
        &format!(
            "WITH pg_rewrite AS (SELECT oid, oid AS ev_class FROM pg_class) \
                  SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = {granted}"
        ),
        &format!("SELECT pg_get_viewdef('{table}'::oid)"),
    ] {
        // Where it would only be shown there is NULL instead.
        let sent = judge(text, &ground).map(|judgement| judgement.instead.expect(text));
        let tells = |sent: &str| {
            let guarded = |of: &str| {
                format!(
                    "WHEN {of}.\"oid\" IN ({granted}) THEN \"pg_catalog\".\"pg_get_viewdef\"({of}.\"oid\")"
                )
            };
            sent.replace(&guarded("\"c\""), "").replace(&guarded("\"d\""), "").contains("def(")
        };
        assert!(sent.as_ref().map_or(true, |sent| !tells(sent)), "{text}: {sent:?}");
    }
    let text = "SELECT c.relname, pg_catalog . pg_get_viewdef(c.oid, true) FROM pg_class c";
    let wanted = format!(
        "SELECT c.relname, CASE WHEN \"c\".\"oid\" IN ({granted}) THEN \"pg_catalog\".\"pg_get_viewdef\"(\"c\".\"oid\", \
         true) END AS \"pg_get_viewdef\" FROM pg_class c"
    );
    assert_eq!(judge(text, &ground).unwrap().instead.as_deref(), Some(&*wanted));
}

#[test]
fn names_in_a_views_query_do_not_depend_on_the_search_path() {
    let mut parts = shop_parts();
    let view = parts.relations.iter().find(|relation| &*relation.name == "v_sales_all").unwrap();
    let (oid, schema) = (view.oid, "public".into());
    let decoy = Relation { oid: oid + 50_000, name: "pg_authid".into(), kind: b'r', ..view.clone() };
    parts.relations.push(decoy);
    parts.invokers = vec![(oid, " SELECT count(*) AS id FROM pg_authid;".into())];
    let mut ground = ground_of(parts, Star::Deny);
    ground.path = [schema, "pg_catalog".into()].into();
    let list = ["public.v_sales_all", "public.pg_authid"].map(|name| resource(name, &[Privilege::Select]));
    ground.limits = Arc::new(Limits::new(&list, Terms::default()));
    judge("SELECT id FROM pg_authid", &ground).unwrap();
    judge("SELECT id FROM v_sales_all", &ground).expect_err("the view reads the server's own");
}

#[test]
fn the_word_json_is_a_name_to_servers_that_do_not_know_it_better() {
    for (server_version, is_name) in [(150_020, true), (160_010, true), (170_006, false)] {
        let (schema, name) = ("public".into(), "json".into());
        let mut parts = Parts { server_version, ..shop_parts() };
        parts.types.push(Type { oid: 70_000, schema, name, harmless: false });
        let ground =
            Ground { path: ["public", "pg_catalog"].map(Arc::from).into(), ..ground_of(parts, Star::Deny) };
        for text in
            ["SELECT sku::json FROM sales", "SELECT json '1'", "SELECT CAST(qty AS json[]) FROM orders"]
        {
            assert_eq!(judge(text, &ground).is_err(), is_name, "{server_version}: {text}");
        }
    }
}

#[test]
fn a_parameter_may_name_the_setting_that_is_read_and_nothing_else() {
    for text in [
        "SELECT current_setting($1)",
        "SELECT current_setting($1::VARCHAR), id FROM orders WHERE id = $2",
        "SELECT CASE WHEN a.amname != current_setting($1::text, true) THEN a.amname END, '$1' FROM pg_am a",
        "EXPLAIN SELECT pg_catalog.current_setting($1::pg_catalog.varchar) -- $1",
    ] {
        let judgement = judge(text, &shop()).unwrap_or_else(|denial| panic!("{text}: {denial:?}"));
        assert_eq!(*judgement.steps, [Step::Reads(1), Step::Plain], "{text}");
    }
    for text in [
        "SELECT current_setting($1::varchar(4))",
        "SELECT current_setting($1::text[])",
        "SELECT current_setting($1::name)",
        "SELECT current_setting($1::regtype::text)",
        "SELECT current_setting($1 || '')",
        "SELECT current_setting(lower($1))",
        "SELECT current_setting($1), $1",
        "SELECT $1::regtype, current_setting($1)",
        "SELECT current_setting($1), current_setting($1)",
        "SELECT $01::int, current_setting($1)",
        "SELECT set_config($1, 'x', false)",
        "PREPARE p(text) AS SELECT current_setting($1)",
        "EXECUTE p(current_setting($1))",
        "DECLARE c CURSOR FOR SELECT current_setting($1)",
        "COPY (SELECT current_setting($1)) TO STDOUT",
    ] {
        judge(text, &shop()).expect_err(text);
    }
}

#[test]
fn a_row_is_not_made_of_another_one_whose_domains_may_be_anybodys() {
    for text in [
        "SELECT jsonb_populate_record(o, '{}') FROM orders o",
        "SELECT json_populate_record(ROW(o.qty), '{}') FROM orders o",
        "SELECT jsonb_populate_recordset(x, '[]') FROM (SELECT qty FROM orders) x",
        "SELECT jsonb_populate_record(CASE WHEN true THEN o END, '{}') FROM orders o",
        "SELECT pg_catalog.jsonb_populate_record((SELECT o FROM orders o LIMIT 1), '{}')",
    ] {
        verdict(text).expect_err(text);
    }
    verdict("SELECT x.a FROM jsonb_populate_record(NULL::record, '{}') AS x(a int)").unwrap();
}

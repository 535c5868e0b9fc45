//! The judge on the shop of the cases: `sales` in part, `orders` whole, nothing else.

mod bounds;
mod extensions;
mod meanings;
mod parts;
mod withheld;

use std::{collections::HashMap, sync::Arc};

use postern_protocol::gate::{MovementLimits, Privilege, ResourceGrant, Star, Terms};

use super::{
    Ground, Judgement, Start, Step,
    catalog::{Catalog, Column, Named, Parts, Relation, Type},
    judge,
    judge::judge_text,
    shape::{known, remember, shape},
};
use crate::enforce::{Denial, Limits, Verdicts};

pub(crate) use parts::is_part_and_failure;

/// What a PostgreSQL 15 with the shop in it says of itself.
const SHOP: &str = include_str!("../../../testdata/catalog-15.tsv");

fn columns(list: &str) -> Box<[Column]> {
    let column = |entry: &str| {
        let mut parts = entry.rsplitn(3, ':');
        let (kind, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Column { name: parts.next()?.into(), number, type_oid: kind })
    };
    list.split(',').filter_map(column).collect()
}

pub(crate) fn shop_parts() -> Parts {
    let mut parts = Parts { loaded: "today".into(), ..Parts::default() };
    let mut known: HashMap<&str, Arc<str>> = HashMap::new();
    let mut schema = |name: &'static str| Arc::clone(known.entry(name).or_insert_with(|| name.into()));
    for line in SHOP.lines() {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["v", version] => parts.server_version = version.parse().unwrap(),
            ["s", name] => parts.schemas.push(schema(name)),
            ["r", oid, of, name, kind, list] => parts.relations.push(Relation {
                oid: oid.parse().unwrap(),
                schema: schema(of),
                name: (*name).into(),
                kind: kind.as_bytes()[0],
                columns: columns(list),
                lively: Box::default(),
            }),
            ["t", oid, of, name, harmless] => parts.types.push(Type {
                oid: oid.parse().unwrap(),
                schema: schema(of),
                name: (*name).into(),
                harmless: *harmless == "1",
            }),
            ["f", name] => parts.server_functions.push((*name).into()),
            ["F", of, name] => parts.functions.push(Named { schema: schema(of), name: (*name).into() }),
            other => panic!("{other:?}"),
        }
    }
    parts
}

fn resource(name: &str, privileges: &[Privilege]) -> ResourceGrant {
    ResourceGrant { resource: name.parse().unwrap(), privileges: privileges.to_vec() }
}

pub(crate) fn ground_of(parts: Parts, star: Star) -> Ground {
    use Privilege::{Insert, Select, Update};
    let mut list: Vec<_> =
        ["id", "prod_name", "sku"].map(|name| resource(&format!("public.sales.{name}"), &[Select])).into();
    list.push(resource("public.orders", &[Select, Insert, Update]));
    Ground {
        catalog: Arc::new(Catalog::new(1, parts)),
        limits: Arc::new(Limits::new(&list, Terms { star, limits: MovementLimits::default() })),
        path: ["pg_catalog", "public"].map(Arc::from).into(),
        user: "app".into(),
        start: Arc::new(Start::new("\"$user\", public", "today", "app")),
    }
}

fn shop() -> Ground {
    ground_of(shop_parts(), Star::Deny)
}

fn verdict(text: &str) -> Result<Judgement, Denial> {
    judge(text, &shop())
}

fn denied(text: &str) -> Denial {
    verdict(text).expect_err(text)
}

#[test]
fn what_is_granted_is_let_through_as_it_is() {
    for text in [
        "SELECT id, prod_name, sku FROM sales",
        "SELECT s.sku, o.* FROM public.sales s JOIN orders o ON o.sale_id = s.id WHERE o.qty > 1 ORDER BY 1",
        "INSERT INTO orders(sale_id, qty) VALUES (1, 2) RETURNING id",
        "WITH x AS (SELECT id AS card_number FROM sales) SELECT card_number FROM x",
        "SELECT setting FROM pg_catalog.pg_settings WHERE name='max_index_keys'",
        "SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'",
    ] {
        assert_eq!(verdict(text).map_err(|denial| (text, denial)).unwrap().instead, None);
    }
}

#[test]
fn a_column_outside_the_grant_is_named_in_the_database_s_own_words() {
    let denial = denied("SELECT card_number FROM sales");
    assert_eq!(
        (denial.sqlstate, &*denial.message),
        ("42501", "permission denied for column card_number of table sales")
    );
    assert_eq!(denied("SELECT name FROM employees").message, "permission denied for table employees");
    assert_eq!(denied("SELECT * FROM sales").message, "permission denied for table sales");
}

#[test]
fn what_does_not_exist_is_said_to_be_missing() {
    assert_eq!(denied("SELECT nope FROM sales").sqlstate, "42703");
    assert_eq!(denied("SELECT 1 FROM nope").sqlstate, "42P01");
    assert!(denied("SELECT 1 FROM nope").stale);
    for (text, code, message) in [
        ("SELECT nosuchfn(1)", "42883", "function nosuchfn does not exist"),
        ("SELECT nosuchfn(sku), 1 FROM sales", "42883", "function nosuchfn does not exist"),
        ("SELECT hr.nosuchfn()", "42883", "function hr.nosuchfn does not exist"),
        ("SELECT pg_catalog.nosuchfn()", "42883", "function pg_catalog.nosuchfn does not exist"),
        ("SELECT * FROM nosuchfn(1, 2)", "42883", "function nosuchfn does not exist"),
        ("SELECT nosch.f(1)", "3F000", "schema \"nosch\" does not exist"),
        ("SELECT null::nosuchtype", "42704", "type \"nosuchtype\" does not exist"),
        ("SELECT sku::nosuchtype[] FROM sales", "42704", "type \"nosuchtype\" does not exist"),
        ("SELECT null::public.nosuchtype", "42704", "type \"public.nosuchtype\" does not exist"),
        ("SELECT null::nosch.int4", "3F000", "schema \"nosch\" does not exist"),
    ] {
        let denial = denied(text);
        assert_eq!((denial.sqlstate, &*denial.message, denial.stale), (code, message, true), "{text}");
    }
}

#[test]
fn what_exists_and_is_refused_is_not_said_to_be_missing() {
    let mut parts = shop_parts();
    parts.function_names = vec!["similarity".into()];
    parts.functions.push(Named { schema: "hr".into(), name: "mine".into() });
    let ground = ground_of(parts, Star::Deny);
    for text in [
        "SELECT pg_read_file('x')",
        "SELECT pg_catalog.pg_read_file('x')",
        "SELECT similarity('a', 'b')",
        "SELECT nosch.similarity('a', 'b')",
        "SELECT mine(1)",
        "SELECT hr.mine(1)",
        "SELECT id(s) FROM sales s",
        "SELECT nosuchfn(s) FROM sales s",
        "SELECT nosuchfn((SELECT s FROM orders s LIMIT 1))",
        "SELECT nosuchfn(ROW(1))",
        "SELECT sales('a')",
        "SELECT record('a')",
        "SELECT pg_temp.nosuchfn(1)",
        "SELECT information_schema.nosuchfn(1)",
        "SELECT null::sales",
        "SELECT null::_sales",
        "SELECT null::public.employees",
        "SELECT null::pg_temp_3.x",
        "SELECT null::trigger",
    ] {
        assert_eq!(judge(text, &ground).expect_err(text).sqlstate, "42501", "{text}");
    }
}

#[test]
fn a_call_in_the_clothes_of_a_column_is_a_call() {
    for text in [
        "SELECT ('PG_VERSION'::text).pg_read_file",
        "SELECT s.to_jsonb FROM sales s",
        "SELECT (s).quote_literal FROM (SELECT sku AS a FROM sales) s, LATERAL (SELECT s.leak_cards) x",
        "SELECT (1::int).add1",
    ] {
        denied(text);
    }
}

#[test]
fn a_star_becomes_the_granted_columns_where_the_rule_says_so() {
    let ground = ground_of(shop_parts(), Star::Expand);
    let text = "SELECT s . /* x */ *, o.* FROM sales s, orders o WHERE '*' <> sku";
    let judgement = judge(text, &ground).unwrap();
    let wanted = "SELECT \"s\".\"id\", \"s\".\"prod_name\", \"s\".\"sku\", o.* FROM sales s, orders o WHERE '*' <> sku";
    assert_eq!(judgement.instead.as_deref(), Some(wanted));
    assert_eq!(judge("SELECT * FROM orders", &ground).unwrap().instead, None);
}

#[test]
fn what_a_text_does_to_names_is_told_step_by_step() {
    let judgement = verdict("PREPARE p(int) AS SELECT id FROM orders; EXECUTE p(1); DEALLOCATE ALL").unwrap();
    assert_eq!(*judgement.steps, [Step::Prepare("p".into()), Step::Execute("p".into()), Step::DeallocateAll]);
}

#[test]
fn statements_that_people_have_got_past_such_gates_with_are_refused() {
    for text in [
        "SELECT (SELECT card_number FROM orders LIMIT 1) FROM sales",
        "SELECT s FROM sales s",
        "SELECT 1 FROM sales s NATURAL JOIN (SELECT 'x'::text AS card_number) g",
        "SELECT sku FROM sales AS s(id, prod_name, price, x, y, sku)",
        "WITH a AS (SELECT ssn FROM employees), employees AS (SELECT 1 AS ssn) SELECT * FROM a",
        "SELECT sku AS card_number FROM sales ORDER BY card_number || ''",
        "SELECT sku AS card_number FROM sales GROUP BY card_number",
        "SELECT id FROM orders LIMIT (SELECT count(*) FROM employees)",
        "SELECT JSON_ARRAY(SELECT card_number FROM sales)",
        "UPDATE orders SET qty = 1 RETURNING (SELECT max(price) FROM sales)",
        "INSERT INTO orders(id, qty) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET qty = (SELECT max(price)::int FROM sales)",
        "WITH RECURSIVE r AS (SELECT id FROM sales UNION ALL SELECT r.id FROM r) SEARCH DEPTH FIRST BY id SET card_number \
         SELECT (SELECT card_number FROM (SELECT id FROM r) d LIMIT 1) FROM sales",
        "SELECT x.v FROM sales, LATERAL (SELECT card_number AS v) x",
        "SELECT count(*) FILTER (WHERE price > 1) FROM sales",
        "SELECT id FROM sales WINDOW w AS (PARTITION BY price)",
        "SELECT id FROM sales FOR UPDATE",
        "COPY (SELECT card_number FROM sales) TO STDOUT",
        "EXPLAIN SELECT price FROM sales",
        "DECLARE c CURSOR FOR SELECT price FROM sales",
        "SELECT E'\\'' , card_number FROM sales --'",
        "SELECT current_setting('a' || 'b')",
        "SELECT set_config('search_path', '\"hr, public\"', false)",
        "TABLE employees",
        "SELECT setting FROM pg_settings",
        "SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'",
        "SELECT setting FROM pg_settings WHERE name = 'port' OR name = 'primary_conninfo'",
        "SELECT s.setting FROM pg_settings s, pg_settings t WHERE t.name = 'port'",
        "SELECT b FROM pg_settings AS s(a, b, c, d, e, f, name) WHERE name = 'port'",
        "SELECT x.setting FROM (SELECT * FROM pg_show_all_settings()) x WHERE x.name = 'port'",
        "SELECT (SELECT card_number||'' FROM unnest('a'::tsvector) AS card_number) FROM sales",
        "SELECT (SELECT card_number||'' FROM COALESCE(o, o) AS card_number) FROM orders o, sales",
        "SELECT (SELECT sum(1) FROM (SELECT 1 AS price UNION ALL SELECT 2 LIMIT price) x) FROM sales",
        "SELECT (SELECT ctid FROM pg_catalog.pg_tables LIMIT 1)::text FROM sales",
        "SELECT (SELECT string_agg(setting, ' ') FROM pg_settings p WHERE o.name = 'jit') FROM (SELECT 'jit' AS name) o",
        "SELECT s.id FROM (SELECT 1 AS a, 'c'::text AS c) x CROSS JOIN LATERAL (VALUES (x.*)) AS v(q, card_number) NATURAL JOIN sales s",
        "SELECT set_config('search_path', E'public\\u00a0', false)",
        "SELECT hr.currval(pg_get_serial_sequence('orders','id'))",
        "SELECT 1::public.sales",
        "SELECT '(1,a,b)'::sales",
    ] {
        denied(text);
    }
}

/// The known sessions' statements, where nothing was prepared for them in the database.
fn known_statements() -> Vec<(bool, String)> {
    let mut statements = Vec::new();
    for line in include_str!("../../../../tests/data/pg_cases.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let newer = case["min_version"].as_u64().is_some_and(|version| version > 15);
        if newer || case["setup"].as_array().is_some_and(|setup| !setup.is_empty()) {
            continue;
        }
        let session: Vec<&str> =
            case["session"].as_array().unwrap().iter().filter_map(|text| text.as_str()).collect();
        let denied = case["deny_at"].as_u64().map(|at| usize::try_from(at).unwrap());
        let first = session.iter().take(denied.unwrap_or(usize::MAX));
        statements.extend(first.map(|text| (true, (*text).to_owned())));
        statements.extend(denied.map(|at| (false, session[at].to_owned())));
    }
    statements
}

#[test]
fn the_known_sessions_get_their_verdicts() {
    let (ground, mut wrong) = (shop(), Vec::new());
    // What is right about names that nobody made, and about rows of open catalogs, is not the judge's to say.
    let elsewhere = [
        "FETCH ALL FROM unknown_cursor",
        "EXPLAIN ANALYZE EXECUTE nosuch",
        "reltuples FROM pg_class",
        "pg_table_size(c.oid)",
    ];
    // What is only shown of closed columns becomes NULL.
    let withheld =
        |judgement: &Judgement| judgement.instead.as_ref().is_some_and(|sent| sent.contains("NULL::"));
    for (allowed, text) in known_statements() {
        let verdict = judge(&text, &ground);
        let passed = verdict.as_ref().is_ok_and(|judgement| allowed || !withheld(judgement));
        if passed != allowed && !elsewhere.iter().any(|part| text.contains(part)) {
            wrong.push((allowed, text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Numbers that look random, the same ones every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn no_text_makes_the_judge_panic_and_what_it_sends_is_what_it_would_judge() {
    let rounds =
        std::env::var("POSTERN_TEST_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000);
    let (ground, mut dice) = (ground_of(shop_parts(), Star::Expand), Dice(0x2545_f491_4f6c_dd1d));
    let known: Vec<String> = known_statements().into_iter().map(|(_, text)| text).collect();
    let words: Vec<&str> = known.iter().flat_map(|text| text.split(' ')).collect();
    for _ in 0..rounds {
        let mut letters: Vec<char> = known[dice.roll(known.len())].chars().take(2_000).collect();
        for _ in 0..=dice.roll(3) {
            let at = dice.roll(letters.len() + 1);
            match dice.roll(4) {
                0 => drop(letters.drain(at..(at + dice.roll(8)).min(letters.len()))),
                1 => drop(letters.splice(at..at, words[dice.roll(words.len())].chars())),
                2 => letters
                    .insert(at, ['\'', '"', '(', ')', ';', '*', '\\', '$', '.', '\u{e9}'][dice.roll(10)]),
                _ => drop(letters.splice(at..at, known[dice.roll(known.len())].chars().take(80))),
            }
        }
        let text: String = letters.into_iter().collect();
        let verdict = judge_text(&text, &ground);
        if let Ok(judgement) = &verdict {
            holds_for_its_shape(&text, judgement, &ground);
        }
        if let Ok(Judgement { instead: Some(sent), .. }) = verdict {
            let again = judge_text(&sent, &ground).unwrap_or_else(|denial| panic!("{sent}: {denial:?}"));
            assert_eq!(again.instead, None, "{sent}");
        }
    }
}

/// A judgement that is kept for the shape of a text is what every text of that shape gets.
fn holds_for_its_shape(text: &str, judgement: &Judgement, ground: &Ground) {
    let Some(shape) = shape(text).filter(|_| judgement.alike) else { return };
    for number in ["0", "1", "16385", "999999999"] {
        let parts: Vec<&[u8]> = shape.frame.split(|byte| *byte == 0).collect();
        let other = String::from_utf8(parts.join(number.as_bytes())).unwrap();
        assert_eq!(judge_text(&other, ground).as_ref(), Ok(judgement), "{text}\n{other}");
    }
}

#[test]
fn a_verdict_holds_for_other_numbers_unless_it_has_looked_at_them() {
    for (text, alike) in [
        ("SELECT id FROM sales WHERE id = 17 AND sku IN (1, 2) ORDER BY 1 LIMIT 10", true),
        ("INSERT INTO orders(sale_id, qty) VALUES (1, 2), (3, 4)", true),
        ("UPDATE orders SET qty = 5 WHERE id = 6; SELECT 7", true),
        ("SELECT id FROM sales", false),
        ("SELECT pg_relation_size(1259)", false),
        ("SELECT CAST(qty AS numeric(10, 2)) FROM orders WHERE id = 5", false),
        ("SET statement_timeout = 100", false),
        ("SET statement_timeout TO 100; SELECT id FROM sales WHERE id = 1", false),
        ("BEGIN; FETCH 5 FROM c", false),
        ("SELECT id FROM sales WHERE id = -(- 5)", false),
    ] {
        let judgement = verdict(text).map_err(|denial| (text, denial)).unwrap();
        assert_eq!(judgement.alike, alike, "{text}");
        holds_for_its_shape(text, &judgement, &shop());
    }
}

#[test]
fn a_verdict_is_found_for_texts_of_its_shape_and_for_no_others() {
    let (verdicts, ground) = (Verdicts::default(), shop());
    for text in ["SELECT id FROM sales WHERE id = 17", "SELECT pg_relation_size(1259)"] {
        remember(&verdicts, text, &ground, &verdict(text).map(Arc::new));
    }
    for (text, is_known) in [
        ("SELECT id FROM sales WHERE id = 17", true),
        ("SELECT id FROM sales WHERE id = 9", true),
        ("SELECT id FROM sales WHERE id = 9.5", false),
        ("SELECT id FROM sales WHERE id = 1234567890", false),
        ("SELECT id FROM sales WHERE id = qty", false),
        ("SELECT id FROM sales WHERE id =  9", false),
        ("SELECT pg_relation_size(1259)", true),
        ("SELECT pg_relation_size(1260)", false),
    ] {
        assert_eq!(known(&verdicts, text, &ground).is_some(), is_known, "{text}");
    }
}

#[test]
fn what_parses_only_without_its_comments_is_sent_without_them() {
    let judgement =
        verdict("SELECT id /* a /* b */ 'c */ FROM orders ORDER BY id NULLS /**/ LAST -- x\n, sale_id")
            .unwrap();
    let sent = judgement.instead.unwrap();
    let words: Vec<&str> = sent.split_ascii_whitespace().collect();
    assert_eq!(words.join(" "), "SELECT id FROM orders ORDER BY id NULLS LAST , sale_id");
    denied("SELECT id FROM sales ORDER BY price NULLS /**/ LAST");
    denied("SELECT id FROM sales ORDER BY id NULLS /**/ LAST, '/*' || card_number || '*/'");
}

#[test]
fn a_refusal_names_no_column_that_the_statement_does_not_name() {
    for text in [
        "SELECT * FROM orders o JOIN sales s ON o.sale_id = s.id",
        "SELECT x FROM sales AS s(a, b, c, x)",
        "SELECT 1 FROM sales a NATURAL JOIN sales b",
        "SELECT j FROM (orders o JOIN sales s ON true) j",
    ] {
        let denial = denied(text);
        assert_eq!(denial.message, "permission denied for table sales", "{text}");
    }
}

#[test]
fn depth_and_odd_bytes_are_refused_and_break_nothing() {
    let deep = |open: &str, inside: &str, close: &str, times: usize| {
        format!("SELECT {}{inside}{}", open.repeat(times), close.repeat(times))
    };
    for times in [100, 450, 100_000] {
        for (open, inside, close) in [
            ("NOT ", "true", ""),
            ("(", "1", ")"),
            ("-(", "1", ")"),
            ("ARRAY[", "1", "]"),
            ("(SELECT ", "1", ")"),
            ("1 || ", "1", ""),
            ("coalesce(", "1", ")"),
            ("CASE WHEN true THEN ", "1", " END"),
        ] {
            let _ = verdict(&deep(open, inside, close, times));
        }
        let _ = verdict(&format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(times)));
        let _ = verdict(&format!("SELECT 1 FROM orders{}", " CROSS JOIN orders".repeat(times.min(2_000))));
    }
    for text in
        ["SELECT E'\\xff'", "SELECT U&'\\ffff'", "SELECT '\u{1}'", "", ";;", "-- nothing", "SELECT $$", "/*"]
    {
        let _ = verdict(text);
    }
    assert_eq!(verdict("").unwrap().steps.len(), 0);
}

#[test]
fn a_verdict_tells_what_its_text_reads_and_writes() {
    for (text, expected) in [
        ("SELECT 1", vec![]),
        (
            "SELECT s.sku FROM sales s WHERE s.id = 1",
            vec!["SELECT public.sales.id", "SELECT public.sales.sku"],
        ),
        ("SELECT count(*) FROM orders", vec!["SELECT public.orders"]),
        (
            "INSERT INTO orders(sale_id) SELECT id FROM sales",
            vec!["INSERT public.orders.sale_id", "SELECT public.sales.id"],
        ),
        (
            "UPDATE orders SET qty = qty + 1 WHERE id = 7",
            vec!["SELECT public.orders.id", "SELECT public.orders.qty", "UPDATE public.orders.qty"],
        ),
        ("SELECT id FROM orders FOR UPDATE", vec!["SELECT public.orders.id", "UPDATE public.orders"]),
        ("PREPARE p AS SELECT sku FROM sales", vec!["SELECT public.sales.sku"]),
        ("SELECT relname FROM pg_class", vec![]),
    ] {
        let mut uses = verdict(text).expect(text).uses.list();
        uses.sort();
        assert_eq!(uses, expected, "{text}");
    }
    let expanding = ground_of(shop_parts(), Star::Expand);
    let sales = ["SELECT public.sales.id", "SELECT public.sales.prod_name", "SELECT public.sales.sku"];
    assert_eq!(judge("SELECT * FROM sales", &expanding).unwrap().uses.list(), sales);
}

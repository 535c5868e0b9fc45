//! The judge on the shop of the cases: `sales` in part, `orders` whole, nothing else.

use std::{collections::HashMap, sync::Arc};

use postern_protocol::gate::{MovementLimits, Privilege, ResourceGrant, Star, Terms};

use super::{
    Ground, Judgement, Step,
    catalog::{Catalog, Column, Named, Parts, Relation, Type},
    judge,
};
use crate::enforce::{Denial, Limits};

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
    let mut parts = Parts::default();
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
        "SELECT 1::public.sales",
        "SELECT '(1,a,b)'::sales",
    ] {
        denied(text);
    }
}

/// `POSTERN_CASES=pg_cases.jsonl` prints every case of a file whose verdict is not the expected one.
#[test]
#[ignore = "a tool for looking at many cases at once"]
fn cases() {
    let path = std::env::var("POSTERN_CASES").unwrap();
    let (ground, mut wrong, mut all) = (shop(), 0, 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let too_new = case["min_version"].as_u64().is_some_and(|version| version > 15);
        if too_new || !case["setup"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        all += 1;
        let session: Vec<&str> =
            case["session"].as_array().unwrap().iter().filter_map(|text| text.as_str()).collect();
        let verdicts: Vec<_> = session.iter().map(|text| judge(text, &ground)).collect();
        let first = verdicts.iter().position(Result::is_err);
        let wanted =
            (case["expect"] == "deny").then(|| usize::try_from(case["deny_at"].as_u64().unwrap()).unwrap());
        let right = match (first, wanted) {
            (None, None) => true,
            (Some(first), Some(wanted)) => first <= wanted,
            _ => false,
        };
        if !right {
            wrong += 1;
            println!(
                "{} [{}] {}\n   {:?}\n",
                case["id"],
                case["policy"],
                session.join(" ## "),
                first.map(|at| verdicts[at].clone())
            );
        }
    }
    println!("{wrong} of {all}");
}

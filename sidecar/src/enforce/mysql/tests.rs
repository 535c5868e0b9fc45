//! The judge on the shop of the cases: `sales` in part, `orders` whole, nothing else.

mod cases;
mod lexer;
mod ordinary;
mod scopes;
mod session;
pub(crate) mod storm;

use std::sync::Arc;

use postern_protocol::gate::{MovementLimits, Privilege, ResourceGrant, Star, Terms};

use super::{
    Catalog, Change, Class, Column, Ground, Judgement, Kind, Modes, Parts, Server, SqlMode, Table, judge,
    told,
};
use crate::enforce::{Denial, Limits};

/// What servers with the shop in them say of themselves.
const MYSQL: &str = include_str!("../../../testdata/catalog-mysql-9.tsv");
pub(crate) const MARIA: &str = include_str!("../../../testdata/catalog-mariadb-10.tsv");

fn columns(list: &str) -> Box<[Column]> {
    let column = |entry: &str| Column {
        name: entry.trim_end_matches(['!', '=']).into(),
        invisible: entry.ends_with('!'),
        computed: entry.ends_with('='),
    };
    list.split(',').map(column).collect()
}

pub(crate) fn shop_parts(snapshot: &str) -> Parts {
    let mut parts = Parts::default();
    for line in snapshot.lines() {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["v", version, folds] => parts.server = Server::new(version, folds.parse().unwrap()).unwrap(),
            ["s", name] => parts.schemas.push((*name).into()),
            ["t", schema, name, kind, list] => parts.tables.push(Table {
                schema: (*schema).into(),
                name: (*name).into(),
                kind: Kind::named(kind),
                columns: columns(list),
            }),
            ["f", name] => parts.functions.push((*name).into()),
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
        ["id", "prod_name", "sku"].map(|name| resource(&format!("shop.sales.{name}"), &[Select])).into();
    list.push(resource("shop.orders", &[Select, Insert, Update]));
    Ground {
        catalog: Arc::new(Catalog::new(1, parts)),
        limits: Arc::new(Limits::new(&list, Terms { star, limits: MovementLimits::default() })),
        database: Some("shop".into()),
        mode: SqlMode::default(),
        begun: Modes::default(),
        several: true,
        user: "'app'@'%'".into(),
    }
}

pub(crate) fn mysql() -> Ground {
    ground_of(shop_parts(MYSQL), Star::Deny)
}

pub(crate) fn maria() -> Ground {
    ground_of(shop_parts(MARIA), Star::Deny)
}

fn denied(text: &str) -> Denial {
    judge(text.as_bytes(), &mysql()).expect_err(text)
}

fn allowed_change(text: &str) -> Change {
    let Judgement { instead: None, steps, .. } = judge(text.as_bytes(), &mysql()).expect(text) else {
        panic!("{text} is sent in other words");
    };
    steps.last().expect(text).change.clone()
}

#[test]
fn a_verdict_tells_what_its_text_reads_and_writes() {
    for (text, expected) in [
        ("SELECT 1", vec![]),
        ("SELECT s.SKU FROM sales s WHERE s.id = 1", vec!["SELECT shop.sales.id", "SELECT shop.sales.sku"]),
        ("SELECT count(*) FROM orders", vec!["SELECT shop.orders"]),
        (
            "INSERT INTO orders(sale_id) SELECT id FROM sales",
            vec!["INSERT shop.orders.sale_id", "SELECT shop.sales.id"],
        ),
        (
            "UPDATE orders SET qty = qty + 1 WHERE id = 7",
            vec!["SELECT shop.orders.id", "SELECT shop.orders.qty", "UPDATE shop.orders.qty"],
        ),
        ("SELECT id FROM orders FOR UPDATE", vec!["SELECT shop.orders.id", "UPDATE shop.orders"]),
        ("SHOW TABLES", vec![]),
    ] {
        let mut uses = judge(text.as_bytes(), &mysql()).expect(text).uses.list();
        uses.sort();
        assert_eq!(uses, expected, "{text}");
    }
    let expanding = ground_of(shop_parts(MYSQL), Star::Expand);
    let sales = ["SELECT shop.sales.id", "SELECT shop.sales.prod_name", "SELECT shop.sales.sku"];
    assert_eq!(judge(b"SELECT * FROM sales", &expanding).unwrap().uses.list(), sales);
}

//! What a command waits for, how much of it there may be, and what statements leave behind.

use postern_protocol::gate::{MovementLimits, Privilege, ResourceGrant, Terms};

use super::*;
use crate::enforce::mysql::{
    Catalog, Column, Kind, Parts, Table,
    tests::{MARIA, shop_parts},
};

const DUPLICATE: &str = "INSERT INTO orders (id) VALUES (1)";

/// Whether the warnings are told.
fn tells(guard: &mut Guard) -> bool {
    let told = !send(guard, &query("SHOW WARNINGS")).is_empty();
    if told {
        answer(guard, &result("", &["Level"], 1)).unwrap();
    } else {
        assert_eq!(refusal(guard), Some((1, 1227)));
    }
    told
}

#[test]
fn warnings_of_a_write_are_not_told_until_tables_are_used_again() {
    let mut guard = guard();
    assert!(tells(&mut guard));
    for (sql, answered, told) in [
        (DUPLICATE, failed(1062), false),
        ("SELECT 1", result("", &["1"], 1), false),
        ("DO 1", good(), false),
        ("SET @a = 1", good(), false),
        ("SELECT nothing FROM (SELECT 1 AS nothing) d", failed(1105), false),
        ("SELECT sku FROM sales", result("sales", &["sku"], 1), true),
        (DUPLICATE, ok(2, 1, &[]), false),
        (DUPLICATE, good(), true),
    ] {
        run(&mut guard, sql, &answered);
        assert_eq!(tells(&mut guard), told, "{sql}");
    }
}

#[test]
fn a_read_that_may_come_out_of_a_cache_leaves_the_warnings_of_a_write_behind() {
    let mut guard = guard_with(maria(), agreed());
    run(&mut guard, DUPLICATE, &failed(1062));
    run(&mut guard, "SELECT sku FROM sales", &result("sales", &["sku"], 1));
    assert!(!tells(&mut guard));
    run(&mut guard, DUPLICATE, &good());
    assert!(tells(&mut guard));
}

#[test]
fn what_quotes_a_write_is_told_in_no_roundabout_way() {
    let mut guard = guard();
    let together = format!("{DUPLICATE}; SHOW WARNINGS");
    assert_eq!(refused(&mut guard, &query(&together)), 1227);
    assert_eq!(refused(&mut guard, &command(Command::StmtPrepare, b"SHOW WARNINGS")), 1227);
    assert_eq!(refused(&mut guard, &query("PREPARE w FROM 'SHOW WARNINGS'")), 1227);
    let behind = format!("{DUPLICATE}; SELECT 1");
    let first = ok(MORE, 1, &[]);
    run(&mut guard, &behind, &[first, good()].concat());
    assert!(!tells(&mut guard));
    // A text that only speaks of warnings is not one that asks for them.
    run(&mut guard, "UPDATE orders SET qty = 1 WHERE 'warnings' = 'errors'", &good());
}

#[test]
fn values_are_scrubbed_from_the_errors_of_writes_only() {
    let mut guard = guard();
    let secret = ErrorText::new(1062, "23000", "Duplicate entry 'SECRET' for key").packet(1);
    send(&mut guard, &query(DUPLICATE));
    let down = answer(&mut guard, &secret).unwrap();
    assert!(!String::from_utf8_lossy(&down).contains("SECRET"));
    send(&mut guard, &query("SELECT sku FROM sales"));
    assert_eq!(answer(&mut guard, &secret).unwrap(), secret);
}

fn limited(limits: MovementLimits) -> Guard {
    let resource =
        ResourceGrant { resource: "shop.orders".parse().unwrap(), privileges: vec![Privilege::Select] };
    let terms = Terms { limits, ..Terms::default() };
    guard_with(Ground { limits: Arc::new(Limits::new(&[resource], terms)), ..mysql() }, agreed())
}

#[test]
fn statements_and_rows_are_counted() {
    let mut guard = limited(MovementLimits { statements_per_minute: Some(3), ..MovementLimits::default() });
    run(&mut guard, "SELECT 1; SELECT 2", &[ok(MORE, 0, &[]), good()].concat());
    let ask = command(Command::StmtPrepare, b"SELECT 1");
    assert_eq!(send(&mut guard, &ask), ask);
    answer(&mut guard, &numbered(&[vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])).unwrap();
    run(&mut guard, "SELECT 3", &good());
    assert_eq!(refused(&mut guard, &query("SELECT 4")), 1227);
    assert_eq!(refused(&mut guard, &execute(1)), 1227);

    let mut guard = limited(MovementLimits { max_rows: Some(2), ..MovementLimits::default() });
    for _ in 0..3 {
        run(&mut guard, "SELECT id FROM orders", &result("orders", &["id"], 2));
    }
    send(&mut guard, &query("SELECT id FROM orders"));
    let answered = answer(&mut guard, &result("orders", &["id"], 3));
    assert!(matches!(answered, Err(Breach::Exceeded(_))));
}

/// Two rows of what a statement gives by its cursor.
fn fetched() -> Vec<u8> {
    numbered(&[vec![0, 0, 1], vec![0, 0, 2], vec![0xfe, 0, 0, 0x42, 0]])
}

#[test]
fn rows_that_are_fetched_in_portions_count_together() {
    let mut guard = limited(MovementLimits { max_rows: Some(3), ..MovementLimits::default() });
    let ask = command(Command::StmtPrepare, b"SELECT id FROM orders");
    assert_eq!(send(&mut guard, &ask), ask);
    answer(&mut guard, &prepared(7, "orders", "id")).unwrap();
    let fetch = command(Command::StmtFetch, &[7, 0, 0, 0, 2, 0, 0, 0]);
    for _ in 0..2 {
        send(&mut guard, &execute(7));
        let opened = numbered(&[vec![1], column("orders", "id"), vec![0xfe, 0, 0, 0x42, 0, 0, 0]]);
        answer(&mut guard, &opened).unwrap();
        assert_eq!(send(&mut guard, &fetch), fetch);
        answer(&mut guard, &fetched()).unwrap();
    }
    assert_eq!(send(&mut guard, &fetch), fetch);
    assert!(matches!(answer(&mut guard, &fetched()), Err(Breach::Exceeded(_))));
}

#[test]
fn a_long_text_is_judged_elsewhere_and_goes_on_from_there() {
    let padding = "x".repeat(LONG);
    for (column, code) in [("sku", None), ("price", Some((1, 1143)))] {
        let mut guard = guard();
        let ask = query(&format!("SELECT {column} FROM sales WHERE sku = '{padding}'"));
        let behind = query("SELECT price FROM sales");
        let mut up = BytesMut::new();
        let pace = guard.take_from_client(&[&ask[..], &behind].concat(), &mut up).unwrap();
        assert!(matches!(pace, Pace::WantsVerdict) && up.is_empty());
        let judged = guard.long_text().unwrap().judged();
        guard.take_judged(judged);
        guard.resume(&mut up).unwrap();
        assert_eq!(refusal_first(&mut guard), code);
        assert_eq!(up.is_empty(), code.is_some(), "{column}");
    }
    let mut guard = guard();
    let mut up = BytesMut::new();
    guard.take_from_client(&query(&format!("SELECT '{padding}'")), &mut up).unwrap();
    let failed = guard.long_text().unwrap().failed();
    guard.take_judged(failed);
    guard.resume(&mut up).unwrap();
    assert!(up.is_empty() && refusal(&mut guard) == Some((1, 1227)));
}

/// The first of the errors that the guard answers with.
fn refusal_first(guard: &mut Guard) -> Option<(u8, u16)> {
    let answers = guard.take_answers();
    let (header, rest) = answers.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::decode(*header);
    let payload = rest.get(..header.length as usize)?;
    Some((header.sequence, ErrorPacket::decode(payload).unwrap().code))
}

#[test]
fn a_name_that_is_not_known_is_asked_for_once() {
    let ask = query("SELECT id FROM orders");
    let empty = || Ground { catalog: Arc::new(Catalog::new(1, Parts::default())), ..mysql() };
    for (newer, code) in [(true, None), (false, Some((1, 1142)))] {
        let mut guard = guard_with(empty(), agreed());
        let mut up = BytesMut::new();
        assert!(matches!(guard.take_from_client(&ask, &mut up), Ok(Pace::WantsCatalog)));
        assert!(up.is_empty() && refusal(&mut guard).is_none());
        if newer {
            guard.stand_on(mysql());
        }
        guard.resume(&mut up).unwrap();
        assert_eq!((up.is_empty(), refusal(&mut guard)), (!newer, code));
    }
}

/// A view, and a table with a column that is computed from another, each granted in part.
fn computed() -> Ground {
    let mut parts = shop_parts(MARIA);
    let column = |name: &str, computed| Column { name: name.into(), invisible: false, computed };
    let table = |name: &str, kind, columns: Vec<Column>| Table {
        schema: "shop".into(),
        name: name.into(),
        kind,
        columns: columns.into(),
    };
    parts.tables.push(table(
        "sums",
        Kind::Table,
        vec![column("id", false), column("n", true), column("of", false)],
    ));
    parts.tables.push(table("seen", Kind::View, vec![column("n", false)]));
    let select = [Privilege::Select];
    let resources = ["shop.sums.id", "shop.sums.n", "shop.seen.n", "shop.orders"];
    let resources =
        resources.map(|name| ResourceGrant { resource: name.parse().unwrap(), privileges: select.into() });
    let limits = Arc::new(Limits::new(&resources, Terms::default()));
    Ground { catalog: Arc::new(Catalog::new(1, parts)), limits, ..maria() }
}

#[test]
fn what_is_computed_from_hidden_columns_is_quoted_by_no_error_and_no_warning() {
    let secret = ErrorText::new(1292, "22007", "Truncated incorrect INTEGER value: 'SECRET'").packet(1);
    for (sql, quotes) in [
        ("SELECT n FROM seen", true),
        ("SELECT n FROM sums", true),
        ("SELECT 1 FROM orders WHERE id IN (SELECT n FROM seen)", true),
        ("SELECT id FROM orders", false),
    ] {
        let mut guard = guard_with(computed(), agreed());
        send(&mut guard, &query(sql));
        let down = answer(&mut guard, &secret).unwrap();
        assert_eq!(!String::from_utf8_lossy(&down).contains("SECRET"), quotes, "{sql}");
        assert_eq!(tells(&mut guard), !quotes, "{sql}");
    }
}

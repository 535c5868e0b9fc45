//! What one statement may cost.

use super::*;

#[test]
fn what_takes_too_long_to_be_judged_is_refused() {
    let list = |word: &str, times: usize| vec![word; times].join(",");
    let wide =
        format!("WITH c AS (SELECT {})", (0..300).map(|at| format!("1 a{at}")).collect::<Vec<_>>().join(","));
    let names: Vec<String> = (0..1_500).map(|at| format!("n{at}")).collect();
    let (named, sorted) =
        (names.iter().map(|name| format!("1 {name}")).collect::<Vec<_>>().join(","), list("n1499", 40_000));
    for (sqlstate, text) in [
        ("54011", format!("SELECT {} FROM (SELECT 1 z) q", list("z", 1_665))),
        ("54011", format!("SELECT 1 FROM (SELECT {} FROM pg_class) q", list("*", 1_000))),
        ("54011", format!("VALUES ({})", list("1", 1_665))),
        ("54001", format!("{wide} SELECT {} FROM {}, (SELECT 1 z) q", list("z", 1_600), list("c", 399))),
        ("54001", format!("SELECT 1 FROM {}", list("orders", 401))),
        ("54001", format!("SELECT 1 FROM {}", list("(orders a JOIN orders b ON true)", 300))),
        ("54001", format!("SELECT {named} ORDER BY {sorted}")),
        ("54011", format!("INSERT INTO orders({}) VALUES (1)", list("qty", 1_665))),
        ("42501", format!("SELECT jsonb_populate_record(NULL{}, '{{}}')", "::record".repeat(100_000))),
        ("42501", format!("SELECT 1 FROM CAST(1{} AS int)", "::int".repeat(100_000))),
        ("42501", format!("SELECT 1 FROM lower('a'{})", "::text".repeat(100_000))),
    ] {
        let found = verdict(&text).err().map(|denial| denial.sqlstate);
        assert_eq!(found, Some(sqlstate), "{}", text.get(..60).unwrap());
    }
    let joins: Vec<String> = (0..60).map(|at| format!("JOIN orders o{at} ON o{at}.id = s.id")).collect();
    let columns: Vec<String> = (0..60).map(|at| format!("o{at}.qty, o{at}.id")).collect();
    verdict(&format!("SELECT {} FROM sales s {} WHERE s.sku = 'a'", columns.join(", "), joins.join(" ")))
        .unwrap();
    let rows = list("(1, 'words')", 100_000);
    verdict(&format!("INSERT INTO orders(sale_id, qty) SELECT a, b FROM (VALUES {rows}) v(a, b)")).unwrap();
}

#[test]
fn a_chain_of_casts_is_refused_and_breaks_nothing() {
    for end in ["regclass", "oid"] {
        denied(&format!("SELECT 1{}::{end}", "::oid".repeat(100_000)));
        denied(&format!("SELECT pg_table_size(1{}::{end})", "::oid".repeat(100_000)));
    }
}

#[test]
fn a_long_text_may_hold_long_constants_but_not_any_number_of_tokens() {
    let text = |times| format!("INSERT INTO orders(qty) VALUES ({}1)", "1+".repeat(times));
    assert_eq!(verdict(&text(2_000_000)).unwrap_err().sqlstate, "54000");
    let words = "words ".repeat(1_000_000);
    verdict(&format!("SELECT '{words}', $${words}$$")).unwrap();
    let rows = vec!["(1, 'words of a row', 2.5)"; 150_000].join(",");
    verdict(&format!("INSERT INTO orders(id, sale_id, qty) VALUES {rows}")).unwrap();
}

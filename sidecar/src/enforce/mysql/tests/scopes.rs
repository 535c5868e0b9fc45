//! What names stand for.

use postern_protocol::gate::Star;

use super::{Judgement, Kind, MARIA, MYSQL, denied, ground_of, judge, maria, mysql, shop_parts, told};

/// Whether both kinds of server would get it.
fn allowed(text: &str) -> bool {
    let verdicts = [mysql(), maria()].map(|ground| judge(text.as_bytes(), &ground).is_ok());
    assert_eq!(verdicts[0], verdicts[1], "{text}");
    verdicts[0]
}

#[test]
fn a_name_is_looked_for_further_out_where_the_server_does() {
    for text in [
        "SELECT (SELECT card_number FROM orders LIMIT 1) FROM sales",
        "SELECT (SELECT sales.card_number FROM orders AS sales LIMIT 1) FROM sales",
        "SELECT sku FROM sales WHERE EXISTS (SELECT qty AS price FROM orders WHERE price > 1)",
        "SELECT sku FROM sales WHERE id IN (SELECT 1 AS price FROM orders GROUP BY price)",
        // The condition belongs to the inner join, which knows no `price`.
        "SELECT sku FROM sales WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS price) d JOIN orders o JOIN orders p ON price)",
    ] {
        assert!(!allowed(text), "{text}");
    }
    assert!(allowed("SELECT (SELECT sku FROM orders LIMIT 1) FROM sales"));
    assert!(allowed("SELECT (SELECT price FROM (SELECT 1 AS price) x) FROM sales"));
}

#[test]
fn an_alias_comes_first_only_where_a_bare_name_stands_behind_order_by_or_having() {
    for text in [
        "SELECT sku, 'x' AS price FROM sales ORDER BY price",
        "SELECT MAX(sku) AS price FROM sales HAVING price > 'a'",
        "SELECT MAX(sku) AS price FROM sales HAVING ABS(price) > 1",
        "SELECT id AS i FROM sales GROUP BY i ORDER BY i",
    ] {
        assert!(allowed(text), "{text}");
    }
    for text in [
        "SELECT sku, 'x' AS price FROM sales ORDER BY -price",
        "SELECT sku, 'x' AS price FROM sales ORDER BY price IS NULL",
        "SELECT sku, 'x' AS price FROM sales ORDER BY price COLLATE utf8mb4_bin",
        "SELECT sku, 'x' AS price FROM sales ORDER BY @a := price",
        "SELECT MAX(sku), 'x' AS price FROM sales GROUP BY price",
        "SELECT sku AS price FROM sales WHERE price > 1",
        "SELECT MAX(sku) AS price FROM sales HAVING MAX(price) > 1",
        "SELECT sku AS price FROM sales HAVING EXISTS (SELECT 1 FROM orders WHERE price > 1)",
    ] {
        assert!(!allowed(text), "{text}");
    }
}

#[test]
fn a_letter_that_is_another_one_s_to_some_servers_hides_no_column() {
    for text in [
        "SELECT (SELECT `pr\u{130}ce` FROM sales LIMIT 1) FROM (SELECT 1 AS `pr\u{130}ce`) d",
        "SELECT (SELECT größe FROM (SELECT 1 AS grö\u{1e9e}e) d) FROM (SELECT 1 AS größe) t",
        "WITH `😀` AS (SELECT 1 AS price) SELECT (WITH `😎` AS (SELECT 1 AS a) SELECT price FROM `😀`) FROM sales",
        "SELECT (SELECT `😎`.price FROM sales AS `😀` LIMIT 1) FROM (SELECT 1 AS price) AS `😎`",
        "SELECT (SELECT `_row\u{130}d` FROM orders LIMIT 1) FROM (SELECT 1 AS `_row\u{130}d`) d",
        "SELECT 1 AS 'pr\u{130}ce'",
    ] {
        assert!(!allowed(text), "{text}");
    }
    for text in
        ["SELECT id AS größe FROM sales ORDER BY GRÖßE", "SELECT id AS τίτλος FROM sales HAVING τίτλος > 1"]
    {
        assert!(allowed(text), "{text}");
    }
    let mut parts = shop_parts(MYSQL);
    let sales = parts.tables.iter_mut().find(|table| &*table.name == "sales").unwrap();
    sales.columns[3].name = "pr\u{130}ce".into();
    let ground = ground_of(parts, Star::Deny);
    let outside = "SELECT (SELECT price FROM sales LIMIT 1) FROM (SELECT 1 AS price) d";
    assert!(judge(outside.as_bytes(), &ground).is_err());
    assert!(judge(b"SELECT id FROM sales", &ground).is_ok());
}

#[test]
fn a_blank_behind_a_name_makes_another_name_of_it() {
    for text in [
        "SELECT `s `.id FROM sales AS `s `",
        "SELECT MAX(sku) AS `price ` FROM sales HAVING `price ` > 'a'",
        "SELECT `x ` FROM (SELECT id AS `x ` FROM sales) AS d",
        "WITH x (`a `) AS (SELECT 1) SELECT `a ` FROM x",
    ] {
        assert!(allowed(text), "{text}");
    }
    for text in [
        "SELECT s.id FROM sales AS `s `",
        "SELECT MAX(sku) AS `price ` FROM sales HAVING price > 'a'",
        "SELECT sku AS `price ` FROM sales ORDER BY price",
        "SELECT price FROM (SELECT 1 AS `price `) AS d",
        "SELECT (SELECT price FROM (SELECT 1 AS `price `) AS d) FROM sales",
        "SELECT s.sku FROM sales s NATURAL JOIN (SELECT 1 AS `price `, 'x' AS card_number) d",
        "SELECT `price ` FROM sales",
        "SELECT id FROM `sales `",
    ] {
        assert!(!allowed(text), "{text}");
    }
    denied("PREPARE `s ` FROM 'SELECT 1'");
}

#[test]
fn a_column_that_no_catalog_names_is_nobody_s() {
    for text in [
        "SELECT _rowid FROM sales",
        "SELECT (SELECT _ROWID FROM orders LIMIT 1) FROM (SELECT 1 AS _rowid) d",
        "SELECT (SELECT o.row_start FROM orders o LIMIT 1) FROM (SELECT 1 AS row_start) o",
        "SELECT id AS _rowid FROM sales GROUP BY _rowid",
        "SELECT my_row_id FROM orders",
    ] {
        assert!(!allowed(text), "{text}");
    }
    assert!(allowed("SELECT d._rowid FROM (SELECT 1 AS _rowid) d"));
}

#[test]
fn a_common_table_expression_s_name_is_no_other_s_in_whatever_case() {
    assert!(!allowed("SELECT (WITH ORDERS AS (SELECT 1 AS x) SELECT qty FROM orders) FROM sales"));
    assert!(!allowed("WITH Orders AS (SELECT 1 AS x) SELECT x FROM orders"));
    assert!(allowed("WITH Orders AS (SELECT 1 AS x) SELECT x FROM Orders"));
}

#[test]
fn a_join_by_name_reads_what_it_compares() {
    assert!(!allowed("SELECT s.sku FROM sales s NATURAL JOIN (SELECT 'x' AS card_number) g"));
    assert!(!allowed("SELECT s.sku FROM sales s JOIN (SELECT 'x' AS card_number) g USING (card_number)"));
    assert!(!allowed("SELECT s.sku FROM sales s NATURAL JOIN (SELECT 'card_number') g"));
    assert!(!allowed("WITH g(card_number) AS (SELECT 'x') SELECT s.sku FROM sales s NATURAL JOIN g"));
    assert!(allowed("SELECT id, sku, o.qty FROM sales JOIN orders o USING (id)"));
    assert!(allowed("SELECT s.sku FROM sales s NATURAL JOIN (SELECT 1 AS id) x"));
}

#[test]
fn what_orders_a_query_in_parentheses_is_one_of_its_columns() {
    assert!(allowed("(SELECT sku FROM sales) ORDER BY sku"));
    assert!(!allowed("(SELECT sku FROM sales) ORDER BY price"));
    assert!(!allowed("SELECT ((SELECT sku FROM sales) ORDER BY price LIMIT 1) FROM (SELECT 1 AS price) d"));
}

#[test]
fn a_table_expression_hides_a_table_only_where_the_server_sees_it() {
    assert!(!allowed("WITH employees AS (SELECT * FROM employees) SELECT * FROM employees"));
    assert!(!allowed(
        "WITH a AS (SELECT ssn FROM employees), employees AS (SELECT 1 AS ssn) SELECT * FROM a"
    ));
    assert!(!allowed("WITH employees AS (SELECT 1 AS ssn) SELECT ssn FROM shop.employees"));
    assert!(allowed("WITH employees AS (SELECT 1 AS ssn) SELECT ssn FROM employees"));
    // MariaDB reads the table here.
    let nested = "WITH employees AS (SELECT 1 AS ssn) SELECT (WITH x AS (SELECT ssn FROM employees) SELECT ssn FROM x)";
    assert!(judge(nested.as_bytes(), &mysql()).is_ok());
    assert!(judge(nested.as_bytes(), &maria()).is_err());
}

#[test]
fn a_table_expression_that_nothing_can_name_may_hold_what_it_will() {
    for text in [
        "WITH x AS (SELECT card_number FROM sales) SELECT id FROM sales",
        "WITH x AS (SELECT nothing FROM nowhere), y (n) AS (SELECT 1) SELECT n FROM y",
        "WITH RECURSIVE x (n) AS (SELECT 1 UNION ALL SELECT ssn FROM x) SELECT x.id FROM sales AS x",
        "WITH x AS (SELECT * FROM information_schema.tables WHERE hidden = 1) SELECT 1",
        "WITH x AS (SELECT ssn FROM employees), y AS (SELECT 1 FROM x), z AS (SELECT * FROM x, y) SELECT 1",
        "WITH x AS (SELECT id FROM sales), sales AS (SELECT ssn FROM employees, x) SELECT id FROM x",
    ] {
        assert!(judge(text.as_bytes(), &mysql()).expect(text).instead.is_none(), "{text}");
        assert!(judge(text.as_bytes(), &maria()).is_err(), "{text}");
    }
    for reading in [
        "SELECT 1 FROM x",
        "SELECT 1 FROM X",
        "SELECT 1 FROM `x`",
        "SELECT 1 FROM sales x",
        "SELECT 1 FROM sales /*!as*/ s, x",
        "SELECT (SELECT 1 FROM sales JOIN x)",
        "TABLE x",
        "SELECT 1 UNION TABLE x",
        "SELECT 1 FROM (WITH x AS (SELECT 1) SELECT 1 FROM x) AS y",
    ] {
        denied(&format!("WITH x AS (SELECT card_number FROM sales) {reading}"));
    }
    denied("WITH x AS (SELECT ssn FROM employees), y AS (SELECT 1 FROM x) SELECT 1 FROM y");
    denied("WITH x AS (SELECT ssn FROM employees), y AS (SELECT 1 FROM x), z AS (SELECT 1 FROM y) TABLE z");
    denied("WITH x AS (SELECT ssn FROM employees), y AS (SELECT 1) SELECT (SELECT 1 FROM x)");
    denied(
        "WITH x AS (SELECT id FROM sales), sales AS (SELECT ssn AS id FROM employees) SELECT id FROM sales",
    );
    denied(
        "WITH x AS (SELECT 1 FROM sales), sales AS (SELECT ssn FROM employees), z AS (TABLE sales) TABLE z",
    );
    denied("WITH x AS (SELECT ssn FROM employees) SELECT 1 FROM sales; TABLE employees");
    let many = |count: usize| {
        let list: Vec<_> =
            (0..count).map(|number| format!("x{number} AS (SELECT ssn FROM employees)")).collect();
        judge(format!("WITH {} SELECT 1", list.join(", ")).as_bytes(), &mysql())
    };
    assert!(many(16).is_ok() && many(17).is_err());
}

#[test]
fn writing_takes_the_columns_that_are_written_and_those_that_are_read() {
    for text in [
        "UPDATE orders o JOIN sales s ON s.id = o.sale_id SET o.qty = 1 WHERE s.sku = 'x'",
        "INSERT INTO orders (id, qty) VALUES (1, 1) ON DUPLICATE KEY UPDATE qty = VALUES(qty) + qty",
        "INSERT INTO orders (qty) SELECT id FROM sales",
    ] {
        assert!(allowed(text), "{text}");
    }
    for text in [
        "UPDATE orders o JOIN sales s ON s.id = o.sale_id SET s.sku = 'x'",
        "UPDATE orders JOIN sales ON sales.id = orders.sale_id SET qty = price",
        "DELETE FROM orders",
        "REPLACE INTO orders (id) VALUES (1)",
        "INSERT INTO sales (id) VALUES (1)",
        "INSERT INTO orders (qty) SELECT id FROM sales s ON DUPLICATE KEY UPDATE qty = s.price",
    ] {
        assert!(!allowed(text), "{text}");
    }
}

#[test]
fn the_client_is_told_in_the_server_s_own_words() {
    let errors = [
        ("SELECT card_number FROM sales", 1143),
        ("SELECT 1 FROM employees", 1142),
        ("SELECT 1 FROM nowhere", 1142),
        ("SELECT * FROM sales", 1142),
        ("SELECT nothing FROM orders", 1054),
        ("SELECT FROM", 1064),
        ("SELECT SLEEP(1)", 1227),
        ("HANDLER sales OPEN", 1227),
        ("USE hr", 1044),
    ];
    for (text, number) in errors {
        assert_eq!(told(&denied(text)).number, number, "{text}");
    }
    let message = told(&denied("SELECT price FROM sales")).message;
    assert_eq!(message, "SELECT command denied to user 'app'@'%' for column 'price' in table 'sales'");
    assert!(!told(&denied("SELECT * FROM sales")).message.contains("price"));
}

#[test]
fn a_star_becomes_the_columns_that_may_be_read_where_the_terms_say_so() {
    let ground = ground_of(shop_parts(MYSQL), Star::Expand);
    let sent = |text: &str| {
        let Judgement { instead, .. } = judge(text.as_bytes(), &ground).unwrap();
        String::from_utf8(instead.expect(text).into()).unwrap()
    };
    assert_eq!(
        sent("SELECT * FROM sales"),
        "SELECT `sales`.`id`, `sales`.`prod_name`, `sales`.`sku` FROM sales"
    );
    assert_eq!(
        sent("SELECT o.qty, s.* FROM sales s, orders o -- x"),
        "SELECT o.qty, `s`.`id`, `s`.`prod_name`, `s`.`sku` FROM sales s, orders o -- x"
    );
    let instead = judge(b"SELECT /*! * */ FROM sales", &ground).unwrap().instead.unwrap();
    assert!(instead.starts_with(b"SELECT/**/`sales`.`id`, ") && instead.ends_with(b"/**/FROM sales"));
    assert!(judge(b"SELECT * FROM employees", &ground).is_err());
}

#[test]
fn what_json_table_makes_is_read_like_a_derived_table() {
    assert!(allowed("SELECT j.*, j.a FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) AS j"));
    assert!(allowed(
        "SELECT s.id, n, b, e, d FROM sales s JOIN JSON_TABLE(s.sku, '$[*]' COLUMNS (n FOR ORDINALITY, b VARCHAR(9) \
         PATH '$.b' DEFAULT '1' ON EMPTY NULL ON ERROR, e INT EXISTS PATH '$.e', NESTED PATH '$.c' \
         COLUMNS (d TEXT PATH '$'))) j ON s.id = j.n"
    ));
    for text in [
        "SELECT j.a FROM sales s, JSON_TABLE(s.card_number, '$' COLUMNS (a TEXT PATH '$')) j",
        "SELECT j.a FROM sales, JSON_TABLE(card_number, '$' COLUMNS (a TEXT PATH '$')) j",
        "SELECT (SELECT j.a FROM JSON_TABLE(card_number, '$' COLUMNS (a TEXT PATH '$')) j) FROM sales",
        "SELECT j.a FROM JSON_TABLE((SELECT ssn FROM employees), '$' COLUMNS (a TEXT PATH '$')) j",
        "SELECT card_number FROM sales, JSON_TABLE('1', '$' COLUMNS (a TEXT PATH '$')) j",
        "SELECT j.a FROM JSON_TABLE('1', '$' COLUMNS (a TEXT PATH '$'), (SELECT ssn FROM employees)) j",
    ] {
        assert!(!allowed(text), "{text}");
    }
}

#[test]
fn an_index_hint_ends_where_another_table_begins() {
    assert!(allowed("SELECT o.id FROM orders o IGNORE INDEX (PRIMARY), sales s"));
    assert!(allowed(
        "SELECT o.id FROM orders o USE INDEX () FORCE INDEX FOR JOIN (PRIMARY) JOIN sales s ON s.id = o.id"
    ));
    assert!(!allowed("SELECT o.id FROM orders o IGNORE INDEX (PRIMARY), employees"));
}

#[test]
fn mysql_names_columns_of_its_own_views_as_the_view_does() {
    let sent = |items: &str, ground| {
        let text = format!("SELECT {items} FROM information_schema.tables t");
        String::from_utf8(judge(text.as_bytes(), &ground).unwrap().instead.unwrap().into()).unwrap()
    };
    for (items, named) in [
        ("table_name, t.Table_Schema AS s", "`TABLE_NAME`, t.Table_Schema AS s"),
        ("+(t.table_name), {d table_name}", "+(t.`TABLE_NAME`), {d `TABLE_NAME`}"),
        (
            "-table_name, (-(table_name)), binary table_name",
            "-table_name, (-(table_name)), binary table_name",
        ),
    ] {
        let instead = sent(items, mysql());
        assert!(instead.starts_with(&format!("SELECT {named} FROM (SELECT")), "{instead}");
        assert!(sent(items, maria()).starts_with(&format!("SELECT {items} FROM (SELECT")));
    }
}

#[test]
fn a_view_that_runs_with_its_callers_rights_is_neither_read_nor_written() {
    for snapshot in [MYSQL, MARIA] {
        let mut parts = shop_parts(snapshot);
        parts.tables.iter_mut().filter(|table| &*table.name == "orders").for_each(|table| {
            table.kind = Kind::Invoker;
        });
        let ground = ground_of(parts, Star::Deny);
        for text in ["SELECT qty FROM orders", "TABLE orders", "INSERT INTO orders(qty) VALUES (1)"] {
            assert!(judge(text.as_bytes(), &ground).is_err(), "{text}");
        }
        assert!(judge(b"SHOW COLUMNS FROM orders", &ground).is_ok());
    }
}

#[test]
fn words_that_are_names_elsewhere_are_names_there() {
    for text in [
        "SELECT (SELECT MAX(id) FROM first) FROM sales",
        "SELECT COUNT(*) FROM last",
        "UPDATE quick orders SET qty = 1",
        "INSERT quick orders SET qty = 1",
        "SELECT sql_cache id FROM sales",
        "SELECT NTH_VALUE(id, 1) FROM FIRST FROM sales",
    ] {
        denied(text);
    }
    for text in [
        "SELECT NTH_VALUE(id, 1) FROM FIRST RESPECT NULLS OVER (ORDER BY id) FROM sales",
        "SELECT LAG(id) RESPECT NULLS OVER () FROM sales",
    ] {
        assert!(judge(text.as_bytes(), &mysql()).is_ok(), "{text}");
    }
    assert!(judge(b"SELECT SQL_CACHE id FROM sales", &maria()).is_ok());
}

#[test]
fn a_condition_may_come_behind_those_of_later_joins() {
    for text in [
        "SELECT s.id FROM sales s JOIN orders o JOIN orders p ON p.id = o.id ON s.id = p.sale_id",
        "SELECT s.id FROM sales s LEFT JOIN orders o JOIN orders p ON p.id = o.id ON s.id = p.sale_id",
        "SELECT o.id FROM orders o JOIN orders p JOIN sales s ON s.id = p.id",
    ] {
        assert!(judge(text.as_bytes(), &mysql()).is_ok(), "{text}");
    }
    for text in [
        "SELECT s.id FROM sales s JOIN orders o JOIN orders p ON p.id = o.id ON s.price = p.sale_id",
        "SELECT s.id FROM sales s LEFT JOIN orders o JOIN orders p ON p.id = o.id",
        "SELECT s.id FROM sales s JOIN orders o ON 1 ON 1",
    ] {
        denied(text);
    }
}

#[test]
fn what_goes_into_variables_is_read() {
    for text in [
        "SELECT id, sku INTO @a, @b FROM sales LIMIT 1",
        "SELECT MAX(qty) FROM orders INTO @a",
        "SELECT qty FROM orders LIMIT 1 INTO @a FOR UPDATE",
    ] {
        assert!(judge(text.as_bytes(), &mysql()).is_ok(), "{text}");
    }
    for text in [
        "SELECT price INTO @a FROM sales LIMIT 1",
        "SELECT price FROM sales INTO @a",
        "SELECT id FROM sales INTO OUTFILE '/tmp/x'",
        "SELECT id FROM sales INTO a",
    ] {
        denied(text);
    }
}

#[test]
fn a_partition_is_for_those_who_read_the_whole_table() {
    assert!(judge(b"SELECT id FROM orders PARTITION (p0)", &mysql()).is_ok());
    denied("SELECT id FROM sales PARTITION (p0)");
}

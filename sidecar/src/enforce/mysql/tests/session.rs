//! What statements do to a session, and what they show of the server.

use super::{
    Change, Class, Ground, Judgement, Kind, Modes, SqlMode, allowed_change, denied, ground_of, judge, maria,
    mysql, shop_parts,
};

#[test]
fn changes_of_the_session_are_said() {
    assert_eq!(allowed_change("USE shop"), Change::Database("shop".into()));
    let ansi = SqlMode { ansi_quotes: true, ..SqlMode::default() };
    assert_eq!(allowed_change("SET sql_mode='ANSI'"), Change::Mode(SqlMode { ignore_space: true, ..ansi }));
    for text in
        ["SET sql_mode='ANSI_QUOTES'", "SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'), @a = 1"]
    {
        assert_eq!(allowed_change(text), Change::Mode(ansi), "{text}");
    }
    assert_eq!(
        allowed_change("SET sql_mode=(SELECT REPLACE(@@sql_mode,'ONLY_FULL_GROUP_BY',''))"),
        Change::Mode(SqlMode::default())
    );
    assert_eq!(
        allowed_change("PREPARE S FROM 'SELECT id FROM sales WHERE sku = ?'"),
        Change::Prepare("s".into(), (*b"SELECT id FROM sales WHERE sku = ?").into())
    );
    assert_eq!(allowed_change("EXECUTE s USING @a"), Change::Execute("s".into()));
    assert_eq!(allowed_change("DROP PREPARE s"), Change::Deallocate("s".into()));
    assert_eq!(allowed_change("KILL QUERY 17"), Change::Kill(17, true));
    assert_eq!(allowed_change("SET NAMES utf8mb4"), Change::Nothing);
}

#[test]
fn what_cannot_be_told_about_a_mode_is_refused() {
    for text in [
        "SET sql_mode = 4",
        "SET sql_mode = 0x414E5349",
        "SET sql_mode = @a",
        // Operators make a number of it, and a number is another mode.
        "SET sql_mode = NOT 'ANSI_QUOTES'",
        "SET sql_mode = -'ANSI_QUOTES'",
        "SET sql_mode = 'ANSI_QUOTES' IS NULL",
        "SET sql_mode = CASE 'ANSI_QUOTES' WHEN 'a' THEN 'ANSI' END",
        "SET sql_mode = (SELECT BINARY 'ANSI_QUOTES')",
        "SET sql_mode = @@version",
        "SET sql_mode = ORACLE",
        "SET sql_mode = 'ORACLE'",
        "SET sql_mode = CONCAT('ANSI', '_QUOTES')",
        "SET sql_mode = CONCAT(@@sql_mode, 'X')",
        "SET sql_mode = REPLACE(@@sql_mode, ',', 'X')",
        "SET sql_mode = REPLACE(@@sql_mode, 'IGNORE_SPACE', '')",
        // Servers work all values out before they set the first.
        "SET sql_mode = 'ANSI_QUOTES', sql_mode = @@sql_mode",
        "SET NAMES gbk",
        "SET character_set_client = sjis",
        "SET @@global.sql_mode = ''",
        "SET foreign_key_checks = 0",
    ] {
        denied(text);
    }
}

#[test]
fn the_server_s_mode_is_the_one_that_the_session_began_with() {
    let begun = Modes::parse("STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES").unwrap();
    let mode = SqlMode { ansi_quotes: true, ..SqlMode::default() };
    let ground = Ground { mode, begun, ..mysql() };
    let text = "'NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'";
    for (asked, sent) in [
        ("SET sql_mode = DEFAULT", format!("SET sql_mode = {text}")),
        ("SET @@sql_mode=default, autocommit = 1", format!("SET @@sql_mode={text}, autocommit = 1")),
        ("SET sql_mode = @@GLOBAL.sql_mode", format!("SET sql_mode = {text}")),
        (
            "SET sql_mode = (SELECT CONCAT(@@global.sql_mode, ',ANSI_QUOTES'))",
            format!("SET sql_mode = (SELECT CONCAT({text}, ',ANSI_QUOTES'))"),
        ),
    ] {
        let Judgement { instead, steps, .. } = judge(asked.as_bytes(), &ground).expect(asked);
        assert_eq!(String::from_utf8(instead.unwrap().into()).unwrap(), sent);
        let ansi_quotes = asked.contains("ANSI");
        let expected = SqlMode { ansi_quotes, ..begun.reading() };
        assert_eq!(steps[0].change, Change::Mode(expected), "{asked}");
    }
    let same = judge(b"SET sql_mode = @@local.sql_mode", &ground).unwrap();
    assert_eq!((same.instead, &same.steps[0].change), (None, &Change::Mode(mode)));
    assert_eq!(allowed_change("SET sql_mode = ansi_quotes, @a = 1"), Change::Mode(mode));
}

#[test]
fn defaults_of_what_may_be_set_may_be_set() {
    for (asked, sent) in [
        ("SET time_zone = DEFAULT, SESSION wait_timeout = DEFAULT", None),
        ("SET foreign_key_checks = DEFAULT", None),
        ("SET NAMES DEFAULT", Some("SET NAMES utf8mb4")),
        ("SET character_set_results = DEFAULT", Some("SET character_set_results = utf8mb4")),
    ] {
        let instead = judge(asked.as_bytes(), &mysql()).expect(asked).instead;
        assert_eq!(instead.as_deref(), sent.map(str::as_bytes), "{asked}");
    }
    denied("SET sql_log_bin = DEFAULT");
    denied("SET PASSWORD = DEFAULT");
}

#[test]
fn a_text_of_several_statements_is_judged_as_far_as_it_goes() {
    let steps = |text: &str| judge(text.as_bytes(), &mysql()).map(|judgement| judgement.steps.len());
    assert_eq!(steps("SET @a = 1; SELECT 1; SELECT 2;"), Ok(3));
    assert_eq!(steps(" ; -- nothing"), Ok(0));
    assert!(steps("SELECT 1; SELECT ssn FROM employees").is_err());
    assert!(steps("USE shop; SELECT 1").is_err());
    let alone = Ground { several: false, ..mysql() };
    assert!(judge(b"SELECT 1; SELECT 2", &alone).is_err());
    assert!(judge(b"SELECT 1;", &alone).is_ok());
}

#[test]
fn lists_of_the_server_are_held_to_the_grant() {
    for ground in [mysql(), maria()] {
        let sent = |text: &str| {
            let instead = judge(text.as_bytes(), &ground).unwrap().instead;
            instead.map(|text| String::from_utf8(text.into()).unwrap())
        };
        let tables = sent("SHOW FULL TABLES LIKE 's%'").unwrap();
        assert_eq!(
            tables,
            "SHOW FULL TABLES FROM `shop` WHERE (CAST(`Tables_in_shop` AS BINARY) IN ('orders', 'sales')) AND \
             (`Tables_in_shop` LIKE 's%')"
        );
        assert_eq!(sent("SHOW COLUMNS FROM orders"), None);
        let columns = sent("DESCRIBE sales").unwrap();
        assert!(columns.contains("'prod_name'") && !columns.contains("price"), "{columns}");
        let rows = sent("SELECT table_name FROM information_schema.tables").unwrap();
        assert!(rows.contains("'orders', 'sales'") && rows.ends_with("AS `tables`"), "{rows}");
        // By what a table is parted may be a hidden column, and where are its values.
        let parts = sent("SELECT 1 FROM information_schema.partitions").unwrap();
        for column in ["PARTITION_EXPRESSION", "SUBPARTITION_EXPRESSION", "PARTITION_DESCRIPTION"] {
            assert!(parts.contains(&format!("`{column}`, NULL) AS `{column}`")), "{parts}");
        }
        let grants = sent("SHOW GRANTS").unwrap();
        assert!(grants.starts_with("SELECT ") && !grants.contains("SHOW"), "{grants}");
        assert_eq!(sent("SHOW TRIGGERS LIKE 'x'").unwrap(), "SHOW TRIGGERS FROM `shop` WHERE FALSE");
    }
}

#[test]
fn what_stands_in_an_executable_comment_is_replaced_as_well() {
    let sent = |text: &str| {
        let judgement = judge(text.as_bytes(), &mysql()).expect(text);
        String::from_utf8(judgement.instead.expect(text).into()).unwrap()
    };
    let plain = sent("SELECT 1 FROM information_schema.tables t WHERE table_rows > - - 5");
    for text in [
        "SELECT 1 FROM /*!information_schema*/.tables t WHERE table_rows > - - 5",
        "SELECT 1 FROM information_schema./*!50000 tables t WHERE */ table_rows > --/*x*/5",
        "SELECT /*! 1*/ FROM information_schema.tables /*!99999 nobody */ t WHERE table_rows > - - 5",
    ] {
        let words =
            |text: &str| text.replace("/**/", " ").split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&sent(text)), words(&plain), "{text}");
    }
    assert!(sent("SHOW /*!50002 FULL */ TABLES").starts_with("SHOW FULL TABLES FROM `shop` WHERE"));
    assert!(sent("/*!40101 SET sql_mode=DEFAULT */").ends_with("SET sql_mode=''"));
    denied("SHOW TABLES WHERE /*! 1 */ OR 1");
}

#[test]
fn a_condition_behind_show_computes_nothing() {
    for text in [
        "SHOW TABLES WHERE (SELECT ssn FROM employees LIMIT 1) LIKE 'S%'",
        "SHOW TABLES WHERE EXTRACTVALUE(1, CONCAT(0x7e, Tables_in_shop))",
        "SHOW VARIABLES WHERE @@datadir LIKE '/%'",
        "SHOW DATABASES WHERE x.y = 1",
        "SHOW TABLES WHERE @a := Tables_in_shop",
    ] {
        denied(text);
    }
}

#[test]
fn a_stored_function_that_is_named_like_one_of_the_server_s_is_not_taken_for_it() {
    assert!(judge(b"SELECT UPPER (sku) FROM sales", &mysql()).is_ok());
    let mut parts = shop_parts(super::MYSQL);
    parts.functions.push("Upper".into());
    let ground = ground_of(parts, super::Star::Deny);
    assert!(judge(b"SELECT UPPER (sku) FROM sales", &ground).is_err());
}

#[test]
fn a_function_s_name_is_the_server_s_own_only_where_nothing_else_can_be_meant() {
    for text in
        ["SELECT COUNT (id) FROM sales", "SELECT COUNT/**/(id) FROM sales", "SELECT `trim`(sku) FROM sales"]
    {
        denied(text);
    }
    let ground = Ground { mode: SqlMode { ignore_space: true, ..SqlMode::default() }, ..mysql() };
    assert!(judge(b"SELECT COUNT (id) FROM sales", &ground).is_ok());
    assert!(judge(b"SELECT `count`(id) FROM sales", &ground).is_err());
    // What no grammar knows is the server's own in quotes as well, and more reading there is none for that.
    for text in [
        "SELECT `upper`(sku) FROM sales",
        "SELECT `Concat_WS` /**/ (`left`, sku) FROM (SELECT sku, 1 `left` FROM sales) s",
    ] {
        assert!(
            allowed_change(text) == Change::Nothing && judge(text.as_bytes(), &maria()).is_ok(),
            "{text}"
        );
    }
    for text in [
        "`upper`(price)",
        "`sleep`(1)",
        "`coalesce`(sku)",
        "`cast`(sku AS CHAR)",
        "shop.`upper`(sku)",
        "`nvl`(sku, 1)",
    ] {
        denied(&format!("SELECT {text} FROM sales"));
    }
    // Comments are no blanks.
    for text in ["SELECT /*!COUNT*/(id) FROM sales", "SELECT COUNT /* */ (id) FROM sales"] {
        assert!(judge(text.as_bytes(), &ground).is_err(), "{text}");
    }
    assert!(judge(b"SELECT NVL(sku, 1) FROM sales", &maria()).is_ok());
    denied("SELECT NVL(sku, 1) FROM sales");
    // A word that is reserved names nothing else.
    assert!(judge(b"SELECT ROW_NUMBER () OVER (ORDER BY id) FROM sales", &mysql()).is_ok());
    assert!(judge(b"SELECT ROW_NUMBER () OVER (ORDER BY id) FROM sales", &maria()).is_err());
    assert!(judge(b"SELECT ANY_VALUE(sku) FROM sales", &maria()).is_err());
}

#[test]
fn what_reports_on_the_statement_before_cannot_be_prepared() {
    for text in ["SHOW WARNINGS", "SHOW ERRORS LIMIT 1"] {
        assert_eq!(judge(text.as_bytes(), &mysql()).unwrap().steps[0].class, Class::Report, "{text}");
        denied(&format!("PREPARE p FROM '{text}'"));
    }
    denied("PREPARE `\u{e9}` FROM 'SELECT 1'");
    let class = |text: &str| judge(text.as_bytes(), &mysql()).unwrap().steps[0].class;
    assert_eq!(class("SELECT 1"), Class::Compute);
    assert_eq!(class("SELECT (SELECT MAX(id) FROM sales)"), Class::Read);
}

#[test]
fn whatever_works_out_hidden_values_may_quote_them() {
    let mut parts = shop_parts(super::MYSQL);
    let orders = parts.tables.iter_mut().find(|table| &*table.name == "orders").unwrap();
    orders.kind = Kind::View;
    let view = ground_of(parts, super::Star::Deny);
    let quotes = |text: &str, ground: &Ground| judge(text.as_bytes(), ground).expect(text).steps[0].quotes;
    for text in [
        "SELECT qty FROM orders",
        "TABLE orders",
        "SET @a = (SELECT COUNT(*) FROM orders)",
        "SET autocommit = 1, @a = (TABLE orders LIMIT 1)",
        "DO (SELECT COUNT(*) FROM orders)",
    ] {
        assert!(quotes(text, &view) && !quotes(text, &mysql()), "{text}");
    }
    assert!(judge(b"EXPLAIN TABLE orders", &view).is_err());
    for text in ["ANALYZE INSERT INTO orders (id) VALUES (1)", "EXPLAIN UPDATE orders SET qty = 1"] {
        assert!(quotes(text, &maria()), "{text}");
    }
    assert!(!quotes("ANALYZE SELECT qty FROM orders", &maria()));
}

#[test]
fn a_result_may_hold_what_the_grant_covers() {
    let ground = mysql();
    assert!(ground.may_show("shop", "sales", "SKU") && ground.may_show("", "", ""));
    assert!(!ground.may_show("shop", "sales", "price") && !ground.may_show("shop", "employees", "id"));
    assert_eq!(ground.fields("sales").unwrap(), ["id", "prod_name", "sku"]);
    assert!(ground.fields("employees").is_err());
}

#[test]
fn a_driver_may_have_the_server_tell_of_more_settings_and_of_no_fewer() {
    for ground in [mysql(), maria()] {
        let allowed = |text: &str| judge(text.as_bytes(), &ground).is_ok();
        assert!(allowed(
            "set autocommit=1, session_track_schema=1, sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES'), \
             session_track_system_variables = CONCAT(@@global.session_track_system_variables,',auto_increment_increment')"
        ));
        for value in [
            "''",
            "'*'",
            "'time_zone'",
            "CONCAT(',time_zone', @@session_track_system_variables)",
            "CONCAT(@@session_track_system_variables, 'x')",
            "CONCAT(@@session_track_system_variables, ',*')",
            "CONCAT(@@session_track_system_variables, ',datadir')",
            "REPLACE(@@session_track_system_variables, ',character_set_client', '')",
            "CONCAT(@@sql_mode, ',time_zone')",
        ] {
            assert!(!allowed(&format!("SET session_track_system_variables = {value}")), "{value}");
        }
        assert!(!allowed("SET session_track_schema = 0"));
    }
}

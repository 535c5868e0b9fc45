//! What reaches the server, in which order, and what of the session the guard believes.

use super::*;
use crate::enforce::mysql::SqlMode;

#[test]
fn what_is_denied_does_not_reach_the_server_and_is_answered_with_the_next_number() {
    let number = 99_u32.to_le_bytes();
    let commands: [(Command, Vec<u8>, u16); 13] = [
        (Command::Query, b"SELECT card_number FROM sales".into(), 1143),
        (Command::Query, b"SELECT".into(), 1064),
        (Command::Query, b"EXECUTE nothing".into(), 1243),
        (Command::Query, b"KILL 1".into(), 1095),
        (Command::StmtPrepare, b"SELECT * FROM employees".into(), 1142),
        (Command::InitDb, b"hr".into(), 1044),
        (Command::FieldList, b"employees\0".into(), 1142),
        (Command::ProcessKill, 1_u32.to_le_bytes().into(), 1095),
        (Command::ProcessKill, b"1".into(), 1835),
        (Command::StmtExecute, [&number[..], &[0, 1, 0, 0, 0]].concat(), 1243),
        (Command::StmtFetch, [number, number].concat(), 1243),
        (Command::StmtReset, number.into(), 1243),
        (Command::BinlogDump, number.into(), 1047),
    ];
    for (asked, body, code) in commands {
        for sequence in [0, 9, 255_u8] {
            let mut guard = guard();
            let bytes = packet(sequence, &[&[asked.code()], &body[..]].concat());
            assert_eq!(send(&mut guard, &bytes), b"", "{asked:?}");
            assert_eq!(refusal(&mut guard), Some((sequence.wrapping_add(1), code)), "{asked:?}");
            assert_eq!(guard.news().unwrap().denied.len(), 1, "{asked:?}");
            assert_eq!(send(&mut guard, &query("SELECT 1")), query("SELECT 1"));
        }
    }
}

#[test]
fn what_has_no_answer_is_dropped_or_passed_in_silence() {
    let mut guard = guard();
    let data = command(Command::StmtSendLongData, &[&9_u32.to_le_bytes()[..], b"\0\0abc"].concat());
    let close = command(Command::StmtClose, &9_u32.to_le_bytes());
    assert_eq!(send(&mut guard, &[data, close.clone()].concat()), close);
    assert_eq!(refusal(&mut guard), None);
}

#[test]
fn commands_are_judged_one_after_another_in_whatever_division_they_come() {
    let (first, last) = (query("SELECT sku FROM sales"), query("SELECT 2"));
    let ahead = [&first[..], &query("SELECT price FROM sales"), &last].concat();
    let answered = result("sales", &["sku"], 2);
    for size in 1..=ahead.len() {
        let mut guard = guard();
        let up: Vec<u8> = ahead.chunks(size).flat_map(|chunk| send(&mut guard, chunk)).collect();
        assert_eq!(up, first, "{size}");
        assert!(refusal(&mut guard).is_none() && !guard.is_free() && guard.has_waiting(), "{size}");
        let down: Vec<u8> =
            answered.chunks(size).flat_map(|chunk| answer(&mut guard, chunk).unwrap()).collect();
        assert_eq!(down, answered, "{size}");
        // The client takes its refusal first.
        assert!(next(&mut guard).is_empty() && !guard.is_free(), "{size}");
        assert_eq!(refusal(&mut guard), Some((1, 1143)), "{size}");
        assert_eq!(next(&mut guard), last, "{size}");
        assert!(!guard.has_waiting());
    }
}

#[test]
fn what_is_malformed_or_too_long_ends_the_session() {
    let mut up = BytesMut::new();
    // The number that follows is another packet's.
    let short = [&packet(0, &[Command::StmtExecute.code(), 7])[..], &query("SELECT 1")].concat();
    assert!(matches!(guard().take_from_client(&short, &mut up), Err(Breach::Violation(_))));
    let long = Header { length: 0x00ff_ffff, sequence: 0 }.encode();
    let long = [&long[..], &[Command::Query.code()]].concat();
    assert!(matches!(guard().take_from_client(&long, &mut up), Err(Breach::Violation(_))));
    assert!(up.is_empty());
}

#[test]
fn a_statement_changes_the_session_only_if_it_succeeds() {
    let ansi = SqlMode { ansi_quotes: true, ..SqlMode::default() };
    let mut guard = guard_with(Ground { database: None, ..mysql() }, agreed());
    run(&mut guard, "USE shop", &failed(1044));
    assert_eq!(guard.ground().database, None);
    let init = command(Command::InitDb, b"shop");
    assert_eq!(send(&mut guard, &init), init);
    answer(&mut guard, &failed(1044)).unwrap();
    assert_eq!(guard.ground().database, None);
    run(&mut guard, "USE shop", &good());
    assert_eq!(guard.ground().database.as_deref(), Some("shop"));
    run(&mut guard, "SET sql_mode = 'ANSI_QUOTES'", &good());
    assert_eq!(guard.ground().mode, ansi);
    assert_eq!(refused(&mut guard, &query("SELECT \"price\" FROM sales")), 1143);
}

#[test]
fn a_failed_change_of_the_mode_leaves_nothing_to_rely_upon() {
    let mut guard = guard();
    assert!(!send(&mut guard, &query("SET sql_mode = 'ANSI_QUOTES', max_join_size = 'x'")).is_empty());
    assert!(matches!(answer(&mut guard, &failed(1232)), Err(Breach::Violation(_))));
}

#[test]
fn of_several_statements_those_behind_a_failure_change_nothing() {
    let mut guard = guard_with(Ground { database: None, ..mysql() }, agreed());
    let sql = "SELECT 1; SELECT 2; USE shop";
    assert_eq!(send(&mut guard, &query(sql)), query(sql));
    answer(&mut guard, &ok(MORE, 0, &[])).unwrap();
    answer(&mut guard, &failed(1105)).unwrap();
    assert_eq!(guard.ground().database, None);
    assert!(guard.is_free());
    run(&mut guard, "SELECT 1; USE shop", &[ok(MORE, 0, &[]), good()].concat());
    assert_eq!(guard.ground().database.as_deref(), Some("shop"));
}

#[test]
fn several_statements_in_one_text_are_for_those_who_asked_for_them() {
    let mut guard = guard();
    let option = |off: u16| command(Command::SetOption, &off.to_le_bytes());
    assert_eq!(send(&mut guard, &option(1)), option(1));
    answer(&mut guard, &packet(1, &[0xfe, 0, 0, 2, 0])).unwrap();
    assert_eq!(refused(&mut guard, &query("SELECT 1; SELECT 2")), 1064);
    let ask = command(Command::StmtPrepare, b"SELECT 1; SELECT 2");
    assert_eq!(refused(&mut guard, &ask), 1064);
}

#[test]
fn what_the_server_says_against_what_is_believed_trips_the_wire() {
    let variable = |name: &str, value: &str| {
        let pair = [text(name), text(value)].concat();
        [&[0, u8::try_from(pair.len()).unwrap()], &pair[..]].concat()
    };
    let schema = |name: &str| [&[1], &text(std::str::from_utf8(&text(name)).unwrap())[..]].concat();
    let trips = |answered: &[u8]| {
        let mut guard = guard();
        send(&mut guard, &query("SELECT sku FROM sales"));
        let outcome = answer(&mut guard, answered);
        assert!(matches!(outcome, Ok(_) | Err(Breach::Tripwire(_))), "{outcome:?}");
        outcome.is_err()
    };
    for (name, value, tripped) in [
        ("sql_mode", "ANSI_QUOTES", true),
        ("sql_mode", "STRICT_ALL_TABLES", false),
        ("sql_mode", "ORACLE", true),
        ("character_set_client", "gbk", true),
        ("character_set_client", "utf8mb4", false),
        ("autocommit", "OFF", false),
    ] {
        assert_eq!(trips(&ok(2, 0, &variable(name, value))), tripped, "{name} {value}");
    }
    assert!(trips(&ok(2, 0, &schema("hr"))) && !trips(&ok(2, 0, &schema("shop"))));
    assert!(trips(&result("sales", &["sku", "price"], 1)) && !trips(&result("sales", &["sku"], 1)));
    assert!(trips(&packet(1, b"\xfb/etc/passwd")));
}

#[test]
fn a_result_that_nobody_asked_for_trips_the_wire() {
    let mut guard = guard();
    send(&mut guard, &command(Command::StmtPrepare, b"SELECT sku FROM sales"));
    assert!(matches!(answer(&mut guard, &prepared(1, "sales", "price")), Err(Breach::Tripwire(_))));
}

#[test]
fn a_list_of_columns_holds_those_of_the_grant_and_is_numbered_in_a_row() {
    let listed = |name: &str| [&column("sales", name)[..], b"\xfb"].concat();
    let end = vec![0xfe, 0, 0, 2, 0];
    let all = ["price", "id", "card_number", "SKU"].map(listed);
    let answered = numbered(&[&all[..], std::slice::from_ref(&end)].concat());
    let expected = numbered(&[listed("id"), listed("SKU"), end]);
    let ask = command(Command::FieldList, b"sales\0");
    for size in [1, 3, 7, 64, answered.len()] {
        let mut guard = guard();
        assert_eq!(send(&mut guard, &ask), ask);
        let down: Vec<u8> =
            answered.chunks(size).flat_map(|chunk| answer(&mut guard, chunk).unwrap()).collect();
        assert_eq!(down, expected, "{size}");
        run(&mut guard, "SELECT sku FROM sales", &result("sales", &["sku"], 1));
    }
    let mut guard = guard();
    send(&mut guard, &ask);
    assert_eq!(answer(&mut guard, &failed(1146)).unwrap(), failed(1146));
}

#[test]
fn attributes_are_not_taken_for_the_text_and_stay_where_they_are() {
    let mut guard = guard_with(mysql(), agreed() | Capabilities::QUERY_ATTRIBUTES);
    let one = [&[1, 1, 0, 1, 0xfe, 0][..], &text("name"), &text("SELECT 1 -- ")].concat();
    for attributes in [&[0, 1][..], &one] {
        let ask = |sql: &str| command(Command::Query, &[attributes, sql.as_bytes()].concat());
        assert_eq!(refused(&mut guard, &ask("SELECT price FROM sales")), 1143);
        assert_eq!(send(&mut guard, &ask("SELECT sku FROM sales")), ask("SELECT sku FROM sales"));
        answer(&mut guard, &result("sales", &["sku"], 0)).unwrap();
        let up = send(&mut guard, &ask("SHOW TABLES"));
        let sent = up.get(HEADER_LEN + 1..).unwrap();
        assert!(sent.starts_with(attributes) && sent.ends_with(b"IN ('orders', 'sales')"), "{sent:?}");
        answer(&mut guard, &good()).unwrap();
    }
    assert_eq!(refused(&mut guard, &command(Command::Query, b"SELECT 1")), 1835);
}

#[test]
fn a_connection_is_killed_by_the_server_s_number_for_it() {
    let mut guard = guard();
    assert_eq!(send(&mut guard, &query("KILL QUERY 7")), query("KILL QUERY 70"));
    answer(&mut guard, &good()).unwrap();
    let kill = |number: u32| command(Command::ProcessKill, &number.to_le_bytes());
    assert_eq!(send(&mut guard, &kill(7)), kill(70));
}

#[test]
fn a_client_that_begins_anew_is_no_longer_guarded() {
    let mut up = BytesMut::new();
    let reset = command(Command::ResetConnection, b"");
    let pace = guard().take_from_client(&reset, &mut up);
    assert!(matches!(pace, Ok(Pace::Over(Over::Reset(1)))) && up.is_empty());
    let mut guard = guard();
    send(&mut guard, &query("SELECT 1"));
    assert!(matches!(guard.take_from_client(&reset, &mut up), Ok(Pace::Waiting)) && up.is_empty());
}

//! Prepared statements, by number and by name.

use super::*;

#[test]
fn a_statement_lives_from_its_preparation_until_it_is_closed() {
    let mut guard = guard();
    assert_eq!(refused(&mut guard, &execute(1)), 1243);
    prepare(&mut guard, 1, "SELECT sku FROM sales", "sku");
    assert_eq!(send(&mut guard, &execute(1)), execute(1));
    answer(&mut guard, &result("sales", &["sku"], 1)).unwrap();
    let number = 1_u32.to_le_bytes();
    let end = packet(1, &[0xfe, 0, 0, 2, 0, 0, 0]).to_vec();
    for (asked, answered) in [
        (command(Command::StmtFetch, &[number, [5, 0, 0, 0]].concat()), end),
        (command(Command::StmtReset, &number), good()),
    ] {
        assert_eq!(send(&mut guard, &asked), asked);
        answer(&mut guard, &answered).unwrap();
    }
    let close = command(Command::StmtClose, &1_u32.to_le_bytes());
    assert_eq!(send(&mut guard, &close), close);
    assert_eq!(refused(&mut guard, &execute(1)), 1243);
}

#[test]
fn a_statement_that_the_server_did_not_prepare_is_not_there() {
    let mut guard = guard();
    send(&mut guard, &command(Command::StmtPrepare, b"SELECT sku FROM sales"));
    answer(&mut guard, &failed(1461)).unwrap();
    assert_eq!(refused(&mut guard, &execute(1)), 1243);
}

#[test]
fn the_last_statement_is_the_one_that_was_asked_for_last() {
    let mut guard = guard_with(maria(), agreed());
    let last = u32::MAX;
    assert_eq!(refused(&mut guard, &execute(last)), 1243);
    prepare(&mut guard, 1, "SELECT sku FROM sales", "sku");
    assert_eq!(send(&mut guard, &execute(last)), execute(last));
    answer(&mut guard, &result("sales", &["sku"], 1)).unwrap();
    let denied = command(Command::StmtPrepare, b"SELECT price FROM sales");
    assert_eq!(refused(&mut guard, &denied), 1143);
    assert_eq!(refused(&mut guard, &execute(last)), 1243);
    assert_eq!(send(&mut guard, &execute(1)), execute(1));
}

#[test]
fn a_long_execution_passes_in_whatever_division() {
    let body = [&1_u32.to_le_bytes()[..], &[7; 300]].concat();
    let ask = command(Command::StmtExecute, &body);
    for size in [1, 2, 5, 8, 9, 64, 400] {
        let mut guard = guard();
        prepare(&mut guard, 1, "SELECT sku FROM sales", "sku");
        let up: Vec<u8> = ask.chunks(size).flat_map(|chunk| send(&mut guard, chunk)).collect();
        assert_eq!(up, ask, "{size}");
        let mut guard = super::guard();
        let up: Vec<u8> = ask.chunks(size).flat_map(|chunk| send(&mut guard, chunk)).collect();
        assert!(up.is_empty() && refusal(&mut guard) == Some((1, 1243)), "{size}");
        assert_eq!(send(&mut guard, &query("SELECT 1")), query("SELECT 1"), "{size}");
    }
}

#[test]
fn names_know_no_case_and_are_there_only_after_success() {
    let mut guard = guard();
    run(&mut guard, "PREPARE p FROM 'SELECT sku FROM sales'", &failed(1461));
    assert_eq!(refused(&mut guard, &query("EXECUTE p")), 1243);
    run(&mut guard, "PREPARE p FROM 'SELECT sku FROM sales'", &good());
    run(&mut guard, "EXECUTE P", &result("", &[""], 1));
    run(&mut guard, "DEALLOCATE PREPARE p", &failed(1243));
    run(&mut guard, "EXECUTE p", &result("", &[""], 1));
    run(&mut guard, "DROP PREPARE P", &good());
    assert_eq!(refused(&mut guard, &query("EXECUTE p")), 1243);
}

#[test]
fn what_was_prepared_is_judged_again_under_another_mode_and_another_grant() {
    let mut guard = guard();
    prepare(&mut guard, 1, "SELECT CONCAT(\"price\") AS sku FROM sales", "sku");
    run(&mut guard, "PREPARE p FROM 'SELECT CONCAT(\"price\") FROM sales'", &good());
    run(&mut guard, "SET sql_mode = 'ANSI_QUOTES'", &good());
    assert_eq!(refused(&mut guard, &execute(1)), 1143);
    assert_eq!(refused(&mut guard, &query("EXECUTE p")), 1143);
    run(&mut guard, "SET sql_mode = ''", &good());
    run(&mut guard, "EXECUTE p", &result("", &[""], 0));
    let smaller = whole(guard.ground(), &["shop.orders"]);
    guard.stand_on(smaller);
    assert_eq!(refused(&mut guard, &execute(1)), 1142);
    assert_eq!(refused(&mut guard, &query("EXECUTE p")), 1142);
}

#[test]
fn a_mode_that_was_prepared_is_not_taken_for_the_one_that_comes_of_it_later() {
    let mut guard = guard();
    run(&mut guard, "SET sql_mode = 'ANSI_QUOTES'", &good());
    let ask = command(Command::StmtPrepare, b"SET sql_mode = CONCAT(@@sql_mode, ',NO_ZERO_DATE')");
    assert_eq!(send(&mut guard, &ask), ask);
    answer(&mut guard, &packet(1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!(send(&mut guard, &execute(1)), execute(1));
    answer(&mut guard, &good()).unwrap();
    assert!(guard.ground().mode.ansi_quotes);
    run(&mut guard, "SET sql_mode = ''", &good());
    assert_eq!(refused(&mut guard, &execute(1)), 1227);
}

#[test]
fn what_runs_or_lies_open_must_be_covered_when_the_grant_changes() {
    let smaller = |guard: &mut Guard, table: &str| {
        let ground = whole(guard.ground(), &[table]);
        guard.stand_on(ground);
        guard.still_covers()
    };
    let mut guard = guard();
    send(&mut guard, &query("SELECT sku FROM sales"));
    assert!(smaller(&mut guard, "shop.sales") && !smaller(&mut guard, "shop.orders"));
    answer(&mut guard, &good()).unwrap();
    assert!(guard.still_covers());

    let mut guard = super::guard();
    prepare(&mut guard, 1, "SELECT sku FROM sales", "sku");
    let opening = command(Command::StmtExecute, &[&1_u32.to_le_bytes()[..], &[1, 1, 0, 0, 0]].concat());
    assert_eq!(send(&mut guard, &opening), opening);
    let cursor = [vec![1], column("sales", "sku"), vec![0xfe, 0, 0, 0x42, 0]];
    answer(&mut guard, &numbered(&cursor)).unwrap();
    assert!(guard.is_free() && !smaller(&mut guard, "shop.orders"));
    let reset = command(Command::StmtReset, &1_u32.to_le_bytes());
    assert_eq!(send(&mut guard, &reset), reset);
    answer(&mut guard, &good()).unwrap();
    assert!(guard.still_covers());
}

#[test]
fn a_session_holds_so_many_statements_and_no_more() {
    let mut guard = guard();
    let long = format!("SELECT sku FROM sales WHERE sku = '{}'", "x".repeat(4_000_000));
    let mut held = 0;
    for number in 1.. {
        let mut up = BytesMut::new();
        let ask = command(Command::StmtPrepare, long.as_bytes());
        if let Pace::WantsVerdict = guard.take_from_client(&ask, &mut up).unwrap() {
            let judged = guard.long_text().unwrap().judged();
            guard.take_judged(judged);
            guard.resume(&mut up).unwrap();
        }
        if up.is_empty() {
            break;
        }
        held = number;
        answer(&mut guard, &prepared(number, "sales", "sku")).unwrap();
    }
    assert_eq!((held, refusal(&mut guard)), (16, Some((1, 1461))));
}

//! Data that are copied in: where they end, and what becomes of messages around them.

use super::*;

fn copying() -> Vec<u8> {
    frame(b'G', b"\0\0\0")
}

fn end_of_copy() -> Vec<u8> {
    frame(b'c', b"")
}

/// After all of this the account of names is exact: what failed is not there, what succeeded is.
#[track_caller]
fn keeps_account(guard: &mut Guard) {
    passes(guard, &[parse("s", "select 2"), sync()].concat());
    down(guard, &[frame(b'1', b""), ready(b'I')].concat());
    passes(guard, &query("prepare new as select 1"));
    down(guard, &[sql_error(), ready(b'I')].concat());
    passes(guard, &[bind("", "s"), sync()].concat());
    down(guard, &[frame(b'2', b""), ready(b'I')].concat());
    denied(guard, &query("execute new"), "26000");
}

#[test]
fn each_copy_of_a_query_has_an_end_of_its_own() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &query("prepare p as select secret"));
    down(&mut guard, &[done(), ready(b'I')].concat());
    passes(&mut guard, &[query("copy t from stdin; copy t from stdin"), end_of_copy()].concat());
    down(&mut guard, &[copying(), done(), copying()].concat());
    assert!(up(&mut guard, &sync()).is_empty(), "the server ignores it");
    passes(&mut guard, &end_of_copy());
    down(&mut guard, &[done(), ready(b'I')].concat());
    passes(&mut guard, &query("prepare p as select 1"));
    down(&mut guard, &[sql_error(), ready(b'I')].concat());
    passes(&mut guard, &query("select 3"));
    down(&mut guard, &[done(), ready(b'I')].concat());
    guard.stand_on(ground(ORDINARY, 1));
    denied(&mut guard, &query("execute p"), "42501");
}

#[test]
fn copies_that_are_sent_at_one_go_are_told_apart() {
    let mut guard = guard();
    let both = "copy t from stdin; copy t from stdin";
    passes(&mut guard, &[query(both), end_of_copy(), sync(), end_of_copy(), sync()].concat());
    down(&mut guard, &[copying(), done(), copying(), done(), ready(b'I'), ready(b'I')].concat());
    keeps_account(&mut guard);
}

#[test]
fn a_copy_may_fail_before_or_behind_the_sync_that_was_sent_with_it() {
    let copy = [parse("", "copy t from stdin"), bind("", ""), execute(""), sync()].concat();
    let begun = [frame(b'1', b""), frame(b'2', b""), copying()].concat();
    for (late, readies) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        let mut guard = guard();
        passes(&mut guard, &copy);
        down(&mut guard, &begun);
        let end = [end_of_copy(), sync()].concat();
        if late {
            down(&mut guard, &sql_error());
            passes(&mut guard, &end);
        } else {
            passes(&mut guard, &end);
            down(&mut guard, &sql_error());
        }
        down(&mut guard, &ready(b'I').repeat(readies));
        keeps_account(&mut guard);
    }
    let mut guard = guard();
    passes(&mut guard, &copy);
    down(&mut guard, &[begun, sql_error()].concat());
    let result = guard.take_from_client(&parse("s", "select 1"), &mut BytesMut::new());
    assert!(matches!(result, Err(Breach::Violation(_))), "nobody knows whether the server looks at it");
}

#[test]
fn only_data_and_their_end_are_sent_in_the_middle_of_a_copy() {
    for message in [query("select 1"), parse("s", "select 1"), execute(""), frame(b'C', b"Ss\0")] {
        let mut guard = guard();
        passes(&mut guard, &query("copy t from stdin"));
        down(&mut guard, &copying());
        let result = guard.take_from_client(&message, &mut BytesMut::new());
        assert!(matches!(result, Err(Breach::Violation(_))), "{message:?}");
    }
}

#[test]
fn an_error_in_a_copy_is_followed_by_no_alarm_and_what_runs_behind_it_is_known() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &[parse("", "copy t from stdin"), bind("", ""), execute(""), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), frame(b'2', b""), copying()].concat());
    passes(&mut guard, &frame(b'd', b"nonsense"));
    assert!(up(&mut guard, &[sync(), sync()].concat()).is_empty());
    down(&mut guard, &sql_error());
    passes(&mut guard, &sync());
    down(&mut guard, &ready(b'I'));
    passes(&mut guard, &query("select secret"));
    guard.stand_on(ground(ORDINARY, 1));
    assert!(!guard.still_covers());
}

#[test]
fn what_was_sent_behind_a_copy_that_fails_may_have_been_ignored_and_ends_the_session() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &query("prepare p as select secret"));
    down(&mut guard, &[done(), ready(b'I')].concat());
    let copy =
        [parse("", "copy t from stdin"), bind("", ""), execute(""), sync(), frame(b'f', b"no\0")].concat();
    passes(&mut guard, &[copy, query("prepare p as select 1"), sync(), query("begin")].concat());
    down(&mut guard, &[frame(b'1', b""), frame(b'2', b""), copying()].concat());
    let result = guard.take_from_server(&sql_error(), &mut BytesMut::new());
    assert!(matches!(result, Err(Breach::Violation(_))), "{result:?}");
}

#[test]
fn syncs_that_a_copy_takes_keep_nobody_from_ending_it() {
    let (mut guard, mut out) = (guard(), BytesMut::new());
    let stream = [query("copy t from stdin"), sync().repeat(10_000), end_of_copy()].concat();
    assert_eq!(guard.take_from_client(&stream, &mut out), Ok(Pace::WantsReplies));
    down(&mut guard, &copying());
    assert!(guard.has_room());
    assert_eq!(guard.resume(&mut out), Ok(Pace::WantsReplies), "up to the end of the data");
    assert!(out.ends_with(&end_of_copy()));
    down(&mut guard, &[done(), ready(b'I')].concat());
    assert!(guard.has_room());
    assert_eq!(guard.resume(&mut out), Ok(Pace::Going));
    keeps_account(&mut guard);
}

#[test]
fn ends_of_copies_that_never_began_make_nobody_wait() {
    let (mut guard, mut out) = (guard(), BytesMut::new());
    let text = format!("select 1/0; {}", "copy t from stdin;".repeat(100));
    passes(&mut guard, &query(&text));
    let ends = [end_of_copy().repeat(100), sync().repeat(8_100)].concat();
    assert_eq!(guard.take_from_client(&ends, &mut out), Ok(Pace::WantsReplies));
    down(&mut guard, &[sql_error(), ready(b'I'), ready(b'I').repeat(8_000)].concat());
    assert!(guard.has_room());
}

#[test]
fn ends_of_copies_that_nobody_began_are_not_kept() {
    let mut guard = guard();
    passes(&mut guard, &parse("", "select 1"));
    passes(&mut guard, &end_of_copy().repeat(100_000));
    assert!(guard.has_room());
    down(&mut guard, &frame(b'1', b""));
    passes(&mut guard, &query("copy t from stdin"));
    passes(&mut guard, &end_of_copy().repeat(100_000));
    assert!(guard.has_room());
    down(&mut guard, &[copying(), done(), ready(b'I')].concat());
    keeps_account(&mut guard);
}

#[test]
fn data_of_a_copy_pass_and_a_sync_that_the_server_ignores_is_not_waited_for() {
    let mut guard = guard();
    passes(&mut guard, &[parse("", "copy t from stdin"), bind("", ""), execute(""), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), frame(b'2', b""), frame(b'G', b"\0\0\0")].concat());
    passes(&mut guard, &[frame(b'd', b"row"), frame(b'c', b""), sync()].concat());
    passes(&mut guard, &[parse("s", "select 1"), sync()].concat());
    down(&mut guard, &[done(), ready(b'I'), frame(b'1', b""), ready(b'I')].concat());
    passes(&mut guard, &query("deallocate s"));
    down(&mut guard, &[done(), ready(b'I')].concat());
    denied(&mut guard, &bind("", "s"), "26000");
}

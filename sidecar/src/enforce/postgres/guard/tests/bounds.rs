//! What a client cannot make grow.

use super::*;

#[test]
fn what_the_server_ignores_is_neither_judged_nor_sent() {
    let mut guard = guard();
    passes(&mut guard, &parse("", "select 1/0"));
    down(&mut guard, &sql_error());
    guard.news();
    let ignored = [parse("", "select secret"), query("select secret"), bind("", "no"), frame(b'H', b"")];
    assert!(up(&mut guard, &ignored.concat().repeat(1000)).is_empty());
    assert!(guard.news().is_none() && guard.has_room());
    passes(&mut guard, &sync());
    down(&mut guard, &ready(b'I'));
    denied(&mut guard, &query("select secret"), "42501");
}

#[test]
fn a_client_that_does_not_wait_for_answers_has_to_at_last() {
    let (mut guard, mut out) = (guard(), BytesMut::new());
    let stream = [parse("", "select 1"), sync()].concat().repeat(10_000);
    assert_eq!(guard.take_from_client(&stream, &mut out), Ok(Pace::WantsReplies));
    assert!(!guard.has_room() && out.len() < stream.len());
    let answer = [frame(b'1', b""), ready(b'I')].concat();
    for round in 1.. {
        down(&mut guard, &answer.repeat(3000));
        assert!(guard.has_room());
        match guard.resume(&mut out) {
            Ok(Pace::Going) => break,
            Ok(Pace::WantsReplies) => assert!(round < 10),
            other => panic!("{other:?}"),
        }
    }
    assert!(out == stream);
    let (mut guard, mut out) = (self::guard(), BytesMut::new());
    let denied = query("select secret").repeat(1000);
    assert_eq!(guard.take_from_client(&denied, &mut out), Ok(Pace::WantsReplies));
}

#[test]
fn a_name_that_may_stand_for_too_much_is_not_used() {
    let mut guard = guard();
    for number in 0..70 {
        passes(&mut guard, &[parse("s", &format!("select {number}")), sync()].concat());
    }
    let sent = up(&mut guard, &bind("", "s"));
    let answers = [frame(b'1', b""), ready(b'I')].concat().repeat(70);
    let told = down(&mut guard, &[answers.clone(), failure(&sent)].concat());
    assert_eq!(code(&told[answers.len()..]), "54000");
    let mut guard = self::guard();
    for _ in 0..200 {
        passes(&mut guard, &[parse("s", "select 1"), sync(), bind("", "s"), sync()].concat());
    }
    passes(&mut guard, &execute(""));
    let open = guard.replies.open().unwrap();
    assert!(open.iter().all(|texts| texts.len() == 1), "the same text counts once");
}

#[test]
fn a_session_holds_so_many_names() {
    let mut guard = guard();
    passes(&mut guard, &[parse("s", "select 1"), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), ready(b'T')].concat());
    for round in 0..16 {
        let binds: Vec<u8> = (0..4096).flat_map(|number| bind(&format!("{round} {number}"), "s")).collect();
        passes(&mut guard, &binds);
        down(&mut guard, &frame(b'2', b"").repeat(4096));
    }
    denied(&mut guard, &bind("one more", "s"), "53200");
}

/// Whose grant allows three rows in one answer.
fn of_three_rows() -> Guard {
    let terms = Terms {
        limits: postern_protocol::gate::MovementLimits { max_rows: Some(3), ..Default::default() },
        ..Terms::default()
    };
    guard_on(Ground { limits: Arc::new(Limits::new(&[], terms)), ..ground(ORDINARY, 1) })
}

#[test]
fn rows_of_a_cursor_count_together_however_they_are_fetched() {
    let row = frame(b'D', b"\0\0");
    let mut guard = of_three_rows();
    passes(&mut guard, &[query("declare c cursor"), query("declare d cursor")].concat());
    down(&mut guard, &[done(), ready(b'T')].concat().repeat(2));
    let two = |rows: usize| [row.repeat(rows), done(), ready(b'T')].concat();
    let fetch = |guard: &mut Guard, text: &str, rows: usize| {
        passes(guard, &query(text));
        guard.take_from_server(&two(rows), &mut BytesMut::new())
    };
    assert_eq!(fetch(&mut guard, "fetch c", 2), Ok(Pace::Going));
    assert_eq!(fetch(&mut guard, "fetch d", 2), Ok(Pace::Going), "another cursor is another answer");
    passes(&mut guard, &query("close d; declare d cursor"));
    down(&mut guard, &[done(), done(), ready(b'T')].concat());
    assert_eq!(fetch(&mut guard, "fetch d", 2), Ok(Pace::Going), "and so is one that was opened anew");
    let fetch_on = [parse("", "fetch c"), bind("", ""), execute(""), sync()];
    passes(&mut guard, &fetch_on.concat());
    let answers = [frame(b'1', b""), frame(b'2', b""), two(1)].concat();
    assert_eq!(guard.take_from_server(&answers, &mut BytesMut::new()), Ok(Pace::Going));
    assert!(matches!(fetch(&mut guard, "fetch c", 1), Err(Breach::Exceeded(_))));
}

#[test]
fn rows_of_a_portal_count_together_whatever_is_executed_in_between() {
    let row = frame(b'D', b"\0\0");
    let mut guard = of_three_rows();
    let begin = [parse("a", "select 1"), bind("x", "a"), parse("b", "select 2"), bind("y", "b")];
    passes(&mut guard, &begin.concat());
    down(&mut guard, &[frame(b'1', b""), frame(b'2', b"")].concat().repeat(2));
    let mut twice = || {
        passes(&mut guard, &[execute("x"), execute("y")].concat());
        let answers = [row.repeat(2), frame(b's', b""), row.clone(), done()].concat();
        guard.take_from_server(&answers, &mut BytesMut::new())
    };
    assert_eq!(twice(), Ok(Pace::Going));
    assert!(matches!(twice(), Err(Breach::Exceeded(_))));
}

#[test]
fn what_becomes_too_long_is_denied() {
    denied(&mut guard(), &query("select star from wide"), "54000");
    let sent = up(&mut guard(), &query(&format!("select {}", "star ".repeat(100))));
    assert_eq!(sent, query(&format!("select {}", "a, b ".repeat(100))));
}

#[test]
fn a_text_of_many_steps_is_looked_through_once() {
    let mut guard = guard();
    let text = format!("prepare a as select 1;{}", "select 2; execute a;".repeat(50_000));
    let pace = guard.take_from_client(&query(&text), &mut BytesMut::new()).unwrap();
    assert_eq!(pace, Pace::WantsVerdict);
    let judged = guard.long_text().unwrap().judged();
    guard.take_judged(judged);
    assert_eq!(guard.resume(&mut BytesMut::new()), Ok(Pace::Going));
    assert!(guard.news().unwrap().denied.is_empty());
}

#[test]
fn a_message_may_wait_for_more_than_one_long_text() {
    let mut guard = guard();
    let long = |name: &str| format!("{} /* {} */", name, "x".repeat(20_000));
    let judge_all = |guard: &mut Guard, first: Result<Pace, Breach>| {
        let (mut pace, mut asked) = (first.unwrap(), 0);
        while pace == Pace::WantsVerdict {
            asked += 1;
            assert!(asked < 4, "it asks for the same over and over");
            let judged = guard.long_text().unwrap().judged();
            guard.take_judged(judged);
            pace = guard.resume(&mut BytesMut::new()).unwrap();
        }
        assert_eq!(pace, Pace::Going);
        asked
    };
    let pace = guard.take_from_client(&query(&long("prepare p as select 1")), &mut BytesMut::new());
    assert_eq!(judge_all(&mut guard, pace), 1);
    down(&mut guard, &[done(), ready(b'I')].concat());
    guard.stand_on(ground(ORDINARY, 2));
    let pace = guard.take_from_client(&query(&long("execute p")), &mut BytesMut::new());
    assert_eq!(judge_all(&mut guard, pace), 2);
}

#[test]
fn several_statements_are_not_prepared_as_one() {
    let mut guard = guard();
    denied(&mut guard, &parse("", "select 1; select 2"), "42601");
}

#[test]
fn behind_a_query_nothing_is_there_without_a_name() {
    let mut guard = guard();
    passes(&mut guard, &[parse("", "select 1"), bind("", ""), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), frame(b'2', b""), ready(b'T')].concat());
    passes(&mut guard, &query("select 2"));
    down(&mut guard, &[sql_error(), ready(b'E')].concat());
    denied(&mut guard, &execute(""), "34000");
}

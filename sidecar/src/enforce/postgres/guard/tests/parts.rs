//! Texts of several statements of which one is denied: those before it go on.

use postern_protocol::gate::MovementLimits;

use super::*;

/// What is sent for a text of which this part is let through.
fn part(sent: &str) -> Vec<u8> {
    query(&format!("{sent}\n;{}", first_stand_in()))
}

fn kinds(mut messages: &[u8]) -> String {
    let mut kinds = String::new();
    while let [kind, a, b, c, d, ..] = messages {
        kinds.push(char::from(*kind));
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        messages = &messages[1 + length..];
    }
    kinds
}

/// The first error of several messages.
fn error_of(mut messages: &[u8]) -> String {
    while messages[0] != b'E' {
        let length = u32::from_be_bytes(messages[1..5].try_into().unwrap()) as usize;
        messages = &messages[1 + length..];
    }
    code(messages)
}

#[test]
fn statements_before_a_denied_one_are_executed_and_the_client_reads_why_that_one_is_not() {
    let mut guard = guard();
    let sent = up(&mut guard, &query("begin; select 1; select secret from sales; select 2"));
    assert_eq!(sent, part("begin; select 1"));
    let told = down(&mut guard, &[done(), done(), failure(&sent), ready(b'E')].concat());
    assert_eq!((kinds(&told).as_str(), error_of(&told).as_str()), ("CCEZ", "42501"));
    let news = guard.news().unwrap();
    assert_eq!((news.allowed, news.denied.len()), (0, 1));
    assert_eq!(&*news.denied[0].0, "begin; select 1; select secret from sales; select 2");
    passes(&mut guard, &query("rollback"));
    down(&mut guard, &[done(), ready(b'I')].concat());
    denied(&mut guard, &query("select secret; select 1"), "42501");
}

#[test]
fn an_error_before_the_denied_statement_is_the_servers_own() {
    let mut guard = guard();
    let sent = up(&mut guard, &query("select 1; select 1/0; select secret"));
    let word = stand_in::word("KEY", 1);
    // It may even say the word: `current_query()` tells it.
    let own = frame(b'E', format!("SERROR\0C22P02\0Minvalid number: \"{word}\"\0\0").as_bytes());
    let told = down(&mut guard, &[done(), own, ready(b'I')].concat());
    assert_eq!((kinds(&told).as_str(), error_of(&told).as_str()), ("CEZ", "22P02"));
    let later = up(&mut guard, &query("select secret"));
    assert_ne!(later, query(&first_stand_in()), "each word is used once");
    let old = down(&mut guard, &[failure(&sent), ready(b'I')].concat());
    assert_eq!(error_of(&old), "42703", "an old word stands for no denial");
    assert!(guard.has_room());
    denied(&mut guard, &query("select secret"), "42501");
}

#[test]
fn what_stands_in_the_place_of_a_denied_statement_never_succeeds() {
    let mut guard = guard();
    up(&mut guard, &query("select 1; select secret"));
    down(&mut guard, &done());
    let result = guard.take_from_server(&done(), &mut BytesMut::new());
    assert!(matches!(result, Err(Breach::Violation(_))));
}

#[test]
fn names_that_were_made_before_a_denied_statement_are_there() {
    let text = query("prepare p as select 1; select secret");
    let mut guard = guard();
    let sent = up(&mut guard, &text);
    down(&mut guard, &[done(), failure(&sent), ready(b'I')].concat());
    passes(&mut guard, &query("execute p"));
    let mut guard = self::guard();
    up(&mut guard, &text);
    down(&mut guard, &[sql_error(), ready(b'I')].concat());
    denied(&mut guard, &query("execute p"), "26000");
}

#[test]
fn a_name_that_is_not_there_is_missed_when_its_statement_comes() {
    for (text, before) in [
        ("select 1; execute nothing; select 2", "select 1"),
        ("select 1; select 2; fetch nothing", "select 1; select 2"),
        ("select 1; execute nothing; select secret", "select 1"),
        ("prepare p as select 1; execute p; execute nothing; execute p", "prepare p as select 1; execute p"),
    ] {
        let mut guard = guard();
        let sent = up(&mut guard, &query(text));
        assert_eq!(sent, part(before), "{text}");
        let statements = before.split(';').count();
        let told = down(&mut guard, &[done().repeat(statements), failure(&sent), ready(b'I')].concat());
        assert!(["26000", "34000"].contains(&&*error_of(&told)), "{text}");
    }
    denied(&mut guard(), &query("execute nothing; select secret"), "26000");
}

#[test]
fn what_lies_under_a_name_of_the_part_does_not_say_where_the_part_ends() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &query("select 1; select 2; prepare p as select secret"));
    down(&mut guard, &[done().repeat(3), ready(b'I')].concat());
    guard.stand_on(ground(ORDINARY, 1));
    denied(&mut guard, &query("execute p; select 1"), "42501");
    down(&mut guard, &ready(b'I'));
    let sent = up(&mut guard, &query("select 3; execute p"));
    assert!(String::from_utf8_lossy(&sent).contains("select 3\n;SELECT \""));
}

#[test]
fn data_are_copied_before_a_denied_statement() {
    let copying = frame(b'G', b"\0\0\0");
    let mut guard = guard();
    let sent = up(&mut guard, &query("copy t from stdin; select secret"));
    assert_eq!(sent, part("copy t from stdin"));
    down(&mut guard, &copying);
    passes(&mut guard, &[frame(b'd', b"row"), frame(b'c', b"")].concat());
    let told = down(&mut guard, &[done(), failure(&sent), ready(b'I')].concat());
    assert_eq!((kinds(&told).as_str(), error_of(&told).as_str()), ("CEZ", "42501"));
    // All at one go, and a COPY that fails.
    let all = [query("copy t from stdin; select secret"), frame(b'd', b"row"), frame(b'c', b""), sync()];
    up(&mut guard, &all.concat());
    let told = down(&mut guard, &[copying, sql_error(), ready(b'I'), ready(b'I')].concat());
    assert_eq!((kinds(&told).as_str(), error_of(&told).as_str()), ("GEZZ", "22P02"));
    passes(&mut guard, &[parse("s", "select 2"), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), ready(b'I')].concat());
    passes(&mut guard, &bind("", "s"));
}

#[test]
fn the_part_is_sent_as_it_was_judged() {
    let mut guard = guard();
    let sent = up(&mut guard, &query("select star; select secret"));
    assert_eq!(sent, part("select a, b"));
}

#[test]
fn a_long_part_is_judged_elsewhere_as_well() {
    let text = format!("select '{}'; select secret", "x".repeat(100_000));
    let (mut guard, mut out) = (guard(), BytesMut::new());
    let mut pace = guard.take_from_client(&query(&text), &mut out);
    for _ in 0..2 {
        assert_eq!(pace, Ok(Pace::WantsVerdict));
        assert!(out.is_empty());
        let judged = guard.long_text().unwrap().judged();
        guard.take_judged(judged);
        pace = guard.resume(&mut out);
    }
    assert_eq!(pace, Ok(Pace::Going));
    assert_eq!(&out[..], part(text.split(';').next().unwrap()));
}

#[test]
fn the_part_counts_as_what_is_executed() {
    let mut guard = guard_on(ground(WIDE, 1));
    up(&mut guard, &query("select secret; execute nothing"));
    guard.stand_on(ground(ORDINARY, 1));
    assert!(!guard.still_covers());
    let limits = MovementLimits { statements_per_minute: Some(3), ..Default::default() };
    let limits = Limits::new(&[], Terms { limits, ..Terms::default() });
    let mut guard = guard_on(Ground { limits: Arc::new(limits), ..ground(ORDINARY, 1) });
    let text = query("select 1; select 2; select secret");
    let sent = up(&mut guard, &text);
    assert_eq!(sent, part("select 1; select 2"));
    down(&mut guard, &[done(), done(), failure(&sent), ready(b'I')].concat());
    denied(&mut guard, &text, "53400");
}

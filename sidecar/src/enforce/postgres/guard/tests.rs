//! The guard between a client and a server that are played by hand, with a judge that takes a text at its word.

mod bounds;
mod copies;
mod parts;
mod storm;

use std::sync::Arc;

use bytes::BytesMut;
use postern_protocol::{
    gate::{Privilege, ResourceGrant, Terms},
    postgres::error_field,
};

use super::*;
use crate::enforce::{
    Limits,
    postgres::{
        Start, Step,
        catalog::{Catalog, Column, Parts, Relation},
        settings::named_by,
    },
};

const SALES: u32 = 20_000;

/// Words in a text say what it does; `secret` is denied unless the limits cover `public.secret`.
fn toy(text: &str, ground: &Ground) -> Result<Judgement, Denial> {
    let known = ground.limits.table("public", "secret").is_some();
    if text.contains("unheard") && ground.catalog.version() < 2 {
        return Err(Denial::unclear(Reason::Name, "unheard", "").stale());
    }
    if text.contains("secret") && !known {
        let behind = text.split("secret").next().and_then(|before| before.rfind(';')).unwrap_or_default();
        return Err(Denial::column("secret", "sales").about("public", "sales").behind(behind));
    }
    let step = |statement: &str| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words.as_slice() {
            ["prepare", name, ..] => Step::Prepare((*name).into()),
            ["execute", name, ..] => Step::Execute((*name).into()),
            ["deallocate", name, ..] => Step::Deallocate((*name).into()),
            ["declare", name, ..] => Step::Declare((*name).into()),
            ["fetch", name, ..] => Step::Fetch((*name).into()),
            ["close", name, ..] => Step::Close((*name).into()),
            ["copy", ..] => Step::Copy,
            ["reset", "all"] => Step::ResetAll,
            _ => Step::Plain,
        }
    };
    if text.contains("current_setting($2)") {
        return Ok(Judgement::new(None, [Step::Reads(2), Step::Plain].into()));
    }
    if let Some((statement, cursor)) = text.split_once(" where current of ") {
        return Ok(Judgement::new(None, [Step::Through(cursor.into()), step(statement)].into()));
    }
    let steps = text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(step).collect();
    let instead = text.contains("star").then(|| {
        let expanded = if text.contains("wide") { "x".repeat(300_000) } else { "a, b".to_owned() };
        text.replace("star", &expanded).into()
    });
    let ends = text.match_indices(';').map(|(at, _)| at).collect();
    Ok(Judgement { ends, ..Judgement::new(instead, steps) })
}

fn limits(names: &[&str]) -> Arc<Limits> {
    let grant =
        |name: &&str| ResourceGrant { resource: name.parse().unwrap(), privileges: vec![Privilege::Select] };
    Arc::new(Limits::new(&names.iter().map(grant).collect::<Vec<_>>(), Terms::default()))
}

fn catalog(version: u64) -> Arc<Catalog> {
    let column = |name: &str, number| Column { name: name.into(), number, type_oid: 25 };
    let columns = [column("id", 1), column("price", 2)].into();
    let sales = Relation {
        oid: SALES,
        schema: "public".into(),
        name: "sales".into(),
        kind: b'r',
        columns,
        lively: [].into(),
    };
    let schemas = vec!["pg_catalog".into(), "public".into()];
    Arc::new(Catalog::new(version, Parts { schemas, relations: vec![sales], ..Parts::default() }))
}

fn ground(names: &[&str], version: u64) -> Ground {
    Ground {
        catalog: catalog(version),
        limits: limits(names),
        path: ["pg_catalog".into(), "public".into()].into(),
        user: "app_ro".into(),
        start: Arc::default(),
    }
}

const ORDINARY: &[&str] = &["public.sales.id"];
const WIDE: &[&str] = &["public.sales.id", "public.secret"];

fn guard_on(ground: Ground) -> Guard {
    Guard::new(toy, ground, Arc::default(), Pinned::default(), "KEY", Remedy::default(), Quota::default())
}

fn guard() -> Guard {
    guard_on(ground(ORDINARY, 1))
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn query(text: &str) -> Vec<u8> {
    frame(b'Q', &[text.as_bytes(), b"\0"].concat())
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

fn bind(portal: &str, statement: &str) -> Vec<u8> {
    frame(b'B', format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
}

fn execute(portal: &str) -> Vec<u8> {
    frame(b'E', format!("{portal}\0\0\0\0\0").as_bytes())
}

fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

fn ready(status: u8) -> Vec<u8> {
    frame(b'Z', &[status])
}

fn done() -> Vec<u8> {
    frame(b'C', b"SELECT 1\0")
}

/// What the server gets.
fn up(guard: &mut Guard, bytes: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    assert_eq!(guard.take_from_client(bytes, &mut out), Ok(Pace::Going));
    out.to_vec()
}

/// What the client gets.
fn down(guard: &mut Guard, bytes: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let streaming = guard.streaming(bytes).unwrap();
    out.extend_from_slice(&bytes[..streaming]);
    assert_eq!(guard.take_from_server(&bytes[streaming..], &mut out), Ok(Pace::Going));
    out.to_vec()
}

/// The error that the server makes of a failing statement of ours.
fn failure(sent: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(sent);
    let column = text.rsplit_once("SELECT \"").and_then(|(_, rest)| rest.split('"').next()).unwrap();
    frame(b'E', format!("SERROR\0C42703\0Mcolumn \"{column}\" does not exist\0P8\0\0").as_bytes())
}

/// What is sent in the place of the first thing that is denied.
fn first_stand_in() -> String {
    format!("SELECT \"{}\"", stand_in::word("KEY", 1))
}

fn code(message: &[u8]) -> String {
    assert_eq!(message[0], b'E', "{message:?}");
    error_field(&message[5..], b'C').unwrap()
}

#[track_caller]
fn denied(guard: &mut Guard, bytes: &[u8], sqlstate: &str) {
    let sent = up(guard, bytes);
    assert_ne!(sent, bytes);
    let told = down(guard, &failure(&sent));
    assert_eq!(code(&told), sqlstate);
    assert!(!String::from_utf8_lossy(&told).contains("does not exist\0P8"));
}

#[track_caller]
fn passes(guard: &mut Guard, bytes: &[u8]) {
    assert_eq!(up(guard, bytes), bytes);
}

#[test]
fn what_is_allowed_goes_on_as_it_came_in_any_division() {
    let stream = [
        query("select 1"),
        parse("s", "select 2"),
        bind("", "s"),
        execute(""),
        frame(b'C', b"Ss\0"),
        sync(),
        frame(b'd', &[7; 300]),
        frame(b'c', b""),
        frame(b'X', b""),
    ]
    .concat();
    for size in 1..stream.len() {
        let mut guard = guard();
        let sent: Vec<u8> = stream.chunks(size).flat_map(|chunk| up(&mut guard, chunk)).collect();
        assert_eq!(sent, stream, "chunks of {size}");
    }
}

#[test]
fn a_denied_query_fails_at_the_server_and_the_client_reads_why() {
    let mut guard = guard();
    let sent = up(&mut guard, &query("select secret from sales"));
    assert_eq!(sent, query(&first_stand_in()));
    let told = down(&mut guard, &[failure(&sent), ready(b'I')].concat());
    assert_eq!(error_field(&told[5..], b'M').unwrap(), "permission denied for column secret of table sales");
    assert_eq!(error_field(&told[5..], b'P'), None);
    assert!(error_field(&told[5..], b'H').unwrap().contains("public.sales (SELECT id)"));
    assert!(told.ends_with(&ready(b'I')));
    let news = guard.news().unwrap();
    assert_eq!((news.allowed, news.denied.len()), (0, 1));
}

#[test]
fn settings_that_were_returned_to_defaults_are_adrift_when_the_defaults_are_others() {
    let verdicts = Arc::default();
    let begun = || ground(ORDINARY, 1);
    let moved = || Ground { start: Arc::new(Start::new("", "long ago", "")), ..begun() };
    let guard = || {
        let verdicts = Arc::clone(&verdicts);
        Guard::new(toy, begun(), verdicts, Pinned::default(), "KEY", Remedy::default(), Quota::default())
    };
    // The second finds the verdict of the first.
    for text in ["reset all", "reset all"] {
        let (mut returned, mut other) = (guard(), guard());
        passes(&mut returned, &query(text));
        passes(&mut other, &query("select 1"));
        assert!(!returned.is_adrift());
        returned.stand_on(moved());
        other.stand_on(moved());
        assert!(returned.is_adrift() && !other.is_adrift());
    }
}

#[test]
fn an_error_of_an_aborted_transaction_is_the_servers_own() {
    let mut guard = guard();
    up(&mut guard, &query("select secret from sales"));
    let aborted = frame(b'E', b"SERROR\0C25P02\0Mcurrent transaction is aborted\0\0");
    assert_eq!(code(&down(&mut guard, &aborted)), "25P02");
    down(&mut guard, &ready(b'E'));
    denied(&mut guard, &query("select secret"), "42501");
}

#[test]
fn behind_a_denied_parse_the_old_unnamed_statement_is_not_used() {
    let mut guard = guard();
    passes(&mut guard, &[parse("", "select 1"), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), ready(b'I')].concat());
    let sent = up(&mut guard, &parse("", "select secret from sales"));
    assert_eq!(sent, parse("", &first_stand_in()), "the server drops its unnamed statement and skips");
    passes(&mut guard, &[bind("", ""), execute(""), sync()].concat());
    assert_eq!(code(&down(&mut guard, &failure(&sent))), "42501");
    assert_eq!(down(&mut guard, &ready(b'I')), ready(b'I'));
}

#[test]
fn functions_are_not_called_by_number_and_unknown_messages_end_the_session() {
    let mut guard = guard();
    let call = frame(b'F', &[0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(up(&mut guard, &call), query(&first_stand_in()));
    for kind in [b'p', b'x', 0, b'G', b'R'] {
        let result = self::guard().take_from_client(&frame(kind, b""), &mut BytesMut::new());
        assert!(matches!(result, Err(Breach::Violation(_))), "{kind}");
    }
}

#[test]
fn texts_that_are_not_exactly_one_string_of_utf8_are_denied() {
    for body in [&b"select 1"[..], b"select 1\0select 2\0", b""] {
        denied(&mut guard(), &frame(b'Q', body), "08P01");
    }
    denied(&mut guard(), &frame(b'Q', b"select '\xff'\0"), "22021");
    denied(&mut guard(), &frame(b'P', b"\0select 1\0\0\x01"), "08P01");
    denied(&mut guard(), &frame(b'P', b"\0select $1\0\0\x01\0\0\x4e\x21"), "42501");
}

#[test]
fn a_text_that_is_too_long_is_denied_without_being_held() {
    let mut guard = guard();
    let long = query(&"x".repeat(17 * 1024 * 1024));
    let sent: Vec<u8> = long.chunks(65_536).flat_map(|chunk| up(&mut guard, chunk)).collect();
    assert_eq!(sent, query(&first_stand_in()));
    assert_eq!(code(&down(&mut guard, &[failure(&sent), ready(b'I')].concat())), "54000");
    passes(&mut guard, &query("select 1"));
}

/// A `Bind` of these values, of which the first is a number.
fn bind_with(statement: &str, values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = format!("\0{statement}\0").into_bytes();
    body.extend_from_slice(&[0, 1, 0, 1]);
    body.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(value.unwrap_or_default());
    }
    frame(b'B', &[&body[..], &[0, 0]].concat())
}

fn parse_with(name: &str, text: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    frame(b'P', &[format!("{name}\0{text}\0").as_bytes(), &count, &types].concat())
}

#[test]
fn a_parameter_that_names_a_setting_is_bound_to_one_that_may_be_read() {
    let text = "select $1, current_setting($2)";
    let number: Option<&[u8]> = Some(&[0, 0, 0, 1]);
    let prepared = || {
        let mut guard = guard();
        passes(&mut guard, &parse("s", text));
        down(&mut guard, &frame(b'1', b""));
        guard
    };
    for name in ["default_table_access_method", "TimeZone"] {
        let stream = [bind_with("s", &[number, Some(name.as_bytes())]), execute(""), sync()].concat();
        for size in [1, 7, stream.len()] {
            let mut guard = prepared();
            let sent: Vec<u8> = stream.chunks(size).flat_map(|chunk| up(&mut guard, chunk)).collect();
            assert_eq!(sent, stream, "chunks of {size}");
        }
    }
    let long = bind_with("s", &[Some(&vec![7; 50_000]), Some(b"timezone")]);
    let mut guard = prepared();
    let sent: Vec<u8> = long.chunks(1_000).flat_map(|chunk| up(&mut guard, chunk)).collect();
    assert_eq!(sent, long, "it is judged when all of it is here");
    for name in ["primary_conninfo", "", "app.tenant", "timezone ", "timezone\0", "x".repeat(5_000).as_str()]
    {
        denied(&mut prepared(), &bind_with("s", &[number, Some(name.as_bytes())]), "42501");
        denied(&mut prepared(), &bind_with("s", &[Some(b"timezone"), Some(name.as_bytes())]), "42501");
    }
    denied(&mut prepared(), &bind_with("s", &[Some(b"timezone"), None]), "42501");
    denied(&mut prepared(), &bind_with("s", &[Some(b"timezone")]), "42501");
    denied(&mut prepared(), &bind_with("s", &[]), "42501");
    denied(&mut prepared(), &query("execute s"), "42501");
    let uncertain = [bind_with("s", &[number, Some(b"timezone")]).split_last().unwrap().1, &[1]].concat();
    denied(&mut prepared(), &uncertain, "42501");
}

#[test]
fn a_parameter_that_names_a_setting_is_a_text() {
    let text = "select $1, current_setting($2)";
    for types in [&[][..], &[23], &[0, 0], &[23, 25], &[23, 1043], &[0, 705, 23]] {
        let harmless = |oid: &u32| *oid == 0;
        if types.iter().all(harmless) {
            passes(&mut guard(), &parse_with("s", text, types));
        }
        named_by(&[Step::Reads(2), Step::Plain], types.iter().copied()).unwrap();
    }
    for types in [[23, 23], [25, 19], [0, 1042], [0, 18], [0, 2205], [0, 20_000]] {
        named_by(&[Step::Reads(2), Step::Plain], types.into_iter()).unwrap_err();
        denied(&mut guard(), &parse_with("s", text, &types), "42501");
    }
}

#[test]
fn a_prepared_statement_may_go_through_a_cursor() {
    let mut guard = guard();
    passes(&mut guard, &query("begin; declare c cursor for select 1"));
    passes(&mut guard, &[parse("s", "update sales where current of c"), bind("", "s"), sync()].concat());
}

#[test]
fn names_that_the_session_did_not_make_are_unknown() {
    denied(&mut guard(), &bind("", "s"), "26000");
    denied(&mut guard(), &bind("", ""), "26000");
    denied(&mut guard(), &execute("p"), "34000");
    denied(&mut guard(), &frame(b'D', b"Ss\0"), "26000");
    denied(&mut guard(), &frame(b'D', b"Pp\0"), "34000");
    denied(&mut guard(), &query("execute s"), "26000");
    denied(&mut guard(), &query("fetch p"), "34000");
}

#[test]
fn sql_and_protocol_share_their_names() {
    let mut guard = guard();
    passes(&mut guard, &query("prepare s as select 1; declare c cursor for select 2"));
    passes(&mut guard, &[bind("", "s"), execute("c"), sync()].concat());
    passes(&mut guard, &[parse("t", "select 3"), bind("p", "t")].concat());
    passes(&mut guard, &query("execute t; fetch p"));
    passes(&mut guard, &query("prepare u as select 1; execute u"));
}

#[test]
fn a_name_that_was_closed_is_unknown_again_once_the_server_says_so() {
    let mut guard = guard();
    passes(&mut guard, &[parse("s", "select 1"), sync()].concat());
    down(&mut guard, &[frame(b'1', b""), ready(b'I')].concat());
    passes(&mut guard, &query("deallocate s"));
    passes(&mut guard, &[bind("", "s"), sync()].concat());
    down(&mut guard, &[done(), ready(b'I'), frame(b'2', b""), ready(b'I')].concat());
    denied(&mut guard, &bind("", "s"), "26000");
}

#[test]
fn a_name_of_a_statement_that_failed_is_unknown_once_the_server_says_so() {
    let mut guard = guard();
    passes(&mut guard, &[parse("s", "select 1"), bind("", "s"), sync()].concat());
    down(&mut guard, &[frame(b'E', b"SERROR\0C42P01\0Mno table\0\0"), ready(b'I')].concat());
    denied(&mut guard, &bind("", "s"), "26000");
}

#[test]
fn portals_go_with_their_transaction_unless_they_are_held() {
    let mut guard = guard();
    passes(&mut guard, &query("declare c cursor for select 1"));
    passes(&mut guard, &query("declare h cursor with hold for select 1"));
    down(&mut guard, &[done(), ready(b'T'), done(), ready(b'I')].concat());
    denied(&mut guard, &query("fetch c"), "34000");
    down(&mut guard, &ready(b'I'));
    passes(&mut guard, &query("fetch h"));
}

#[test]
fn a_statement_is_judged_again_when_it_is_used_on_other_ground() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &[parse("s", "select secret"), sync()].concat());
    passes(&mut guard, &query("prepare q as select secret"));
    down(&mut guard, &[frame(b'1', b""), ready(b'I'), done(), ready(b'I')].concat());
    guard.stand_on(ground(ORDINARY, 1));
    denied(&mut guard, &bind("", "s"), "42501");
    passes(&mut guard, &sync());
    down(&mut guard, &ready(b'I'));
    denied(&mut guard, &query("execute q"), "42501");
    guard.stand_on(ground(WIDE, 1));
    down(&mut guard, &ready(b'I'));
    passes(&mut guard, &query("execute q"));
}

#[test]
fn every_text_that_may_be_under_a_name_is_judged_again() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &[parse("s", "select secret"), sync(), parse("s", "select 1"), sync()].concat());
    guard.stand_on(ground(ORDINARY, 1));
    let sent = up(&mut guard, &bind("", "s"));
    let answers = [frame(b'1', b""), ready(b'I')].concat().repeat(2);
    let told = down(&mut guard, &[answers.clone(), failure(&sent)].concat());
    assert_eq!(code(&told[answers.len()..]), "42501");
}

#[test]
fn what_is_open_and_no_longer_covered_is_found_and_what_is_over_does_not_count() {
    let mut guard = guard_on(ground(WIDE, 1));
    passes(&mut guard, &query("select secret"));
    guard.stand_on(ground(ORDINARY, 1));
    assert!(!guard.still_covers());
    down(&mut guard, &[done(), ready(b'I')].concat());
    assert!(guard.still_covers());
    guard.stand_on(ground(WIDE, 1));
    passes(&mut guard, &query("declare c cursor for select secret"));
    down(&mut guard, &[done(), ready(b'T')].concat());
    guard.stand_on(ground(ORDINARY, 1));
    assert!(!guard.still_covers());
}

#[test]
fn a_name_that_the_catalog_does_not_know_is_judged_once_more_on_a_newer_one() {
    let mut guard = guard();
    let mut out = BytesMut::new();
    let stream = [query("select unheard"), query("select 1")].concat();
    assert_eq!(guard.take_from_client(&stream, &mut out), Ok(Pace::WantsCatalog));
    assert!(out.is_empty(), "what comes behind waits as well");
    guard.stand_on(ground(ORDINARY, 2));
    assert_eq!(guard.resume(&mut out), Ok(Pace::Going));
    assert_eq!(&out[..], stream);
    let mut guard = self::guard();
    let mut out = BytesMut::new();
    assert_eq!(guard.take_from_client(&query("select unheard"), &mut out), Ok(Pace::WantsCatalog));
    assert_eq!(guard.resume(&mut out), Ok(Pace::Going));
    assert_eq!(&out[..], query(&first_stand_in()));
}

#[test]
fn a_long_text_is_judged_elsewhere() {
    let long = |word: &str| query(&format!("select {word} {}", "x".repeat(100_000)));
    let (mut guard, mut out) = (guard(), BytesMut::new());
    let stream = [long("1"), query("select 2")].concat();
    assert_eq!(guard.take_from_client(&stream, &mut out), Ok(Pace::WantsVerdict));
    assert!(out.is_empty());
    let judged = guard.long_text().unwrap().judged();
    guard.take_judged(judged);
    assert_eq!(guard.resume(&mut out), Ok(Pace::Going));
    assert!(out == stream);
    out.clear();
    assert_eq!(guard.take_from_client(&long("unheard"), &mut out), Ok(Pace::WantsVerdict));
    let judged = guard.long_text().unwrap().judged();
    guard.take_judged(judged);
    assert_eq!(guard.resume(&mut out), Ok(Pace::WantsCatalog));
    guard.stand_on(ground(ORDINARY, 2));
    assert_eq!(guard.resume(&mut out), Ok(Pace::WantsVerdict), "what was found holds for the old ground");
    let judged = guard.long_text().unwrap().judged();
    guard.take_judged(judged);
    assert_eq!(guard.resume(&mut out), Ok(Pace::Going));
    assert!(out == long("unheard"));
}

#[test]
fn what_was_rewritten_is_sent_instead() {
    let mut guard = guard();
    assert_eq!(up(&mut guard, &query("select star")), query("select a, b"));
    assert_eq!(up(&mut guard, &parse("s", "select star")), parse("s", "select a, b"));
}

#[test]
fn a_reply_that_fits_nothing_ends_the_session() {
    for reply in [ready(b'I'), done(), frame(b'1', b""), frame(b's', b""), frame(b'G', b"\0\0\0")] {
        let mut guard = guard();
        passes(&mut guard, &bind_of_nothing());
        let result = guard.take_from_server(&reply, &mut BytesMut::new());
        assert!(matches!(result, Err(Breach::Violation(_))), "{reply:?}");
    }
    let last_word = frame(b'E', b"SFATAL\0C57P01\0Mterminating connection\0\0");
    assert_eq!(down(&mut guard(), &last_word), last_word);
}

/// A message of which the answer is none of the above.
fn bind_of_nothing() -> Vec<u8> {
    frame(b'C', b"Ss\0")
}

fn sql_error() -> Vec<u8> {
    frame(b'E', b"SERROR\0C22P02\0Mno number\0\0")
}

#[test]
fn denials_that_the_server_ignored_are_not_told_for_another() {
    let mut guard = guard();
    passes(&mut guard, &parse("", "select 1/0"));
    up(&mut guard, &[parse("", "select secret"), sync()].concat());
    let sent = up(&mut guard, &query("execute nothing"));
    let told = down(&mut guard, &[sql_error(), ready(b'I'), failure(&sent), ready(b'I')].concat());
    assert!(String::from_utf8_lossy(&told).contains("C26000"));
    assert!(guard.has_room());
}

#[test]
fn a_statement_that_changes_names_is_not_executed_by_sql() {
    for text in
        ["prepare a as select 1", "deallocate a", "declare c cursor", "execute a", "copy t from stdin"]
    {
        let mut guard = guard();
        passes(&mut guard, &[query("prepare a as select 2"), parse("b", text), sync()].concat());
        down(&mut guard, &[done(), ready(b'I'), frame(b'1', b""), ready(b'I')].concat());
        denied(&mut guard, &query("execute b"), "42501");
    }
}

#[test]
fn portals_that_read_through_one_another_are_looked_at_once_each() {
    let mut guard = guard();
    for (name, text) in [("x", "select 1"), ("y", "fetch x"), ("z", "fetch y"), ("x", "fetch z")] {
        passes(&mut guard, &[parse("", text), bind(name, ""), sync()].concat());
    }
    passes(&mut guard, &query("fetch z; fetch x"));
}

#[test]
fn a_portal_goes_on_with_what_it_has_read_when_the_name_stands_for_something_else() {
    for reads in [true, false] {
        let mut guard = guard_on(ground(WIDE, 1));
        passes(&mut guard, &query("prepare p as select secret"));
        down(&mut guard, &[done(), ready(b'T')].concat());
        passes(&mut guard, &[parse("", "execute p"), bind("x", ""), sync()].concat());
        down(&mut guard, &[frame(b'1', b""), frame(b'2', b""), ready(b'T')].concat());
        if reads {
            passes(&mut guard, &query("fetch x"));
            down(&mut guard, &[done(), ready(b'T')].concat());
        } else {
            passes(&mut guard, &[execute("x"), sync()].concat());
            down(&mut guard, &[frame(b's', b""), ready(b'T')].concat());
        }
        passes(&mut guard, &query("deallocate p"));
        passes(&mut guard, &query("prepare p as select 1"));
        down(&mut guard, &[done(), ready(b'T'), done(), ready(b'T')].concat());
        guard.stand_on(ground(ORDINARY, 1));
        assert!(!guard.still_covers());
        denied(&mut guard, &execute("x"), "42501");
    }
}

fn description(table: u32, number: i16) -> Vec<u8> {
    let column = [&b"c\0"[..], &table.to_be_bytes(), &number.to_be_bytes(), &[0; 12]].concat();
    frame(b'T', &[&[0, 1][..], &column].concat())
}

#[test]
fn a_result_with_a_column_outside_the_grant_trips_the_wire() {
    for shown in [description(SALES, 1), description(0, 0)] {
        let mut guard = guard();
        passes(&mut guard, &query("select 1"));
        assert_eq!(down(&mut guard, &shown), shown);
    }
    for hidden in
        [description(SALES, 2), description(SALES, 0), description(SALES, -1), description(30_000, 1)]
    {
        let (mut guard, mut out) = (guard(), BytesMut::new());
        passes(&mut guard, &query("select 1"));
        assert_eq!(guard.take_from_server(&hidden, &mut out), Ok(Pace::WantsCatalog));
        assert!(matches!(guard.resume_down(&mut out), Err(Breach::Tripwire(_))));
        assert!(out.is_empty());
    }
}

#[test]
fn settings_that_give_statements_their_meaning_must_stay() {
    let setting = |name: &str, value: &str| frame(b'S', format!("{name}\0{value}\0").as_bytes());
    let good = setting("client_encoding", "UTF8");
    assert_eq!(down(&mut guard(), &good), good);
    for (name, value) in [
        ("client_encoding", "SJIS"),
        ("standard_conforming_strings", "off"),
        ("search_path", "public, pg_catalog"),
        ("session_authorization", "postgres"),
    ] {
        let result = guard().take_from_server(&setting(name, value), &mut BytesMut::new());
        assert!(matches!(result, Err(Breach::Tripwire(_))), "{name}");
    }
}

#[test]
fn notifications_and_what_triggers_say_are_not_heard() {
    let mut guard = guard();
    let notice = frame(b'N', b"SNOTICE\0C00000\0MSECRET\0WPL/pgSQL function f()\0\0");
    assert!(down(&mut guard, &[frame(b'A', b"\0\0\0\x01c\0SECRET\0"), notice].concat()).is_empty());
    for kind in [b'V', b'W', b'K', b'R'] {
        let result = guard.take_from_server(&frame(kind, b""), &mut BytesMut::new());
        assert!(matches!(result, Err(Breach::Violation(_))), "{kind}");
    }
}

#[test]
fn rows_stream_through_in_any_division() {
    let stream = [
        description(SALES, 1),
        frame(b'D', &[1; 100]),
        frame(b'D', &[2; 3]),
        done(),
        ready(b'I'),
        frame(b'D', b""),
    ]
    .concat();
    for size in 1..stream.len() {
        let mut guard = guard();
        passes(&mut guard, &query("select 1"));
        let told: Vec<u8> = stream.chunks(size).flat_map(|chunk| down(&mut guard, chunk)).collect();
        assert_eq!(told, stream, "chunks of {size}");
    }
}

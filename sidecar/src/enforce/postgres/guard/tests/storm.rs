//! Whatever the bytes of a client, what reaches the server was judged.

use postern_protocol::{
    gate::Star,
    postgres::{FrameWalker, Parse, query_text},
};
use postern_tests::storm::storm;
use serde_json::Value;

use super::*;
use crate::enforce::postgres::{
    judge,
    tests::{ground_of, is_part_and_failure, shop_parts},
};

const SECRET: &str = "a secret word";

/// The texts of the cases.
fn texts() -> Vec<String> {
    let cases = include_str!("../../../../../../tests/data/pg_cases.jsonl").lines();
    let cases = cases.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = cases.flat_map(|case| case["session"].as_array().unwrap().clone());
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Each text as a query, alone and behind others, and as a prepared statement that is executed.
fn samples() -> Vec<Vec<u8>> {
    let texts = texts();
    let several = texts.windows(3).map(|three| query(&three.join(";")));
    several.chain(single(&texts)).collect()
}

fn single(texts: &[String]) -> Vec<Vec<u8>> {
    let one = |(at, text): (usize, &String)| match at % 3 {
        0 => query(text),
        1 => [parse("s", text), bind("", "s"), execute(""), sync()].concat(),
        _ => [parse("", text), bind("p", ""), frame(b'D', b"Pp\0"), execute("p"), sync(), query("select 1")]
            .concat(),
    };
    texts.iter().enumerate().map(one).collect()
}

/// The text in a message that has one, and whether such messages may reach the server.
fn text_of(kind: u8, body: &[u8]) -> Result<Option<&[u8]>, u8> {
    match kind {
        b'Q' => Ok(query_text(body)),
        b'P' => Ok(Parse::decode(body).map(|parse| parse.text)),
        b'B' | b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'd' | b'f' => Ok(None),
        other => Err(other),
    }
}

fn stands_in(serial: u64) -> String {
    format!("SELECT \"{}\"", stand_in::word(SECRET, serial))
}

#[test]
fn whatever_the_bytes_only_judged_texts_reach_the_server() {
    let ground = ground_of(shop_parts(), Star::Deny);
    storm(&samples(), 4_000, |input| {
        let mut guard = Guard::new(
            judge,
            ground.clone(),
            Arc::default(),
            Pinned::default(),
            SECRET,
            Remedy::default(),
            Quota::default(),
        );
        let mut up = BytesMut::new();
        let mut pace = guard.take_from_client(input, &mut up);
        while matches!(pace, Ok(Pace::WantsCatalog | Pace::WantsVerdict)) {
            if let Some(long) = guard.long_text() {
                guard.take_judged(long.judged());
            }
            pace = guard.resume(&mut up);
        }
        let walked = FrameWalker::default().walk(&up, |header, body| {
            let Some(text) = text_of(header.kind, body).expect("a message of this kind goes on") else {
                return;
            };
            let text = std::str::from_utf8(text).expect("what was judged is UTF-8");
            let judged = || judge(text, &ground).is_ok_and(|judgement| judgement.instead.is_none());
            let ours = || (1..=guard.serial).any(|serial| *text == stands_in(serial));
            let in_part = || is_part_and_failure(text, &ground);
            assert!(ours() || judged() || in_part(), "{text}");
        });
        assert_eq!(walked, Ok(()));
    });
}

//! Texts that nobody writes on purpose: the cases, changed a little again and again.

use std::collections::BTreeSet;

use postern_tests::storm::storm;
use serde_json::Value;

use super::{Ground, SqlMode, judge, maria, mysql};
use crate::enforce::mysql::lexer::Tokens;

/// The texts of the cases and what ordinary clients write.
pub(crate) fn texts() -> Vec<String> {
    let cases = include_str!("../../../../../tests/data/mysql_cases.jsonl").lines();
    let cases = cases.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = cases.flat_map(|case| case["session"].as_array().unwrap().clone());
    let texts = texts.map(|text| text.as_str().unwrap().to_owned());
    let ordinary = include_str!("../../../../../tests/data/mysql_ordinary.sql").lines().map(str::to_owned);
    let all: BTreeSet<String> = texts.chain(ordinary).collect();
    all.into_iter().collect()
}

#[test]
fn whatever_the_bytes_there_is_a_verdict_and_what_is_sent_is_understood() {
    let ansi = SqlMode { ansi_quotes: true, ..SqlMode::default() };
    let grounds = [mysql(), maria(), Ground { mode: ansi, ..mysql() }];
    let samples: Vec<Vec<u8>> = texts().into_iter().map(String::into_bytes).collect();
    storm(&samples, 6_000, |input| {
        for ground in &grounds {
            let Ok(judgement) = judge(input, ground) else { continue };
            assert_eq!(judge(input, ground).ok().as_ref(), Some(&judgement));
            let sent = judgement.instead.as_deref().unwrap_or(input);
            assert!(Tokens::read(sent, ground.catalog.server(), ground.mode).is_ok());
        }
    });
}

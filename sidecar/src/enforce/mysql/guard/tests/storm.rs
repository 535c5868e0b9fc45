//! Whatever the bytes of a client, what reaches the server was judged.

use postern_protocol::mysql::PacketWalker;
use postern_tests::storm::storm;

use super::*;
use crate::enforce::mysql::tests::storm::texts;

/// The payloads of all messages, each in one packet.
fn payloads(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    PacketWalker::default().walk(stream, |packet| all.push(packet.payload.to_vec()));
    all
}

/// The text of a command that has one.
fn text_of(payload: &[u8]) -> Option<&[u8]> {
    let (kind, text) = payload.split_first()?;
    (*kind == Command::Query.code() || *kind == Command::StmtPrepare.code()).then_some(text)
}

/// Commands as clients send them, two at a time.
fn samples() -> Vec<Vec<u8>> {
    let begins = [
        query("use shop"),
        query("set sql_mode = 'ANSI_QUOTES'"),
        command(Command::StmtPrepare, b"select sku from sales where id = ?"),
        execute(1),
        command(Command::InitDb, b"shop"),
        command(Command::FieldList, b"orders\0"),
        command(Command::ResetConnection, b""),
        command(Command::SetOption, &[0, 0]),
        command(Command::Ping, b""),
    ];
    let texts = texts();
    let pair = |(at, text): (usize, &String)| [&begins[at % begins.len()][..], &query(text)].concat();
    texts.iter().enumerate().map(pair).collect()
}

#[test]
fn whatever_the_bytes_only_judged_texts_reach_the_server() {
    storm(&samples(), 4_000, |input| {
        let said = payloads(input);
        let mut guard = guard();
        let mut up = BytesMut::new();
        let mut pace = guard.take_from_client(input, &mut up);
        // Each command is answered before the next one goes.
        for _ in 0..said.len() + 2 {
            match pace {
                Ok(Pace::WantsCatalog) => pace = guard.resume(&mut up),
                Ok(Pace::WantsVerdict) => {
                    let judged = guard.long_text().unwrap().judged();
                    guard.take_judged(judged);
                    pace = guard.resume(&mut up);
                }
                Ok(Pace::Going | Pace::Waiting) => {
                    let ground = guard.ground().clone();
                    for payload in payloads(&std::mem::take(&mut up)) {
                        // `KILL` goes with the server's own number.
                        let Some(text) = text_of(&payload).filter(|text| !text.starts_with(b"KILL ")) else {
                            continue;
                        };
                        let was_judged = said.iter().filter_map(|said| text_of(said)).any(|said| {
                            let ground =
                                Ground { several: payload[0] == Command::Query.code(), ..ground.clone() };
                            judge(said, &ground)
                                .is_ok_and(|judgement| judgement.instead.as_deref().unwrap_or(said) == text)
                        });
                        assert!(was_judged, "{}", text.escape_ascii());
                    }
                    guard.take_answers();
                    if guard.take_from_server(&good(), &mut BytesMut::new()).is_err() {
                        return;
                    }
                    pace = guard.commands(&mut up);
                }
                Ok(Pace::Over(_)) | Err(_) => return,
            }
        }
    });
}

//! The fuzz targets as tests: recorded and made-up messages, changed a little again and again.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is the library of the fuzz targets")]
mod targets;

use postern_tests::storm::storm;

/// So many inputs each.
const COUNT: u64 = 30_000;

/// What recorded conversations hold, each packet by itself, its header left out.
fn recorded() -> Vec<Vec<u8>> {
    let texts = [
        include_str!("../src/mysql/conversation/captured/mysql.txt"),
        include_str!("../src/mysql/conversation/captured/mariadb.txt"),
    ];
    let lines = texts.into_iter().flat_map(str::lines);
    let packets = lines.filter_map(|line| line.strip_prefix("> ").or_else(|| line.strip_prefix("< ")));
    packets.map(|hex| bytes(hex).split_off(4)).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.trim().as_bytes().as_chunks::<2>().0;
    pairs.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// With what both have agreed upon before it.
fn agreed(flags: u32, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| [&flags.to_le_bytes()[..], &[0], packet].concat()).collect()
}

/// Whole conversations, as `mysql_conversation` takes them: every speech behind its length.
fn conversations() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for text in [
        include_str!("../src/mysql/conversation/captured/mysql.txt"),
        include_str!("../src/mysql/conversation/captured/mariadb.txt"),
    ] {
        let flags = text.lines().find_map(|line| line.strip_prefix("capabilities 0x")).unwrap();
        let flags = u32::from_str_radix(flags, 16).unwrap().to_le_bytes();
        for part in text.split("\n# ") {
            let mut input = [&[7, 0], &flags[..], &[0]].concat();
            for line in part.lines() {
                let (speech, back) = match (line.strip_prefix("> "), line.strip_prefix("< ")) {
                    (Some(hex), _) => (bytes(hex), 0),
                    (_, Some(hex)) => (bytes(hex), 0x8000),
                    (None, None) => continue,
                };
                let length = u16::try_from(speech.len() % 0x8000).unwrap() | back;
                input.extend([&length.to_le_bytes()[..], &speech].concat());
            }
            all.push(input);
        }
    }
    all
}

fn owned(samples: &[&[u8]]) -> Vec<Vec<u8>> {
    samples.iter().map(|sample| sample.to_vec()).collect()
}

#[test]
fn messages_are_the_same_however_they_are_cut() {
    let samples: [&[u8]; 2] = [b"\x03\0Q\0\0\0\x0dselect 1\0S\0\0\0\x04X\0\0\0\x04", b"\x01\0d\0\0\0\x06ab"];
    storm(&owned(&samples), COUNT, targets::frames);
}

#[test]
fn a_first_packet_is_understood_the_same_after_being_sent_on() {
    let samples: [&[u8]; 4] = [
        b"\0\x03\0\0user\0app\0database\0sales\0options\0-c a=b\0\0",
        b"\0\x03\0\x02user\0a\0_pq_.x\0y\0\0",
        b"\x04\xd2\x16\x2f",
        b"\x04\xd2\x16\x2e\0\0\0\x07\x01\x02\x03\x04",
    ];
    storm(&owned(&samples), COUNT, targets::startup);
}

#[test]
fn no_message_of_a_server_breaks_a_decoder() {
    let samples: [&[u8]; 3] = [
        b"\0\0\0\x0aSCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0",
        b"SERROR\0C42501\0Mno\0\0",
        b"\0\0\0\x01\0\0\0\x02",
    ];
    storm(&owned(&samples), COUNT, targets::backend);
}

#[test]
fn what_is_understood_of_a_client_is_all_that_it_said() {
    let samples: [&[u8]; 5] = [
        b"select 1\0",
        b"s1\0select $1\0\0\x01\0\0\0\x17",
        b"p\0s\0\0\0\0\x01\0\0\0\x011\0\0",
        b"Ss1\0",
        b"p\0\0\0\0\x02",
    ];
    storm(&owned(&samples), COUNT, targets::frontend);
}

#[test]
fn a_name_that_is_accepted_prints_as_one_that_means_the_same() {
    let samples: [&[u8]; 5] = [b"public.sales.id", b"\"Odd \"\"name\".t.c", b"1d2h30m", b"90s", b"pst_x"];
    storm(&owned(&samples), COUNT, targets::gate);
}

#[test]
fn packets_are_the_same_however_they_are_cut() {
    storm(&agreed(0x000f_a28c, &recorded()), COUNT, targets::mysql_packets);
}

#[test]
fn a_login_is_understood_the_same_after_being_sent_on() {
    let greeting: &[u8] = b"\x0a9.1.0\0\x08\0\0\0abcdefgh\0\xff\xff\x2d\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0";
    let login: &[u8] = b"\x8d\xa2\x0f\0\0\0\0\x40\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\x03abcshop\0mysql_native_password\0";
    let change: &[u8] = b"app\0\x03abcshop\0\x2d\0mysql_native_password\0";
    storm(&agreed(0x000f_a28d, &owned(&[greeting, login, change])), COUNT, targets::mysql_handshake);
}

#[test]
fn the_text_of_a_command_is_the_end_of_its_packet() {
    storm(&agreed(0x080f_a28c, &recorded()), COUNT, targets::mysql_commands);
}

#[test]
fn an_error_reads_back_as_it_is_sent_on() {
    storm(&agreed(0x018f_a28c, &recorded()), COUNT, targets::mysql_replies);
}

#[test]
fn a_conversation_comes_to_the_same_however_it_is_cut() {
    storm(&conversations(), COUNT / 3, targets::mysql_conversation);
}

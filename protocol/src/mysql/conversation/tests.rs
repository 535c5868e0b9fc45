//! What real servers answered, played back in every division, and what nobody should answer.

use super::*;
use crate::mysql::OkPacket;

const EOF: Capabilities = Capabilities::PROTOCOL_41;

/// One exchange, as it passed between a client and a real server.
struct Scene {
    title: String,
    capabilities: Capabilities,
    /// The first of a connection.
    fresh: bool,
    /// Whether the client spoke, and what was said.
    lines: Vec<(bool, Vec<u8>)>,
    expected: String,
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

fn scenes(captured: &str) -> Vec<Scene> {
    let (mut all, mut capabilities, mut fresh) = (Vec::<Scene>::new(), Capabilities::NONE, true);
    for (kind, rest) in captured.lines().filter_map(|line| line.split_once(' ')) {
        match kind {
            "capabilities" => {
                let flags = u64::from_str_radix(rest.strip_prefix("0x").unwrap(), 16).unwrap();
                let half = |shift: u32| u32::try_from(flags >> shift & 0xffff_ffff).unwrap();
                capabilities = Capabilities::new(half(0), half(32));
                fresh = true;
            }
            "#" => {
                let (title, lines) = (rest.to_owned(), Vec::new());
                all.push(Scene { title, capabilities, fresh, lines, expected: String::new() });
                fresh = false;
            }
            ">" => all.last_mut().unwrap().lines.push((true, hex(rest))),
            "<" => all.last_mut().unwrap().lines.push((false, hex(rest))),
            "=" => all.last_mut().unwrap().expected = rest.trim().to_owned(),
            _ => {}
        }
    }
    assert!(all.len() > 50);
    all
}

fn word(event: Event<'_>, capabilities: Capabilities) -> String {
    match event {
        Event::Ok(ok) => {
            ok.changes().unwrap();
            "ok".to_owned()
        }
        Event::Eof(_) => "eof".to_owned(),
        Event::Error(error) => format!("error:{}", error.code),
        Event::Columns { count, .. } => format!("columns:{count}"),
        Event::Column(role, payload) => {
            crate::mysql::ColumnDefinition::decode(payload, capabilities).unwrap();
            match role {
                ColumnRole::Result => "column",
                ColumnRole::Parameter => "parameter",
                ColumnRole::Prepared => "prepared-column",
                ColumnRole::Listed => "listed",
            }
            .to_owned()
        }
        Event::Prepared { columns, parameters, .. } => format!("prepared:{columns}:{parameters}"),
        Event::LocalInfile(name) => format!("infile:{}", String::from_utf8_lossy(name)),
        Event::Authentication(_) => "authentication".to_owned(),
        Event::TooLong => "too-long".to_owned(),
    }
}

/// Plays a scene with each speech cut into chunks of this size.
fn play(conversation: &mut Conversation, scene: &Scene, size: usize) -> String {
    let mut words = Vec::new();
    for (up, bytes) in &scene.lines {
        for chunk in bytes.chunks(size) {
            if *up {
                conversation.sending(chunk);
            } else {
                conversation.returning(chunk, &mut |_, event| words.push(word(event, scene.capabilities)));
            }
        }
    }
    words.join(" ")
}

fn play_all(captured: &str) {
    let mut conversation = Conversation::new(EOF);
    for scene in scenes(captured) {
        if scene.fresh {
            conversation = Conversation::new(scene.capabilities);
        }
        for size in 1..=48 {
            let mut again = conversation.clone();
            assert_eq!(play(&mut again, &scene, size), scene.expected, "{} in chunks of {size}", scene.title);
            assert!(!again.in_flight(), "{} in chunks of {size}", scene.title);
            assert_eq!(sequence(&again), 1);
        }
        play(&mut conversation, &scene, usize::MAX);
        assert!(conversation.server_at_boundary() && !conversation.client_left());
    }
}

#[test]
fn what_mariadb_answers_is_understood_in_any_division() {
    play_all(include_str!("captured/mariadb.txt"));
}

#[test]
fn what_mysql_answers_is_understood_in_any_division() {
    play_all(include_str!("captured/mysql.txt"));
}

fn error() -> ErrorText {
    ErrorText::new(3169, "HY000", "revoked")
}

/// Of the error that would be slipped in now.
fn sequence(conversation: &Conversation) -> u8 {
    conversation.error_packet(&error())[3]
}

#[test]
fn an_error_slipped_in_anywhere_has_the_number_that_the_client_waits_for() {
    for captured in [include_str!("captured/mariadb.txt"), include_str!("captured/mysql.txt")] {
        let mut conversation = Conversation::new(EOF);
        for scene in scenes(captured) {
            if scene.fresh {
                conversation = Conversation::new(scene.capabilities);
            }
            for (up, bytes) in &scene.lines {
                if *up {
                    conversation.sending(bytes);
                } else {
                    conversation.returning(bytes, &mut |_, _| {});
                }
                if scene.title != "pipelined" {
                    let expected = if conversation.in_flight() { bytes[3] + 1 } else { 1 };
                    assert_eq!(sequence(&conversation), expected, "{}", scene.title);
                }
            }
        }
    }
}

fn text(length: usize) -> Vec<u8> {
    vec![b'x'; length]
}

fn ok(sequence: u8) -> Bytes {
    OkPacket::default().packet(sequence, Capabilities::NONE)
}

fn returning(conversation: &mut Conversation, bytes: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    conversation.returning(bytes, &mut |_, event| words.push(word(event, EOF)));
    words
}

/// A session whose client waits for the rows of a result with one column.
fn in_rows(capabilities: Capabilities) -> Conversation {
    let mut conversation = Conversation::new(capabilities);
    conversation.sending(&packet(0, b"\x03select 1"));
    let column = b"\x03def\0\0\0\x011\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0";
    returning(&mut conversation, &packet(1, b"\x01"));
    returning(&mut conversation, &packet(2, column));
    if !capabilities.has(Capabilities::DEPRECATE_EOF) {
        returning(&mut conversation, &packet(3, b"\xfe\0\0\x02\0"));
    }
    conversation
}

#[test]
fn pipelined_commands_are_answered_one_after_the_other() {
    let mut conversation = Conversation::new(EOF);
    conversation
        .sending(&[packet(0, b"\x0e"), packet(0, b"\x19\x01\0\0\0"), packet(0, b"\x03do 1")].concat());
    assert_eq!((conversation.unanswered(), conversation.answering()), (2, Some(Command::Ping)));
    let mut commands = Vec::new();
    conversation.returning(&ok(1), &mut |command, _| commands.push(command));
    assert_eq!((conversation.unanswered(), sequence(&conversation)), (1, 1));
    conversation.returning(&ok(1), &mut |command, _| commands.push(command));
    assert_eq!(commands, [Some(Command::Ping), Some(Command::Query)]);
    assert!(!conversation.in_flight() && !conversation.is_lost());
}

#[test]
fn a_long_row_is_one_row_and_ends_where_it_ends() {
    for capabilities in [EOF, Capabilities::DEPRECATE_EOF] {
        let mut conversation = in_rows(capabilities);
        // A value of 16 MiB and more is announced by the byte with which the end of the rows begins.
        let row = [&b"\xfe"[..], &0x0100_0000_u64.to_le_bytes(), &text(0x0100_0000)].concat();
        let bytes = packet(4, &row);
        for chunk in bytes.chunks(65_536) {
            assert!(returning(&mut conversation, chunk).is_empty());
        }
        assert_eq!((conversation.rows(), sequence(&conversation)), (1, 6));
        assert!(conversation.in_flight() && !conversation.is_lost());
    }
}

#[test]
fn an_error_ends_a_long_message_first() {
    let mut conversation = in_rows(EOF);
    let row = packet(4, &text(0x00ff_ffff));
    returning(&mut conversation, &row[..row.len() - 4]);
    assert_eq!(conversation.client_needs(), Some(0));
    let bytes = conversation.error_packet(&error());
    assert_eq!(&bytes[..5], b"\0\0\0\x05\x10");
    assert_eq!(bytes[7], 6);
    assert_eq!(returning(&mut conversation, &bytes), ["error:3169"]);
    assert!(!conversation.in_flight());
}

#[test]
fn what_the_client_still_needs_of_a_packet_is_known_once_its_header_is() {
    let mut conversation = in_rows(EOF);
    let row = packet(4, &text(10));
    for (part, needs) in [(&row[..3], None), (&row[3..8], Some(6)), (&row[8..], Some(0))] {
        returning(&mut conversation, part);
        assert_eq!(conversation.client_needs(), needs);
    }
}

#[test]
fn a_long_command_is_one_command() {
    let mut conversation = Conversation::new(EOF);
    let bytes = packet(0, &[&b"\x03"[..], &text(0x0100_0000)].concat());
    for chunk in bytes.chunks(65_536) {
        conversation.sending(chunk);
    }
    assert_eq!((conversation.unanswered(), sequence(&conversation)), (1, 2));
    assert!(conversation.server_at_boundary());
    returning(&mut conversation, &ok(2));
    assert!(!conversation.in_flight());
}

#[test]
fn commands_without_an_answer_are_no_work() {
    let mut conversation = Conversation::new(EOF);
    conversation.sending(&packet(0, b"\x19\x01\0\0\0"));
    conversation.sending(&packet(0, &[&b"\x18\x01\0\0\0\0\0"[..], &text(0x0100_0000)].concat()));
    assert!(!conversation.in_flight() && !conversation.client_left());
    assert_eq!(sequence(&conversation), 1);
    conversation.sending(&packet(0, b"\x01"));
    assert!(!conversation.in_flight() && conversation.client_left());
}

#[test]
fn a_file_holds_no_commands() {
    let mut conversation = Conversation::new(EOF);
    conversation.sending(&packet(0, b"\x03load data local"));
    assert_eq!(returning(&mut conversation, &packet(1, b"\xfb/x")), ["infile:/x"]);
    assert!(conversation.is_uploading());
    // So many packets that the sequence id comes round, and one of exactly the longest length.
    for sequence in 2_u16..=300 {
        conversation.sending(&packet(u8::try_from(sequence % 256).unwrap(), b"\x01"));
    }
    conversation.sending(&packet(45, &text(0x00ff_ffff)));
    assert!(conversation.is_uploading() && !conversation.client_left());
    assert_eq!(sequence(&conversation), 47);
    conversation.sending(&packet(47, b""));
    assert!(!conversation.is_uploading() && conversation.in_flight());
    assert_eq!(sequence(&conversation), 48);
    assert_eq!(returning(&mut conversation, &ok(48)), ["ok"]);
    assert!(!conversation.in_flight() && !conversation.is_lost());
}

#[test]
fn the_binary_log_is_a_stream_until_it_ends() {
    for command in [&b"\x12\x04\0\0\0"[..], b"\x1e"] {
        let mut conversation = Conversation::new(Capabilities::DEPRECATE_EOF);
        conversation.sending(&packet(0, command));
        for sequence in 1..=3 {
            assert!(returning(&mut conversation, &packet(sequence, b"\0event")).is_empty());
        }
        // What a semi-synchronous replica has got.
        conversation.sending(&packet(4, b"\xef\0\0\0\0\0\0\0\0bin.000001"));
        assert_eq!((conversation.unanswered(), conversation.rows()), (1, 0));
        assert_eq!(returning(&mut conversation, &packet(5, b"\xfe\0\0\0\0")), ["eof"]);
        assert!(!conversation.in_flight() && !conversation.is_lost());
    }
}

#[test]
fn reports_of_progress_answer_nothing() {
    let report = packet(1, b"\xff\xff\xff\x01\x01\x02\0\0\0\x07copying");
    let mut conversation = Conversation::new(Capabilities::MARIADB_PROGRESS);
    conversation.sending(&packet(0, b"\x03alter table big"));
    assert!(returning(&mut conversation, &report).is_empty());
    assert!(conversation.in_flight() && !conversation.is_lost());
    assert_eq!(returning(&mut conversation, &ok(2)), ["ok"]);
    let mut unforeseen = Conversation::new(EOF);
    unforeseen.sending(&packet(0, b"\x03alter table big"));
    returning(&mut unforeseen, &report);
    assert!(unforeseen.is_lost());
}

#[test]
fn an_error_that_nobody_asked_for_is_told_and_loses_nothing() {
    let mut conversation = Conversation::new(EOF);
    let mut seen = Vec::new();
    conversation.returning(&error().packet(0), &mut |command, event| seen.push((command, word(event, EOF))));
    assert_eq!(seen, [(None, "error:3169".to_owned())]);
    assert!(!conversation.in_flight());
}

#[test]
fn what_is_not_understood_counts_as_work_for_good() {
    let cases: [(&[u8], &[u8]); 12] = [
        (b"\x0e", b"\x07"),
        (b"\x0e", b""),
        (b"\x0e", b"\0\0"),
        (b"\x03select 1", b"\xfe\0\0\0\0"),
        (b"\x03select 1", b"\x01\x01"),
        (b"\x03select 1", b"\xff"),
        (b"\x16select 1", b"\0\x01\0\0\0"),
        (b"\x16select 1", b"\x01\x01\0\0\0\0\0\0\0\0\0\0"),
        (b"\x1c\x01\0\0\0\x01\0\0\0", b"\xfe\0"),
        (b"\x04sales\0", b"\0\0\0\0\0\0\0"),
        (b"\x12\x04\0\0\0", b"\x01"),
        (b"\x20", b""),
    ];
    for (command, answer) in cases {
        let mut conversation = Conversation::new(EOF);
        conversation.sending(&packet(0, command));
        returning(&mut conversation, &packet(1, answer));
        assert!(conversation.is_lost() && conversation.in_flight(), "{command:?} {answer:?}");
        returning(&mut conversation, &ok(2));
        assert!(conversation.in_flight());
        assert_eq!(conversation.client_needs(), Some(0));
    }
    let mut unasked = Conversation::new(EOF);
    returning(&mut unasked, &ok(1));
    assert!(unasked.is_lost());
}

#[test]
fn what_servers_never_make_so_long_is_not_kept_and_not_told() {
    let column = [&b"\x03def\xfd"[..], &text(70_000)].concat();
    let mut conversation = Conversation::new(Capabilities::DEPRECATE_EOF);
    conversation.sending(&packet(0, b"\x03select 1"));
    returning(&mut conversation, &packet(1, b"\x01"));
    for size in [1000, 100_000] {
        let mut again = conversation.clone();
        let words: Vec<_> =
            packet(2, &column).chunks(size).flat_map(|chunk| returning(&mut again, chunk)).collect();
        assert_eq!(words, ["too-long"]);
        let long = [&b"\xfe\0\0\x08\0\0\0\xfd"[..], &text(70_000)].concat();
        assert_eq!(returning(&mut again, &packet(3, &long)), ["too-long"]);
        assert_eq!(returning(&mut again, &ok(4)), ["ok"]);
        assert!(!again.in_flight() && !again.is_lost());
    }
}

#[test]
fn a_file_that_is_asked_for_when_more_commands_were_said_loses_the_thread() {
    let mut conversation = Conversation::new(EOF);
    conversation.sending(&[packet(0, b"\x03load data local"), packet(0, b"\x0e")].concat());
    returning(&mut conversation, &packet(1, b"\xfb/x"));
    assert!(conversation.is_lost());
}

//! Hostile bytes: nothing that a stranger sends ends the sidecar, fills its memory or keeps others out.

use std::net::Ipv4Addr;

use postern_service::random;
use postern_tests::{
    stage::{Access, REPO, Stage, Wish},
    wait::until,
    wire::{
        Message, PROTOCOL_3_0, Raw, SSL_REQUEST, extended, frame, query, startup, sync, tls_config,
        zero_terminated,
    },
};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// Fails unless the sidecar runs and serves, and has not grown by more than 64 MiB.
async fn others_are_served(stage: &mut Stage, access: &Access, before: u64) {
    assert!(stage.sidecar.process().is_running(), "the sidecar ended");
    let mut raw = stage.raw(access).await.unwrap();
    assert_eq!(raw.ask("select 'served'").await[1].first_column().as_deref(), Some("served"));
    let grown = stage.sidecar.process().resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "grew by {grown} KiB");
    assert!(!stage.sidecar.process().said().contains("panicked"), "something panicked");
}

/// Sends bytes as the first ones of a connection; the connection must end without asking for a password.
async fn ends_at(stage: &Stage, bytes: &[u8]) {
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(bytes).await;
    let said = raw.rest().await;
    assert!(said.iter().all(|message| message.kind == b'E'), "{bytes:?}: {said:?}");
}

#[tokio::test]
async fn start_up_packets_of_impossible_length_are_refused_and_others_served() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    for length in [0_u32, 1, 3, 4, 7, 10_001, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let packet = [&length.to_be_bytes()[..], &PROTOCOL_3_0.to_be_bytes(), &[b'x'; 64]].concat();
        ends_at(&stage, &packet).await;
    }
    let long = startup(
        PROTOCOL_3_0,
        &[("user", "app_ro"), ("database", REPO), ("application_name", &"x".repeat(9_980))],
    );
    assert!(long.len() > 10_000);
    ends_at(&stage, &long).await;
    others_are_served(&mut stage, &access, before).await;
}

#[tokio::test]
async fn start_up_packets_of_other_shapes_are_refused_and_others_served() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    let mut unterminated = startup(PROTOCOL_3_0, &[("user", "app_ro")]);
    unterminated.pop();
    unterminated[3] -= 1;
    let shapes = [
        startup(PROTOCOL_3_0, &[]),
        startup(PROTOCOL_3_0, &[("database", REPO)]),
        startup(PROTOCOL_3_0, &[("user", "")]),
        startup(0x0002_0000, &[("user", "app_ro")]),
        startup(0x0004_0000, &[("user", "app_ro")]),
        unterminated,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x00\x05hello".to_vec(),
        query("select 1"),
    ];
    for shape in shapes {
        ends_at(&stage, &shape).await;
    }
    others_are_served(&mut stage, &access, before).await;
}

#[tokio::test]
async fn plain_bytes_stuffed_behind_the_request_for_tls_are_never_taken() {
    let mut stage = Stage::with(Wish { tls: true, ..Wish::default() }).await;
    let access = stage.access("app_rw", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    let parameters = [("user", "app_rw"), ("database", REPO)];
    let login = [startup(PROTOCOL_3_0, &parameters), frame(b'p', &zero_terminated(&access.token))].concat();
    let stuffed = [&SSL_REQUEST[..], &login, &query("create table stuffed (id int)")].concat();
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.send(&stuffed).await;
    let first = raw.byte().await;
    assert!(matches!(first, None | Some(b'E' | b'S')), "{first:?}");
    if first == Some(b'S') {
        assert!(
            raw.into_tls(tls_config(&stage.authority, &[])).await.is_err(),
            "early bytes were passed over"
        );
    }
    let admin = stage.postgres.admin().await;
    let found: Option<String> =
        admin.query_one("select to_regclass('stuffed')::text", &[]).await.unwrap().get(0);
    assert_eq!(found, None);
    others_are_served(&mut stage, &access, before).await;
}

#[tokio::test]
async fn a_thousand_silent_connections_keep_nobody_out() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    let mut silent = Vec::new();
    for n in 0..1000 {
        let mut raw = Raw::over(TcpStream::connect(("127.0.0.1", stage.sidecar.port())).await.unwrap());
        match n % 3 {
            0 => {}
            1 => raw.send(&[0, 0]).await,
            _ => raw.send(&startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO)])).await,
        }
        silent.push(raw);
    }
    others_are_served(&mut stage, &access, before).await;
    drop(silent);
    others_are_served(&mut stage, &access, before).await;
}

#[tokio::test]
async fn whoever_cancels_without_end_keeps_nobody_out_and_is_thrown_out_in_time() {
    let mut stage = Stage::new().await;
    let (rogue, access) = (stage.access("app_rw", "1h").await, stage.access("app_ro", "1h").await);
    let before = stage.sidecar.process().resident_kib();
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let (user, port) = (rogue.account.as_str(), stage.sidecar.port());
    let greeting = raw.log_in(&[("user", user), ("database", REPO)], &rogue.token).await.unwrap();
    let key = greeting.into_iter().find(|message| message.kind == b'K').unwrap().body;
    let mut flood = JoinSet::new();
    for number in 0_u8..100 {
        let mut key = key.clone();
        // One of three has the key, the others guess.
        *key.last_mut().unwrap() ^= number % 3;
        flood.spawn(async move {
            loop {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind((Ipv4Addr::new(127, 0, 3, 1 + number), 0).into()).unwrap();
                let Ok(stream) = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await else { continue };
                let mut raw = Raw::over(stream);
                raw.send(&[&[0, 0, 0, 16, 4, 210, 22, 46][..], &key].concat()).await;
                assert!(raw.next().await.is_none(), "a cancel request got an answer");
            }
        });
    }
    for _ in 0..20 {
        others_are_served(&mut stage, &access, before).await;
    }
    let told = stage.revoke(&rogue).await;
    assert_eq!(told["sidecars"][0]["acknowledged"], true, "{told}");
    assert_eq!(raw.last_error().await.unwrap().code(), "57P01");
    others_are_served(&mut stage, &access, before).await;
    assert!(flood.try_join_next().is_none(), "the flood ended");
}

#[tokio::test]
async fn a_password_without_end_is_refused() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    for (kind, length) in [(b'p', 0x7fff_ffff_u32), (b'p', 3), (b'p', 0), (b'p', 100_000), (b'Q', 20), (0, 4)]
    {
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        raw.send(&startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO)])).await;
        assert_eq!(raw.next().await.unwrap().kind, b'R');
        raw.send(&[&[kind][..], &length.to_be_bytes(), &[b'x'; 64]].concat()).await;
        assert!(raw.rest().await.iter().all(|message| message.kind == b'E'), "{kind} {length}");
    }
    others_are_served(&mut stage, &access, before).await;
}

/// A session as a driver would hold it, cut into its messages.
fn recorded_session() -> Vec<Vec<u8>> {
    let parse = [b"s1\0", &zero_terminated("select $1::int + 1")[..], &[0, 1, 0, 0, 0, 23]].concat();
    let bind = [&b"p1\0s1\0"[..], &[0, 0, 0, 1, 0, 0, 0, 2], b"41", &[0, 0]].concat();
    vec![
        query("select generate_series(1, 100)"),
        extended("select 'plain'"),
        sync(),
        frame(b'P', &parse),
        frame(b'B', &bind),
        frame(b'D', b"Pp1\0"),
        frame(b'E', b"p1\0\0\0\0\0"),
        frame(b'C', b"Pp1\0"),
        frame(b'H', &[]),
        sync(),
        query("copy (select 1) to stdout"),
        query("create temp table t (line text)"),
        query("copy t from stdin"),
        frame(b'd', b"one\ntwo\n"),
        frame(b'c', &[]),
        query("copy t from stdin"),
        frame(b'f', b"changed my mind\0"),
        frame(b'F', &[0, 0, 4, 210, 0, 0, 0, 0, 0, 0]),
        sync(),
        frame(b'X', &[]),
    ]
}

fn below(limit: usize) -> usize {
    usize::from_be_bytes(random::bytes().unwrap()) % limit
}

/// A copy with one thing wrong.
fn mutated(session: &[Vec<u8>]) -> Vec<u8> {
    let mut messages = session.to_vec();
    let at = below(messages.len());
    match below(6) {
        0 => drop(messages.remove(at)),
        1 => messages.insert(at, messages[below(session.len())].clone()),
        2 => messages.truncate(at),
        _ => {}
    }
    let mut bytes = messages.concat();
    for _ in 0..below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = below(bytes.len());
        match below(3) {
            0 => bytes[at] = random::bytes::<1>().unwrap()[0],
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, 0),
        }
    }
    bytes
}

/// Sends a session's bytes and hangs up.
async fn play(mut raw: Raw, bytes: Vec<u8>) {
    raw.send(&bytes).await;
    let (sender, mut receiver) = raw.split();
    drop(sender);
    let read = async { while receiver.next_or_nonsense().await.is_some() {} };
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), read).await;
}

#[tokio::test]
async fn broken_sessions_of_an_admitted_client_harm_nobody_else() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    let rounds = std::env::var("POSTERN_TEST_MUTATIONS").map_or(200, |count| count.parse().unwrap());
    let session = recorded_session();
    for _ in 0..rounds {
        let bytes = mutated(&session);
        let mut plays = JoinSet::new();
        plays.spawn(play(stage.raw(&access).await.unwrap(), bytes));
        plays.join_all().await;
    }
    others_are_served(&mut stage, &access, before).await;
    until("the broken sessions to go", async || {
        stage.postgres.backends("usename = 'app_ro' and state <> 'idle'").await == 0
    })
    .await;
}

#[tokio::test]
async fn broken_bytes_before_the_login_harm_nobody_else() {
    let mut stage = Stage::new().await;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    let login = vec![
        SSL_REQUEST.to_vec(),
        startup(PROTOCOL_3_0, &[("user", "app_ro"), ("database", REPO), ("client_encoding", "UTF8")]),
        frame(b'p', &zero_terminated(&access.token)),
        query("select 1"),
    ];
    for _ in 0..300 {
        let bytes = mutated(&login);
        play(Raw::connect(stage.sidecar.port()).await, bytes).await;
    }
    others_are_served(&mut stage, &access, before).await;
}

#[tokio::test]
async fn a_message_too_long_to_be_true_is_treated_as_the_database_treats_it() {
    let stage = Stage::new().await;
    let access = stage.access("by_trust", "1h").await;
    let direct = async || {
        let mut raw = Raw::connect(stage.postgres.port()).await;
        let parameters = [("user", "by_trust"), ("database", postern_tests::postgres::DATABASE)];
        raw.log_in(&parameters, "").await.unwrap();
        raw
    };
    for (kind, length) in
        [(b'Q', 0_u32), (b'Q', 3), (b'Q', 0x7fff_ffff), (b'S', 20_000), (b'~', 4), (b'p', 8)]
    {
        let bytes = [&[kind][..], &length.to_be_bytes(), &[b'x'; 16]].concat();
        let mut ends: Vec<Option<Message>> = Vec::new();
        for mut raw in [direct().await, stage.raw(&access).await.unwrap()] {
            raw.send(&bytes).await;
            let error = raw.rest().await.into_iter().rev().find(|message| message.kind == b'E');
            ends.push(error);
        }
        let codes: Vec<_> =
            ends.iter().map(|end| end.as_ref().map(|end| end.fields().code().to_owned())).collect();
        assert!(codes[1].is_some() || codes[0].is_none(), "{kind} {length}: {codes:?}");
    }
}

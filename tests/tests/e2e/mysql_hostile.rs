//! Hostile bytes at the door for MySQL: nothing that a stranger sends ends the sidecar, fills its memory or keeps others
//! out.

use std::time::Duration;

use postern_service::random;
use postern_tests::{
    mysql::{
        accounts::DATABASE,
        login::{LogIn, ORDINARY, PLUGIN_AUTH, SSL, UTF8MB4},
        prepared::{execute, fetch},
        server::Version,
        stage::{Stage, Wish},
        wire::{
            CHANGE_USER, FIELD_LIST, INIT_DB, PING, QUIT, RESET_CONNECTION, Raw, SET_OPTION, STATISTICS,
            STMT_CLOSE, STMT_PREPARE, STMT_RESET, STMT_SEND_LONG_DATA, command, packet, query,
        },
    },
    stage::Access,
    wait::{until, until_some},
};
use tokio::{net::TcpStream, time::timeout};

on_both! {
    handshakes_of_impossible_length_are_refused_and_others_served
    handshakes_of_other_shapes_are_refused_and_others_served
    plain_bytes_stuffed_behind_the_request_for_tls_are_never_taken
    a_thousand_silent_connections_keep_nobody_out
    a_password_without_end_is_refused
    broken_sessions_of_an_admitted_client_harm_nobody_else
    broken_bytes_before_the_login_harm_nobody_else
    a_packet_out_of_order_is_treated_as_the_server_treats_it
}

/// Fails unless the sidecar runs and serves, and has not grown by more than 64 MiB.
async fn others_are_served(stage: &mut Stage, access: &Access, before: u64) {
    assert!(stage.sidecar.process().is_running(), "the sidecar ended");
    let mut raw = stage.raw(access).await.unwrap();
    assert_eq!(raw.value("select 'served'").await, "served");
    let grown = stage.sidecar.process().resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "grew by {grown} KiB");
    assert!(!stage.sidecar.process().said().contains("panicked"), "something panicked");
}

/// Sends bytes in answer to the greeting; the connection must end with nothing but an error.
async fn ends_at(stage: &Stage, bytes: &[u8]) {
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    raw.greeting().await.unwrap();
    raw.send(bytes).await;
    let said = raw.rest().await;
    assert!(said.iter().all(|packet| packet.kind() == 0xff), "{bytes:?}: {said:?}");
}

async fn set(version: Version, wish: Wish) -> Option<(Stage, Access, u64)> {
    let mut stage = Stage::on(version, wish).await?;
    let access = stage.access("app_ro", "1h").await;
    let before = stage.sidecar.process().resident_kib();
    Some((stage, access, before))
}

async fn handshakes_of_impossible_length_are_refused_and_others_served(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    for length in [0_u32, 1, 3, 31, 200_000, 0x7f_ffff, 0xff_ffff] {
        let header = (length | 1 << 24).to_le_bytes();
        ends_at(&stage, &[&header[..], &[b'x'; 64]].concat()).await;
    }
    let long = LogIn { attributes: &[("name", &"x".repeat(200_000))], ..LogIn::new("app_ro", "x") };
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let greeting = raw.greeting().await.unwrap();
    raw.reply(&long.response(&greeting)).await;
    assert!(raw.rest().await.iter().all(|packet| packet.kind() == 0xff));
    others_are_served(&mut stage, &access, before).await;
}

/// The flags, the largest packet, the collation and the filler.
fn head(capabilities: u32) -> Vec<u8> {
    [&capabilities.to_le_bytes()[..], &[0, 0, 0, 1, UTF8MB4], &[0; 23]].concat()
}

fn shapes() -> Vec<Vec<u8>> {
    let whole = |rest: &[u8]| [&head(ORDINARY), rest].concat();
    let first = |payload: &[u8]| packet(1, payload);
    vec![
        first(&[]),
        first(&head(ORDINARY)),
        first(&head(ORDINARY & !(1 << 9))),
        first(&whole(b"app_ro")),
        first(&whole(b"\0\0\0")),
        first(&whole(b"app_ro\0\xff")),
        first(&whole(b"app_ro\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff")),
        first(&whole(b"app_ro\0\xfd\xff\xff\xff")),
        first(
            &[
                &head(ORDINARY | 1 << 20),
                &b"app_ro\0\0caching_sha2_password\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff"[..],
            ]
            .concat(),
        ),
        first(
            &[&head(ORDINARY | 1 << 20), &b"app_ro\0\0caching_sha2_password\0\x05\xfc\xff\xff\x00\x00"[..]]
                .concat(),
        ),
        first(&whole(b"app_ro\0\x05ab")),
        packet(0, &whole(b"app_ro\0\0caching_sha2_password\0")),
        packet(7, &whole(b"app_ro\0\0caching_sha2_password\0")),
        first(&[0x05, 0x00, 0x00, 0x00, 0x00, b'o', b'l', b'd', 0]),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        query("select 1"),
    ]
}

async fn handshakes_of_other_shapes_are_refused_and_others_served(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    for shape in shapes() {
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        raw.greeting().await.unwrap();
        raw.send(&shape).await;
        raw.finish().await;
        // It may be asked for a credential where the shape allows that; it is never let in.
        let said = raw.rest().await;
        assert!(said.iter().all(|packet| packet.kind() != 0), "{shape:?}: {said:?}");
    }
    others_are_served(&mut stage, &access, before).await;
}

async fn plain_bytes_stuffed_behind_the_request_for_tls_are_never_taken(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish { tls: true, ..Wish::default() }).await else {
        return;
    };
    let tls = stage.tls().unwrap();
    let login = stage.login(&access);
    let mut raw = Raw::connect(stage.sidecar.port()).await;
    let greeting = raw.greeting().await.unwrap();
    assert_ne!(greeting.capabilities & SSL, 0);
    let clear = LogIn { plugin: "mysql_clear_password", ..login.clone() };
    let stuffed = [
        packet(1, &login.head()),
        packet(2, &clear.response(&greeting)),
        query("create table stuffed (a int)"),
    ];
    raw.send(&stuffed.concat()).await;
    assert!(raw.start_tls(tls).await.is_err(), "early bytes were passed over");
    let found = "select count(*) from information_schema.tables where table_name = 'stuffed'";
    assert_eq!(stage.mysql.admin().await.value(found).await, "0");
    others_are_served(&mut stage, &access, before).await;
}

async fn a_thousand_silent_connections_keep_nobody_out(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    let asks = packet(1, &[&head(ORDINARY)[..], b"app_ro\0\0caching_sha2_password\0"].concat());
    let begun: [&[u8]; 3] = [&[], &[40, 0], &asks];
    let mut silent = Vec::new();
    for begun in begun.into_iter().cycle().take(1000) {
        let mut raw = Raw::over(TcpStream::connect(("127.0.0.1", stage.sidecar.port())).await.unwrap());
        raw.send(begun).await;
        silent.push(raw);
    }
    others_are_served(&mut stage, &access, before).await;
    drop(silent);
    others_are_served(&mut stage, &access, before).await;
}

async fn a_password_without_end_is_refused(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    for length in [0_u32, 200_000, 0xff_ffff] {
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        let greeting = raw.greeting().await.unwrap();
        let login = LogIn { capabilities: ORDINARY | PLUGIN_AUTH, ..LogIn::new("app_ro", "") };
        raw.reply(&login.response(&greeting)).await;
        let asked = raw.next().await.unwrap();
        if asked.kind() == 0xff {
            continue;
        }
        let header = (length | u32::from(raw.sequence) << 24).to_le_bytes();
        raw.send(&[&header[..], &[b'x'; 64]].concat()).await;
        let said = raw.rest().await;
        assert!(said.iter().all(|packet| packet.kind() != 0), "{length}: {said:?}");
    }
    others_are_served(&mut stage, &access, before).await;
}

/// A session as a driver would hold it, cut into its packets.
fn recorded_session() -> Vec<Vec<u8>> {
    let number = 1_u32.to_le_bytes();
    vec![
        query("select 1 union select 2"),
        command(INIT_DB, DATABASE.as_bytes()),
        command(PING, &[]),
        command(STATISTICS, &[]),
        command(FIELD_LIST, b"nothing\0%"),
        command(STMT_PREPARE, b"select ? + 1"),
        execute(1, 0, &["41"]),
        execute(1, 1, &["41"]),
        fetch(1, 5),
        command(STMT_SEND_LONG_DATA, &[&number[..], &[0, 0], b"long"].concat()),
        command(STMT_RESET, &number),
        command(STMT_CLOSE, &number),
        command(SET_OPTION, &[0, 0]),
        query("select 1; select 2; select broken"),
        query("load data local infile 'x' into table nothing"),
        packet(2, b"a line\n"),
        packet(3, &[]),
        command(RESET_CONNECTION, &[]),
        command(CHANGE_USER, b"app_ro\0\0shop\0-\0caching_sha2_password\0"),
        command(QUIT, &[]),
    ]
}

fn below(limit: usize) -> usize {
    usize::from_be_bytes(random::bytes().unwrap()) % limit
}

/// A copy with one thing wrong.
fn mutated(session: &[Vec<u8>]) -> Vec<u8> {
    let mut packets = session.to_vec();
    let at = below(packets.len());
    match below(6) {
        0 => drop(packets.remove(at)),
        1 => packets.insert(at, packets[below(session.len())].clone()),
        2 => packets.truncate(at),
        _ => {}
    }
    let mut bytes = packets.concat();
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
    raw.finish().await;
    let read = async { while raw.next_byte().await.is_some() {} };
    let _ = timeout(Duration::from_millis(200), read).await;
}

/// A session at a server that may have died: MariaDB does of some broken commands, sent to it directly as well.
async fn admitted(stage: &mut Stage, access: &Access) -> Raw {
    until_some("a session", async || {
        stage.mysql.revive().await;
        stage.raw(access).await.ok()
    })
    .await
}

async fn broken_sessions_of_an_admitted_client_harm_nobody_else(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    let rounds = std::env::var("POSTERN_TEST_MUTATIONS").map_or(200, |count| count.parse().unwrap());
    let session = recorded_session();
    for _ in 0..rounds {
        play(admitted(&mut stage, &access).await, mutated(&session)).await;
    }
    drop(admitted(&mut stage, &access).await);
    others_are_served(&mut stage, &access, before).await;
    until("the broken sessions to go", async || {
        stage.mysql.connections("user = 'app_ro' and command <> 'Sleep'").await == 0
    })
    .await;
}

async fn broken_bytes_before_the_login_harm_nobody_else(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    let attributes = [("_client_name", "libmysql"), ("program_name", "x")];
    for _ in 0..300 {
        let mut raw = Raw::connect(stage.sidecar.port()).await;
        let Ok(greeting) = raw.greeting().await else { continue };
        let login = LogIn { attributes: &attributes, ..stage.login(&access) };
        let clear = [access.token.as_bytes(), b"\0"].concat();
        let packets = [packet(1, &login.response(&greeting)), packet(3, &clear), query("select 1")];
        play(raw, mutated(&packets)).await;
    }
    others_are_served(&mut stage, &access, before).await;
}

async fn a_packet_out_of_order_is_treated_as_the_server_treats_it(version: Version) {
    let Some((mut stage, access, before)) = set(version, Wish::default()).await else { return };
    let body = [&[3][..], b"select 1"].concat();
    for bytes in
        [packet(1, &body), packet(255, &body), packet(0, &[]), packet(0, &[0xee]), packet(0, &[200, 1, 2])]
    {
        let mut codes = Vec::new();
        for mut raw in [stage.mysql.direct("app_ro").await, stage.raw(&access).await.unwrap()] {
            raw.send(&bytes).await;
            raw.finish().await;
            let last = raw.next().await;
            codes.push(last.and_then(|packet| packet.refusal()).map(|refusal| refusal.code));
        }
        // The gate may close without a word, but never answers where the server refuses.
        assert!(codes[1].is_none() || codes[1] == codes[0], "{bytes:?}: {codes:?}");
    }
    others_are_served(&mut stage, &access, before).await;
}

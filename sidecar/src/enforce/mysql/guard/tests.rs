//! The guard, command by command, between a client and a server that are played by hand.

mod limits;
mod session;
mod statements;
mod storm;

use std::sync::Arc;

use bytes::BytesMut;
use postern_protocol::mysql::{Capabilities, Command, ErrorPacket, HEADER_LEN, Header, packet};

use super::*;
use crate::enforce::{
    Limits,
    mysql::tests::{maria, mysql},
};

const USUAL: Capabilities = Capabilities::PROTOCOL_41;

fn agreed() -> Capabilities {
    USUAL | Capabilities::DEPRECATE_EOF | Capabilities::SESSION_TRACK
}

fn guard_with(ground: Ground, capabilities: Capabilities) -> Guard {
    let session = Session { capabilities, ascii_only: false, remedy: Remedy::default() };
    Guard::new(
        session,
        ground,
        Arc::default(),
        Box::new(|number| (number == 7).then_some(70)),
        Quota::default(),
    )
}

fn guard() -> Guard {
    guard_with(mysql(), agreed())
}

fn command(command: Command, body: &[u8]) -> Vec<u8> {
    packet(0, &[&[command.code()], body].concat()).to_vec()
}

fn query(text: &str) -> Vec<u8> {
    command(Command::Query, text.as_bytes())
}

/// What goes to the server when the client says this.
fn send(guard: &mut Guard, bytes: &[u8]) -> Vec<u8> {
    let mut up = BytesMut::new();
    guard.take_from_client(bytes, &mut up).unwrap();
    up.to_vec()
}

/// What goes to the server now that it has answered.
fn next(guard: &mut Guard) -> Vec<u8> {
    let mut up = BytesMut::new();
    guard.commands(&mut up).unwrap();
    up.to_vec()
}

/// What the client gets of an answer.
fn answer(guard: &mut Guard, bytes: &[u8]) -> Result<Vec<u8>, Breach> {
    let mut down = BytesMut::new();
    guard.take_from_server(bytes, &mut down).map(|()| down.to_vec())
}

/// The error that the guard answers with itself: its sequence id and number.
fn refusal(guard: &mut Guard) -> Option<(u8, u16)> {
    let answers = guard.take_answers();
    let (header, payload) = answers.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::decode(*header);
    assert_eq!(payload.len(), header.length as usize);
    Some((header.sequence, ErrorPacket::decode(payload).unwrap().code))
}

/// A packet that says that all went well: status, warnings, and what has changed in the session.
fn ok(status: u16, warnings: u16, changes: &[u8]) -> Vec<u8> {
    let changed = if changes.is_empty() { 0 } else { 1 << 14 };
    let mut payload = vec![0, 0, 0];
    payload.extend((status | changed).to_le_bytes());
    payload.extend(warnings.to_le_bytes());
    if !changes.is_empty() {
        payload.extend([0, u8::try_from(changes.len()).unwrap()]);
        payload.extend(changes);
    }
    packet(1, &payload).to_vec()
}

fn good() -> Vec<u8> {
    ok(2, 0, &[])
}

const MORE: u16 = 8;

fn text(part: &str) -> Vec<u8> {
    [&[u8::try_from(part.len()).unwrap()], part.as_bytes()].concat()
}

/// The definition of a column of this table.
fn column(table: &str, name: &str) -> Vec<u8> {
    let names = ["def", "shop", table, table, name, name].map(text).concat();
    [&names[..], &[0x0c, 45, 0, 80, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0]].concat()
}

/// A result with these columns and so many rows.
fn result(table: &str, columns: &[&str], rows: usize) -> Vec<u8> {
    let mut packets = vec![vec![u8::try_from(columns.len()).unwrap()]];
    packets.extend(columns.iter().map(|name| column(table, name)));
    packets.extend(std::iter::repeat_n(text("x").repeat(columns.len()), rows));
    packets.push(vec![0xfe, 0, 0, 2, 0, 0, 0]);
    numbered(&packets)
}

fn numbered(packets: &[Vec<u8>]) -> Vec<u8> {
    let packets = packets.iter().zip(1..).map(|(payload, sequence)| packet(sequence, payload));
    packets.flat_map(|packet| packet.to_vec()).collect()
}

fn failed(code: u16) -> Vec<u8> {
    ErrorText::new(code, "HY000", "no").packet(1).to_vec()
}

/// A statement was prepared: its number, and one column.
fn prepared(number: u32, table: &str, name: &str) -> Vec<u8> {
    let first = [&[0], &number.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0]].concat();
    numbered(&[first, column(table, name)])
}

fn prepare(guard: &mut Guard, number: u32, sql: &str, column: &str) {
    let ask = command(Command::StmtPrepare, sql.as_bytes());
    assert_eq!(send(guard, &ask), ask, "{sql}");
    answer(guard, &prepared(number, "sales", column)).unwrap();
}

fn execute(number: u32) -> Vec<u8> {
    command(Command::StmtExecute, &[&number.to_le_bytes()[..], &[0, 1, 0, 0, 0]].concat())
}

/// Sends a statement that goes as it is, and answers it.
fn run(guard: &mut Guard, sql: &str, answered: &[u8]) {
    assert_eq!(send(guard, &query(sql)), query(sql), "{sql}: {:?}", refusal(guard));
    answer(guard, answered).unwrap();
}

/// The number of the error that a statement is refused with.
fn refused(guard: &mut Guard, bytes: &[u8]) -> u16 {
    assert_eq!(send(guard, bytes), b"");
    refusal(guard).expect("an error").1
}

/// Another grant on the same catalog: whole tables.
fn whole(ground: &Ground, tables: &[&str]) -> Ground {
    use postern_protocol::gate::{Privilege, ResourceGrant, Terms};
    let resource = |name: &&str| ResourceGrant {
        resource: name.parse().unwrap(),
        privileges: vec![Privilege::Select, Privilege::Update],
    };
    let list: Vec<_> = tables.iter().map(resource).collect();
    Ground { limits: Arc::new(Limits::new(&list, Terms::default())), ..ground.clone() }
}

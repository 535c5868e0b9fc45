//! No command of a client makes a decoder panic, and the text of a statement is the end of its packet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::mysql::{Capabilities, Command, Request};

fuzz_target!(|input: (u32, u32, &[u8])| {
    let (flags, extended, payload) = input;
    let (command, body) = Command::split(payload);
    match Request::decode(payload, Capabilities::new(flags, extended)) {
        Ok(Request::Query(query)) => assert_eq!([query.attributes, query.text].concat(), body),
        Ok(Request::StmtPrepare(text) | Request::InitDb(text)) => assert_eq!(text, body),
        Ok(Request::Other(other)) => assert_eq!(other, command),
        Ok(_) | Err(_) => {}
    }
});

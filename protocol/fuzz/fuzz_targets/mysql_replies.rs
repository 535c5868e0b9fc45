//! No packet of a server makes a decoder panic, and an error reads back as it is sent on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::mysql::{Capabilities, ColumnDefinition, EofPacket, ErrorPacket, HEADER_LEN, OkPacket};

fuzz_target!(|input: (u32, u32, &[u8])| {
    let (flags, extended, payload) = input;
    let capabilities = Capabilities::new(flags, extended);
    if let Ok(ok) = OkPacket::decode(payload, capabilities) {
        let _ = ok.changes();
        let _ = ok.packet(1, capabilities);
    }
    if let Ok(eof) = EofPacket::decode(payload) {
        assert_eq!(&eof.packet(1)[HEADER_LEN..], payload);
    }
    if let Ok(error) = ErrorPacket::decode(payload) {
        assert_eq!(&error.packet(1)[HEADER_LEN..], payload);
    }
    let _ = ColumnDefinition::decode(payload, capabilities);
});

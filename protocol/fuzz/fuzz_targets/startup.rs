//! No first packet makes the decoder panic, and one that is understood is understood the same after being sent on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::postgres::{
    InitialPacket, bearer, command_line, initial_packet, initial_packet_len, password_text, startup_message,
};

fuzz_target!(|packet: &[u8]| {
    if let Some(length) = packet.first_chunk::<4>() {
        let _ = initial_packet_len(*length);
    }
    let _ = password_text(packet);
    let _ = bearer(packet);
    if let Ok(line) = std::str::from_utf8(packet) {
        let (own, rest) = command_line::take_own(line);
        assert!(own.is_empty() || command_line::take_own(&rest).0.is_empty(), "nothing of ours is left");
    }
    let Ok(InitialPacket::Startup(message)) = initial_packet(packet) else { return };
    let who = [("user", message.user.as_str()), ("database", message.database.as_str())];
    let rest = message.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let sent = startup_message(who.into_iter().chain(rest));
    let Some(Ok(InitialPacket::Startup(read))) = sent.get(4..).map(initial_packet) else {
        panic!("what is sent on is no start-up packet");
    };
    assert_eq!((&read.user, &read.database), (&message.user, &message.database));
    assert_eq!(read.parameters, message.parameters);
});

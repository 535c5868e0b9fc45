//! No packet of a login makes a decoder panic, and what is understood is understood the same after being sent on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::mysql::{
    AuthRequest, Capabilities, ChangeUser, Greeting, HEADER_LEN, InitialPacket, ServerHello,
    openid_connect_token, scramble,
};

fuzz_target!(|input: (u32, u32, &[u8])| {
    let (flags, extended, payload) = input;
    let capabilities = Capabilities::new(flags, extended);
    if let Ok(ServerHello::Greeting(greeting)) = ServerHello::decode(payload) {
        assert_eq!(Greeting::decode(&greeting.packet()[HEADER_LEN..]), Ok(greeting));
    }
    match InitialPacket::decode(payload) {
        Ok(InitialPacket::Login(login)) if login.auth_response.reveal().len() < 256 => {
            let sent = login.packet(1);
            assert_eq!(InitialPacket::decode(&sent[HEADER_LEN..]), Ok(InitialPacket::Login(login)));
        }
        Ok(InitialPacket::SslRequest(request)) => {
            let sent = request.packet(1);
            assert_eq!(InitialPacket::decode(&sent[HEADER_LEN..]), Ok(InitialPacket::SslRequest(request)));
        }
        Ok(InitialPacket::Login(_)) | Err(_) => {}
    }
    if let Ok(request) = ChangeUser::decode(payload, capabilities) {
        assert_eq!(
            ChangeUser::decode(&request.packet(capabilities)[HEADER_LEN + 1..], capabilities),
            Ok(request)
        );
    }
    let _ = AuthRequest::decode(payload, capabilities);
    let _ = scramble(payload);
    let _ = openid_connect_token(payload);
});

//! What must hold of every decoder, whatever the bytes. Each function takes an input and panics where it does not.
//!
//! `make fuzz` runs them with coverage in sight; `protocol/tests/storm.rs` runs them as tests.

use postern_protocol::{
    duration::Span,
    gate::{Resource, SidecarToken},
    mysql::{
        self, AuthRequest, Capabilities, ChangeUser, ColumnDefinition, Command, Conversation, EofPacket,
        ErrorPacket, ErrorText, Greeting, HEADER_LEN, OkPacket, PacketWalker, Request, ServerHello,
        openid_connect_token, packet, scramble,
    },
    postgres::{
        self, AuthenticationRequest, BackendKeyData, FrameWalker, Named, Parse, bearer, bind_names,
        command_line, error_field, execute_portal, initial_packet, initial_packet_len, password_text,
        query_text, split_error, startup_message,
    },
};

/// Takes a number from the front of an input.
fn number(input: &mut &[u8]) -> usize {
    let Some((bytes, rest)) = input.split_first_chunk::<2>() else { return 0 };
    *input = rest;
    usize::from(u16::from_le_bytes(*bytes))
}

/// Takes what client and server of MySQL have agreed upon from the front of an input.
fn capabilities(input: &mut &[u8]) -> Capabilities {
    let Some((bytes, rest)) = input.split_first_chunk::<5>() else { return Capabilities::new(0, 0) };
    *input = rest;
    let [first, second, third, fourth, extended] = *bytes;
    Capabilities::new(u32::from_le_bytes([first, second, third, fourth]), extended.into())
}

/// However a stream is cut into chunks, the same messages are seen, or the same error.
pub fn frames(mut stream: &[u8]) {
    let size = number(&mut stream);
    let (mut whole, mut seen_whole) = (FrameWalker::default(), Vec::new());
    let result_whole = whole.walk(stream, |header, _| seen_whole.push(header));
    let (mut cut, mut seen_cut) = (FrameWalker::default(), Vec::new());
    let result_cut = stream.chunks(size % 4096 + 1).try_for_each(|chunk| {
        cut.walk(chunk, |header, body| {
            assert!(body.len() <= header.body as usize);
            seen_cut.push(header);
        })
    });
    assert_eq!(result_whole, result_cut);
    assert_eq!(seen_whole, seen_cut);
    if result_whole.is_ok() {
        assert_eq!(whole.at_boundary(), cut.at_boundary());
        assert_eq!(whole.left(), cut.left());
    }
}

/// No first packet makes the decoder panic, and one that is understood is understood the same after being sent on.
pub fn startup(packet: &[u8]) {
    if let Some(length) = packet.first_chunk::<4>() {
        let _ = initial_packet_len(*length);
    }
    let _ = password_text(packet);
    let _ = bearer(packet);
    if let Ok(line) = std::str::from_utf8(packet) {
        let (own, rest) = command_line::take_own(line);
        assert!(own.is_empty() || command_line::take_own(&rest).0.is_empty(), "nothing of ours is left");
    }
    let Ok(postgres::InitialPacket::Startup(message)) = initial_packet(packet) else { return };
    let who = [("user", message.user.as_str()), ("database", message.database.as_str())];
    let rest = message.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let sent = startup_message(who.into_iter().chain(rest));
    let Some(Ok(postgres::InitialPacket::Startup(read))) = sent.get(4..).map(initial_packet) else {
        panic!("what is sent on is no start-up packet");
    };
    assert_eq!((&read.user, &read.database), (&message.user, &message.database));
    assert_eq!(read.parameters, message.parameters);
}

/// No message of a server makes a decoder panic.
pub fn backend(body: &[u8]) {
    let _ = AuthenticationRequest::decode(body);
    let _ = BackendKeyData::decode(body);
    let _ = split_error(body).count();
    let _ = error_field(body, b'C');
}

/// No message of a client makes a decoder panic, and what is understood is all that the body holds.
pub fn frontend(body: &[u8]) {
    if let Some(text) = query_text(body) {
        assert_eq!([text, b"\0"].concat(), body);
    }
    if let Some(parse) = Parse::decode(body) {
        let types: Vec<u8> = parse.types().flat_map(u32::to_be_bytes).collect();
        let count = u16::try_from(types.len() / 4).unwrap_or(u16::MAX).to_be_bytes();
        assert_eq!([parse.name, b"\0", parse.text, b"\0", &count, &types].concat(), body);
    }
    if let Some((portal, statement)) = bind_names(body) {
        assert!(body.starts_with(&[portal, b"\0", statement, b"\0"].concat()));
    }
    match Named::decode(body) {
        Some(Named::Statement(name)) => assert_eq!([b"S", name, b"\0"].concat(), body),
        Some(Named::Portal(name)) => assert_eq!([b"P", name, b"\0"].concat(), body),
        None => {}
    }
    if let Some(portal) = execute_portal(body) {
        assert_eq!(portal.len() + 5, body.len());
    }
}

/// Texts that people and control planes write: what is accepted prints as something that means the same.
pub fn gate(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(resource) = text.parse::<Resource>() {
        assert_eq!(resource.to_string().parse(), Ok(resource));
    }
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
    let _ = text.parse::<SidecarToken>();
}

/// However a stream of MySQL's is cut into chunks, the same packets are seen; and a message reads back as it was sent.
pub fn mysql_packets(mut stream: &[u8]) {
    let size = number(&mut stream);
    let (mut whole, mut seen_whole) = (PacketWalker::default(), Vec::new());
    whole.walk(stream, |packet| seen_whole.push((packet.header, packet.first)));
    let (mut cut, mut seen_cut) = (PacketWalker::default(), Vec::new());
    for chunk in stream.chunks(size % 4096 + 1) {
        cut.walk(chunk, |packet| {
            assert!(packet.payload.len() <= packet.header.length as usize);
            seen_cut.push((packet.header, packet.first));
        });
    }
    assert_eq!(seen_whole, seen_cut);
    assert_eq!(whole.at_boundary(), cut.at_boundary());
    assert_eq!(whole.left(), cut.left());
    let mut walker = PacketWalker::default();
    let message = packet(7, stream);
    walker.walk(&message, |packet| assert_eq!(packet.payload, &message[HEADER_LEN..]));
    assert!(walker.at_boundary());
}

/// No packet of a login makes a decoder panic, and what is understood is understood the same after being sent on.
pub fn mysql_handshake(mut payload: &[u8]) {
    let capabilities = capabilities(&mut payload);
    if let Ok(ServerHello::Greeting(greeting)) = ServerHello::decode(payload) {
        assert_eq!(Greeting::decode(&greeting.packet()[HEADER_LEN..]), Ok(greeting));
    }
    match mysql::InitialPacket::decode(payload) {
        Ok(mysql::InitialPacket::Login(login)) if login.auth_response.reveal().len() < 256 => {
            let sent = login.packet(1);
            assert_eq!(
                mysql::InitialPacket::decode(&sent[HEADER_LEN..]),
                Ok(mysql::InitialPacket::Login(login))
            );
        }
        Ok(mysql::InitialPacket::SslRequest(request)) => {
            let sent = request.packet(1);
            assert_eq!(
                mysql::InitialPacket::decode(&sent[HEADER_LEN..]),
                Ok(mysql::InitialPacket::SslRequest(request))
            );
        }
        Ok(mysql::InitialPacket::Login(_)) | Err(_) => {}
    }
    if let Ok(request) = ChangeUser::decode(payload, capabilities) {
        let sent = request.packet(capabilities);
        assert_eq!(ChangeUser::decode(&sent[HEADER_LEN + 1..], capabilities), Ok(request));
    }
    let _ = AuthRequest::decode(payload, capabilities);
    let _ = scramble(payload);
    let _ = openid_connect_token(payload);
}

/// No command of a client makes a decoder panic, and the text of a statement is the end of its packet.
pub fn mysql_commands(mut payload: &[u8]) {
    let capabilities = capabilities(&mut payload);
    let (command, body) = Command::split(payload);
    match Request::decode(payload, capabilities) {
        Ok(Request::Query(query)) => assert_eq!([query.attributes, query.text].concat(), body),
        Ok(Request::StmtPrepare(text) | Request::InitDb(text)) => assert_eq!(text, body),
        Ok(Request::Other(other)) => assert_eq!(other, command),
        Ok(_) | Err(_) => {}
    }
}

/// No packet of a server makes a decoder panic, and an error reads back as it is sent on.
pub fn mysql_replies(mut payload: &[u8]) {
    let capabilities = capabilities(&mut payload);
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
}

/// However the two directions of a session are cut into chunks, they come to the same; and an error can be slipped in
/// wherever the client has whole packets.
pub fn mysql_conversation(mut input: &[u8]) {
    let (size, capabilities) = (number(&mut input), capabilities(&mut input));
    let (mut whole, mut told_whole) = (Conversation::new(capabilities), Vec::new());
    let (mut cut, mut told_cut) = (Conversation::new(capabilities), Vec::new());
    while !input.is_empty() {
        let length = number(&mut input);
        let (bytes, rest) = input.split_at(input.len().min(length % 0x8000));
        input = rest;
        let chunks = bytes.chunks(size % 64 + 1);
        if length < 0x8000 {
            whole.sending(bytes);
            for chunk in chunks {
                cut.sending(chunk);
            }
        } else {
            whole.returning(bytes, &mut |command, event| told_whole.push(format!("{command:?} {event:?}")));
            for chunk in chunks {
                cut.returning(chunk, &mut |command, event| told_cut.push(format!("{command:?} {event:?}")));
            }
        }
        if length == 0 && bytes.is_empty() {
            break;
        }
    }
    assert_eq!(told_whole, told_cut);
    assert_eq!(whole.in_flight(), cut.in_flight());
    assert_eq!(whole.is_lost(), cut.is_lost());
    assert_eq!(whole.unanswered(), cut.unanswered());
    assert_eq!(whole.rows(), cut.rows());
    assert_eq!(whole.client_needs(), cut.client_needs());
    assert_eq!(whole.client_left(), cut.client_left());
    let error = whole.error_packet(&ErrorText::new(3169, "HY000", "revoked"));
    assert_eq!(error, cut.error_packet(&ErrorText::new(3169, "HY000", "revoked")));
    let mut walker = PacketWalker::default();
    walker.walk(&error, |_| {});
    assert!(walker.at_boundary());
}

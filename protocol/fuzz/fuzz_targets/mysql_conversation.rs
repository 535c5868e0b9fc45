//! However the two directions of a session are cut into chunks, they come to the same; and an error can be slipped in
//! wherever the client has whole packets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::mysql::{Capabilities, Conversation, ErrorText, PacketWalker};

fuzz_target!(|input: (u32, u32, usize, Vec<(bool, Vec<u8>)>)| {
    let (flags, extended, size, speeches) = input;
    let capabilities = Capabilities::new(flags, extended);
    let (mut whole, mut told_whole) = (Conversation::new(capabilities), Vec::new());
    let (mut cut, mut told_cut) = (Conversation::new(capabilities), Vec::new());
    for (up, bytes) in &speeches {
        let chunks = bytes.chunks(size % 64 + 1);
        if *up {
            whole.sending(bytes);
            chunks.for_each(|chunk| cut.sending(chunk));
        } else {
            whole.returning(bytes, &mut |command, event| told_whole.push(format!("{command:?} {event:?}")));
            for chunk in chunks {
                cut.returning(chunk, &mut |command, event| told_cut.push(format!("{command:?} {event:?}")));
            }
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
});

//! However a stream of MySQL's is cut into chunks, the same packets are seen; and a message reads back as it was sent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::mysql::{HEADER_LEN, PacketWalker, packet};

fuzz_target!(|input: (usize, &[u8])| {
    let (size, stream) = input;
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
});

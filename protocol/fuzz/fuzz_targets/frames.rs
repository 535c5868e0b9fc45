//! However a stream is cut into chunks, the same messages are seen, or the same error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::postgres::FrameWalker;

fuzz_target!(|input: (usize, &[u8])| {
    let (size, stream) = input;
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
});

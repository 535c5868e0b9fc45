#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| postern_protocol_fuzz::frontend(input));

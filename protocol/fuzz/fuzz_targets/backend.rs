//! No message of a server makes a decoder panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::postgres::{AuthenticationRequest, BackendKeyData, error_field, split_error};

fuzz_target!(|body: &[u8]| {
    let _ = AuthenticationRequest::decode(body);
    let _ = BackendKeyData::decode(body);
    let _ = split_error(body).count();
    let _ = error_field(body, b'C');
});

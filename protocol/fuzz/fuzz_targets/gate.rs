//! Texts that people and control planes write: what is accepted prints as something that means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern_protocol::{
    duration::Span,
    gate::{Resource, SidecarToken},
};

fuzz_target!(|text: &str| {
    if let Ok(resource) = text.parse::<Resource>() {
        assert_eq!(resource.to_string().parse(), Ok(resource));
    }
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
    let _ = text.parse::<SidecarToken>();
});

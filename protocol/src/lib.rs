//! Bytes and messages of the wires that Postern speaks.
//!
//! In: slices of bytes as they came from a socket. Out: frames, messages, and the bytes of what Postern says itself.
//! No sockets, no clocks and no async live here, so that every decoder can be fuzzed and every rule tested alone.

pub mod duration;
pub mod gate;
pub mod glob;
pub mod mysql;
pub mod postgres;

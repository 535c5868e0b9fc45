//! Sockets: one stream type for plain TCP and both ends of TLS, and what counts as one source.

mod keepalive;
mod source;
mod stream;

pub(crate) use keepalive::prepare;
pub(crate) use postern_service::loopback::is_loopback;
pub(crate) use source::network;
pub(crate) use stream::Stream;

//! Sockets: one stream type for plain TCP and both ends of TLS.

mod keepalive;
mod stream;

pub(crate) use keepalive::prepare;
pub(crate) use postern_service::loopback::is_loopback;
pub(crate) use stream::Stream;

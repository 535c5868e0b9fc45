//! Sockets: one stream type for plain TCP and both ends of TLS.

mod keepalive;
mod loopback;
mod stream;

pub(crate) use keepalive::prepare;
pub(crate) use loopback::is_loopback;
pub(crate) use stream::Stream;

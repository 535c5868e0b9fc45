//! Sockets: one stream type for plain TCP and both ends of TLS.

mod stream;

pub(crate) use stream::Stream;

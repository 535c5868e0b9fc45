//! Options that every connection gets, on either side.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// No delay for small messages, and probes after a minute of silence, so that a peer which vanished without a word is
/// noticed within two.
pub(crate) fn prepare(tcp: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_mins(1))
        .with_interval(Duration::from_secs(10))
        .with_retries(6);
    tcp.set_nodelay(true)?;
    SockRef::from(tcp).set_tcp_keepalive(&probes)
}

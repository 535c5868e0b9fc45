//! Load balancers and other proxies in front of the control plane.
//!
//! In: the address that a connection comes from, and the headers of a call on it. Out: where the call came from. Strangers
//! may write into headers what they like, so only what a proxy of the operator's has added counts: it puts the address
//! that it was called from behind those that are there.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::HeaderMap;

use crate::outbound::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks that they are in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Arc<[Network]>);

impl Proxies {
    /// Those of these networks.
    pub(crate) fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    /// Whether this address is one of them.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// Where a call came from that came over `peer`: the last address that is none of theirs.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).into_iter().rev();
        let mut entries = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut origin = peer.to_canonical();
        while self.has(origin)
            && let Some(before) = entries.next().and_then(address)
        {
            origin = before;
        }
        origin
    }
}

/// An address as proxies write it: with a port or without.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    let plain = entry.trim_start_matches('[').trim_end_matches(']');
    plain.parse().ok().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, lines: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        Proxies::new(networks.into()).origin(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn what_a_proxy_has_added_says_where_a_call_came_from() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &["192.0.2.7"][..], "192.0.2.7"),
            ("::ffff:10.0.0.1", &["192.0.2.7:4711"], "192.0.2.7"),
            ("fd00::1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["192.0.2.7, 10.0.0.2", " 10.0.0.3 "], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.9"], "10.0.0.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(origin(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_strangers_write_counts_for_nothing() {
        for (peer, lines, expected) in [
            ("192.0.2.7", &["198.51.100.1"][..], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1, no address"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, "], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, no address, 10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(origin(peer, lines), expected, "{peer} {lines:?}");
        }
        assert_eq!(
            Proxies::default().origin([10, 0, 0, 1].into(), &HeaderMap::new()),
            IpAddr::from([10, 0, 0, 1])
        );
    }
}

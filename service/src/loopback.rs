//! Whether a configured host is this machine itself.

use std::net::IpAddr;

/// `localhost`, or an address of the loopback network. Other names are not looked up: they may change.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

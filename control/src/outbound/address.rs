//! Which addresses may be called.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: IpAddr,
    bits: u32,
}

/// A text that names no network.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no network: write 10.0.0.0/8 or fd00::/8")]
pub(crate) struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.escape_debug().to_string());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = bits.map_or(Ok(width(first)), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > width(first) {
            return Err(wrong());
        }
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.bits)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

const fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// Whether this address is one of them.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let rest = width(self.first).saturating_sub(self.bits);
        let prefix = |address| number(address).checked_shr(rest).unwrap_or(0);
        width(self.first) == width(address) && prefix(self.first) == prefix(address)
    }
}

/// What is not reachable from everywhere, or not one machine (IANA's special-purpose address registries).
const CLOSED: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

/// All of IPv6 that is reachable from everywhere.
const GLOBAL_V6: &str = "2000::/3";

/// Which addresses may be called: those of the public network, and those that the operator allows.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    allowed: Vec<Network>,
    closed: Vec<Network>,
    global_v6: Option<Network>,
}

impl Policy {
    /// The public network and these.
    pub(crate) fn new(allowed: Vec<Network>) -> Self {
        let closed = CLOSED.iter().filter_map(|text| text.parse().ok()).collect();
        Self { allowed, closed, global_v6: GLOBAL_V6.parse().ok() }
    }

    /// Whether the operator has named this address.
    pub(crate) fn is_named(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(address))
    }

    /// Whether this address may be called.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        // ::ffff:127.0.0.1 is 127.0.0.1.
        let address = address.to_canonical();
        let global = address.is_ipv4() || self.global_v6.is_some_and(|network| network.contains(address));
        self.is_named(address) || (global && !self.closed.iter().any(|network| network.contains(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &Policy, address: &str) -> bool {
        policy.allows(address.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_may_not_be_called() {
        let policy = Policy::new(Vec::new());
        assert_eq!(policy.closed.len(), CLOSED.len());
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:a00:1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
            "fec0::1",
        ] {
            assert!(!allows(&policy, address), "{address}");
        }
        for address in ["93.184.216.34", "172.32.0.1", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"] {
            assert!(allows(&policy, address), "{address}");
        }
    }

    #[test]
    fn what_the_operator_names_may_be_called_and_nothing_beside_it() {
        let policy = Policy::new(vec!["10.2.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (address, allowed) in [
            ("10.2.3.4", true),
            ("::ffff:10.2.3.4", true),
            ("10.3.0.1", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(allows(&policy, address), allowed, "{address}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains([10, 0, 0, 1].into()) && !all.contains("::1".parse().unwrap()));
    }

    #[test]
    fn what_names_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/-1", "example.com"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}

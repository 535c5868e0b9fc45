//! Whether what is sent to a configured place can be read on its way.

use std::net::IpAddr;

use reqwest::Url;

/// `localhost`, or an address of the loopback network. Other names are not looked up: they may change.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a URL's host is this machine.
#[must_use]
pub fn is_here(url: &Url) -> bool {
    is_loopback(url.host_str().unwrap_or_default().trim_matches(['[', ']']))
}

/// Whether secrets may go to `url`: by the scheme that has TLS, or by the one without to this machine.
#[must_use]
pub fn is_private(url: &Url, with_tls: &str, without: &str) -> bool {
    url.scheme() == with_tls || (url.scheme() == without && is_here(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_out_over_tls_or_stay_on_this_machine() {
        for (url, private) in [
            ("https://control.example:8000", true),
            ("http://127.0.0.1:8000", true),
            ("http://127.8.9.10", true),
            ("http://[::1]:8000", true),
            ("http://localhost", true),
            ("http://control.example", false),
            ("http://127.0.0.1.example", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1@control.example", false),
            ("wss://control.example", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap(), "https", "http"), private, "{url}");
        }
    }
}

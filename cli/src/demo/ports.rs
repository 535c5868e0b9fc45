//! The ports of a demo, chosen so that several demos can run side by side.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::error::Error;

/// Where the parts listen, all on 127.0.0.1.
#[derive(Debug)]
pub(super) struct Ports {
    /// The sidecar, for PostgreSQL clients.
    pub(super) sidecar: u16,
    /// The sidecar's admin endpoint.
    pub(super) sidecar_admin: u16,
    /// The control plane.
    pub(super) control: u16,
    /// The control plane's admin endpoint.
    pub(super) control_admin: u16,
    /// PostgreSQL itself.
    pub(super) postgres: u16,
}

const SIDECAR: u16 = 15432;
const CONTROL: u16 = 8000;

impl Ports {
    /// Takes the ports that were asked for, the usual ones where they are free, and free ones otherwise.
    pub(super) fn choose(sidecar: Option<u16>, control: Option<u16>) -> Result<Self, Error> {
        // All are held until all are chosen, so that no two are the same.
        let sidecar = hold(sidecar, Some(SIDECAR))?;
        let control = hold(control, Some(CONTROL))?;
        let others = [hold(None, None)?, hold(None, None)?, hold(None, None)?];
        let [sidecar_admin, control_admin, postgres] = others.each_ref().map(port);
        Ok(Self { sidecar: port(&sidecar), sidecar_admin, control: port(&control), control_admin, postgres })
    }
}

fn hold(wanted: Option<u16>, usual: Option<u16>) -> Result<TcpListener, Error> {
    match wanted {
        Some(port) => bind(port),
        None => usual.map_or_else(|| bind(0), |port| bind(port).or_else(|_| bind(0))),
    }
}

fn bind(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map_err(Error::io(format!("cannot listen on 127.0.0.1:{port}")))
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().map_or(0, |address: SocketAddr| address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_port_that_is_taken_gives_way_to_a_free_one() {
        let taken = bind(0).unwrap();
        let free = hold(None, Some(port(&taken))).unwrap();
        assert_ne!(port(&free), port(&taken));
    }

    #[test]
    fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
        let taken = bind(0).unwrap();
        assert!(hold(Some(port(&taken)), None).is_err());
    }
}

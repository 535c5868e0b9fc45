//! The ports of a demo, chosen so that several demos can run side by side, also when they start at the same moment.
//!
//! A child opens its port itself, some time after it was chosen. Meanwhile the port is the demo's by a name in the
//! kernel's abstract socket namespace, which goes with the process; and free ports are looked for below the range
//! from which the kernel serves everybody else.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
};

use postern_service::random;

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
    /// The SSO provider.
    pub(super) issuer: u16,
    /// PostgreSQL itself.
    pub(super) postgres: u16,
    /// The sidecar, for MySQL clients.
    pub(super) mysql: u16,
    /// MariaDB itself.
    pub(super) mariadb: u16,
    _claims: Vec<Claim>,
}

/// The ports that were asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// The sidecar, for PostgreSQL clients.
    pub(super) postgres: Option<u16>,
    /// The sidecar, for MySQL clients.
    pub(super) mysql: Option<u16>,
    /// The control plane.
    pub(super) control: Option<u16>,
}

/// A port that no other demo takes while this lives.
#[derive(Debug)]
struct Claim {
    port: u16,
    _name: UnixListener,
}

const SIDECAR: u16 = 15432;
const MYSQL: u16 = 13306;
const CONTROL: u16 = 8000;
/// Free ports are looked for here: `LOWEST..LOWEST + COUNT`.
const LOWEST: u16 = 20_000;
const COUNT: u16 = 12_000;
const ATTEMPTS: u32 = 200;

impl Ports {
    /// Takes the ports that were asked for, the usual ones where they are free, and free ones otherwise.
    pub(super) fn choose(wanted: Wanted) -> Result<Self, Error> {
        let listeners = [
            wanted_or(wanted.postgres, SIDECAR)?,
            wanted_or(wanted.mysql, MYSQL)?,
            wanted_or(wanted.control, CONTROL)?,
        ];
        let others = [any()?, any()?, any()?, any()?, any()?];
        let [sidecar, mysql, control] = listeners.each_ref().map(|claim| claim.port);
        let [sidecar_admin, control_admin, postgres, mariadb, issuer] =
            others.each_ref().map(|claim| claim.port);
        let claims = listeners.into_iter().chain(others).collect();
        Ok(Self {
            sidecar,
            sidecar_admin,
            control,
            control_admin,
            issuer,
            postgres,
            mysql,
            mariadb,
            _claims: claims,
        })
    }
}

fn wanted_or(wanted: Option<u16>, usual: u16) -> Result<Claim, Error> {
    match wanted {
        Some(port) => claim(port),
        None => claim(usual).or_else(|_| any()),
    }
}

fn any() -> Result<Claim, Error> {
    for _ in 0..ATTEMPTS {
        let bytes = random::bytes().map_err(|error| Error::Failed(error.to_string()))?;
        let port = LOWEST + u16::from_ne_bytes(bytes) % COUNT;
        if let Ok(claim) = claim(port) {
            return Ok(claim);
        }
    }
    Err(Error::Failed(format!("no free port between {LOWEST} and {}", LOWEST + COUNT)))
}

fn claim(port: u16) -> Result<Claim, Error> {
    let failed = || Error::io(format!("cannot listen on 127.0.0.1:{port}"));
    let name = SocketAddr::from_abstract_name(format!("postern-demo-port-{port}")).map_err(failed())?;
    let name = UnixListener::bind_addr(&name).map_err(failed())?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed())?;
    Ok(Claim { port, _name: name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_port_that_is_taken_gives_way_to_a_free_one() {
        let taken = any().unwrap();
        assert_ne!(wanted_or(None, taken.port).unwrap().port, taken.port);
    }

    #[test]
    fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(wanted_or(Some(taken.local_addr().unwrap().port()), 1).is_err());
    }

    #[test]
    fn demos_that_start_at_the_same_moment_do_not_meet() {
        let choose = || Ports::choose(Wanted::default()).unwrap();
        let (first, second) = (choose(), choose());
        let all = |ports: &Ports| {
            let Ports {
                sidecar,
                sidecar_admin,
                control,
                control_admin,
                issuer,
                postgres,
                mysql,
                mariadb,
                ..
            } = *ports;
            [sidecar, sidecar_admin, control, control_admin, issuer, postgres, mysql, mariadb]
        };
        assert!(all(&first).iter().all(|port| !all(&second).contains(port)));
    }
}

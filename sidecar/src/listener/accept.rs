//! The accept loop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use crate::{
    gatehouse::{Gatehouse, Service},
    postgres,
};

/// An open port and what is served there.
pub(crate) struct Listener {
    socket: TcpListener,
    service: Arc<Service>,
}

impl Listener {
    /// Opens the port.
    pub(crate) async fn bind(address: SocketAddr, service: Arc<Service>) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, service })
    }

    /// Accepts until the sidecar stops.
    pub(crate) async fn run(self, house: Arc<Gatehouse>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = house.stopping() => return,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let pending = house.places.take(peer.ip());
                    tokio::spawn(postgres::serve(
                        Arc::clone(&house),
                        Arc::clone(&self.service),
                        tcp,
                        peer,
                        pending,
                    ));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: those who are in go on, and some will leave.
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
